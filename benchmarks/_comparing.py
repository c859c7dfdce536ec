"""Compare two ways to do the same work, in one run."""

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import torch

from benchmarks._limits import Part, seconds
from benchmarks._records import Comparison, Made


class Seconds(float):
    """What a function returns that knows itself how long the part that counts took."""


class Compare(Protocol):
    """Times two functions by turns, so that a busy machine slows both alike."""

    def __call__(
        self,
        name: str,
        ours: Callable[[], object],
        theirs: Callable[[], object],
        *,
        than: str,
        rounds: int = 7,
        warm_up: bool = True,
        limit: tuple[Part, ...] = (),
    ) -> "Comparing":
        """Compare them; the result ends up in the summary if the test passes."""


class Comparing:
    """A finished comparison, to which a test may add what else it saw.

    Attributes:
        entry: What the summary gets.
        fastest: Seconds of the fastest round, of theirs and of ours.
    """

    def __init__(self, entry: Comparison, fastest: tuple[float, float]) -> None:
        self.entry, self.fastest = entry, fastest

    def note(self, *lines: str) -> None:
        """Add what else was seen."""
        self.entry = replace(self.entry, notes=(*self.entry.notes, *lines))


def compare(
    benchmark: Any,
    made: Made,
    group: str,
    device: torch.device,
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    than: str,
    rounds: int = 7,
    warm_up: bool = True,
    limit: tuple[Part, ...] = (),
) -> Comparing:
    """Time two functions by turns.

    Args:
        benchmark: The fixture of pytest-benchmark, which keeps a record of its own.
        made: What makes this entry.
        group: Where it belongs.
        device: Which device they use, and have to be waited for.
        name: The work, with its sizes.
        ours: Our way. If it returns `Seconds`, these count.
        theirs: The other way; likewise.
        than: What it is.
        rounds: How many pairs.
        warm_up: Whether both run once before, which does not count.
        limit: The least time for the work, as `Rates.limit` gives it.
    """
    times: dict[str, list[float]] = {"ours": [], "theirs": []}

    def timed(who: str, work: Callable[[], object]) -> None:
        own: list[object] = []
        spent = seconds(lambda: own.append(work()), device)
        times[who].append(own[0] if isinstance(own[0], Seconds) else spent)

    if warm_up:
        ours(), theirs()
    benchmark.pedantic(
        lambda: timed("ours", ours), setup=lambda: timed("theirs", theirs), rounds=rounds
    )
    ratios = [other / own for other, own in zip(times["theirs"], times["ours"], strict=True)]
    entry = Comparison(
        group=group,
        name=name,
        than=than,
        ratio=statistics.median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
        rounds=len(ratios),
        ours=statistics.median(times["ours"]),
        theirs=statistics.median(times["theirs"]),
        limit=limit,
        made=made,
    )
    benchmark.extra_info.update(entry.to_dict())
    return Comparing(entry, (min(times["theirs"]), min(times["ours"])))
