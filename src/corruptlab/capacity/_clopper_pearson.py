"""Exact limits on a probability, from how often something happened."""

import scipy


def clopper_pearson(hits: int, trials: int, *, confidence: float) -> tuple[float, float]:
    """Return the exact limits of Clopper and Pearson, each by itself one-sided at ``confidence``.

    The lower one is the probability at which ``hits`` or more have the chance ``1 - confidence``;
    the upper one is that at which ``hits`` or fewer have it. For a two-sided interval at the level
    c ask for ``(1 + c) / 2``.

    Args:
        hits: How often it happened, in ``0 .. trials``.
        trials: How often it could have, independently, >= 1.
        confidence: Level of each limit, in ``(0, 1)``.

    Returns:
        Lower and upper limit; 0.0 without hits, and 1.0 without misses.

    Source: Clopper and Pearson 1934, "The use of confidence or fiducial limits illustrated in the
    case of the binomial".
    """
    delta, misses = 1 - confidence, trials - hits
    low = 0.0 if hits == 0 else float(scipy.special.betaincinv(hits, misses + 1, delta))
    high = 1.0 if misses == 0 else float(scipy.special.betaincinv(hits + 1, misses, 1 - delta))
    return low, high
