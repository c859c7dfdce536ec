"""Corruptions of the user's own: what runs, and what type checkers accept.

The type checks of this file are half of the test: every object below is passed as a `Corruption`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

import corruptlab as cl
from corruptlab.corruptions import Corruption, corrupt


class Untyped:
    """As the documentation has it."""

    stream = "own"

    def labels(self, clean, *, num_classes, draws, ids):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        return np.where(ids % 2 == 0, draws.integers("own/class", ids, num_classes), clean)


@dataclass(frozen=True)
class Typed:
    """With its stream as an attribute of each object, and types of NumPy."""

    stream: str = "own"

    def labels(
        self,
        clean: NDArray[np.int64],
        *,
        num_classes: int,
        draws: cl.Draws,
        ids: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        return np.where(ids % 2 == 0, draws.integers("own/class", ids, num_classes), clean)


class WithProperty:
    """With its stream as a property, and more than is asked for."""

    @property
    def stream(self) -> str:
        return "own"

    def labels(
        self, clean: ArrayLike, *, num_classes: int, draws: cl.Draws, ids: ArrayLike | None = None
    ) -> NDArray[np.int64]:
        labels = np.asarray(clean, np.int64)
        at = np.arange(len(labels)) if ids is None else np.asarray(ids)
        return np.where(at % 2 == 0, draws.integers("own/class", at, num_classes), labels)


class InInit:
    """With its stream set when it is made."""

    def __init__(self, stream: str) -> None:
        self.stream = stream

    def labels(self, clean: NDArray[np.int64], **given: Any) -> NDArray[np.int64]:
        return Typed().labels(clean, **given)


class ByInputs:
    """Labels from inputs."""

    stream: ClassVar[str] = "bright"

    def labels_for(
        self, inputs: NDArray[Any], clean: NDArray[np.int64], **_: Any
    ) -> NDArray[np.int64]:
        return np.where(inputs > 0.5, 1, clean)


class Inputs:
    """Other inputs."""

    stream: ClassVar[str] = "negatives"

    def inputs(self, clean: NDArray[Any], *, draws: cl.Draws, ids: NDArray[np.int64]) -> Any:
        return -clean


ROWS = [(np.float64(i), i % 3) for i in range(12)]
UNTYPED: Any = Untyped()
SAME: list[Callable[[], Corruption]] = [
    lambda: UNTYPED,
    Untyped,
    Typed,
    WithProperty,
    lambda: InInit("own"),
]


@pytest.mark.parametrize("make", SAME)
def test_the_same_corruption_in_several_forms_gives_the_same_labels(
    make: Callable[[], Corruption],
) -> None:
    found = corrupt(ROWS, make(), seed=3, num_classes=3)
    wanted = corrupt(ROWS, Typed(), seed=3, num_classes=3)
    assert found.targets.tolist() == wanted.targets.tolist() != wanted.clean_targets.tolist()
    assert found.targets[1::2].tolist() == wanted.clean_targets[1::2].tolist()


def test_a_stream_of_an_object_is_what_its_draws_depend_on() -> None:
    # The second corruption of one stream draws anew, and one of another stream does not.
    twice = corrupt(ROWS, InInit("own"), InInit("own"), seed=3, num_classes=3)
    apart = corrupt(ROWS, InInit("own"), InInit("other"), seed=3, num_classes=3)
    once = corrupt(ROWS, InInit("own"), seed=3, num_classes=3)
    assert apart.targets.tolist() == once.targets.tolist() != twice.targets.tolist()


def test_labels_from_inputs_and_other_inputs() -> None:
    found = corrupt(ROWS, Inputs(), ByInputs(), seed=0, num_classes=3)
    assert found.targets.tolist() == found.clean_targets.tolist()  # no input is above 0 any more
    assert found[5][0] == -5.0
    before = corrupt(ROWS, ByInputs(), Inputs(), seed=0, num_classes=3)
    assert before.targets.tolist() == [0] + [1] * 11
