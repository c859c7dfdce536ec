"""The statistic on inputs that have lost a part of what they say."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from corruptlab._draws import Draws
from corruptlab._types import MapDataset
from corruptlab.corruptions import Corruption, is_input_corruption
from corruptlab.experiments._data import Pair
from corruptlab.experiments._settings import Setting
from corruptlab.experiments.permutation._result import Baseline
from corruptlab.experiments.permutation._scores import Scorer
from corruptlab.experiments.permutation._split import Split


def check_baselines(baselines: Iterable[Any]) -> tuple[Corruption, ...]:
    """Return the corruptions, or say that one is none of inputs, or is given twice.

    Args:
        baselines: What the user gave.

    Returns:
        The corruptions.

    Raises:
        TypeError: If one is no corruption of inputs.
        ValueError: If one is given twice.
    """
    found = tuple(baselines)
    for place, each in enumerate(found):
        if not is_input_corruption(each):
            raise TypeError(f"`baselines` must hold corruptions of inputs, got {each!r}.")
        if each in found[:place]:
            raise ValueError(f"`baselines` must differ from one another, got {each!r} twice.")
    return found


def baseline(
    corruption: Corruption,
    train: MapDataset[Any],
    test: MapDataset[Any] | None,
    folds: int | ArrayLike | None,
    scorer: Scorer,
    *,
    repeats: int,
    seed: int,
    tell: Callable[[], None],
) -> Baseline:
    """Measure the statistic on corrupted inputs, with the labels as they are.

    Repeat r has the seed ``Draws(seed).integers("permutation_test/baseline/NAME", [r], 2**31)``.

    Args:
        corruption: What is done to training and held-out inputs.
        train: The training set, or all data.
        test: The test set, or None.
        folds: As for the test itself.
        scorer: What is done with each.
        repeats: How often, with another draw each time.
        seed: The seed of the test.
        tell: Is told whenever a part is done.

    Returns:
        The statistics.

    Raises:
        KeyboardInterrupt: On Ctrl-C.
    """
    name = repr(corruption)
    stream = f"permutation_test/baseline/{name}"
    seeds = Draws(seed).integers(stream, np.arange(repeats), 2**31).tolist()
    setting = Setting(name=name, corruptions=(corruption,))
    statistics: list[float] = []
    for own in seeds:
        pair = Pair.of(train, test, seed=own, num_classes=None)
        split = Split.of(*pair.corrupted(setting)[:2], folds, seed=seed, progress=False)
        labels = split.labellings(split.exchangeable[None])
        statistics += scorer.scores(split.inputs, labels, split.parts, tell).tolist()
    return Baseline(name, np.array(statistics), setting.specification(seeds[0]))


def all_baselines(
    corruptions: Sequence[Corruption], measure: Callable[[Corruption], Baseline]
) -> tuple[tuple[Baseline, ...], bool]:
    """Measure one after the other, until Ctrl-C.

    Args:
        corruptions: What is done to the inputs.
        measure: Measures one of them.

    Returns:
        Those that are finished, and whether Ctrl-C ended it.
    """
    found: list[Baseline] = []
    for corruption in corruptions:
        try:
            found.append(measure(corruption))
        except KeyboardInterrupt:
            return tuple(found), True
    return tuple(found), False
