"""Progress is one live line on a terminal and sparse plain lines elsewhere."""

import importlib.util
import io
import sys
from typing import Any

import pytest

from corruptlab import _progress
from corruptlab._progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_progress, "time", clock)
    return clock


def run(clock: Clock, *, show: bool = True) -> None:
    with Progress(3, "fitting", show=show) as line:
        for done, seconds in ((1, 1.0), (2, 11.0), (3, 12.0)):
            clock.now = seconds
            line.update(done, f"loss {done}.00")


def test_plain_lines_are_sparse(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    run(clock)
    assert capsys.readouterr() == ("", "fitting  2/3  loss 2.00\nfitting  3/3  loss 3.00\n")


def test_nothing_is_written_unless_asked(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    run(clock, show=False)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_one_live_line(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm", reason="the live line needs the extra `cli`")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    run(clock)
    text = terminal.getvalue()
    assert "\r" in text
    assert text.count("\n") == 1
    last = text.strip().rpartition("\r")[2]
    assert last.startswith("fitting  3/3")
    assert "loss 3.00" in last


def test_a_terminal_without_tqdm_gets_plain_lines(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_spec(name: str) -> Any:
        assert name == "tqdm"

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    run(clock)
    assert terminal.getvalue() == "fitting  2/3  loss 2.00\nfitting  3/3  loss 3.00\n"


def test_the_last_line_is_written_when_work_is_cut_short(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted() -> None:
        with Progress(3, "fitting", show=True) as line:
            line.update(1, "loss 1.00")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert capsys.readouterr().err == "fitting  1/3  loss 1.00\n"
