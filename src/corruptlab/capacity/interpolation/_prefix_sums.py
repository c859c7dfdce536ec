"""Prefix sums without the rounding errors of adding one number after the other."""

import numpy as np
from numpy.typing import NDArray


def prefix_sums(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums of the first 1, 2, ..., n terms, as if added in twice the precision.

    ``np.cumsum`` adds one term after the other, so the rounding error of each of its steps is a
    number that can be found exactly, for all steps at once; the sums of these errors are added
    to the sums of the terms. The error is a rounding of the result plus about ``n**2 * 2**-106``
    of the sum of the terms' sizes.

    Args:
        terms: Numbers, shape ``(n, ...)``, summed along the first axis.

    Returns:
        ``float64`` of the same shape.

    Source: Knuth 1998, §4.2.2 (the error of a sum); Neumaier 1974 (adding the errors up).
    """
    sums = np.cumsum(terms, axis=0)
    before = np.zeros_like(sums)
    before[1:] = sums[:-1]
    added = sums - before
    errors = (before - (sums - added)) + (terms - added)
    total: NDArray[np.float64] = sums + np.cumsum(errors, axis=0)
    return total
