"""Compare two ways to do the same work, in one run, and tell the ratio."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

_RATIOS: list[str] = []

# Tests run with one thread; what is timed here may use the whole machine, as users' programs do.
torch.set_num_threads(os.cpu_count() or 1)


class Comparison:
    """Times two functions by turns, so that a busy machine slows both alike.

    Args:
        benchmark: The fixture of pytest-benchmark, which keeps the record.
    """

    def __init__(self, benchmark: Any) -> None:
        self._benchmark = benchmark
        self.fastest: tuple[float, ...] = ()

    def __call__(
        self,
        name: str,
        ours: Callable[[], object],
        theirs: Callable[[], object],
        *,
        than: str,
        rounds: int = 7,
        warm_up: bool = True,
    ) -> float:
        """Return how many times as fast ours is: the median of ``rounds`` pairs after a warm-up."""
        if warm_up:
            ours(), theirs()
        pairs = [(_seconds(theirs), _seconds(ours)) for _ in range(rounds)]
        self.fastest = tuple(map(min, zip(*pairs, strict=True)))  # seconds: theirs, ours
        ratios = sorted(other / own for other, own in pairs)
        median = statistics.median(ratios)
        self._benchmark.extra_info.update(
            name=name,
            than=than,
            times_as_fast=median,
            lowest=ratios[0],
            highest=ratios[-1],
            rounds=rounds,
            seconds_ours=statistics.median(own for _, own in pairs),
            seconds_theirs=statistics.median(other for other, _ in pairs),
            torch=torch.__version__,
            numpy=np.__version__,
            threads=torch.get_num_threads(),
        )
        self._benchmark.pedantic(ours, rounds=1)
        _RATIOS.append(
            f"{name}: {median:.2f} times as fast as {than} "
            f"(median of {rounds}; {ratios[0]:.2f} to {ratios[-1]:.2f})"
        )
        return median


@pytest.fixture
def compare(benchmark: Any) -> Comparison:
    """A `Comparison` that ends up in the record and in the summary."""
    return Comparison(benchmark)


def tell(line: str) -> None:
    """Add a line to the summary."""
    _RATIOS.append(line)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _RATIOS:
        return
    terminalreporter.section("ratios measured in this run")
    for line in _RATIOS:
        terminalreporter.write_line(line)
    terminalreporter.write_line(
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}"
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
