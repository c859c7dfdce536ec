"""Files are whole or not there, and a full disk does not cost the training."""

import json
import os
import struct
import tempfile
from pathlib import Path
from typing import Any

import pytest

from corruptlab._cli import main
from corruptlab._cli._errors import UserError
from corruptlab._cli._output import Output
from corruptlab.plotting._style import blank

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
    pytest.importorskip("matplotlib")
    output = Output(str(tmp_path))
    assert output.save_figure(blank, done="drawn")
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
