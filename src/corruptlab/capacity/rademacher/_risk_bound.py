"""What a complexity says about the risk on new data."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from corruptlab._checks import check_confidence, not_negative, positive
from corruptlab.capacity.rademacher._bound import Bound
from corruptlab.capacity.rademacher._contraction import rademacher_bound
from corruptlab.capacity.rademacher._estimate import Estimate


@dataclass(frozen=True, kw_only=True)
class RiskBound:
    """An upper bound on the risk of every function of a class at once.

    Attributes:
        value: ``train_risk + 2 complexity + deviation``.
        train_risk: Mean loss on the sample.
        complexity: The complexity of the losses that went in, in the convention ``"zhang"``.
        deviation: ``3 bound sqrt(log(2 / delta) / (2 n))``.
        bound: Largest loss possible.
        confidence: Probability with which it holds, over the sample and over the draws of the
            complexity, if there were any.

    Example:
        >>> from corruptlab.capacity import rademacher
        >>> complexity = rademacher.Bound(0.02, n=10_000, convention="zhang")
        >>> rademacher.risk_bound(0.1, complexity).is_vacuous
        False
    """

    value: float
    train_risk: float
    complexity: Bound
    deviation: float
    bound: float
    confidence: float

    @property
    def is_vacuous(self) -> bool:
        """Whether it says no more than that losses are at most ``bound``."""
        return self.value >= self.bound

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and properties as a dictionary that JSON can hold."""
        return {**asdict(self), "is_vacuous": self.is_vacuous}

    def __repr__(self) -> str:
        vacuous = ", vacuous" if self.is_vacuous else ""
        return (
            f"RiskBound({self.value:.6g} = {self.train_risk:.6g} + 2 * {self.complexity.value:.6g} "
            f"+ {self.deviation:.6g}; n={self.complexity.n}, confidence={self.confidence:g}"
            f"{vacuous})"
        )


def risk_bound(
    train_risk: float,
    complexity: Estimate | Bound,
    *,
    bound: float = 1.0,
    confidence: float = 0.95,
) -> RiskBound:
    """Bound the true risk: ``R_true <= R_train + 2 R + 3 M sqrt(log(2/delta) / (2n))``.

    It holds for all functions of the class at once, so for the one that training picked, if the
    class was fixed before. R is the empirical complexity, on the same sample, of the class of
    *losses* in [0, M]: for the 0-1 loss of classifiers with values in {-1, +1} that is half the
    complexity of the classifiers, for a Lipschitz loss see `talagrand` and `maurer`.

    The theorem is about the convention ``"zhang"``. A number in Bartlett and Mendelson's is
    halved, and a Gaussian one is rejected. Half of delta goes to the draws of an estimate (nothing
    if you pass its ``upper_bound``), and what a `Bound` with a confidence below 1 leaves goes to
    the sample.

    Args:
        train_risk: Mean loss on the sample, in ``[0, bound]``.
        complexity: Of the class of losses on that sample.
        bound: Largest loss M possible, > 0.
        confidence: Probability 1 - delta with which the result is to hold, in ``(0, 1)``.

    Returns:
        The bound and its three parts.

    Raises:
        TypeError: If an argument is of a wrong kind; a plain number is no complexity.
        ValueError: If an argument is out of range, the complexity is Gaussian, or its confidence is
            not above ``confidence``.

    Example:
        >>> from corruptlab.capacity import rademacher
        >>> losses = rademacher.talagrand(rademacher.sauer(10, n=10_000), lipschitz=0.5)
        >>> rademacher.risk_bound(0.05, losses)
        RiskBound(0.216503 = 0.05 + 2 * 0.0628799 + 0.040743; n=10000, confidence=0.95)

    Source: Bartlett and Mendelson 2002, Thm 8; Mohri et al. 2018, Thm 3.3, (3.4), scaled from
    losses in [0, 1] to [0, M].
    """
    largest = positive("bound", bound)
    train_risk = not_negative("train_risk", train_risk)
    if train_risk > largest:
        raise ValueError(f"`train_risk` must lie in [0, {bound}], got {train_risk}.")
    check_confidence(confidence)
    limit = rademacher_bound(complexity, confidence=(1 + confidence) / 2)
    delta = limit.confidence - confidence
    if delta <= 0:
        raise ValueError(
            f"`complexity` must hold with a confidence above the {confidence} asked for, "
            f"got {limit.confidence}."
        )
    deviation = 3 * largest * math.sqrt(math.log(2 / delta) / (2 * limit.n))
    return RiskBound(
        value=train_risk + 2 * limit.value + deviation,
        train_risk=train_risk,
        complexity=limit,
        deviation=deviation,
        bound=largest,
        confidence=confidence,
    )
