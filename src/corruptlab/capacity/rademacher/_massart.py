"""Finitely many functions: Massart's lemma."""

import math

from corruptlab._checks import at_least, not_negative
from corruptlab.capacity.rademacher._bound import Bound


def massart(norm: float, *, size: int, n: int) -> Bound:
    """Bound the complexity of finitely many functions: ``norm * sqrt(2 log(size)) / n``.

    The functions count by their values on the sample: ``size`` different vectors in R^n, none
    longer than ``norm``. The trap: with an absolute value around the sum
    (``"bartlett_mendelson"``) the negatives count as well, which makes ``2 * size``, besides the
    factor of 2.

    Args:
        norm: Largest Euclidean norm of a vector of values, >= 0.
        size: Number of vectors, >= 1.
        n: Number of examples, >= 1.

    Returns:
        The bound, in the convention ``"zhang"``.

    Raises:
        TypeError: If ``norm`` is not a number, ``size`` or ``n`` not an integer.
        ValueError: If ``norm`` is negative or not finite, or ``size`` or ``n`` below 1.

    Example:
        >>> from corruptlab.capacity import rademacher
        >>> rademacher.massart(norm=10.0, size=100, n=100)  # 100 classifiers on 100 examples
        Bound(0.303485, n=100, convention='zhang'; Massart)

    Source: Massart 2000, Lemma 5.2; Mohri et al. 2018, Thm 3.7.
    """
    norm, size, n = not_negative("norm", norm), at_least(1, "size", size), at_least(1, "n", n)
    return Bound(
        norm * math.sqrt(2 * math.log(size)) / n,
        n=n,
        convention="zhang",
        name="Massart",
        source="Massart 2000, Lemma 5.2; Mohri et al. 2018, Thm 3.7",
    )
