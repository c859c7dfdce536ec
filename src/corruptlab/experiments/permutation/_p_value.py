"""The p-value of a permutation test, and what is known about it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corruptlab._statistics import clopper_pearson

# Means of fractions that are equal differ by rounding: relatively, and around 0 absolutely.
_TIE, _TIE_AT_0 = 1e-9, 1e-14


def at_least_as_good(null: NDArray[np.float64], observed: float) -> NDArray[np.bool_]:
    """Tell which values of the null distribution are not below the observed one.

    Values that agree to nine digits (around 0, to 1e-14) are ties, and a tie counts as good.

    Args:
        null: Values under exchanged labels, shape ``(B,)``.
        observed: That under the labels as they are.

    Returns:
        Shape ``(B,)``.
    """
    return null >= observed - max(_TIE * abs(observed), _TIE_AT_0)


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
        """Return limits on what the p-value would be with infinitely many exchanges.

        That is the chance q that an exchange does at least as well, given the data. The limits hold
        q with probability ``confidence`` or more, whatever it is, by inverting exact tails:
        binomial (Clopper and Pearson) if all were drawn. If the h-th exceedance ended it, at draw
        l, the lower one is the q at which l draws hold h or more with chance (1 - confidence) / 2,
        and the upper one that at which the l - 1 draws before hold fewer: negative binomial.

        Args:
            confidence: Two-sided level, in ``(0, 1)``.

        Returns:
            Lower and upper limit.
        """
        one_sided = (1 + confidence) / 2
        low, high = clopper_pearson(self.exceedances, self.permutations, confidence=one_sided)
        if self.stopped:  # the last draw was bound to be an exceedance, and tells nothing
            before = self.exceedances - 1, self.permutations - 1
            high = clopper_pearson(*before, confidence=one_sided)[1]
        return low, high
