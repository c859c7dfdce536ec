"""Student's interval for a mean."""

import math
from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray


def t_quantile(confidence: float, degrees: int) -> float:
    """Return the factor of the standard error in a two-sided interval.

    Args:
        confidence: Probability of the interval, in ``(0, 1)``.
        degrees: Degrees of freedom, >= 1.

    Returns:
        The quantile of Student's t at ``(1 + confidence) / 2``.
    """
    # The lower tail keeps the digits of a confidence near 1.
    return -float(scipy.special.stdtrit(degrees, (1 - confidence) / 2))


def standard_error(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Return the estimated standard deviation ``s / sqrt(n)`` of a mean.

    Args:
        values: At least two.

    Returns:
        The standard error.
    """
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


def mean_and_half_width(
    values: Sequence[float] | NDArray[np.float64], confidence: float
) -> tuple[float, float]:
    """Return a mean and the half width ``t s / sqrt(n)`` of its interval.

    Args:
        values: At least one.
        confidence: Probability of the interval, in ``(0, 1)``.

    Returns:
        Both; the half width of a single value is ``nan``, for nothing is known of its spread.
    """
    array = np.asarray(values, np.float64)
    n = len(array)
    if n < 2:
        return float(array.mean()), math.nan
    return float(array.mean()), t_quantile(confidence, n - 1) * standard_error(array)
