"""Comparisons: the order of things, and what ends up in an entry, without any clock."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks import _comparing
from benchmarks._comparing import Compare, Comparing, Seconds
from tests.benchmarks.cases import LIMIT, made


class Benchmark:
    """As much of pytest-benchmark as a comparison needs."""

    def __init__(self) -> None:
        self.extra_info: dict[str, Any] = {}

    def pedantic(self, work: Callable[[], Any], *, setup: Callable[[], Any], rounds: int) -> None:
        for _ in range(rounds):
            assert setup() is None  # what it returns would be taken for arguments
            work()


def comparer(benchmark: Benchmark | None = None, kept: list[Comparing] | None = None) -> Compare:
    keep = (lambda found: None) if kept is None else kept.append
    return Compare(benchmark or Benchmark(), made(), "training", torch.device("cpu"), keep)


def compared(ours: list[float], theirs: list[float], **changes: Any) -> Comparing:
    """Compare two lists of seconds that functions measured themselves."""
    mine, others = iter(ours), iter(theirs)
    options: dict[str, Any] = {"than": "theirs", "rounds": len(ours), "warm_up": False, **changes}
    compare = comparer(options.pop("benchmark", None), options.pop("kept", None))
    return compare("work", lambda: Seconds(next(mine)), lambda: Seconds(next(others)), **options)


def test_ratio_is_the_median_over_pairs_and_not_of_medians() -> None:
    entry = compared(ours=[1.0, 2.0, 10.0], theirs=[5.0, 4.0, 30.0]).entry
    assert (entry.ratio, entry.lowest, entry.highest) == (3.0, 2.0, 5.0)
    assert (entry.ours, entry.theirs, entry.rounds) == (2.0, 5.0, 3)


def test_fastest_rounds_are_of_theirs_and_of_ours() -> None:
    assert compared(ours=[3.0, 2.0], theirs=[7.0, 8.0]).fastest == (7.0, 2.0)


def test_entry_says_what_was_compared() -> None:
    entry = compared([1.0], [1.0], limit=LIMIT).entry
    assert (entry.group, entry.name, entry.than) == ("training", "work", "theirs")
    assert (entry.limit, entry.made) == (LIMIT, made())


@pytest.mark.parametrize("part", [False, True])
def test_entry_says_whether_theirs_is_a_part_of_ours(part: bool) -> None:
    assert compared([1.0], [1.0], part=part).entry.part is part
    assert compared([1.0], [1.0]).entry.part is False


def test_notes_are_added_in_order() -> None:
    found = compared([1.0], [1.0])
    found.note("one", "two")
    found.note("three")
    assert found.entry.notes == ("one", "two", "three")


@pytest.mark.parametrize(("warm_up", "first"), [(True, ["ours", "theirs"]), (False, [])])
def test_ways_take_turns_after_a_warm_up(warm_up: bool, first: list[str]) -> None:
    order: list[str] = []
    found = comparer()(
        "work",
        lambda: order.append("ours"),
        lambda: order.append("theirs"),
        than="theirs",
        rounds=2,
        warm_up=warm_up,
    )
    assert order == [*first, "theirs", "ours", "theirs", "ours"]
    assert found.entry.rounds == 2


def test_number_that_is_not_a_time_is_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(work: Callable[[], object], device: torch.device) -> float:
        work()
        return 4.0

    monkeypatch.setattr(_comparing, "seconds", seconds)
    found = comparer()(
        "work",
        lambda: 0.97,
        lambda: Seconds(2.0),
        than="theirs",
        rounds=1,
    )
    assert (found.entry.ours, found.entry.theirs) == (4.0, 2.0)


def test_record_of_pytest_benchmark_gets_the_entry() -> None:
    benchmark = Benchmark()
    found = compared([2.0], [4.0], benchmark=benchmark)
    assert benchmark.extra_info == found.entry.to_dict()


def test_what_was_compared_is_kept() -> None:
    kept: list[Comparing] = []
    found = compared([2.0], [4.0], kept=kept)
    assert kept == [found]


def test_a_gpu_is_waited_for_before_the_clock_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import _limits

    order: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: order.append(f"{device}"))

    def clock() -> float:
        order.append("clock")
        return 0.0

    monkeypatch.setattr(_limits, "time", SimpleNamespace(perf_counter=clock))
    _limits.seconds(lambda: order.append("work"), torch.device("cuda:1"))
    assert order == ["clock", "work", "cuda:1", "clock"]
