"""What corruptions of inputs share: images as planes, their moments, inputs in and out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corruptlab._arrays import ArrayT, in_place_of, to_numpy
from corruptlab._checks import whole
from corruptlab._types import Array
from corruptlab.corruptions._noise import put, short_repr

Per: TypeAlias = Literal["overall", "channel", "pixel"]
"""What shares a mean and a deviation."""

Moment: TypeAlias = float | tuple[float, ...]

# A pixel keeps its own moments, a channel sums over its pixels, overall over everything.
_AXES: dict[Per, tuple[int, ...]] = {"pixel": (0,), "channel": (0, 2), "overall": (0, 1, 2)}

_MOST_CHANNELS = 4  # grey, grey + alpha, RGB, RGBA


class PixelNoise:
    """An input corruption of images seen as planes; each noise says what happens to them."""

    channel_axis: int | None
    stream: ClassVar[str]
    __repr__ = short_repr

    def __post_init__(self) -> None:
        put(self, channel_axis=checked_axis(self.channel_axis))

    def _on_planes(self, clean: ArrayT, change: "Callable[[Planes], Array]") -> ArrayT:
        """Return inputs with other values: new planes, in as many values as came in."""
        batch = to_numpy(clean)
        planes = Planes.of(batch, self.channel_axis)
        return in_place_of(clean, planes.restore(change(planes)), batch)


@dataclass(frozen=True)
class Planes:
    """A batch of images seen as ``(n, channels, pixels)``, and the way back."""

    # The order of the axes does not matter to a corruption: a channels-first tensor and the
    # channels-last array of the same image come out as the same image.

    values: Array
    shape: tuple[int, ...]  # of the channels-first batch
    axis: int | None

    @classmethod
    def of(cls, batch: Array, channel_axis: int | None) -> "Planes":
        """View a batch of inputs as planes."""
        if batch.ndim < 2:
            raise ValueError(
                "`inputs` must be a batch with one row for each example, "
                f"got shape {batch.shape}; add the batch axis with inputs[None]."
            )
        axis = _channel_axis(batch.shape[1:], channel_axis)
        first = batch[:, None] if axis is None else np.moveaxis(batch, 1 + axis, 1)
        values = first.reshape(len(batch), first.shape[1], -1)
        return cls(values, first.shape, axis)

    def like(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """View a mask for each input of the batch, or one for all, as planes."""
        return Planes.of(mask, self.axis).values

    def restore(self, values: Array) -> Array:
        """Return planes of new values as a batch of the original shape."""
        first = values.reshape(self.shape)
        return first[:, 0] if self.axis is None else np.moveaxis(first, 1, 1 + self.axis)


def checked_axis(channel_axis: int | None) -> int | None:
    """Return the axis of the channels as an ``int``, if it is given."""
    return None if channel_axis is None else whole("channel_axis", channel_axis)


def _channel_axis(shape: tuple[int, ...], given: int | None) -> int | None:
    """Return which axis of one input holds the channels; None if there is none."""
    if given is not None:
        if not -len(shape) <= given < len(shape):
            raise ValueError(
                f"`channel_axis` must be an axis of one input of shape {shape}, got {given}."
            )
        return given % len(shape)
    if len(shape) != 3:
        return None  # vectors and grey images; anything else is moved value by value
    first, last = shape[0], shape[2]
    if first == last or min(first, last) > _MOST_CHANNELS:
        raise ValueError(
            f"`channel_axis` must be given for inputs of shape {shape}: "
            "whether the first or the last axis holds the channels cannot be told."
        )
    return 0 if first < last else 2


def moments_of(
    batches: Iterable[tuple[Array, NDArray[np.bool_] | None]],
    per: Per,
    channel_axis: int | None,
) -> tuple[Moment, Moment]:
    """Return mean and standard deviation of batches of inputs, of values that a mask names."""
    moments = _RunningMoments(per)
    for batch, mask in batches:
        planes = Planes.of(batch, channel_axis)
        moments.add(planes.values, None if mask is None else planes.like(mask))
    return moments.finish()


def check_together(mean: object, std: object) -> None:
    """Refuse one moment without the other."""
    if (mean is None) != (std is None):
        raise ValueError(
            f"`mean` and `std` must be given together, or neither, got mean={mean} and std={std}."
        )


class _RunningMoments:
    """Count, sum, and sum of squares of batches of planes ``(n, channels, pixels)``."""

    # Integers of at most 16 bits are summed as integers, so the moments of an image data set are
    # exact and do not depend on how it is cut into batches. Other values are first shifted by
    # their mean in the first batch, so that no digits are lost when the mean is large.

    def __init__(self, per: Per) -> None:
        self._axes = _AXES[per]
        self._count: Any = 0
        self._shift: NDArray[Any] | None = None
        self._sum: Any = 0
        self._squares: Any = 0

    def add(self, planes: Array, mask: NDArray[np.bool_] | None) -> None:
        """Take in one batch, of it the values that a mask names."""
        if planes.size == 0:
            return
        hidden = None if mask is None else np.broadcast_to(~mask, planes.shape)
        count: Any = int(np.prod([planes.shape[axis] for axis in self._axes]))
        if hidden is not None:
            count = _wide(count - hidden.sum(self._axes))
        exact = planes.dtype.kind in "iub" and planes.dtype.itemsize <= 2
        values = planes.astype(np.int64 if exact else np.float64)
        _hide(values, hidden)
        if not np.isfinite(values).all():
            raise ValueError("`inputs` must be finite, got NaN or infinity.")
        if self._shift is None:
            total = values.sum(self._axes)
            mean = np.asarray(total / np.maximum(count, 1), np.float64)
            self._shift = np.zeros_like(total) if exact else mean
        values -= np.expand_dims(self._shift.astype(values.dtype), self._axes)
        _hide(values, hidden)
        self._count += count
        self._sum += _wide(values.sum(self._axes))
        self._squares += _wide(np.square(values, out=values).sum(self._axes))

    def finish(self) -> tuple[Moment, Moment]:
        """Return mean and standard deviation (of the whole data, so divided by its count)."""
        if self._shift is None:
            raise ValueError("`inputs` must hold at least one example, got none.")
        # Of no values all sums are 0. As Python integers, like the sums, so that nothing overflows.
        n: Any = np.maximum(np.asarray(self._count, object), 1)
        mean = np.asarray(self._shift + self._sum / n, np.float64)
        variance = np.asarray((n * self._squares - self._sum**2) / n**2, np.float64)
        return _plain(mean), _plain(np.sqrt(np.maximum(variance, 0)))


def _hide(values: Array, hidden: NDArray[np.bool_] | None) -> None:
    """Set the values that do not count to 0."""
    if hidden is not None:
        np.copyto(values, 0, where=hidden)


def _wide(sums: NDArray[Any]) -> Any:
    """Return integer sums as Python integers, which do not overflow; others as they are."""
    return sums.astype(object) if sums.dtype.kind == "i" else sums


def _plain(values: NDArray[np.float64]) -> Moment:
    return float(values) if values.ndim == 0 else tuple(values.reshape(-1).tolist())
