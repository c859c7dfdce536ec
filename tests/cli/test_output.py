"""What commands share: results, remarks, mistakes in one line, and files that are whole."""

import io
import json
import os
import struct
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from corruptlab._cli._output import MISTAKES, Output, UserError, as_user_errors, in_options, show
from corruptlab._cli._test import follow
from corruptlab.datasets import load
from corruptlab.experiments import RandomizationReport, SeedsReport, iter_randomization_test
from corruptlab.models import mlp
from corruptlab.training import Recipe
from tests.cli.shown import main
from tests.cli.trees import idx_tree

OLD = {"an": "older report"}


class BrokenFigure:
    def savefig(self, path: Path, **options: Any) -> None:
        path.write_bytes(b"half a pict")
        raise OSError(28, "No space left on device")


def quick(data: str, out: Path) -> list[str]:
    short = ["--model", "mlp-1x8", "--epochs", "1", "--settings", "true"]
    return ["test", "--data", data, *short, "--out", str(out)]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    output.figure.write_bytes(b"older figure")
    with pytest.raises(OSError, match="No space left"):
        output.write_figure(BrokenFigure())
    output.write_report(OLD)
    with pytest.raises(ValueError, match="not JSON compliant"):
        output.write_report({"loss": float("nan")})
    assert output.figure.read_bytes() == b"older figure"
    assert json.loads(output.report.read_text()) == OLD
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figure.png", "report.json"]


def test_the_home_of_the_user_may_be_written_as_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))  # the same on Windows
    assert Output("~/out").report == tmp_path / "out" / "report.json"


def test_losses_take_one_line_and_text_is_kept_as_it_is(tmp_path: Path) -> None:
    values = {"losses": [1.5, -2e-05, 3.0], "text": "[\n 1,\n 2 ]", "none": [], "rows": [{"a": 1}]}
    output = Output(str(tmp_path))
    output.write_report(values)
    text = output.report.read_text()
    assert "[1.5, -2e-05, 3.0]" in text
    assert text.endswith("}\n")
    assert json.loads(text) == values


def test_report_can_be_read_by_others(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    output.write_report(OLD)
    (tmp_path / "plain").touch()
    modes = [path.stat().st_mode for path in (output.report, tmp_path / "plain")]
    assert modes[0] == modes[1]


@pytest.mark.slow(seconds=1)
def test_a_disk_that_fills_up_is_reported_and_the_table_still_shown(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(quick(data, tmp_path / "out")) == 1
    shown, told = capsys.readouterr()
    assert "true labels" in shown
    assert "report.json could not be written (No space left on device)." in told
    assert list((tmp_path / "out").iterdir()) == []


REASONS = [(OSError(30, "Read-only file system"), "Read-only file system"), (OSError("odd"), "odd")]


@pytest.mark.parametrize(("error", "reason"), REASONS)
def test_a_folder_is_tried_before_any_work(
    error: OSError, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: Any) -> None:
        raise error

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(
        UserError, match=rf"^--out must be a folder to write to, got '{tmp_path}' \({reason}\)\.$"
    ):
        Output(str(tmp_path))


@pytest.mark.parametrize(("error", "reason"), REASONS)
def test_a_report_that_is_not_written_is_told_and_answered_with_no(
    error: OSError,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(output: Output, values: Any) -> None:
        raise error

    output = Output(str(tmp_path))
    assert output.save_report(OLD)
    monkeypatch.setattr(Output, "write_report", refuse)
    assert not output.save_report({})
    told = f"corruptlab: {output.report} could not be written ({reason}).\n"
    assert capsys.readouterr() == ("", told)
    assert json.loads(output.report.read_text()) == OLD


def test_a_figure_of_8_inches_has_1280_pixels(tmp_path: Path) -> None:
    Figure = pytest.importorskip("matplotlib.figure").Figure
    output = Output(str(tmp_path))
    assert output.save_figure(lambda: Figure(figsize=(8, 4.5)), done="drawn")
    assert struct.unpack(">II", output.figure.read_bytes()[16:24]) == (1280, 720)


@pytest.mark.usefixtures("no_matplotlib")
def test_a_figure_of_an_earlier_run_is_not_passed_off_as_new(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "figure.png").write_bytes(b"older")
    assert main(quick(data, tmp_path)) == 0
    assert "figure.png was not written; the one there is of an earlier run" in (
        capsys.readouterr().err
    )


# ----------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("`seeds` must be 1 or 2, got 3.", "--seeds must be 1 or 2, got 3."),
        ("`p` must lie below `p`, got 1.", "--p must lie below `p`, got 1."),
        ("`levels` must be 1, got 2.", "`levels` must be 1, got 2."),
        ("All of `p` must be 1.", "All of `p` must be 1."),
    ],
)
def test_the_argument_that_a_message_starts_with_is_told_as_its_option(
    message: str, told: str
) -> None:
    assert in_options(message) == told


def test_a_mistake_is_told_in_one_line_and_knows_where_it_came_from() -> None:
    error = ValueError("`p` must be\n    1.")
    with pytest.raises(UserError, match=r"^--p must be 1\.$") as caught, as_user_errors(ValueError):
        raise error
    assert caught.value.__cause__ is error


def test_errors_of_other_kinds_pass_as_they_are() -> None:
    with pytest.raises(TypeError, match=r"^`p` must be 1\.$"), as_user_errors(ValueError):
        raise TypeError("`p` must be 1.")


@pytest.mark.parametrize("kind", [ValueError, TypeError, FileNotFoundError])
def test_what_cannot_be_done_as_asked_is_a_mistake_whatever_its_kind(kind: type[Exception]) -> None:
    with pytest.raises(UserError, match=r"^no$"), as_user_errors(*MISTAKES):
        raise kind("no")


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, AssertionError])
def test_bugs_are_no_mistakes_of_the_user(kind: type[Exception]) -> None:
    with pytest.raises(kind), as_user_errors(*MISTAKES):
        raise kind("a bug")


# ------------------------------------------------------------------------------------------ results


def test_characters_that_standard_output_lacks_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    show("51.37 ± 0.20")
    assert written.getvalue() == b"51.37 \\xb1 0.20\n"


def test_what_has_no_encoding_gets_every_character(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert sys.stdout.encoding is None
    show("51.37 ± 0.20")
    assert sys.stdout.getvalue() == "51.37 ± 0.20\n"


def test_a_reader_who_has_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        show("a table")
        show("another")


# ------------------------------------------------------------------------------ however a test ends


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[RandomizationReport]:
    """The reports after each of two settings."""
    train, test = load(f"idx:{idx_tree(tmp_path_factory.mktemp('data') / 'images')}")
    recipe = Recipe(learning_rate=0.1, epochs=1, whiten=True, decay=0.95)
    network = mlp(4, input_shape=(1, 6, 6))
    return list(
        iter_randomization_test(network, train, test, recipe=recipe, settings=["true", "gaussian"])
    )


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(str(tmp_path / "out"))


def then(reports: list[Any], error: BaseException) -> Iterator[Any]:
    """Give reports, and end with an error."""
    yield from reports
    raise error


def test_ctrl_c_between_two_fits_is_kept_as_an_interruption(
    reports: list[RandomizationReport], output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(then(reports[:1], KeyboardInterrupt()), output) == 130
    shown, told = capsys.readouterr()
    assert "true labels" in shown
    assert f"interrupted; saved the finished settings in {output.report}: true labels." in told
    assert json.loads(output.report.read_text())["interrupted"]
    assert follow(then(reports[:1], KeyboardInterrupt()), None) == 130
    assert "interrupted; saved the finished settings: true labels." in capsys.readouterr().err


def test_ctrl_c_between_two_seeds_is_kept_as_an_interruption(
    reports: list[RandomizationReport], output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    several = [SeedsReport(reports=(each,), seeds=(0, 1)) for each in reports]
    assert follow(then(several, KeyboardInterrupt()), output) == 130
    shown, told = capsys.readouterr()
    assert "Not finished: seed 1." in shown
    where = output.report
    assert f"interrupted; saved the finished settings in {where}: true labels, Gaussian." in told
    assert SeedsReport.load(where).interrupted
    assert follow(iter(several), None) == 0


def test_ctrl_c_before_the_first_setting_is_done_leaves_nothing(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(then([], KeyboardInterrupt()), output) == 130
    assert capsys.readouterr() == ("", "corruptlab: interrupted; no setting was finished.\n")
    assert list(output.folder.iterdir()) == []


def test_ctrl_c_during_the_first_fit_shows_no_empty_table(
    reports: list[RandomizationReport], output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(iter([replace(reports[0], rows=(), interrupted=True)]), output) == 130
    assert capsys.readouterr() == ("", "corruptlab: interrupted; no setting was finished.\n")
    assert not output.figure.exists()


@pytest.mark.parametrize(
    "error",
    [
        ValueError("the images do not fit"),
        FloatingPointError("the loss is not finite"),
        MemoryError("no room"),
        torch.OutOfMemoryError("no room there"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fit_that_fails_for_what_was_asked_costs_none_before_it(
    error: Exception,
    reports: list[RandomizationReport],
    output: Output,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(UserError, match=f"^{error}$"):
        follow(then(reports[:1], error), output)
    assert "true labels" in capsys.readouterr().out
    assert len(json.loads(output.report.read_text())["rows"]) == 1


def test_a_bug_keeps_its_traceback(reports: list[RandomizationReport], output: Output) -> None:
    with pytest.raises(KeyError, match="a bug"):
        follow(then(reports[:1], KeyError("a bug")), output)


@pytest.mark.parametrize(("report", "figure"), [(True, True), (True, False), (False, True)])
def test_all_has_to_be_written_for_the_exit_code_0(
    report: bool,
    figure: bool,
    reports: list[RandomizationReport],
    output: Output,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Output, "save_report", lambda output, values: report)
    monkeypatch.setattr(Output, "save_figure", lambda output, draw, done: figure)
    assert follow(iter(reports), output) == (0 if report and figure else 1)
    assert follow(iter(reports), None) == 0


def test_the_last_report_alone_decides_whether_it_is_written(
    reports: list[RandomizationReport], output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, True])
    monkeypatch.setattr(Output, "save_report", lambda output, values: next(answers))
    monkeypatch.setattr(Output, "save_figure", lambda output, draw, done: True)
    assert follow(iter(reports), output) == 0
