"""A pixel permutation of its own for every image."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from corruptlab._draws import Draws
from corruptlab._types import Array, Ids
from corruptlab.corruptions._pixel_noise import PixelNoise
from corruptlab.corruptions._pixels import Move, check_move, movable


@dataclass(frozen=True, kw_only=True, repr=False)
class RandomPixels(PixelNoise):
    """Move the pixels of each image by a random permutation of its own.

    The permutation follows the example: it is drawn once from (seed, example number), so it is
    the same in every epoch. For a test set whose permutations are drawn anew, give its
    examples numbers of their own: ``corrupt(test, ..., ids=...)``.

    Args:
        move: ``"pixels"`` moves each pixel with all its channels (default; the paper does not
            say which it used), ``"values"`` moves every value by itself, across channels.
        channel_axis: Axis of one input that holds the channels. By default none for inputs of
            one or two dimensions, and for three the smaller of the first and last axis.

    Raises:
        ValueError: If ``move`` is unknown.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> images = np.arange(8).reshape(2, 1, 2, 2)  # two grey 2x2 images
        >>> cl.RandomPixels().inputs(images, draws=cl.Draws(seed=1)).reshape(2, 4)
        array([[1, 3, 2, 0],
               [4, 7, 6, 5]])

    Source: Zhang et al. 2017, §2.1, "random pixels".
    """

    move: Move = "pixels"
    channel_axis: int | None = None
    stream: ClassVar[str] = "random_pixels"

    def __post_init__(self) -> None:
        check_move(self.move)

    def _changed(self, planes: Array, ids: Ids, draws: Draws) -> Array:
        values = movable(planes, self.move)
        positions = draws.permutations("random_pixels/positions", ids, values.shape[2])
        moved = np.empty_like(values, order="C")
        for image, order, out in zip(values, positions, moved, strict=True):
            image.take(order, axis=1, out=out, mode="wrap")  # "wrap" writes to `out` unbuffered
        return moved
