"""Directions to project the points onto, and how good one is."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corruptlab._draws import Draws

Floats = NDArray[np.float64]


def random_directions(count: int, d: int, *, seed: int, first: int = 0) -> Floats:
    """Return directions with independent uniform coordinates.

    A coordinate is an odd multiple of 2**-53 in (-1, 1), never 0, times the power of two that
    makes every direction at most 1 long, and more than a quarter on average. In one dimension
    there is one direction, 1.

    Args:
        count: How many, >= 1.
        d: Number of coordinates, >= 1.
        seed: Which ones; any integer >= 0.
        first: Number of the first of them; the rest are the next.

    Returns:
        ``float64`` of shape ``(d, count)``.
    """
    if d == 1:
        return np.ones((1, count))
    uniform = Draws(seed).uniforms("interpolate/direction", np.arange(first, first + count), d)
    odd = 2 * uniform - 1 + 2.0**-53
    return np.ascontiguousarray(odd.T) * 2.0 ** -math.ceil(math.log2(d) / 2)


class Spacing(NamedTuple):
    """How far apart projections are.

    Args:
        smallest_gap: Smallest distance between two of them; infinite if there is one only.
        range: Distance between the outermost.
        resolved: Whether the smallest gap is at least 8 units in the last place of the largest
            projection, so that a matrix product, too, tells all points apart.
    """

    smallest_gap: float
    range: float
    resolved: bool

    @classmethod
    def of(cls, z: Floats) -> "Spacing":
        """Measure projections, shape ``(n,)``, in rising order."""
        if len(z) == 1:
            return cls(math.inf, 0.0, True)
        with np.errstate(over="ignore"):
            gap = float(np.diff(z).min())
            width = float(z[-1] - z[0])
        return cls(gap, width, gap >= 8 * float(np.spacing(max(abs(z[0]), abs(z[-1])))))

    @property
    def relative(self) -> float:
        """Smallest gap as a share of the range, at best ``1 / (n - 1)``; 1 for one point."""
        if math.isinf(self.smallest_gap):
            return 1.0
        return self.smallest_gap / self.range if self.range > 0 else 0.0
