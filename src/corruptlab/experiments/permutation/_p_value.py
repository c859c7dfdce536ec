"""The p-value of a permutation test, and what is known about it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

# Statistics that are means of fractions differ by rounding where they are equal.
_TIE = 1e-9


def at_least_as_good(null: NDArray[np.float64], observed: float) -> NDArray[np.bool_]:
    """Tell which values of the null distribution are not below the observed one.

    Values that agree to nine digits are ties, and a tie counts as good.

    Args:
        null: Values under exchanged labels, shape ``(B,)``.
        observed: That under the labels as they are.

    Returns:
        Shape ``(B,)``.
    """
    return null >= observed - _TIE * max(1.0, abs(observed))


@dataclass(frozen=True)
class PValue:
    """A Monte Carlo p-value.

    Args:
        exceedances: Exchanges that did at least as well as the labels as they are, C.
        permutations: Exchanges that were drawn, B.
        stop_after: Number of exceedances at which drawing would have stopped, h; None for never.

    Source: Phipson and Smyth 2010 for (C + 1) / (B + 1); Besag and Clifford 1991 for h / B.
    """

    exceedances: int
    permutations: int
    stop_after: int | None = None

    @property
    def stopped(self) -> bool:
        """Whether the sequential rule ended the drawing."""
        return self.exceedances == self.stop_after

    @property
    def value(self) -> float:
        """(C + 1) / (B + 1), or h / B where the h-th exceedance, at draw B, ended the test.

        Under the null hypothesis the chance of a value of at most alpha is at most alpha, for
        either, exactly.
        """
        if self.stopped:
            return self.exceedances / self.permutations
        return (self.exceedances + 1) / (self.permutations + 1)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return limits on what the p-value would be with all exchanges.

        They hold at the level ``confidence`` or above, by inverting exact tails: binomial (Clopper
        and Pearson) if all were drawn, negative binomial if the h-th exceedance ended it.

        Args:
            confidence: Two-sided level, in ``(0, 1)``.

        Returns:
            Lower and upper limit.
        """
        tail, hits, misses = (1 - confidence) / 2, self.exceedances, self.permutations
        misses -= hits
        low = 0.0 if hits == 0 else float(betaincinv(hits, misses + 1, tail))
        if misses == 0:
            return low, 1.0
        # The last draw of a test that stopped was bound to be an exceedance.
        more = hits if self.stopped else hits + 1
        return low, float(betaincinv(more, misses, 1 - tail))
