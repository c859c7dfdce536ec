"""The command line in this process: options, mistakes, files."""

import contextlib
import json
import re
from pathlib import Path

import pytest

from corruptlab import __version__
from corruptlab.experiments import TOKEN_SETTINGS, RandomizationReport, SeedsReport
from tests.cli.shown import check_mistake, main
from tests.cli.trees import table_of


def command(data: str, *more: str) -> list[str]:
    return ["test", "--data", data, "--model", "mlp-1x16", "--epochs", "30", *more]


@pytest.mark.slow(seconds=1)
def test_a_run_prints_a_table_and_writes_its_files(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "deep" / "out"
    settings = "true, random-labels"
    assert main(command(data, "--settings", settings, "--seed", "3", "--out", str(out))) == 0
    shown, told = capsys.readouterr()
    assert shown.splitlines()[1].startswith("setting")
    assert "random labels" in shown
    assert f"wrote {out / 'report.json'} and {out / 'figure.png'}" in told
    report = json.loads((out / "report.json").read_text())
    assert report["complete"]
    assert report["seed"] == 3
    assert report["recipe"]["epochs"] == 30
    assert [row["setting"]["name"] for row in report["rows"]] == ["true", "random-labels"]
    assert (out / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(entry.name for entry in out.iterdir()) == ["figure.png", "report.json"]


@pytest.mark.slow
def test_equal_commands_give_equal_reports(data: str, tmp_path: Path) -> None:
    reports = []
    for name in ("one", "two"):
        main(command(data, "--settings", "gaussian", "--out", str(tmp_path / name)))
        reports.append(json.loads((tmp_path / name / "report.json").read_text()))
    losses = [report["rows"][0]["fit"]["losses"] for report in reports]
    assert losses[0] == losses[1]


def test_learning_rate_and_p_reach_the_run(data: str, tmp_path: Path) -> None:
    main(
        command(data, "--settings", "partial-labels", "--p", "0.25", "--learning-rate", "0.125",
             "--out", str(tmp_path))
    )  # fmt: skip
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["recipe"]["learning_rate"] == 0.125
    assert report["rows"][0]["setting"]["corruptions"][0]["p"] == 0.25


@pytest.mark.slow
def test_several_seeds_are_the_tests_of_each_seed(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--settings", "true,random-labels"]
    out = tmp_path / "both"
    assert main(command(data, *options, "--seed", "3", "--seeds", "2", "--out", str(out))) in (0, 1)
    shown = capsys.readouterr().out
    assert "+-" in shown
    assert "seeds 3, 4, on cpu" in shown
    report = SeedsReport.load(out / "report.json")
    for seed, own in zip((3, 4), report.reports, strict=True):
        alone = tmp_path / str(seed)
        main(command(data, *options, "--seed", str(seed), "--out", str(alone)))
        other = RandomizationReport.load(alone / "report.json")
        assert isinstance(own, RandomizationReport)
        assert [row.fit.losses for row in own] == [row.fit.losses for row in other]
        assert [row.fingerprint for row in own] == [row.fingerprint for row in other]
    first = [each.rows[0].train_accuracy for each in report.reports]
    assert len(first) == 2
    losses = [each.rows[0].fit.losses[0] for each in report.reports]  # type: ignore[union-attr]  # networks
    assert losses[0] != losses[1]


def test_a_table_is_tested_by_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = f"csv:{table_of(tmp_path)}:ill"
    assert main(["test", "--data", spec, "--model", "mlp-1x16", "--epochs", "2"]) == 0
    shown = capsys.readouterr().out
    assert "shuffled columns" in shown
    assert "mlp-1x16, 98 parameters" in shown  # (3 + 1) * 16 + (16 + 1) * 2
    assert "x.csv, 32 training and 8 test examples, 2 classes" in shown
    assert "at most 2 epochs, inputs plain" in " ".join(shown.split())


def test_a_table_can_be_resampled_by_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--settings", "true,resampled-tokens", "--model", "mlp-1x16", "--epochs", "1"]
    assert main(["test", "--data", f"csv:{table_of(tmp_path)}", *options]) == 0
    shown = capsys.readouterr().out
    assert "resampled columns" in shown
    assert "tokens" not in shown


@pytest.mark.slow(seconds=1)
def test_tokens_are_tested_with_padding_in_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = pytest.importorskip("datasets", exc_type=ImportError)
    rows = {"input_ids": [[1, 2], [3, 4, 5]] * 10, "label": [0, 1] * 10}
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "rows"))
    out = tmp_path / "out"
    command = ["test", "--data", f"hf:{tmp_path / 'rows'}", "--epochs", "1", "--out", str(out)]
    assert main(command) in (0, 1)  # 1 without matplotlib
    report = json.loads((out / "report.json").read_text())
    assert report["model"] == "text-transformer"
    assert report["num_parameters"] == (6 + 3) * 64 + 2 * (12 * 64**2 + 13 * 64) + 128 + 130
    settings = [row["setting"] for row in report["rows"]]
    assert [each["name"] for each in settings] == list(TOKEN_SETTINGS)
    assert [each["corruptions"][0]["keep"] for each in settings[3:5]] == [[0.0], [0.0]]
    assert settings[5]["corruptions"][0]["repr"].startswith("ResampledValues(keep=(0,), ")
    assert main([*command, "--settings", "random-positions", "--model", "mlp-1x16"]) == 2
    assert "--model must be text-transformer for tokens, got" in capsys.readouterr().err
    assert main([*command, "--settings", "random-positions"]) in (0, 1)
    (row,) = json.loads((out / "report.json").read_text())["rows"]
    assert row["setting"]["corruptions"][0]["keep"] == [0.0]


MISTAKES: list[tuple[list[str], str]] = [
    (
        ["--settings", "true,wrong"],
        r"--settings must be among true, partial-labels, .* got 'wrong'",
    ),
    (["--settings", ","], r"--settings must name at least one of true, .* got none"),
    (["--model", "resnet"], r"--model must be one of mlp-1x512, .* got 'resnet'"),
    (["--p", "2"], r"--p must lie in \[0, 1\], got 2\.0"),
    (["--seed", "-1"], r"--seed must be at least 0, got -1"),
    (["--seeds", "0"], r"--seeds must be at least 1, got 0"),
    (["--epochs", "0"], r"--epochs must be at least 1, got 0"),
    (["--learning-rate", "nan"], r"--learning-rate must be finite, got nan"),
    (["--device", "toaster"], r"--device must be usable on this machine, got 'toaster'"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES, ids=[" ".join(o) for o, _ in MISTAKES])
def test_a_mistake_is_one_line_and_exit_code_2(
    options: list[str], message: str, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command(data, "--settings", "true"), *options]) == 2
    check_mistake(capsys, message)


@pytest.mark.parametrize("options", [["--seed", "x"], ["--unknown"], ["fit"]])
def test_what_cannot_be_parsed_is_one_line_and_exit_code_2(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["test", *options] if options != ["fit"] else options)
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("corruptlab: error: ")
    assert len(told.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (["tset"], "Did you mean 'test'?"),
        (["fit"], None),
        (["test", "--modle", "x"], "Did you mean '--model'?"),
        (["test", "--colour=red"], None),
        (["sweep", "--out", "o", "--worker=3", "--sedes", "2"], "Did you mean '--seeds'?"),
        (["test", "--model", "small-inceptoin"], "Did you mean 'small-inception'?"),
        (["test", "--model", "resnet"], None),
        (["test", "--settings", "true,random-label"], "Did you mean 'random-labels'?"),
        (["test", "--data", "fashion-mnist"], "Did you mean 'fashion-mnist-mini'?"),
        (["test", "--data", "cifr10:folder"], "Did you mean 'cifar10'?"),
        (["test", "--device", "cud"], "Did you mean 'cuda'?"),
        (["sweep", "--ot", "o", "--seed", "2"], "Did you mean '--out'?"),
        (["adit"], "Did you mean 'audit'?"),
        (["audit", "--smaple", "3"], "Did you mean '--sample'?"),
        (["reproduce", "tabel1", "--out", "o"], "Did you mean 'table1'?"),
        (
            ["reproduce", "table1", "--out", "o", "--data", "x", "--set", "recipe.epoch=2"],
            "Did you mean 'recipe.epochs'?",
        ),
    ],
)
def test_what_is_mistyped_is_told_with_what_was_probably_meant(
    typed: list[str], hint: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main(typed)
    except SystemExit as caught:
        code = caught.code
    assert code == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert ("Did you mean" in told) == (hint is not None)
    assert (hint or "") in told


ESCAPES = "\x1b[31mred\x1b]0;title\x07\u202e"


@pytest.mark.parametrize(
    "typed",
    [
        [ESCAPES],
        ["test", f"--{ESCAPES}"],
        ["test", "--data", f"idx:/nowhere/{ESCAPES}"],
        ["test", "--model", ESCAPES],
        ["test", "--out", f"/dev/null/{ESCAPES}"],
        ["sweep", "--out", f"/dev/null/{ESCAPES}"],
        ["reproduce", ESCAPES, "--out", "o"],
        ["reproduce", "table1", "--out", "o", "--data", "x", "--set", f"{ESCAPES}=2"],
    ],
)
def test_names_command_no_terminal(typed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        main(typed)
    shown, told = capsys.readouterr()
    assert all(each.isprintable() for each in (shown + told).replace("\n", ""))
    assert "red" in told


def test_a_data_set_whose_name_holds_escapes_is_shown_without_them(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(data.partition(":")[2]).rename(tmp_path / "\x1b[31mred")
    assert main(command(f"idx:{folder}", "--settings", "true")) == 0
    shown, told = capsys.readouterr()
    assert all(each.isprintable() for each in (shown + told).replace("\n", ""))
    assert r"\x1b[31mred" in shown


@pytest.mark.parametrize("name", ["mlp-1x99999999999", "mlp-99999999999x1", f"mlp-1x{'9' * 5000}"])
def test_a_network_larger_than_the_memory_is_one_clear_error(
    name: str, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", "--data", data, "--model", name]) == 2
    check_mistake(capsys, r"--model must be (a network that fits the memory,|one of) .*got 'mlp-")


def test_a_folder_that_cannot_be_written_is_refused_before_training(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(command(data, "--out", str(tmp_path / "file"))) == 2
    told = capsys.readouterr().err
    assert re.search(r"^corruptlab: error: --out must be a folder to write to, got '.*file'", told)
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_loss_that_is_not_finite_keeps_what_was_done(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rate = ["--learning-rate", "1e30", "--settings", "true", "--out", str(tmp_path)]
    assert main(command(data, *rate)) == 2
    told = capsys.readouterr().err
    assert "corruptlab: error: The loss is " in told
    assert "Traceback" not in told


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib_the_report_is_written_and_the_extra_named(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(data, "--settings", "true", "--out", str(tmp_path))) == 0
    told = capsys.readouterr().err
    assert "pip install 'corruptlab[plot]'" in told
    assert "an earlier run" not in told
    assert (tmp_path / "report.json").exists()
    assert not (tmp_path / "figure.png").exists()


def test_help_and_version_tell_a_person_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["test", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"corruptlab {__version__}" in text
    for word in ("--data", "--settings", "random-labels", "examples:", "(default: mlp-1x512, for"):
        assert word in text
    assert main([]) == 0
    assert "usage: corruptlab" in capsys.readouterr().out
