"""Classifiers of finite VC dimension: Sauer's lemma in Massart's."""

import math

from corruptlab._checks import at_least
from corruptlab.capacity.rademacher._bound import Bound


def sauer(vc_dimension: int, *, n: int) -> Bound:
    """Bound the complexity of classifiers by their VC dimension d: ``sqrt(2 d log(e n / d) / n)``.

    By Sauer's lemma functions with values in {-1, +1} have at most ``(e n / d)**d`` different
    vectors of values on n >= d examples, each of length ``sqrt(n)``; the rest is `massart`. The
    bound exceeds 1, which no such class does, as long as n is below about 5.4 d.

    Args:
        vc_dimension: VC dimension, >= 1.
        n: Number of examples, at least ``vc_dimension``.

    Returns:
        The bound, in the convention ``"zhang"``.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If ``vc_dimension`` is below 1 or above ``n``.

    Example:
        >>> from corruptlab.capacity import rademacher
        >>> rademacher.sauer(785, n=60_000)  # half-spaces of 28x28 pixels
        Bound(0.373679, n=60000, convention='zhang'; Sauer)

    Source: Sauer 1972; Mohri et al. 2018, Cor. 3.8 and 3.18.
    """
    d = at_least(1, "vc_dimension", vc_dimension)
    n = at_least(1, "n", n)
    if n < d:
        raise ValueError(f"`n` must be at least the VC dimension {d} for Sauer's lemma, got {n}.")
    return Bound(
        math.sqrt(2 * d * math.log(math.e * n / d) / n),
        n=n,
        convention="zhang",
        name="Sauer",
        source="Sauer 1972; Mohri et al. 2018, Cor. 3.8 and 3.18",
    )
