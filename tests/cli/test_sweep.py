"""``corruptlab sweep`` in this process: table, figure, mistakes, and going on."""

import json
import os
import re
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

import corruptlab as cl
from tests.cli.shown import check_mistake, main, rows

pytestmark = pytest.mark.slow


def command(data: str, out: Path, *more: str) -> list[str]:
    base = ["sweep", "--data", data, "--model", "mlp-1x16", "--p", "0,1", "--seeds", "2"]
    return [*base, "--epochs", "200", "--learning-rate", "0.05", "--out", str(out), *more]


def test_a_sweep_prints_a_table_and_draws_a_figure(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    assert main(command(data, out)) == 0
    shown, told = capsys.readouterr()
    table = cl.sweeps.load(out)
    assert table.num_rows == 4
    first, last = rows(shown)
    assert first[:5] == ["mlp-1x16", "0", "2", "0.0%", "2"]
    assert first[6] == "1.00 ± 0.00x"
    assert last[:3] == ["mlp-1x16", "1", "2"]
    ratios = table.relative("steps_to_interpolation", p=0)[table["p"] == 1]
    assert last[6].startswith(f"{ratios.mean():.2f} ± ")
    assert last[6].endswith("x")
    errors = 100 * table["test_error"][table["p"] == 1]
    assert last[7].startswith(f"{errors.mean():.1f} ± ")
    assert (out / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert f"wrote {out / 'figure.png'}; the trials are in {out / 'trials'}" in told


def trials(out: Path) -> dict[str, int]:
    """When each trial was written."""
    return {path.name: path.stat().st_mtime_ns for path in (out / "trials").iterdir()}


def test_the_same_command_again_trains_nothing_and_a_larger_one_only_what_is_new(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(command(data, out)) == 0
    before, first = trials(out), capsys.readouterr().out
    assert main(command(data, out)) == 0
    assert trials(out) == before
    assert capsys.readouterr().out == first
    assert main(command(data, out, "--seeds", "3")) == 0
    assert before.items() <= trials(out).items()
    assert len(trials(out)) == len(before) + 2


def test_several_networks_get_lines_and_curves_of_their_own(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["--model", "mlp-1x16, mlp-1x8", "--seeds", "1", "--p", "1,0.5,.50"]
    assert main(command(data, tmp_path / "out", *models)) == 0
    shown = rows(capsys.readouterr().out)
    assert [line[:2] for line in shown] == [
        ["mlp-1x16", "1"], ["mlp-1x16", "0.5"], ["mlp-1x8", "1"], ["mlp-1x8", "0.5"],
    ]  # fmt: skip
    assert all(line[6] == "-" for line in shown)  # nothing to compare with


def test_what_was_not_interpolated_has_no_time(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(data, tmp_path / "out", "--epochs", "1")) == 0
    assert [line[4:7] for line in rows(capsys.readouterr().out)] == [["0", "-", "-"]] * 2


def test_a_trial_that_fails_is_told_and_the_others_are_shown(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(loss: torch.Tensor) -> None:
        raise MemoryError("no room")

    assert main(command(data, tmp_path / "out", "--seeds", "1")) == 0
    capsys.readouterr()
    monkeypatch.setattr(torch.Tensor, "backward", full)
    assert main(command(data, tmp_path / "out")) == 1
    shown, told = capsys.readouterr()
    assert [line[2] for line in rows(shown)] == ["1", "1"]
    assert told.count("MemoryError: no room (2 attempts)") == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_fit_keeps_what_is_done_and_not_the_fit(
    number: signal.Signals,
    data: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backward: Any = torch.Tensor.backward

    def pressed(loss: torch.Tensor) -> None:
        os.kill(os.getpid(), number)
        backward(loss)

    assert main(command(data, tmp_path / "out", "--p", "0", "--seeds", "1")) == 0
    capsys.readouterr()
    monkeypatch.setattr(torch.Tensor, "backward", pressed)
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    assert main(command(data, tmp_path / "out")) == 128 + number
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert list((tmp_path / "out" / "claims").iterdir()) == []
    shown, told = capsys.readouterr()
    assert len(rows(shown)) == 1
    assert "interrupted; 3 trials left, repeat the command to resume." in told
    assert cl.sweeps.load(tmp_path / "out").num_rows == 1


def test_sigterm_ends_a_command_that_a_shell_has_made_deaf_to_ctrl_c(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[signal.Signals] = []

    def send(loss: torch.Tensor) -> None:
        sent.append(signal.SIGTERM if sent else signal.SIGINT)
        os.kill(os.getpid(), sent[-1])

    monkeypatch.setattr(torch.Tensor, "backward", send)
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert main(command(data, tmp_path / "out")) == 143
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, usual)
    assert sent == [signal.SIGINT, signal.SIGTERM]
    assert "interrupted; 4 trials left, repeat the command to resume." in capsys.readouterr().err


MISTAKES: list[tuple[list[str], str]] = [
    (["--model", "resnet"], r"--model must be one of mlp-1x512, .* got 'resnet'"),
    (["--model", ","], r"--model must name at least one network, got none"),
    (["--p", "0,2"], r"--p must lie in \[0, 1\], got 2\.0"),
    (["--p", "0,x"], r"--p must be numbers with commas between, got '0,x'"),
    (["--p", ""], r"--p must name at least one probability, got none"),
    (["--seeds", "0"], r"--seeds must be at least 1, got 0"),
    (["--workers", "0"], r"--workers must be at least 1, got 0"),
    (["--epochs", "0"], r"--epochs must be at least 1, got 0"),
    (["--learning-rate", "nan"], r"--learning-rate must be finite, got nan"),
    (["--device", "toaster"], r"--device must be usable on this machine, got 'toaster'"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES, ids=[" ".join(o) for o, _ in MISTAKES])
def test_a_mistake_is_one_line_exit_code_2_and_no_folder(
    options: list[str], message: str, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(data, tmp_path / "out", *options)) == 2
    check_mistake(capsys, message)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_a_mistake_too(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report.json").write_text(json.dumps({}))
    assert main(command(data, tmp_path)) == 2
    assert "error: --out must be a new folder or that of a sweep" in capsys.readouterr().err


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib_the_extra_is_named(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(data, tmp_path / "out")) == 0
    assert "pip install 'corruptlab[plot]'" in capsys.readouterr().err
    assert not (tmp_path / "out" / "figure.png").exists()


def test_a_finished_sweep_that_cannot_be_written_to_is_shown_without_a_figure(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**options: Any) -> None:
        raise OSError(30, "Read-only file system")

    assert main(command(data, tmp_path / "out")) == 0
    first = capsys.readouterr().out
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert main(command(data, tmp_path / "out")) == 1
    shown, told = capsys.readouterr()
    assert shown == first
    assert re.search(r"^corruptlab: .*figure\.png was not written: .*\(Read-only file", told, re.M)


@pytest.mark.usefixtures("forked_workers")
def test_workers_find_what_one_process_finds(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--p", "1", "--seeds", "1"]  # a worker that is not needed is not started
    assert main(command(data, tmp_path / "one", *few)) == 0
    first = capsys.readouterr().out
    assert main(command(data, tmp_path / "two", *few, "--workers", "2")) == 0
    assert capsys.readouterr().out == first
