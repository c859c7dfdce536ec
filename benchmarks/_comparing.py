"""Compare two ways to do the same work, in one run."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from benchmarks._limits import Part, seconds
from benchmarks._records import Comparison, Made


class Seconds(float):
    """What a function returns that knows itself how long the part that counts took."""


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


@dataclass(frozen=True)
class Compare:
    """Times two functions by turns, so that a busy machine slows both alike.

    Args:
        benchmark: The fixture of pytest-benchmark, which keeps a record of its own.
        made: What makes the entries.
        group: Where they belong.
        device: Which device both use, and have to be waited for.
        keep: Gets each comparison; it ends up in the summary if the test passes.
    """

    benchmark: Any
    made: Made
    group: str
    device: torch.device
    keep: Callable[[Comparing], None]

    def __call__(
        self,
        name: str,
        ours: Callable[[], object],
        theirs: Callable[[], object],
        *,
        than: str,
        part: bool = False,
        rounds: int = 7,
        warm_up: bool = True,
        limit: tuple[Part, ...] = (),
    ) -> Comparing:
        """Compare them.

        Args:
            name: The work, with its sizes.
            ours: Our way. If it returns `Seconds`, these count.
            theirs: The other way; likewise.
            than: What it is.
            part: Whether it is a part of ours that nobody can leave out.
            rounds: How many pairs.
            warm_up: Whether both run once before, which does not count.
            limit: The least time for the work, as `Rates.limit` gives it.
        """
        times: dict[str, list[float]] = {"ours": [], "theirs": []}

        def timed(who: str, work: Callable[[], object]) -> None:
            own: list[object] = []
            spent = seconds(lambda: own.append(work()), self.device)
            times[who].append(own[0] if isinstance(own[0], Seconds) else spent)

        if warm_up:
            ours(), theirs()
        self.benchmark.pedantic(
            lambda: timed("ours", ours), setup=lambda: timed("theirs", theirs), rounds=rounds
        )
        ratios = [other / own for other, own in zip(times["theirs"], times["ours"], strict=True)]
        entry = Comparison(
            group=self.group,
            name=name,
            than=than,
            part=part,
            ratio=statistics.median(ratios),
            lowest=min(ratios),
            highest=max(ratios),
            rounds=len(ratios),
            ours=statistics.median(times["ours"]),
            theirs=statistics.median(times["theirs"]),
            limit=limit,
            made=self.made,
        )
        self.benchmark.extra_info.update(entry.to_dict())
        comparing = Comparing(entry, (min(times["theirs"]), min(times["ours"])))
        self.keep(comparing)
        return comparing
