"""The closed form behind Theorem 1: hinges and weights from projections and targets."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Hinges(NamedTuple):
    """Where the ReLUs begin and what they are multiplied by.

    Args:
        b: Where each begins, rising, shape ``(n,)``.
        w: Weights, shape ``(n, k)``.
        gaps: The diagonal of the triangular matrix, ``z - b``, shape ``(n,)``: its eigenvalues.
    """

    b: Floats
    w: Floats
    gaps: Floats


def solve(z: Floats, y: Floats) -> Hinges:
    """Return hinges b and weights w with ``sum_j w_j max(z_i - b_j, 0) = y_i`` for all i.

    The theorem interleaves ``b_1 < z_1 < b_2 < z_2 < ...``. Its proof needs ``z_j <= b_{j+1} <
    z_{j+1}`` only, and equality is where the eigenvalues of the matrix ``A_ij = max(z_i - b_j,
    0)`` are largest: on its diagonal are the whole gaps between neighbours, and none can be
    larger. It then is ``A = L G L``, L the triangle of ones and G the diagonal of gaps, so
    that ``w = L^-1 G^-1 L^-1 y``: differences of y, divided by the gaps, are the slopes of the
    function from point to point; and the weights are the differences of the slopes. (The
    condition number may be smaller elsewhere: with a hinge inside a gap that is wide beside
    others, the norm of A shrinks.)
    The first hinge lies one mean gap left of the first point.

    Args:
        z: Projections, rising, no two equal, shape ``(n,)``, n >= 1.
        y: Targets, shape ``(n, k)``.

    Returns:
        The hinges. Entries that are not finite are possible where gaps underflow; the
        caller checks.

    Source: Zhang et al. 2017, App. C, Lemma 1 and Theorem 1.
    """
    n = len(z)
    mean_gap = z[-1] / (n - 1) - z[0] / (n - 1) if n > 1 else max(1.0, abs(z[0]))
    b = np.concatenate([z[:1] - mean_gap, z[:-1]])
    gaps = z - b
    slopes = np.diff(y, axis=0, prepend=np.zeros_like(y[:1])) / gaps[:, None]
    slopes = with_exact_differences(slopes)
    return Hinges(b, np.diff(slopes, axis=0, prepend=np.zeros_like(y[:1])), gaps)


def with_exact_differences(slopes: Floats) -> Floats:
    """Round numbers so that the difference of any two neighbours is a ``float64``.

    Weights are differences of slopes. If each were rounded, the errors would add up: the slope
    after j hinges is the sum of j weights, and a steep piece far to the left would disturb all
    others. Here each slope is rounded instead, to a multiple of a power of two that is as fine
    as ``float64`` allows for the largest of its neighbours and itself. Then the weights are
    exact, and so is every sum of the first j, even in plain floating point. What is left
    is a wide gap beside a narrow one, whose slope is as coarse as the steep one's: the
    function is off by about ``2**-53`` times the largest ratio of such gaps.

    Args:
        slopes: Numbers, shape ``(n, k)``; neighbours are along the first axis.

    Returns:
        The rounded numbers; each moves by at most ``2**-52`` of the largest of the three.
    """
    size = np.abs(slopes)
    largest = size.copy()
    np.maximum(largest[1:], size[:-1], out=largest[1:])
    np.maximum(largest[:-1], size[1:], out=largest[:-1])
    grid = 2 * np.spacing(largest)
    rounded: Floats = np.rint(slopes / grid) * grid
    return rounded


def condition_number(gaps: Floats) -> float:
    """Return the exact condition number of A in the maximum norm, ``|A| |A^-1|``.

    The norm is the largest sum of sizes in a row. In ``A = L G L`` that is the last row, ``sum_j
    (z_n - b_j)``, in which gap j occurs j times. In the inverse, row i holds two differences of
    neighbouring targets, one divided by ``g_i`` and one by ``g_{i-1}``; the first target is the
    first difference.

    Args:
        gaps: The diagonal of A, shape ``(n,)``.

    Returns:
        The condition number, >= 1; infinite if the gaps span more than ``float64`` can divide.
    """
    unit = gaps / gaps.max()  # the condition number does not depend on the scale
    norm = np.dot(unit, np.arange(1, len(unit) + 1))
    with np.errstate(divide="ignore", over="ignore"):
        differences = 2 / unit
        differences[0] = 1 / unit[0]
        rows = differences + np.append(0, differences[:-1])
        return float(norm * rows.max())
