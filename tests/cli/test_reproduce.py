"""``corruptlab reproduce`` in this process: table, files, estimates, mistakes, and going on."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from corruptlab import fit
from corruptlab._cli import _reproduce
from corruptlab._cli._output import Output
from corruptlab.experiments import paper
from corruptlab.experiments.paper import _training
from tests.cli.shown import check_mistake, main, rows
from tests.cli.trees import idx_tree


@pytest.fixture
def data(tmp_path: Path) -> str:
    return f"idx:{idx_tree(tmp_path / 'images', side=28)}"


def command(data: str, out: Path, *more: str, what: str = "table1") -> list[str]:
    return ["reproduce", what, "--data", data, "--out", str(out), *more]


def test_rows_come_out_beside_what_was_published(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    picked = ["--rows", "mlp-1x512 plain, mlp-1x512 random", "--epochs", "2"]
    assert main(command(data, out, *picked)) == 0
    shown, told = capsys.readouterr()
    plain, random = rows(shown)
    departed = " (recipe.epochs=2)"
    assert (plain[0], random[0]) == tuple(
        f"mlp-1x512 {name}{departed}" for name in ("plain", "random-labels")
    )
    assert (plain[2], plain[5], random[2], random[5]) == ("100.00", "50.51", "99.34", "10.61")
    report = json.loads((out / "table1" / "report.json").read_text())
    measured = report["rows"][0]["measured"]
    assert plain[1] == f"{measured['train']:.2f}"
    assert plain[3].startswith(f"{measured['train'] - 100:+.2f}")
    assert "table1 on cpu, estimated:" in told
    assert f"wrote {out / 'table1' / 'report.json'}" in told
    assert not (out / "table1" / "figure.png").exists()  # a table is no figure


def test_the_same_command_again_trains_nothing(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picked = ["--rows", "mlp-1x512 plain", "--epochs", "2", "--seeds", "2"]
    assert main(command(data, tmp_path / "out", *picked)) == 0
    first = capsys.readouterr().out
    trained: list[Any] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        trained.append(options)
        return fit(*arguments, **options)

    monkeypatch.setattr(_training, "fit", counted)
    assert main(command(data, tmp_path / "out", *picked)) == 0
    assert trained == []
    assert capsys.readouterr().out == first
    assert " ± " in first


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ([], {}),
        (["--data", "imagenet:c"], {"data": ["idx:a", "imagenet:c"]}),
        (["--rows", "a, b", "--rows", "c"], {"rows": ["a", "b", "c"]}),
        (["--seeds", "3"], {"seeds": range(3)}),
        (["--epochs", "2"], {"epochs": 2}),
        (
            ["--set", "recipe.batch_size=256", "--set", "gamma=0.5", "--set", "model=a=b"],
            {"changes": {"recipe.batch_size": 256, "gamma": 0.5, "model": "a=b"}},
        ),
        (["--device", "cuda:1"], {"device": "cuda:1"}),
        (["--most", "0.5"], {"most_hours": 0.5}),
        (["--workers", "2"], {"executor": 2}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_typed_reaches_the_library(
    typed: list[str], asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, Any] = {}

    def noted(**options: Any) -> None:
        found.update(options)
        raise ValueError("enough is known")

    monkeypatch.setattr(_reproduce, "reproduce", noted)
    assert main(command("idx:a", Path("out"), *typed)) == 2
    usual: dict[str, Any] = {
        "what": "table1", "data": ["idx:a"], "rows": None, "seeds": range(1), "epochs": None,
        "changes": {}, "device": "auto", "most_hours": None, "executor": None, "out": "out",
        "progress": True,
    }  # fmt: skip
    assert found == {**usual, **asked}


def test_an_estimate_runs_nothing(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(command(data, out, "--rows", "mlp-1x512", "--estimate")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "table1 on cpu, estimated:"
    assert len(lines) == 5
    assert not out.exists()
    bare = ["reproduce", "table1", "--data", data, "--rows", "mlp-1x512 plain", "--estimate"]
    assert main(bare) == 0


def test_an_estimate_knows_what_is_finished(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picked = command(data, tmp_path / "out", "--rows", "depth 2", what="theorem1")
    assert main(picked) == 0
    capsys.readouterr()
    assert main([*picked, "--estimate"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["  depth 2   finished before"]


@pytest.mark.slow(seconds=1)
def test_figures_are_drawn(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    picked = ["--rows", "mlp-1x512 p=0,mlp-1x512 p=1", "--set", "recipe.decay=1", "--epochs", "60"]
    assert main(command(data, out, *picked, what="fig1b")) == 0
    first, last = rows(capsys.readouterr().out)
    assert first[1:3] == ["1.00", "1"]
    assert last[2] == "roughly 2 to 4"
    assert (out / "fig1b" / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_measured_is_kept_with_its_note(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "results"
    more = ["--rows", "depth 2", "--keep", str(kept), "--note", "in haste"]
    assert main(command(data, tmp_path / "out", *more, what="theorem1")) == 0
    (one,) = paper.kept_results(kept, "theorem1")
    assert (one.note, one.measured["right"]) == ("in haste", 100)
    assert one.command == (
        "corruptlab reproduce theorem1 --rows 'depth 2' --data idx:FOLDER --out out"
    )
    assert f"saved in {kept / 'theorem1.json'}" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_costs_neither_table_nor_results(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(output: Output, values: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Output, "write_report", full)
    more = ["--rows", "depth 2", "--keep", str(tmp_path / "results")]
    assert main(command(data, tmp_path / "out", *more, what="theorem1")) == 1
    shown, told = capsys.readouterr()
    assert [line[0] for line in rows(shown)] == ["depth 2"]
    assert "report.json could not be written (No space left on device)." in told
    assert "wrote" not in told
    assert len(paper.kept_results(tmp_path / "results", "theorem1")) == 1


def test_a_figure_does_not_make_up_for_a_report_that_cannot_be_written(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Output, "save_report", lambda output, values: False)
    monkeypatch.setattr(Output, "save_figure", lambda output, figure, done: True)
    picked = ["--rows", "mlp-1x512 p=0", "--epochs", "1"]
    assert main(command(data, tmp_path / "out", *picked, what="fig1b")) == 1


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (MemoryError("no room"), 1, "corruptlab: failed: .*MemoryError: no room"),
        (KeyboardInterrupt(), 130, "corruptlab: interrupted; repeat the command to resume"),
    ],
    ids=["failed", "interrupted"],
)
def test_where_nothing_was_measured_the_reason_is_told_and_nothing_written(
    error: BaseException,
    code: int,
    line: str,
    data: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stops(*arguments: Any, **options: Any) -> None:
        raise error

    out = tmp_path / "out"
    picked = command(data, out, "--rows", "mlp-1x512 plain", "--epochs", "1")
    assert main([*picked, "--estimate"]) == 0  # a process times the steps of a network once
    capsys.readouterr()
    monkeypatch.setattr(_training, "fit", stops)
    assert main(picked) == code
    shown, told = capsys.readouterr()
    assert shown == ""
    assert re.search(f"^{line}", told, re.MULTILINE)
    assert not (out / "table1").exists()


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_row_leaves_a_checkpoint_that_the_same_command_resumes(
    number: signal.Signals,
    data: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backward: Any = torch.Tensor.backward
    steps: list[int] = []

    def counted(loss: torch.Tensor) -> None:
        steps.append(len(steps))
        if len(steps) == 13:
            os.kill(os.getpid(), number)
        backward(loss)

    out = tmp_path / "out"
    picked = command(data, out, "--rows", "mlp-1x512 plain", "--epochs", "10")  # of two steps each
    assert main([*picked, "--estimate"]) == 0  # a process times the steps of a network once
    monkeypatch.setattr(torch.Tensor, "backward", counted)
    assert main(picked) == 128 + number
    assert "interrupted; repeat the command to resume." in capsys.readouterr().err
    assert list((out / "train" / "claims").iterdir()) == []
    assert len(list((out / "train" / "checkpoints").iterdir())) == 1
    done = len(steps)
    steps[:] = [0] * 100
    assert main(picked) == 0
    assert len(steps) - 100 == 20 - done
    assert list((out / "train" / "checkpoints").iterdir()) == []


def test_rows_that_are_left_out_are_named_and_the_code_says_so(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(data, tmp_path / "out", "--rows", "mnist,cifar10", what="table3")) == 1
    shown, told = capsys.readouterr()
    assert [line[0] for line in rows(shown)] == ["mnist"]
    assert "left out: cifar10: needs CIFAR-10 (cifar10:FOLDER)" in told


MISTAKES: list[tuple[list[str], str]] = [
    (["table9"], r"WHAT must be one of table1, .*, got 'table9'"),
    (["table1", "--rows", "vgg"], r"--rows must be among .*, got 'vgg'"),
    (["table1", "--rows", ","], r"--rows must name at least one of .*, got none"),
    (["table1", "--data", "mnist"], r"--data must be .*, got 'mnist'"),
    (["table1", "--seeds", "0"], r"--seeds must be at least 1, got 0"),
    (["table1", "--workers", "0"], r"--workers must be at least 1, got 0"),
    (["table1", "--epochs", "0"], r"--epochs must be at least 1, got 0"),
    (["table1", "--most", "-1"], r"--most must be above 0, got -1\.0"),
    (["table1", "--device", "toaster"], r"--device must be usable on this machine, got 'toaster'"),
    (["table1", "--set", "width"], r"--set must be NAME=VALUE, got 'width'"),
    (["table1", "--set", "=3"], r"--set must be NAME=VALUE, got '=3'"),
    (["table1", "--set", "p=0", "--set", "p=0.5"], r"--set must name p once, got 0 and 0\.5"),
    (["table1", "--set", "width=3"], r"--set must name parameters of the rows \(.*\), got 'width'"),
    (["table1", "--note", "in haste"], r"--note must go with --keep, got 'in haste' alone"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES, ids=[" ".join(o) for o, _ in MISTAKES])
def test_a_mistake_is_one_line_exit_code_2_and_no_folder(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = [] if "--data" in options else ["--data", "fashion-mnist-mini"]
    rows = [] if "--rows" in options else ["--rows", "mlp-1x512"]
    out = tmp_path / "out"
    assert main(["reproduce", *options, *own, *rows, "--out", str(out)]) == 2
    check_mistake(capsys, message)
    assert not out.exists()


def test_results_to_add_to_that_are_damaged_are_found_before_any_work(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, out = tmp_path / "results", tmp_path / "out"
    kept.mkdir()
    (kept / "theorem1.json").write_text("{")
    more = ["--rows", "depth 2", "--keep", str(kept)]
    assert main(command(data, out, *more, what="theorem1")) == 2
    check_mistake(capsys, r"theorem1\.json: expected a list of .*, found a file that is damaged")
    assert not out.exists()


def test_a_place_for_results_that_is_no_folder_is_refused_before_any_work(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, out = tmp_path / "file", tmp_path / "out"
    kept.write_text("in the way")
    more = ["--rows", "depth 2", "--keep", str(kept)]
    assert main(command(data, out, *more, what="theorem1")) == 2
    check_mistake(capsys, r"--keep must be a folder to write to, got '.*file' \(File exists\)\.")
    assert kept.read_text() == "in the way"
    assert not out.exists()


def test_what_was_set_is_kept_as_a_departure(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--rows", "depth 2", "--set", "depth=3", "--keep", str(tmp_path / "results")]
    assert main(command(data, tmp_path / "out", *more, what="theorem1")) == 0
    assert "depth 2 (depth=3)" in capsys.readouterr().out
    (kept,) = paper.kept_results(tmp_path / "results", "theorem1")
    assert kept.departures == {"depth": 3}


def test_a_figure_of_nothing_is_told_and_the_report_is_there(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    more = ["--rows", "small-inception true", "--epochs", "1", "--set", "model=mlp-1x16"]
    fast = ["--set", "recipe.learning_rate=1e30"]
    assert main(command(data, out, *more, *fast, what="fig1a")) == 1
    shown, told = capsys.readouterr()
    assert "the loss is not finite" in shown
    assert "figure.png was not written: `measurements` must hold losses to draw, got none." in told
    assert (out / "fig1a" / "report.json").exists()


def test_without_out_or_data_nothing_starts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "table1", "--data", "fashion-mnist-mini"]) == 2
    assert "--out must be a folder to keep trials in, got none." in capsys.readouterr().err
    assert main(["reproduce", "table1", "--estimate"]) == 2
    assert "--data must be CIFAR-10 (cifar10:FOLDER), got none." in capsys.readouterr().err
