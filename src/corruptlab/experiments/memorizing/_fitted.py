"""On how many examples of a group the predicted class is their label."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corruptlab._statistics import clopper_pearson
from corruptlab._types import Labels


@dataclass(frozen=True)
class Fitted:
    """How many examples of a group a predictor is right on, with respect to some labels.

    Args:
        right: How many it is right on.
        total: How many there are.

    Example:
        >>> from corruptlab.experiments import Fitted
        >>> Fitted(45, 60).share
        0.75
        >>> Fitted(0, 0).share is None
        True
    """

    right: int
    total: int

    @classmethod
    def of(cls, predicted: Labels, labels: Labels, group: NDArray[np.bool_]) -> "Fitted":
        """Count in one group.

        Args:
            predicted: Predicted classes, shape ``(n,)``.
            labels: Labels they are compared with, shape ``(n,)``.
            group: Which examples belong to the group, shape ``(n,)``.

        Returns:
            The counts.
        """
        return cls(int(((predicted == labels) & group).sum()), int(group.sum()))

    @property
    def share(self) -> float | None:
        """Share of the group that is right; None for an empty group."""
        return self.right / self.total if self.total else None

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the exact two-sided limits of Clopper and Pearson on the probability to be right.

        Args:
            confidence: Level of the interval, in ``(0, 1)``.

        Returns:
            Lower and upper limit; 0 and 1 for an empty group.
        """
        if not self.total:
            return 0.0, 1.0
        return clopper_pearson(self.right, self.total, confidence=(1 + confidence) / 2)
