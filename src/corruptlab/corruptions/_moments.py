"""Mean and standard deviation of a data set in one pass."""

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corruptlab._types import Array
from corruptlab.corruptions._arrays import to_numpy
from corruptlab.corruptions._pixels import Planes

Per: TypeAlias = Literal["overall", "channel", "pixel"]
"""What shares a mean and a deviation."""

Moment: TypeAlias = float | tuple[float, ...]

# A pixel keeps its own moments, a channel sums over its pixels, overall over everything.
_AXES: dict[Per, tuple[int, ...]] = {"pixel": (0,), "channel": (0, 2), "overall": (0, 1, 2)}


def moments_of(
    batches: Iterable[Array], per: Per, channel_axis: int | None
) -> tuple[Moment, Moment]:
    """Return mean and standard deviation of batches of inputs, each read once."""
    moments = RunningMoments(per)
    for batch in batches:
        moments.add(Planes.of(to_numpy(batch), channel_axis).values)
    return moments.finish()


def check_together(mean: object, std: object) -> None:
    """Refuse one moment without the other."""
    if (mean is None) != (std is None):
        raise ValueError(
            f"`mean` and `std` must be given together, or neither, got mean={mean} and std={std}."
        )


class RunningMoments:
    """Count, sum, and sum of squares of batches of planes ``(n, channels, pixels)``.

    Integers of at most 16 bits are summed as integers, so the moments of an image data set are
    exact and do not depend on how it is cut into batches. Other values are first shifted by
    their mean in the first batch, so that no digits are lost when the mean is large.

    Args:
        per: What shares a mean and a deviation.
    """

    def __init__(self, per: Per) -> None:
        self._axes = _AXES[per]
        self._count = 0
        self._shift: NDArray[Any] | None = None
        self._sum: Any = 0
        self._squares: Any = 0

    def add(self, planes: Array) -> None:
        """Take in one batch."""
        count = int(np.prod([planes.shape[axis] for axis in self._axes]))
        if count == 0:
            return
        exact = planes.dtype.kind in "iub" and planes.dtype.itemsize <= 2
        values = planes.astype(np.int64 if exact else np.float64)
        if not np.isfinite(values).all():
            raise ValueError("`inputs` must be finite, got NaN or infinity.")
        if self._shift is None:
            mean = values.mean(self._axes, keepdims=True)
            self._shift = np.zeros_like(mean, values.dtype) if exact else mean
        values -= self._shift.astype(values.dtype)
        self._count += count
        self._sum += _wide(values.sum(self._axes))
        self._squares += _wide(np.square(values, out=values).sum(self._axes))

    def finish(self) -> tuple[Moment, Moment]:
        """Return mean and standard deviation (of the whole data, so divided by its count)."""
        if self._count == 0 or self._shift is None:
            raise ValueError("`inputs` must hold at least one example, got none.")
        n = self._count
        shift = self._shift.reshape(np.shape(self._sum))
        mean = np.asarray(shift + self._sum / n, np.float64)
        variance = np.asarray((n * self._squares - self._sum**2) / n**2, np.float64)
        return _plain(mean), _plain(np.sqrt(np.maximum(variance, 0)))


def _wide(sums: NDArray[Any]) -> Any:
    """Return integer sums as Python integers, which do not overflow; others as they are."""
    return sums.astype(object) if sums.dtype.kind == "i" else sums


def _plain(values: NDArray[np.float64]) -> Moment:
    return float(values) if values.ndim == 0 else tuple(values.reshape(-1).tolist())
