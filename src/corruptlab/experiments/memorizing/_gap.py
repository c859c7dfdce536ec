"""Planted against held-out canaries: the estimate, its limits, and a test."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from corruptlab.experiments.memorizing._fitted import Fitted


@dataclass(frozen=True, kw_only=True)
class Gap:
    """By how much more often random labels are fitted when they were trained on.

    ``interval`` is the difference of the exact limits of Clopper and Pearson on both probabilities,
    with the doubt ``1 - confidence`` shared out evenly among the four: conservative, and as they do
    it takes the canaries of a group to be fitted or not independently of one another.

    ``p_value`` is that of Fisher's exact test, one-sided. It takes nothing for granted: which of
    the canaries are planted was drawn evenly and apart from their labels, so if planting made no
    difference, every division of those that are fitted would have had the same chance.

    Attributes:
        value: Share of the planted canaries that are fitted, less that of the held-out ones.
        interval: Lower and upper limit on what that is on average.
        p_value: Probability that drawing which canaries to plant alone brings at least as many of
            the fitted ones among the planted.

    Example:
        >>> from corruptlab.experiments import Fitted, Gap
        >>> gap = Gap.of(Fitted(9, 10), Fitted(1, 10), confidence=0.95)
        >>> round(gap.value, 3), round(gap.p_value, 6)
        (0.8, 0.000547)

    Source: Clopper and Pearson 1934; Fisher 1935, "The design of experiments", §2.
    """

    value: float
    interval: tuple[float, float]
    p_value: float

    @classmethod
    def of(cls, planted: Fitted, held_out: Fitted, *, confidence: float) -> "Gap":
        """Compare two groups, neither of them empty.

        Args:
            planted: Fit of the planted canaries on their random labels.
            held_out: The same of the held-out ones.
            confidence: Level of the interval, in ``(0, 1)``.

        Returns:
            The comparison.
        """
        each = (1 + confidence) / 2  # two intervals, each with half of the doubt
        (low, high), (below, above) = planted.interval(each), held_out.interval(each)
        return cls(
            value=planted.right / planted.total - held_out.right / held_out.total,
            interval=(low - above, high - below),
            p_value=_fisher(planted, held_out),
        )


def _fisher(planted: Fitted, held_out: Fitted) -> float:
    """Return the hypergeometric probability of as many right among the planted, or more."""
    right = planted.right + held_out.right
    most = min(right, planted.total)
    k = np.arange(planted.right, most + 1)
    logs = (
        _log_choose(planted.total, k)
        + _log_choose(held_out.total, right - k)
        - _log_choose(planted.total + held_out.total, np.array(right))
    )
    return min(1.0, float(np.exp(scipy.special.logsumexp(logs))))


def _log_choose(n: int, k: NDArray[np.int64]) -> NDArray[np.float64]:
    gammaln = scipy.special.gammaln
    logs: NDArray[np.float64] = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return logs
