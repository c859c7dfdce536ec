"""Distances between two sets of points, by one matrix product."""

import torch
from torch import Tensor

# Pairs whose coordinates are looked at once more at a time: bounds the memory for them.
_VALUES_AT_ONCE = 1 << 24


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return ``||a_i - b_j||**2`` for every pair.

    The points are shifted by the mean of ``b`` first, which changes no distance and keeps the
    three terms of ``|a|**2 - 2 a.b + |b|**2`` small, so that little is lost when they cancel:
    the error is a few roundings of ``|a|**2 + |b|**2`` after the shift.

    Args:
        a: Points, floats of shape ``(n, d)``.
        b: Points, of the same type, shape ``(m, d)``, m >= 1.

    Returns:
        Squared distances >= 0 of shape ``(n, m)``, the caller's to change.
    """
    center = b.mean(0)
    return _squared(a - center, b - center)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Return ``||a_i - b_j||`` for every pair.

    A square root blows up small errors near 0, where the terms cancel most. So pairs that
    are close are computed once more from the differences of their coordinates.

    Args:
        a: Points, floats of shape ``(n, d)``.
        b: Points, of the same type, shape ``(m, d)``, m >= 1.

    Returns:
        Distances >= 0 of shape ``(n, m)``, exactly 0 for equal points; the caller's to change.
    """
    center = b.mean(0)
    shifted_a, shifted_b = a - center, b - center
    squared = _squared(shifted_a, shifted_b)
    # Above this share of the terms, the root's relative error is at most eps ** (3 / 4).
    share = torch.finfo(a.dtype).eps ** 0.25
    sizes = shifted_a.square().sum(1)[:, None] + shifted_b.square().sum(1)
    close = (squared <= share * sizes).nonzero()
    for rows, columns in (some.unbind(1) for some in close.split(_pairs_at_once(a))):
        squared[rows, columns] = (a[rows] - b[columns]).square().sum(1)  # the shift would round
    return squared.sqrt_()


def _squared(a: Tensor, b: Tensor) -> Tensor:
    """Return all three terms as one product: ``[-2 a, |a|**2, 1] . [b, 1, |b|**2]``."""
    one_a, one_b = a.new_ones(len(a), 1), b.new_ones(len(b), 1)
    left = torch.cat([-2 * a, a.square().sum(1, keepdim=True), one_a], dim=1)
    right = torch.cat([b, one_b, b.square().sum(1, keepdim=True)], dim=1)
    return (left @ right.T).clamp_(min=0)


def _pairs_at_once(a: Tensor) -> int:
    return max(1, _VALUES_AT_ONCE // max(1, a.shape[1]))
