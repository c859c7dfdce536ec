"""What effective capacity asks of a model: to fit n examples, once for each replica."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from corruptlab import _learners
from corruptlab._arrays import read_inputs, read_labels
from corruptlab._checks import at_least, check_left_out, instance
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._json import Json
from corruptlab._sweeps import Runner
from corruptlab._types import Ids, Labels
from corruptlab.capacity._learned import LearnedExamples
from corruptlab.capacity._replicas import Procedure
from corruptlab.training import Recipe

RecipeFor: TypeAlias = Recipe | Callable[[int], Recipe]
"""A recipe, or a function that gives the one for a number of examples."""


@dataclass(frozen=True)
class NetworkTask:
    """Random or given labels that copies of a network have to fit."""

    procedure: Procedure
    recipe: RecipeFor
    inputs: Tensor
    given: Tensor | None
    replicas: int

    learner: None = None

    @classmethod
    def of(
        cls,
        model: Any,
        inputs: Any,
        recipe: RecipeFor,
        labels: ArrayLike | Tensor | None,
        *,
        replicas: int,
        **options: Any,
    ) -> "NetworkTask":
        """Check what a user gave."""
        examples = read_inputs(inputs)
        first = recipe_for(recipe, len(examples))
        procedure = Procedure.of(model, examples, recipe=first, replicas=replicas, **options)
        given = None
        if labels is not None:
            given = read_labels(labels, n=len(examples), num_classes=procedure.num_classes)
        return cls(procedure, recipe, examples, given, replicas)

    @property
    def total(self) -> int:
        return len(self.inputs)

    @property
    def num_classes(self) -> int:
        return self.procedure.num_classes

    @property
    def seed(self) -> int:
        return self.procedure.seed

    @property
    def environment(self) -> Environment:
        return self.procedure.environment

    def errors(self, n: int) -> tuple[NDArray[Any], Recipe]:
        """Return how many of n examples each replica gets wrong, and the recipe."""
        recipe = recipe_for(self.recipe, n)
        accuracies = replace(self.procedure, recipe=recipe).measure(
            lambda replicas: replicas.train_accuracy,
            self.inputs,
            self._labels(n),
            subsets=self._subsets(n),
            least=self.replicas,
        )
        return ((1 - accuracies) * n).round().numpy(), recipe

    def _subsets(self, n: int) -> Tensor:
        """Return the examples of each replica, ``int64``, shape ``(replicas, n)``."""
        rows = [_subset(self.seed, n, r, self.total) for r in range(self.replicas)]
        return torch.from_numpy(np.stack(rows))

    def _labels(self, n: int) -> Tensor:
        """Return a label of every example for each replica, ``int64``, ``(replicas, N)``."""
        if self.given is not None:
            return self.given.expand(self.replicas, -1)
        at, classes = np.arange(self.total), self.num_classes
        rows = [_random_labels(self.seed, n, r, at, classes) for r in range(self.replicas)]
        return torch.from_numpy(np.stack(rows))


@dataclass(frozen=True, eq=False)
class LearnedReplica:
    """One training of a learner: a trial of a sweep."""

    examples: LearnedExamples
    given: bool  # whether the labels are

    @classmethod
    def of(
        cls, model: Any, inputs: Any, labels: Any, num_classes: int | None, seed: int
    ) -> "LearnedReplica":
        if labels is not None:
            check_left_out("`labels`", num_classes=num_classes)
        classes = 2 if num_classes is None else at_least(2, "num_classes", num_classes)
        examples = LearnedExamples.of(model, inputs, labels, classes=classes, seed=seed)
        return cls(examples, labels is not None)

    def __call__(self, *, n: int, replica: int) -> dict[str, int]:
        """Return the number of errors on the examples of a replica."""
        targets, seed = self.examples.targets, self.examples.seed
        at = _subset(seed, n, replica, len(targets.codes))
        codes = targets.codes[at]
        if not self.given:
            codes = _random_labels(seed, n, replica, at, len(targets.values))
        seen = _learners.PairRows(self.examples.rows.inputs(at))
        try:
            found = self.examples.answers(at, codes, seen)
        except ValueError:
            if (codes != codes[0]).any():
                raise
            return {"errors": 0}  # some estimators refuse a single class, which a constant fits
        return {"errors": int((found != codes).sum())}

    def to_dict(self) -> dict[str, Json]:
        """Return what tells it from others."""
        return self.examples.identity("effective_capacity", given=self.given)


@dataclass(frozen=True)
class LearnedTask:
    """Random or given labels that a learner has to fit, once for each replica."""

    replica: LearnedReplica
    run: Runner
    replicas: int

    @property
    def total(self) -> int:
        return len(self.replica.examples.targets.codes)

    @property
    def num_classes(self) -> int:
        return len(self.replica.examples.targets.values)

    @property
    def seed(self) -> int:
        return self.replica.examples.seed

    @property
    def environment(self) -> Environment:
        return Environment.here()

    @property
    def learner(self) -> str:
        return self.replica.examples.learner.name

    def errors(self, n: int) -> tuple[NDArray[Any], None]:
        """Return how many of n examples each replica gets wrong."""
        grid = [{"n": n, "replica": r} for r in range(self.replicas)]
        found, interrupted = self.run(self.replica, grid)
        if interrupted:
            raise KeyboardInterrupt
        return np.array([each["errors"] for each in found]), None


def _subset(seed: int, n: int, replica: int, total: int) -> Ids:
    """Return the examples of a replica, ``int64``, shape ``(n,)``."""
    # One at a time: a permutation of all examples can be much longer than its head.
    stream = f"effective_capacity/{n}/subset"
    return Draws(seed).permutations(stream, [replica], total)[0, :n]


def _random_labels(seed: int, n: int, replica: int, at: Ids, num_classes: int) -> Labels:
    """Return the random labels that a replica has at some positions."""
    return Draws(seed).integers(f"effective_capacity/{n}/labels/{replica}", at, num_classes)


Task: TypeAlias = NetworkTask | LearnedTask


def recipe_for(recipe: object, n: int) -> Recipe:
    """Return the recipe for a number of examples."""
    return instance("recipe", recipe(n) if callable(recipe) else recipe, Recipe)
