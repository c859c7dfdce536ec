"""From one complexity to another, and to the risk on new data."""

import math
from dataclasses import dataclass, replace

from corruptlab._checks import at_least, check_confidence, not_negative, positive
from corruptlab._reports import Report
from corruptlab.capacity.rademacher._bound import Bound, factor
from corruptlab.capacity.rademacher._estimate import Estimate


def talagrand(complexity: Estimate | Bound, *, lipschitz: float) -> Bound:
    """Bound the complexity of ``phi_i(f(x_i))`` for L-Lipschitz functions of one output: ``L R``.

    The functions phi_i may differ between examples, as a loss that depends on the label does, and
    need not vanish at 0. Without an absolute value around the sum there is no factor of 2. With it
    there would be one, so the result always uses the convention ``"zhang"``, whatever the
    convention of the argument.

    Args:
        complexity: Complexity of the class of outputs.
        lipschitz: Lipschitz constant L, > 0; 1/2 for the 0-1 loss of outputs in {-1, +1}.

    Returns:
        The bound, with the confidence of ``complexity``.

    Raises:
        TypeError: If ``complexity`` is neither an estimate nor a bound, or ``lipschitz`` is not a
            number.
        ValueError: If ``complexity`` is Gaussian, or ``lipschitz`` is not positive.

    Example:
        >>> from corruptlab.capacity import rademacher
        >>> rademacher.talagrand(rademacher.sauer(10, n=10_000), lipschitz=0.5)
        Bound(0.0628799, n=10000, convention='zhang'; Sauer, Talagrand)

    Source: Ledoux and Talagrand 1991, Thm 4.12; Mohri et al. 2018, Lemma 5.7.
    """
    bound = rademacher_bound(complexity)
    return _grown(bound, positive("lipschitz", lipschitz), "Talagrand")


def maurer(complexity: Estimate | Bound, *, lipschitz: float, outputs: int) -> Bound:
    """Bound the complexity of ``phi_i(f(x_i))`` for functions of K outputs: ``sqrt(2) L K R``.

    The functions phi_i, such as a multiclass loss, are L-Lipschitz in the Euclidean norm. Maurer's
    inequality bounds the complexity by a supremum of one sum over examples *and* outputs, with an
    independent sign for each pair. This is at most K times the complexity of the worst output. If
    you know the complexity of the joint sum, pass it with ``outputs=1``.

    Args:
        complexity: Complexity of the class of each single output.
        lipschitz: Lipschitz constant L, > 0; sqrt(2) for the cross-entropy of K scores.
        outputs: Number K of outputs, >= 1.

    Returns:
        The bound, with the confidence of ``complexity``, in the convention ``"zhang"``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If ``complexity`` is Gaussian, ``lipschitz`` is not positive, or ``outputs`` is
            below 1.

    Example:
        >>> from corruptlab.capacity import rademacher
        >>> one = rademacher.Bound(0.01, n=50_000, convention="zhang")
        >>> rademacher.maurer(one, lipschitz=2**0.5, outputs=10)
        Bound(0.2, n=50000, convention='zhang'; given, Maurer)

    Source: Maurer 2016, "A vector-contraction inequality for Rademacher complexities", Cor. 1.
    """
    bound = rademacher_bound(complexity)
    times = math.sqrt(2) * positive("lipschitz", lipschitz) * at_least(1, "outputs", outputs)
    return _grown(bound, times, "Maurer 2016")


def _grown(bound: Bound, times: float, by: str) -> Bound:
    name = f"{bound.name}, {by.split()[0]}"
    return replace(bound, value=times * bound.value, name=name, source=f"{bound.source}; {by}")


def gaussian_to_rademacher(complexity: Estimate | Bound) -> Bound:
    """Bound a Rademacher complexity by a Gaussian one: ``R <= sqrt(pi / 2) G``.

    A standard normal variable is the product of a random sign and its absolute value, which has
    mean ``sqrt(2 / pi)``. By Jensen's inequality, the expectation over the absolute values can be
    moved inside the supremum. The bound holds in both conventions.

    Args:
        complexity: A Gaussian complexity: a bound, or an estimate, of which the
            `Estimate.upper_limit` is used.

    Returns:
        The bound, in the same convention.

    Raises:
        TypeError: If ``complexity`` is neither an estimate nor a bound.
        ValueError: If ``complexity`` is not Gaussian.

    Example:
        >>> import numpy as np
        >>> from corruptlab.capacity import rademacher
        >>> estimate = rademacher.linear(np.eye(100), gaussian=True)
        >>> rademacher.gaussian_to_rademacher(estimate.upper_bound)
        Bound(0.125331, n=100, convention='zhang'; second moment, from Gaussian)

    Source: Ledoux and Talagrand 1991, (4.8); Bartlett and Mendelson 2002, Lemma 4.
    """
    if isinstance(complexity, Estimate):
        complexity = complexity.upper_limit()
    if not isinstance(complexity, Bound):
        raise TypeError(f"`complexity` must be an Estimate or a Bound, got {complexity!r}.")
    if not complexity.gaussian:
        raise ValueError(f"`complexity` must be a Gaussian complexity, got {complexity!r}.")
    return replace(
        complexity,
        value=math.sqrt(math.pi / 2) * complexity.value,
        gaussian=False,
        name=f"{complexity.name}, from Gaussian",
        source=f"{complexity.source}; Ledoux and Talagrand 1991, (4.8)",
    )


def rademacher_bound(complexity: Estimate | Bound, *, confidence: float | None = None) -> Bound:
    """Return an upper bound in the convention ``"zhang"``, an estimate's with ``confidence``."""
    # From Bartlett and Mendelson's convention half the number is always a bound, because the
    # supremum is not above that of the absolute value.
    if isinstance(complexity, Estimate):
        complexity = complexity.upper_limit(confidence)
    if not isinstance(complexity, Bound):
        raise TypeError(
            "`complexity` must be an Estimate or a Bound, which know their convention, got "
            f"{complexity!r}; make a number one: Bound(number, n=..., convention=...)."
        )
    if complexity.gaussian:
        raise ValueError(
            f"`complexity` must be a Rademacher complexity, got the Gaussian {complexity!r}; "
            "see `gaussian_to_rademacher`."
        )
    halved = complexity.value / factor(complexity.convention)
    return replace(complexity, value=halved, convention="zhang")


@dataclass(frozen=True, kw_only=True)
class RiskBound(Report, kind="risk_bound", derived=("is_vacuous",)):
    """Upper bound on the risk that holds uniformly over a class; returned by `risk_bound`.

    Attributes:
        value: ``train_risk + 2 complexity + deviation``.
        train_risk: Mean loss on the sample.
        complexity: Complexity of the class of losses, in the convention ``"zhang"``.
        deviation: ``3 bound sqrt(log(2 / delta) / (2 n))``.
        bound: Largest possible loss.
        confidence: Probability with which the bound holds, over the sample and over the draws of
            the complexity, if any.

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
        """Whether the bound is trivial: at least ``bound``, the largest possible loss."""
        return self.value >= self.bound

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

    The bound holds for all functions of the class simultaneously, hence for the trained one,
    provided that the class was fixed before the data were seen. R is the empirical complexity, on
    the same sample, of the class of *losses* with values in [0, M]. For the 0-1 loss of classifiers
    with values in {-1, +1}, it is half the complexity of the classifiers; for Lipschitz losses, see
    `talagrand` and `maurer`.

    The theorem uses the convention ``"zhang"``. A value in the convention of Bartlett and Mendelson
    is halved; a Gaussian complexity is rejected. For an estimate, half of delta is used for its
    draws (none if you pass its ``upper_bound``). For a `Bound` with a confidence below 1, delta is
    reduced by its error probability.

    Args:
        train_risk: Mean loss on the sample, in ``[0, bound]``.
        complexity: Complexity of the class of losses on that sample.
        bound: Largest possible loss M, > 0.
        confidence: Confidence level 1 - delta of the result, in ``(0, 1)``.

    Returns:
        The bound and its three terms.

    Raises:
        TypeError: If an argument has the wrong type, such as a plain number for ``complexity``.
        ValueError: If an argument is out of range, or ``complexity`` is Gaussian or holds with a
            confidence that is not above ``confidence``.

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
