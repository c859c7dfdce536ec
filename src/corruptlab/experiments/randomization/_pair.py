"""A training set and a test set, before and after corruption."""

from dataclasses import dataclass, replace
from typing import Any

from corruptlab._types import MapDataset
from corruptlab.corruptions import Corrupted, corrupt, is_input_corruption
from corruptlab.experiments.randomization._settings import Setting


@dataclass(frozen=True)
class Pair:
    """A training set and a test set to which the corruptions of settings are applied.

    Construct it with `of`. The ids of the test examples follow those of the training examples: a
    corruption depends on the id, so test image ``i`` would otherwise get the same Gaussian draw as
    training image ``i``.

    Args:
        train: The clean training set.
        test: The clean test set, or None.
        seed: Seed of all corruptions.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> from corruptlab.experiments.randomization import Pair
        >>> points = [(torch.tensor([1.0, 0.0]), 0), (torch.tensor([0.0, 1.0]), 1)]
        >>> pair = Pair.of(points, points, seed=0, num_classes=None)
        >>> pair.train.ids.tolist(), pair.test.ids.tolist()
        ([0, 1], [2, 3])
        >>> random_labels = cl.experiments.paper_settings()[2]
        >>> train, test, _ = pair.corrupted(random_labels)
        >>> train.corruptions, test.corruptions
        ((RandomLabels(),), ())
    """

    train: Corrupted
    test: Corrupted | None
    seed: int

    @classmethod
    def of(
        cls,
        train: MapDataset[Any],
        test: MapDataset[Any] | None,
        *,
        seed: int,
        num_classes: int | None,
        **keys: Any,
    ) -> "Pair":
        """Check both data sets and read their labels, once for all settings.

        Args:
            train: Any map-style data set of (input, label) items.
            test: Test set, or None.
            seed: Seed of all corruptions; an integer >= 0.
            num_classes: Number of classes; None for that of the training set.
            **keys: Arguments ``input_key`` and ``label_key`` of `corrupt`.

        Returns:
            The pair.
        """
        clean = corrupt(train, seed=seed, num_classes=num_classes, **keys)
        if test is None:
            return cls(clean, None, clean.seed)
        own = corrupt(test, seed=seed, num_classes=clean.num_classes, **keys)
        numbers = int(clean.ids.max()) + 1 + own.ids
        return cls(clean, corrupt(own, seed=seed, ids=numbers), clean.seed)

    def corrupted(self, setting: Setting) -> tuple[Corrupted, Corrupted | None, Setting]:
        """Corrupt both data sets.

        Args:
            setting: The setting.

        Returns:
            Training set, test set, and the setting with estimated parameters. The input corruptions
            are applied to the test set with the parameters estimated on the training set and the
            same pixel permutation; its labels stay clean.
        """
        train = corrupt(self.train, *setting.corruptions, seed=self.seed)
        done = replace(setting, corruptions=train.corruptions)
        if self.test is None:
            return train, None, done
        inputs = [c for c in train.corruptions if is_input_corruption(c)]
        return train, corrupt(self.test, *inputs, seed=self.seed), done
