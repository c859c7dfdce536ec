"""Epochs at which examples are fitted for the first time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corruptlab._checks import check_number
from corruptlab._records import Record
from corruptlab._types import Labels


@dataclass(frozen=True, kw_only=True)
class LearningTimes(Record, derived=("censored",)):
    """Epochs of the first learning event of each example in a group.

    The learning time of an example is the first epoch after which the prediction equals its label,
    whether or not the example is forgotten later. An example that is never fitted is right-censored
    at the last epoch: its learning time exceeds the number of epochs. All examples are observed
    until the same epoch, so `shares` is the Kaplan-Meier estimate of the distribution of learning
    times.

    A predictor fits some examples by chance, and more of them over more epochs. The learning times
    of held-out canaries show how many, because the network is never trained on them.

    Args:
        counts: Number of examples first fitted after epochs 1, 2, ...
        total: Number of examples in the group.

    Example:
        >>> from corruptlab.experiments import LearningTimes
        >>> times = LearningTimes(counts=(5, 0, 2), total=10)
        >>> times.shares, times.censored
        ((0.5, 0.5, 0.7), 3)
        >>> times.quantile(0.6), times.quantile(0.9)
        (3, None)

    Source: Toneva et al. 2019, "An empirical study of example forgetting during deep neural network
    learning", §3 (learning events).
    """

    counts: tuple[int, ...]
    total: int

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of the group that was fitted at least once by each epoch; empty for no examples."""
        if self.total == 0:
            return ()
        return tuple((np.cumsum(self.counts, dtype=np.int64) / self.total).tolist())

    @property
    def censored(self) -> int:
        """Number of examples that were never fitted."""
        return self.total - sum(self.counts)

    def quantile(self, share: float = 0.5) -> int | None:
        """Return the epoch by which a share of the group was fitted at least once.

        Args:
            share: Share of the group, in ``(0, 1]``; by default the median.

        Returns:
            The first such epoch, from 1; None if it is larger than the number of epochs.

        Raises:
            TypeError: If ``share`` is not a number.
            ValueError: If ``share`` is not in ``(0, 1]``.
        """
        check_number("share", share)
        if not 0 < share <= 1:
            raise ValueError(f"`share` must lie in (0, 1], got {share}.")
        reached = np.cumsum(self.counts, dtype=np.int64) >= share * self.total
        return int(reached.argmax()) + 1 if self.total and reached.any() else None


class FirstEpochs:
    """The epoch after which each of some examples was fitted first; 0 before."""

    def __init__(self, n: int) -> None:
        self._epochs = np.zeros(n, np.int64)

    def note(self, epoch: int, predicted: Labels, labels: Labels) -> None:
        """Note which examples are fitted after an epoch."""
        self._epochs[(self._epochs == 0) & (predicted == labels)] = epoch

    def times(self, group: NDArray[np.bool_], epochs: int) -> LearningTimes:
        """Return the learning times of a group."""
        counts = np.bincount(self._epochs[group], minlength=epochs + 1)[1:]
        return LearningTimes(counts=tuple(counts.tolist()), total=int(group.sum()))
