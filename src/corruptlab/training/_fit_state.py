"""What a fit remembers besides weights, optimizer, and losses; its clock."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from corruptlab.training._checkpoint import check_kind
from corruptlab.training._report import EpochEnd


@dataclass(frozen=True)
class Interpolation:
    """When every training example was right for the first time."""

    steps: int
    seconds: float


@dataclass(frozen=True)
class FitState:
    """What a fit has to remember besides weights, optimizer, and losses; JSON can hold it."""

    epochs: int = 0
    seconds: float = 0.0
    seconds_of_tuning: float = 0.0
    history: tuple[EpochEnd, ...] = ()
    interpolation: Interpolation | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return numbers, lists, and dictionaries."""
        return {**asdict(self), "history": [asdict(end) for end in self.history]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FitState":
        """Build a state from a dictionary of `to_dict`."""
        reached = values["interpolation"]
        state = cls(
            epochs=values["epochs"],
            seconds=values["seconds"],
            seconds_of_tuning=values.get("seconds_of_tuning", 0.0),  # older ones have none
            history=tuple(EpochEnd(**end) for end in values["history"]),
            interpolation=None if reached is None else Interpolation(**reached),
        )
        check_kind("epochs", state.epochs, int)
        numbers = [
            state.seconds,
            state.seconds_of_tuning,
            *([] if reached is None else reached.values()),
        ]
        for end in state.history:
            check_kind("loss of an epoch", end.loss, int, float)
            numbers += [value for value in asdict(end).values() if value is not None]
        for number in numbers:
            check_kind("a number of the state", number, int, float)
        if state.epochs != len(state.history):
            raise ValueError(f"{state.epochs} epochs with {len(state.history)} ends")
        return state


class Stopwatch:
    """Seconds spent training, and those spent on how to train.

    Args:
        seconds: Those of earlier runs.
        apart_seconds: Likewise, those that are no training time.
    """

    def __init__(self, seconds: float, apart_seconds: float) -> None:
        self.apart_seconds, self._seconds = apart_seconds, seconds
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds spent training."""
        since = self._since
        return self._seconds + (0.0 if since is None else time.perf_counter() - since)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what follows as training."""
        self._since = time.perf_counter()
        try:
            yield
        finally:
            self._seconds, self._since = self.seconds, None

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Count a part of it as no training."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begun
            self.apart_seconds += spent
            self._seconds -= spent
