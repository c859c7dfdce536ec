"""Equal points: one of each is kept, if their targets agree."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptlab.capacity.interpolation._fingerprints import Fingerprints


def distinct(
    z: NDArray[np.float64], marks: Fingerprints, y: NDArray[Any]
) -> NDArray[np.int64] | None:
    """Return which points to keep so that no two are equal, the first of each; None for all.

    Equal points have equal projections, so only where projections tie are points compared.

    Args:
        z: Projections onto any direction, shape ``(n,)``.
        marks: Fingerprints of the points.
        y: Targets, shape ``(n,)`` or ``(n, k)``.

    Returns:
        Numbers of points, rising, or None if no two are equal.

    Raises:
        ValueError: If equal points have different targets, which no function can have.
    """
    order = np.argsort(z)
    ties = z[order[1:]] == z[order[:-1]]
    if not ties.any():
        return None
    tied = order[np.append(ties, False) | np.append(False, ties)]
    tied = tied[np.lexsort((tied, *marks[tied].T))]  # equal points side by side, first one first
    new = np.append(True, (marks[tied[1:]] != marks[tied[:-1]]).any(1))
    originals, copies = tied[new][np.cumsum(new) - 1][~new], tied[~new]
    if len(copies) == 0:
        return None
    different = (y[originals] != y[copies]).reshape(len(copies), -1).any(1)
    if different.any():
        at = np.flatnonzero(different)[np.argmin(copies[different])]
        one, other = int(originals[at]), int(copies[at])
        raise ValueError(
            f"`y` must be equal on equal points, got {y[one].tolist()} and {y[other].tolist()} "
            f"for points {one} and {other} of `x`, which are the same."
        )
    return np.setdiff1d(np.arange(len(z)), copies, assume_unique=True)
