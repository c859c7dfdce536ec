"""Lipschitz functions of the outputs of a class: Talagrand's lemma and Maurer's."""

import math
from dataclasses import replace

from corruptlab._checks import at_least, positive
from corruptlab.capacity.rademacher._accept import rademacher_bound
from corruptlab.capacity.rademacher._bound import Bound
from corruptlab.capacity.rademacher._estimate import Estimate


def talagrand(complexity: Estimate | Bound, *, lipschitz: float) -> Bound:
    """Bound the complexity of ``phi_i(f(x_i))`` for L-Lipschitz functions of one output: ``L R``.

    The phi_i may differ from example to example (a loss that knows the label does) and need not
    vanish at 0. Without the absolute value around the sum there is no factor of 2; with it there
    would be, so the result is in the convention ``"zhang"`` whatever the argument's is.

    Args:
        complexity: Of the class of outputs.
        lipschitz: Lipschitz constant L, > 0; 1/2 for the 0-1 loss of outputs in {-1, +1}.

    Returns:
        The bound, as sure as the argument.

    Raises:
        TypeError: If ``complexity`` is neither an estimate nor a bound, or L not a number.
        ValueError: If the complexity is a Gaussian one, or L not above 0.

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

    The phi_i are L-Lipschitz in the Euclidean norm, such as a multiclass loss. Maurer's
    inequality has the supremum of one sum over examples *and* outputs, each pair with a sign of
    its own; that is at most K times the complexity of the worst output. If you know the former,
    pass it with ``outputs=1``.

    Args:
        complexity: Of the class of each single output.
        lipschitz: Lipschitz constant L, > 0; sqrt(2) for the cross-entropy of K scores.
        outputs: Number K of outputs, >= 1.

    Returns:
        The bound, as sure as the argument, in the convention ``"zhang"``.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If the complexity is a Gaussian one, L not above 0, or K below 1.

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
