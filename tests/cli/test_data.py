"""``--data`` names images, tables, and tokens alike in all commands, with the same errors."""

import re
from pathlib import Path

import pytest

import corruptlab as cl
from tests.cli.shown import check_mistake, main, rows
from tests.cli.trees import table_of

KNOWN = (
    "--data must be one of fashion-mnist-mini, cifar10:FOLDER, idx:FOLDER, "
    "torchvision:NAME:FOLDER, csv:FILE, csv:FILE:COLUMN, hf:FOLDER, hf:FOLDER:COLUMN"
)
ROWS = "--data must be csv:FILE, csv:FILE:COLUMN, hf:FOLDER, or hf:FOLDER:COLUMN"
MISTAKES = {
    "mnist": f"{KNOWN}, got 'mnist'.",
    "rows.csv": f"{KNOWN}, got 'rows.csv'. Did you mean 'csv:rows.csv'?",
    "idx:": "got 'idx:'.",
    "csv:": f"{ROWS}, got 'csv:'.",
    "hf:": f"{ROWS}, got 'hf:'.",
    "cifar10:/nowhere": "found no such folder",
    "csv:/nowhere.csv": "/nowhere.csv: expected a CSV file, found no such file",
}


@pytest.mark.parametrize("spec", MISTAKES)
@pytest.mark.parametrize("name", ["audit", "sweep", "test"])
def test_wrong_data_are_the_same_line_in_every_command(
    name: str, spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([name, "--data", spec, "--out", str(out)]) == 2
    check_mistake(capsys, re.escape(MISTAKES[spec]))
    assert not out.exists()


@pytest.mark.parametrize("name", ["audit", "sweep", "test"])
def test_a_table_with_a_gap_is_the_same_line_in_every_command(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = f"csv:{table_of(tmp_path, '3,,no')}:ill"
    assert main([name, "--data", spec, "--out", str(tmp_path / "out")]) == 2
    check_mistake(capsys, "expected a value in every cell, found '' in column 'color', line 42")


@pytest.mark.parametrize("name", ["sweep", "test"])
@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("small-alexnet", "--model must be mlp-DEPTHxWIDTH for a table, or text-transformer"),
        ("text-transformer", "--model must be an architecture for numbers, got"),
    ],
)
def test_a_network_that_does_not_suit_a_table_is_the_same_line_in_every_command(
    name: str, model: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", f"csv:{table_of(tmp_path)}", "--model", model]
    assert main([name, *options, "--out", str(tmp_path / "out")]) == 2
    check_mistake(capsys, message)


def sweep(data: str, out: Path, *more: str) -> list[str]:
    return ["sweep", "--data", data, "--p", "0,1", "--seeds", "1", "--out", str(out), *more]


@pytest.mark.usefixtures("no_matplotlib")
def test_a_sweep_over_a_table_is_that_of_its_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = f"csv:{table_of(tmp_path)}:ill"
    more = ["--model", "mlp-1x16,mlp-2x8", "--epochs", "2"]
    main(sweep(spec, tmp_path / "out", *more))
    shown = rows(capsys.readouterr().out)
    assert [line[:2] for line in shown] == [
        ["mlp-1x16", "0"], ["mlp-1x16", "1"], ["mlp-2x8", "0"], ["mlp-2x8", "1"],
    ]  # fmt: skip
    train, _ = cl.datasets.load_table(spec)
    noisy = cl.corrupt(train, cl.UniformLabels(p=1.0), seed=0)
    found = cl.sweeps.load(tmp_path / "out")
    assert found.where(p=1)["labels_changed"].tolist() == [noisy.realized_rate] * 2
    assert found.where(p=1)["fingerprint"].tolist() == [noisy.fingerprint] * 2
    assert set(found["data"]) == {spec}


@pytest.mark.usefixtures("no_matplotlib")
def test_a_sweep_over_tokens_trains_a_transformer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = pytest.importorskip("datasets", exc_type=ImportError)
    tokens = {"input_ids": [[1, 2], [3, 4, 5]] * 10, "label": [0, 1] * 10}
    datasets.Dataset.from_dict(tokens).save_to_disk(str(tmp_path / "rows"))
    spec = f"hf:{tmp_path / 'rows'}"
    main(sweep(spec, tmp_path / "out", "--epochs", "1"))
    shown = rows(capsys.readouterr().out)
    assert [line[:2] for line in shown] == [["text-transformer", "0"], ["text-transformer", "1"]]
    assert main(sweep(spec, tmp_path / "out", "--model", "mlp-1x16")) == 2
    assert "--model must be text-transformer for tokens, got" in capsys.readouterr().err


@pytest.mark.parametrize("spec", ["csv:rows.csv", "csv:rows.csv:ill", "hf:folder"])
@pytest.mark.parametrize("what", ["table1", "table3", "theorem1"])
def test_the_paper_is_about_images_and_refuses_tables_before_it_looks_for_them(
    what: str, spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["reproduce", what, "--data", spec, "--out", str(out)]) == 2
    message = f"--data must be images, as in the paper, got a table or tokens, '{spec}'; "
    check_mistake(capsys, re.escape(message))
    assert not out.exists()
    with pytest.raises(ValueError, match="`data` must be images, as in the paper"):
        cl.reproduce(what, data=spec, out=out)
