"""What benchmarks found, as JSON keeps it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from benchmarks._interval import Interval, geometric_interval
from benchmarks._limits import Part
from corruptlab._environment import Environment

Size = Literal["quick", "full"]
Key = tuple[str, str, str, str]
BASELINE = "true"


@dataclass(frozen=True, kw_only=True)
class Made:
    """What made an entry, and how to make it again.

    Args:
        machine: The processor and its cores, and a GPU if that did the work.
        environment: Versions, device, and threads.
        command: What repeats the entry, from the root of the checkout.
        size: Whether sizes were those of ``--full``.
        date: The day, such as ``"2026-11-21"``; None if nobody wrote it down.
    """

    machine: str
    environment: Environment
    command: str
    size: Size
    date: str | None

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Made":
        """Read back what `to_dict` of an entry gave."""
        return cls(**{**values, "environment": Environment(**values["environment"])})


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two ways to do the same work, timed by turns. What nobody wrote down is None.

    Args:
        group: The part of the library, by the file of the benchmark.
        name: The work, with its sizes.
        than: The other way.
        part: Whether the other way is no rival, but a part of ours that nobody can leave out.
        ratio: Seconds of theirs over seconds of ours, the median over the rounds: how many times
            as fast ours is, or how much of our time the part takes by itself.
        lowest: Of all rounds.
        highest: Likewise.
        rounds: How many pairs were timed.
        ours: Seconds, the median.
        theirs: Likewise.
        limit: The least that the machine needs for it, by part; empty if nobody said what it is.
        notes: What else was seen.
        made: What made it.
    """

    group: str
    name: str
    than: str
    part: bool = False
    ratio: float | None
    lowest: float | None
    highest: float | None
    rounds: int
    ours: float | None
    theirs: float | None
    limit: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    made: Made

    @property
    def key(self) -> Key:
        """What an entry replaces when it is measured again."""
        return self.made.machine, self.group, self.name, self.than

    @property
    def over_limit(self) -> float | None:
        """How many times the limit ours takes; None without a limit."""
        least = sum(part.seconds for part in self.limit)
        return self.ours / least if self.ours is not None and least > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dictionary that JSON can hold, numbers to four digits."""
        values = {"kind": "comparison", **asdict(self), "over_limit": self.over_limit}
        return {key: _rounded(value) for key, value in values.items()}

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Comparison":
        """Read back what `to_dict` gave."""
        known = {key: value for key, value in values.items() if key not in ("kind", "over_limit")}
        known["limit"] = tuple(Part(**part) for part in values["limit"])
        known["notes"] = tuple(values["notes"])
        return cls(**{**known, "made": Made.read(values["made"])})


@dataclass(frozen=True, kw_only=True)
class Times:
    """Times to interpolation on one setting, one of each seed; None where it did not interpolate.

    Args:
        setting: Its name, such as ``"random-labels"``.
        label: As tables call it.
        steps: Updates of the weights.
        seconds: Of training alone.
    """

    setting: str
    label: str
    steps: tuple[int | None, ...]
    seconds: tuple[float | None, ...]

    @property
    def interpolated(self) -> int:
        """With how many seeds it did."""
        return sum(each is not None for each in self.steps)


@dataclass(frozen=True, kw_only=True)
class TimeToInterpolation:
    """The paper's comparison: how long one network takes on corrupted data, and on true labels.

    Args:
        name: Architecture and data.
        architecture: As `corruptlab.models.by_name` calls it.
        seeds: Of weights, corruption, and order.
        epochs: After how many a fit was ended if it had not interpolated.
        rows: One of each setting, true labels among them.
        made: What made it.
    """

    name: str
    architecture: str
    seeds: tuple[int, ...]
    epochs: int
    rows: tuple[Times, ...]
    made: Made
    group: str = "interpolation_time"
    than: str = "true labels"

    @property
    def key(self) -> Key:
        """What an entry replaces when it is measured again."""
        return self.made.machine, self.group, self.name, self.than

    def over_true(self, row: Times, unit: Literal["steps", "seconds"]) -> Interval | None:
        """Average, over seeds, the time of a setting over that of true labels.

        None if any seed did not interpolate: a mean of the others would be too good.
        """
        (true,) = (each for each in self.rows if each.setting == BASELINE)
        ratios = []
        for here, there in zip(getattr(row, unit), getattr(true, unit), strict=True):
            if here is None or not there:
                return None
            ratios.append(here / there)
        return geometric_interval(ratios)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dictionary that JSON can hold, numbers to four digits."""
        rows = [
            {
                **asdict(row),
                "steps_over_true": _as_dict(self.over_true(row, "steps")),
                "seconds_over_true": _as_dict(self.over_true(row, "seconds")),
            }
            for row in self.rows
        ]
        values = {"kind": "time_to_interpolation", **asdict(self), "rows": rows}
        return {key: _rounded(value) for key, value in values.items()}

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "TimeToInterpolation":
        """Read back what `to_dict` gave."""
        rows = tuple(
            Times(
                setting=row["setting"],
                label=row["label"],
                steps=tuple(row["steps"]),
                seconds=tuple(row["seconds"]),
            )
            for row in values["rows"]
        )
        known = {key: value for key, value in values.items() if key != "kind"}
        known |= {"rows": rows, "seeds": tuple(values["seeds"]), "made": Made.read(values["made"])}
        return cls(**known)


Entry: TypeAlias = Comparison | TimeToInterpolation
KINDS: dict[str, type[Comparison] | type[TimeToInterpolation]] = {
    "comparison": Comparison,
    "time_to_interpolation": TimeToInterpolation,
}


def _as_dict(interval: Interval | None) -> dict[str, float | None] | None:
    return None if interval is None else interval._asdict()


def _rounded(value: Any) -> Any:
    """Keep four digits of every fraction: clocks do not give more."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
