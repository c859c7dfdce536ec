"""The data of one setting: what is trained on, and what it is tested on."""

from dataclasses import dataclass, replace
from typing import Any

from corruptlab._types import MapDataset
from corruptlab.corruptions import Corrupted, corrupt, is_input_corruption
from corruptlab.experiments.randomization._settings import Setting


@dataclass(frozen=True)
class Pair:
    """Training and test set as the user gave them, checked.

    Args:
        train: The training set, nothing done to it.
        test: The test set, nothing done to it, or None. Its examples have numbers that no training
            example has: a corruption is a function of the number, so that otherwise test image
            ``i`` would be the very Gaussian draw of training image ``i``.
        seed: Seed of all corruptions.
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
    ) -> "Pair":
        """Wrap both sets, which checks them and finds their labels, once for all settings."""
        clean = corrupt(train, seed=seed, num_classes=num_classes)
        if test is None:
            return cls(clean, None, clean.seed)
        own = corrupt(test, seed=seed, num_classes=clean.num_classes)
        numbers = int(clean.ids.max()) + 1 + own.ids
        return cls(clean, corrupt(own, seed=seed, ids=numbers), clean.seed)

    def corrupted(self, setting: Setting) -> tuple[Corrupted, Corrupted | None, Setting]:
        """Corrupt the data as a setting says.

        Args:
            setting: What to do.

        Returns:
            Training set, test set, and the setting with estimated numbers filled in. The test set
            gets the input corruptions with the numbers estimated on the training set, and one seed
            means one pixel permutation for both; its labels stay clean.
        """
        train = corrupt(self.train, *setting.corruptions, seed=self.seed)
        done = replace(setting, corruptions=train.corruptions)
        if self.test is None:
            return train, None, done
        inputs = [c for c in train.corruptions if is_input_corruption(c)]
        return train, corrupt(self.test, *inputs, seed=self.seed), done
