"""The permutation test of a learner: estimators and training functions, on any executor."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from corruptlab import _learners
from corruptlab._json import Json, digest
from corruptlab._random_state import preserve_rng_state, seeded_generators
from corruptlab._sweeps import Runner
from corruptlab._types import Ids
from corruptlab.corruptions import Corrupted, Corruption, corrupt
from corruptlab.experiments.permutation._network import NetworkLearner
from corruptlab.experiments.permutation._null import (
    LabelPermuter,
    check_test_or_folds,
    parts_of,
    reading_seed,
    until_decided,
)
from corruptlab.experiments.permutation._statistic import Measure
from corruptlab.experiments.randomization import Pair, Setting

_BYTES_KEPT = 1 << 28  # inputs of all parts, cut once for all permutations

# Permutations of a sequential test that are handed to an executor together: few at first.
_FIRST, _GROWTH = 16, 4


AnyLearner: TypeAlias = _learners.Trainable | NetworkLearner


@dataclass(frozen=True, eq=False)
class LearnedSplit:
    """All examples of a learner, and which of them are trained on and held out."""

    rows: _learners.Rows
    new_rows: _learners.Rows | None  # of the test set
    targets: _learners.Targets  # of all, in that order
    parts: Sequence[tuple[Ids, Ids]]  # positions to train on, and those held out, in their rows
    _kept: dict[tuple[int, bool], Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        learner: AnyLearner,
        train: Any,
        test: Any,
        folds: int | ArrayLike | None,
        *,
        seed: int,
        **keys: Any,
    ) -> "LearnedSplit":
        """Read the data and split them."""
        check_test_or_folds(test, folds)
        with seeded_generators(reading_seed(seed, "train")):
            rows, labels, known = _learners.read_examples(
                train, "train", numbers=learner.numbers, **keys
            )
            rows = learner.rows(rows)
        if test is None:
            targets = _learners.code(labels, "train", numbers=learner.numbers, known=known)
            parts = [(a.numpy(), b.numpy()) for a, b in parts_of(folds, len(rows), seed)]
            return cls(rows, None, targets, parts)
        with seeded_generators(reading_seed(seed, "test")):
            new, truth, _ = _learners.read_examples(test, "test", numbers=learner.numbers, **keys)
            new = learner.rows(new)
        both = _learners.joined(labels, truth)
        targets = _learners.code(both, "train", numbers=learner.numbers, known=known)
        return cls(rows, new, targets, [(np.arange(len(rows)), np.arange(len(new)))])

    @property
    def exchangeable(self) -> NDArray[np.int64]:
        """Codes of the training labels."""
        return self.targets.codes[: len(self.rows)]

    def part(
        self, place: int, codes: NDArray[np.int64]
    ) -> tuple[_learners.LabelledData, NDArray[np.int64]]:
        """Return what is trained on in one part, and the labels of what is held out."""
        train, held_out = self.parts[place]
        data = _learners.LabelledData(
            self.rows, train, codes[train], self.targets, self._inputs(place, held_out=False)
        )
        new = self.new_rows is not None
        return data, (self.targets.codes[len(self.rows) :] if new else codes[held_out])

    def predicted(self, answers: Any, place: int, wanted: _learners.Wanted) -> torch.Tensor:
        """Return what a trained learner says of what is held out in one part."""
        kept = self._inputs(place, held_out=True)
        rows = self.rows if self.new_rows is None else self.new_rows
        at = self.parts[place][1]
        if kept is not None:
            rows, at = _learners.PairRows(kept), np.arange(len(at))
        return _learners.predicted(answers, rows, at, wanted)

    def _inputs(self, place: int, *, held_out: bool) -> Any:
        """Return inputs that are cut once, where they are small; None to cut them every time."""
        rows = self.new_rows if held_out and self.new_rows is not None else self.rows
        size = getattr(getattr(rows, "whole", None), "nbytes", None)
        if size is None or size * len(self.parts) > _BYTES_KEPT:
            return None
        key = place, held_out
        if key not in self._kept:
            self._kept[key] = rows.inputs(self.parts[place][held_out])
        return self._kept[key]

    def corrupted(self, corruption: Corruption, seed: int) -> "LearnedSplit":
        """Return the same with corrupted inputs."""
        n, codes, k = len(self.rows), self.targets.codes, len(self.targets.values)

        def clean(rows: _learners.Rows, codes: NDArray[np.int64]) -> Corrupted:
            whole = rows.dataset(codes, "baselines")
            return corrupt(whole, targets=codes, num_classes=k, seed=seed)

        new = None if self.new_rows is None else clean(self.new_rows, codes[n:])
        pair = Pair.of(clean(self.rows, codes[:n]), new, seed=seed, num_classes=k)
        setting = Setting(name=repr(corruption), corruptions=(corruption,))
        train, test, _ = pair.corrupted(setting)
        new_rows = None if self.new_rows is None else self.new_rows.like(test)
        return replace(self, rows=self.rows.like(train), new_rows=new_rows, _kept={})


@dataclass(frozen=True, eq=False)
class LearnedStatistic:
    """The statistic of one permutation, or of one baseline: a trial of a sweep."""

    learner: AnyLearner
    split: LearnedSplit
    permuter: LabelPermuter
    groups: Any
    measure: Measure
    seed: int

    def __call__(
        self, *, number: int = 0, corruption: Corruption | None = None, draw: int = 0
    ) -> dict[str, float]:
        """Train and measure on every part; permutation 0 is the identity."""
        split = self.split if corruption is None else self.split.corrupted(corruption, draw)
        codes = self.permuter.drawn(self.seed, [number])[0]
        with preserve_rng_state():
            return {"statistic": self.of(codes, split, lambda _: None)}

    def of(
        self, codes: NDArray[np.int64], split: LearnedSplit, on_progress: Callable[[int], None]
    ) -> float:
        """Return the mean statistic over the parts."""
        found = []
        for place in range(len(split.parts)):
            found.append(self._on(place, codes, split))
            on_progress(1)
        return math.fsum(found) / len(found)

    def _on(self, place: int, codes: NDArray[np.int64], split: LearnedSplit) -> float:
        data, held_out = split.part(place, codes)
        answers = self.learner.trained(data, split.targets, seed=self.seed)
        predictions = split.predicted(answers, place, self.measure.wanted)
        truth = split.targets.values[held_out] if split.targets.are_numbers else held_out
        return self.measure(predictions, torch.from_numpy(truth))

    def to_dict(self) -> dict[str, Json]:
        """Return what tells this test from others; a folder holds the trials of one."""
        return self._identity

    @cached_property
    def _identity(self) -> dict[str, Json]:
        split, rows = self.split, [self.split.rows, self.split.new_rows]
        what: dict[str, Json] = {
            "learner": self.learner.identity(),
            "statistic": self.measure.identity(),
            "inputs": [None if each is None else each.digest() for each in rows],
            "codes": split.targets.codes.tolist(),
            "values": split.targets.values.tolist(),
            "numbers": split.targets.are_numbers,
            "parts": [[a.tolist(), b.tolist()] for a, b in split.parts],
            "groups": None if self.groups is None else np.asarray(self.groups).tolist(),
            "seed": self.seed,
        }
        return {
            "learner": self.learner.name,
            "statistic": self.measure.name,
            "sha256": digest(what),
        }


@dataclass(frozen=True, eq=False)
class SerialSampler:
    """Trains in this process, one permutation after the other."""

    statistic: LearnedStatistic
    permutations: int
    stop_after: int | None

    def sampled(
        self, on_progress: Callable[[int], None]
    ) -> tuple[float, NDArray[np.float64], bool]:
        """Return the observed statistic, the null distribution, and whether Ctrl-C ended it."""
        with preserve_rng_state():
            return self._sampled(on_progress)

    def _sampled(
        self, on_progress: Callable[[int], None]
    ) -> tuple[float, NDArray[np.float64], bool]:
        trial, found = self.statistic, list[float]()
        known: dict[bytes, float] = {}
        for number in range(self.permutations + 1):
            codes = trial.permuter.drawn(trial.seed, [number])[0]
            name = codes.tobytes()  # equal permutations are trained once, and tie
            try:
                if name not in known:
                    known[name] = trial.of(codes, trial.split, on_progress)
                else:
                    on_progress(len(trial.split.parts))
            except KeyboardInterrupt:
                if len(found) < 2:
                    raise
                return found[0], np.array(found[1:]), True
            found.append(known[name])
            null = until_decided(np.array(found[1:]), found[0], self.stop_after)
            if null is not None:
                return found[0], null, False
        return found[0], np.array(found[1:]), False

    def check(self, corruption: Corruption, seed: int) -> None:
        """Read corrupted inputs."""
        self.statistic.split.corrupted(corruption, seed)

    def baseline(
        self, corruption: Corruption, seeds: Sequence[int], on_progress: Callable[[int], None]
    ) -> list[float]:
        """Return the statistic on corrupted inputs, for each draw."""
        found = []
        for seed in seeds:
            found.append(self.statistic(corruption=corruption, draw=seed)["statistic"])
            on_progress(len(self.statistic.split.parts))
        return found


@dataclass(frozen=True, eq=False)
class SweptSampler:
    """Trains on an executor, by a sweep: what is finished is kept, and found again."""

    statistic: LearnedStatistic
    permutations: int
    stop_after: int | None
    run: Runner

    def sampled(self, _: Callable[[int], None]) -> tuple[float, NDArray[np.float64], bool]:
        """Return the observed statistic, the null distribution, and whether Ctrl-C ended it."""
        done = self.permutations if self.stop_after is None else min(_FIRST, self.permutations)
        while True:
            found, interrupted = self._run([{"number": number} for number in range(done + 1)])
            if interrupted and len(found) < 2:
                raise KeyboardInterrupt
            null = until_decided(found[1:], found[0], self.stop_after)
            if interrupted or null is not None or done == self.permutations:
                return float(found[0]), found[1:] if null is None else null, interrupted
            done = min(_GROWTH * done, self.permutations)

    def check(self, corruption: Corruption, seed: int) -> None:
        """Read corrupted inputs."""
        self.statistic.split.corrupted(corruption, seed)

    def baseline(
        self, corruption: Corruption, seeds: Sequence[int], _: Callable[[int], None]
    ) -> list[float]:
        """Return the statistic on corrupted inputs, for each draw."""
        found, interrupted = self._run([{"corruption": corruption, "draw": s} for s in seeds])
        if interrupted:
            raise KeyboardInterrupt
        statistics: list[float] = found.tolist()
        return statistics

    def _run(self, grid: list[dict[str, Any]]) -> tuple[NDArray[np.float64], bool]:
        found, interrupted = self.run(self.statistic, grid)
        return np.array([each["statistic"] for each in found]), interrupted
