"""Which number of examples to try next, and how many tries that can take."""

import math

FIRST_SIZE = 16
"""The first number that is tried; it is doubled until it is not fitted."""


def next_size(low: int, high: int | None, total: int, tolerance: float) -> int | None:
    """Return the number of examples to try next.

    Args:
        low: The largest number that was fitted, or 0.
        high: The smallest number that was not, or None.
        total: Number of examples there are.
        tolerance: Width of the bracket, relative to its lower end, at which the search ends.

    Returns:
        The number, or None if there is nothing left to try.
    """
    if high is None:
        return None if low == total else min(total, max(FIRST_SIZE, 2 * low))
    return None if high - low <= max(1, tolerance * low) else (low + high) // 2


def most_trials(total: int, tolerance: float) -> int:
    """Return a number of trials that no search exceeds.

    Args:
        total: Number of examples there are.
        tolerance: Relative width of the bracket at which the search ends.

    Returns:
        The number of doublings, and of the halvings of the widest step.
    """
    doublings = 1 + max(0, math.ceil(math.log2(total / FIRST_SIZE)))
    # A step from n to 2 n is n wide, n <= total / 2, and shall become max(1, tolerance * n) wide.
    step = total / 2 if tolerance == 0 else min(total / 2, 1 / tolerance)
    return doublings + math.ceil(math.log2(max(FIRST_SIZE, step)))
