"""Intervals of means and of probabilities."""

import math
from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray


def t_quantile(confidence: float, degrees: int) -> float:
    """Return the factor of the standard error in a two-sided Student's t interval."""
    # The lower tail keeps the digits of a confidence near 1.
    return -float(scipy.special.stdtrit(degrees, (1 - confidence) / 2))


def standard_error(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Return ``s / sqrt(n)``, the estimated standard deviation of a mean of two values or more."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


def mean_and_half_width(
    values: Sequence[float] | NDArray[np.float64], confidence: float
) -> tuple[float, float]:
    """Return a mean and the half width ``t s / sqrt(n)`` of its interval, NaN for one value."""
    array = np.asarray(values, np.float64)
    n = len(array)
    if n < 2:
        return float(array.mean()), math.nan
    return float(array.mean()), t_quantile(confidence, n - 1) * standard_error(array)


def clopper_pearson(hits: int, trials: int, *, confidence: float) -> tuple[float, float]:
    """Return the exact limits of Clopper and Pearson 1934, each one-sided at ``confidence``."""
    # At the lower one, `hits` or more have the probability 1 - confidence; at the upper one, `hits`
    # or fewer. For a two-sided interval at level c ask for (1 + c) / 2.
    delta, misses = 1 - confidence, trials - hits
    betaincinv = scipy.special.betaincinv
    low = 0.0 if hits == 0 else float(betaincinv(hits, misses + 1, delta))
    high = 1.0 if misses == 0 else float(betaincinv(hits + 1, misses, 1 - delta))
    return low, high
