"""Whether training and test set have their pixels moved alike."""

import numpy as np

from corruptlab._data import as_array
from corruptlab._types import Array
from corruptlab.corruptions import ShuffledPixels
from corruptlab.experiments.auditing._report import Status
from corruptlab.experiments.auditing._stages import Stages
from corruptlab.experiments.auditing._subject import Subject


def check_shuffles(train: Subject, test: Subject) -> tuple[Status, str]:
    """Move a numbered image as each set moves its images, and compare."""
    a, b = _shuffles(train), _shuffles(test)
    if not a and not b:
        return "skipped", "neither set has shuffled pixels."
    if not (a and b):
        have, lack = ("training", "test") if a else ("test", "training")
        return "warning", (
            f"the {have} inputs have shuffled pixels and the {lack} inputs do not, as far as "
            "corruptlab knows: corrupt both, with one seed, to test what was learned."
        )
    if _shape(train) != _shape(test):
        return "error", (
            f"training inputs have shape {_shape(train)} and test inputs {_shape(test)}, so that "
            "their pixels are not moved alike."
        )
    if np.array_equal(_moved(a, _shape(train)), _moved(b, _shape(test))):
        return "ok", f"one and the same permutation of the pixels in both sets ({_told(a)})."
    return "error", (
        f"training and test inputs have different permutations of the pixels: {_told(a)} and "
        f"{_told(b)}. Use one seed and one definition for both."
    )


def _shuffles(subject: Subject) -> Stages:
    return tuple(each for each in subject.stages or () if isinstance(each[0], ShuffledPixels))


def _shape(subject: Subject) -> tuple[int, ...]:
    return as_array(subject.dataset[subject.good[0].index][subject.fields.input]).shape


def _moved(stages: Stages, shape: tuple[int, ...]) -> Array:
    numbered: Array = np.arange(int(np.prod(shape))).reshape(1, *shape)
    for corruption, draws in stages:
        assert isinstance(corruption, ShuffledPixels)
        numbered = corruption.inputs(numbered, draws=draws, ids=[0])
    return numbered


def _told(stages: Stages) -> str:
    return ", ".join(f"{corruption!r} with seed {draws.seed}" for corruption, draws in stages)
