"""A mean of ratios, with an interval over repetitions."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from corruptlab._checks import check_confidence
from corruptlab._statistics import mean_and_half_width


class Interval(NamedTuple):
    """A geometric mean and the ends of its interval; without repetitions the ends are None."""

    mean: float
    lowest: float | None
    highest: float | None


def geometric_interval(ratios: Sequence[float], *, confidence: float = 0.95) -> Interval:
    """Average ratios, and say how far the average can be trusted.

    The mean is that of the logarithms, for which twice as slow and twice as fast cancel; the
    interval is Student's for their mean. It holds the geometric mean of many repetitions with
    probability ``confidence`` if the law of the logarithms is near normal.

    Args:
        ratios: One of each repetition, each above 0; at least one.
        confidence: Probability of the interval, in ``(0, 1)``.

    Returns:
        The mean and the ends.

    Raises:
        TypeError: If ``confidence`` is no number.
        ValueError: If there is no ratio, one is not a number above 0, or ``confidence`` is out of
            its range.

    Example:
        >>> mean, lowest, highest = geometric_interval([2.0, 3.0, 4.5])
        >>> f"{mean:.2f} ({lowest:.2f} to {highest:.2f})"
        '3.00 (1.10 to 8.21)'
    """
    check_confidence(confidence)
    if len(ratios) == 0:
        raise ValueError("`ratios` must hold at least one ratio, got none.")
    for ratio in ratios:
        if not (math.isfinite(ratio) and ratio > 0):
            raise ValueError(f"`ratios` must be finite and above 0, got {ratio}.")
    logs = np.log(ratios)
    mean, half = mean_and_half_width(logs, confidence)
    if len(logs) == 1:
        return Interval(math.exp(mean), None, None)
    return Interval(*(math.exp(each) for each in (mean, mean - half, mean + half)))
