"""Images as planes of pixels, whatever the order of their axes."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from corruptlab._checks import whole
from corruptlab._types import Array

Move: TypeAlias = Literal["pixels", "values"]
"""What a permutation moves: a pixel with all its channels, or every value by itself."""

_MOST_CHANNELS = 4  # grey, grey + alpha, RGB, RGBA


@dataclass(frozen=True)
class Planes:
    """A batch of images seen as ``(n, channels, pixels)``, and the way back.

    The order of the axes does not matter to a corruption: a channels-first tensor and the
    channels-last array of the same image come out as the same image.
    """

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

    def restore(self, values: Array) -> Array:
        """Return planes of new values as a batch of the original shape."""
        first = values.reshape(self.shape)
        return first[:, 0] if self.axis is None else np.moveaxis(first, 1, 1 + self.axis)


def _channel_axis(shape: tuple[int, ...], given: int | None) -> int | None:
    """Return which axis of one input holds the channels; None if there is none."""
    if given is not None:
        if not -len(shape) <= whole("channel_axis", given) < len(shape):
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


def check_move(move: str) -> None:
    """Refuse an unknown `Move`."""
    if move not in ("pixels", "values"):
        raise ValueError(f"`move` must be 'pixels' or 'values', got {move!r}.")


def movable(planes: Array, move: Move) -> Array:
    """Return planes whose last axis holds what a permutation moves."""
    return planes if move == "pixels" else planes.reshape(len(planes), 1, -1)
