"""Estimators and training functions in place of a network and its recipe."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from corruptlab import _learners
from corruptlab._checks import natural
from corruptlab._json import Json, digest
from corruptlab._random_state import preserve_rng_state
from corruptlab._sweeps import Runner, running
from corruptlab._types import Ids
from corruptlab.training import Recipe

ANY_LEARNER = "an estimator or a function"


@dataclass(frozen=True, eq=False)
class LearnedExamples:
    """A learner, and the examples that every training takes some of."""

    learner: _learners.Trainable
    rows: _learners.PairRows
    targets: _learners.Targets
    seed: int

    @classmethod
    def of(
        cls,
        model: Any,
        inputs: Any,
        labels: ArrayLike | Tensor | None,
        *,
        classes: int = 2,
        seed: int,
    ) -> "LearnedExamples":
        """Read examples; without labels there are so many classes, and every label is class 0."""
        learner = _learners.trainable(model)
        rows = learner.rows(_learners.rows_of(inputs, "inputs"))
        if labels is None:
            targets = _learners.Targets(np.zeros(len(rows), np.int64), np.arange(classes), False)
        else:
            targets = targets_of(learner, _learners.labels_of(labels, len(rows), "labels"))
        return cls(learner, rows, targets, natural("seed", seed))

    @contextmanager
    def running(
        self, executor: _learners.Executes, out: str | os.PathLike[str] | None, **options: Any
    ) -> Iterator[Runner]:
        """Yield what runs the trainings."""
        if executor is not None or out is not None:
            _learners.check_pickles(model=self.learner)
        with running(executor, out, **options) as run:
            yield run

    def answers(
        self, at: Ids, codes: NDArray[np.int64], asked: _learners.PairRows, wanted: Any = "classes"
    ) -> NDArray[Any]:
        """Train on the examples at some positions, and return what is said of all others asked."""
        data = _learners.LabelledData(self.rows, at, codes, self.targets)
        with preserve_rng_state():
            trained = self.learner.trained(data, self.targets, seed=self.seed)
            found = _learners.predicted(trained, asked, np.arange(len(asked)), wanted)
        return found.numpy()

    def identity(self, measure: str, **more: Any) -> dict[str, Json]:
        """Return what tells the trainings of one measure from others; a folder holds those."""
        what: dict[str, Json] = {
            "learner": self.learner.identity(),
            "inputs": self._digest,
            "codes": self.targets.codes.tolist(),
            "values": self.targets.values.tolist(),
            "seed": self.seed,
            **more,
        }
        return {"learner": self.learner.name, "measure": measure, "sha256": digest(what)}

    @cached_property
    def _digest(self) -> str:
        return self.rows.digest()


def targets_of(learner: _learners.Trainable, labels: NDArray[Any]) -> _learners.Targets:
    """Number the classes of labels."""
    targets = _learners.code(labels, "labels", numbers=learner.numbers)
    if targets.are_numbers:
        raise TypeError(
            "`model` must learn classes, of which the errors are counted, got a learner of "
            "real-valued targets."
        )
    return targets


def trained_by(recipe: Recipe | None, learner: str | None) -> str:
    """Say in a report what the trainings were."""
    return f"trained by {learner}" if recipe is None else f"inputs {recipe.preparation}"
