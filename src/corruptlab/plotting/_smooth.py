"""Smoothing of a curve that has one noisy value for each step."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scale: TypeAlias = Literal["linear", "log"]
Floats: TypeAlias = NDArray[np.float64]


def window_edges(steps: int, windows: int, *, scale: Scale = "linear") -> NDArray[np.int64]:
    """Cut steps ``1 .. steps`` into windows that are equally wide on an axis.

    Window ``k`` holds the steps ``t`` with ``edges[k] <= t < edges[k + 1]``. On a linear axis all
    windows have the same number of steps, up to one; on a logarithmic one the same ratio of last
    to first, as far as whole steps allow: no window is narrower than one step.

    Args:
        steps: Number of steps, >= 1.
        windows: Number of windows wanted, >= 1; there are fewer where steps are few.
        scale: The axis.

    Returns:
        Strictly increasing ``int64`` from ``1`` to ``steps + 1``.

    Example:
        >>> window_edges(10, 3).tolist()
        [1, 4, 8, 11]
        >>> window_edges(1000, 6, scale="log").tolist()
        [1, 3, 10, 32, 100, 316, 1001]
    """
    space = np.geomspace if scale == "log" else np.linspace
    return np.unique(np.rint(space(1, steps + 1, windows + 1)).astype(np.int64))


def window_means(
    values: Sequence[float], edges: NDArray[np.int64], *, scale: Scale = "linear"
) -> tuple[Floats, Floats]:
    """Average a curve over windows side by side.

    A window stands in the middle of its steps, as the axis shows it, and holds the plain mean of
    its values. Windows do not overlap: neighbouring points share no value, so that what looks like
    a trend is one, which a running mean does not promise.

    Args:
        values: One value a step, shape ``(steps,)``; step 1 comes first.
        edges: What :func:`window_edges` gives for that many steps.
        scale: The axis: the middle is the arithmetic or the geometric mean of first and last step.

    Returns:
        Where the windows stand and what they hold, both ``float64``, one element a window.

    Example:
        >>> steps, means = window_means([4.0, 2.0, 1.0, 1.0], window_edges(4, 2))
        >>> steps.tolist(), means.tolist()
        ([1.5, 3.5], [3.0, 1.0])
    """
    first, last = edges[:-1], edges[1:] - 1
    middle = np.sqrt(first * last) if scale == "log" else (first + last) / 2
    sums = np.add.reduceat(np.asarray(values, dtype=np.float64), first - 1)
    return middle, sums / np.diff(edges)
