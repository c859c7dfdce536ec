"""Phases add up, in the order in which they began."""

import time

import pytest
import torch

from corruptlab.capacity.kernels._stopwatch import Stopwatch
from tests.capacity.kernels.cases import CPU


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test sets."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_seconds_of_a_phase_add_up_and_phases_keep_their_order(clock: list[float]) -> None:
    watch = Stopwatch(CPU)
    for name, seconds in (("b", 1.0), ("a", 2.0), ("b", 4.0)):
        with watch.phase(name):
            clock[0] += seconds
        clock[0] += 8  # between phases nobody counts
    assert watch.seconds == {"b": 5.0, "a": 2.0}
    assert list(watch.seconds) == ["b", "a"]


def test_phase_that_ends_in_an_error_counts(clock: list[float]) -> None:
    watch = Stopwatch(CPU)

    def failing() -> None:
        with watch.phase("a"):
            clock[0] += 3
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert watch.seconds == {"a": 3.0}


def test_gpu_is_waited_for_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[object] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waits.append)
    gpu = torch.device("cuda:1")
    with Stopwatch(gpu).phase("a"):
        assert waits == [gpu]
    assert waits == [gpu, gpu]
    with Stopwatch(CPU).phase("a"):
        pass
    assert len(waits) == 2
