"""The statistic on inputs that have lost a part of what they say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from corruptlab._draws import Draws
from corruptlab._types import MapDataset
from corruptlab.corruptions import Corrupted, Corruption, is_input_corruption
from corruptlab.experiments.permutation._result import Baseline
from corruptlab.experiments.permutation._scores import Scorer
from corruptlab.experiments.permutation._split import Split
from corruptlab.experiments.randomization import Pair, Setting


def check_baselines(baselines: Sequence[Any]) -> tuple[Corruption, ...]:
    """Return the corruptions, or say that one is none of inputs, or is given twice.

    Args:
        baselines: What the user gave.

    Returns:
        The corruptions.

    Raises:
        TypeError: If it is no sequence, or one is no corruption of inputs.
        ValueError: If one is given twice.
    """
    if not isinstance(baselines, Sequence):
        raise TypeError(f"`baselines` must be a list of corruptions of inputs, got {baselines!r}.")
    for place, each in enumerate(baselines):
        if isinstance(each, type) or not is_input_corruption(each):
            raise TypeError(f"`baselines` must hold corruptions of inputs, got {each!r}.")
        if each in baselines[:place]:
            raise ValueError(f"`baselines` must differ from one another, got {each!r} twice.")
    return tuple(baselines)


@dataclass(frozen=True)
class Baselines:
    """The baselines of one test, with the labels as they are.

    Repeat r of one has the seed ``Draws(seed).integers("permutation_test/baseline/NAME", [r],
    2**31)``.

    Args:
        corruptions: What is done to training and held-out inputs, one after the other.
        train: The training set, or all data.
        test: The test set, or None.
        folds: As for the test itself.
        num_classes: Outputs of the network.
        scorer: What is done with each.
        repeats: How often, with another draw each time.
        seed: The seed of the test.
    """

    corruptions: tuple[Corruption, ...]
    train: MapDataset[Any]
    test: MapDataset[Any] | None
    folds: int | ArrayLike | None
    num_classes: int
    scorer: Scorer
    repeats: int
    seed: int

    def check(self) -> None:
        """Serve one example of each, so that what does not suit costs no training."""
        for corruption in self.corruptions:
            self._corrupted(corruption, self.seed)[0][0]

    def measured(self, tell: Callable[[int], None]) -> tuple[tuple[Baseline, ...], bool]:
        """Measure one after the other, until Ctrl-C.

        Args:
            tell: Is told of each part that is done.

        Returns:
            Those that are finished, and whether Ctrl-C ended it.
        """
        found: list[Baseline] = []
        for corruption in self.corruptions:
            try:
                found.append(self._one(corruption, tell))
            except KeyboardInterrupt:
                return tuple(found), True
        return tuple(found), False

    def _one(self, corruption: Corruption, tell: Callable[[int], None]) -> Baseline:
        name = repr(corruption)
        stream = f"permutation_test/baseline/{name}"
        seeds = Draws(self.seed).integers(stream, np.arange(self.repeats), 2**31).tolist()
        statistics: list[float] = []
        for own in seeds:
            data = self._corrupted(corruption, own)
            split = Split.of(*data, self.folds, seed=self.seed, progress=False)
            labels = split.labellings(split.exchangeable[None])
            statistics += self.scorer.scores(split.inputs, labels, split.parts, tell).tolist()
        specification = Setting(name=name, corruptions=(corruption,)).specification(seeds[0])
        return Baseline(name, np.array(statistics), specification)

    def _corrupted(self, corruption: Corruption, seed: int) -> tuple[Corrupted, Corrupted | None]:
        pair = Pair.of(self.train, self.test, seed=seed, num_classes=self.num_classes)
        return pair.corrupted(Setting(name=repr(corruption), corruptions=(corruption,)))[:2]
