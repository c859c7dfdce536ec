"""Pixels moved by random permutations: one for all images, or one for each."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from corruptlab._checks import one_of
from corruptlab._draws import Draws
from corruptlab._types import Array, Ids
from corruptlab.corruptions._noise import put
from corruptlab.corruptions._pixel_noise import PixelNoise

Move: TypeAlias = Literal["pixels", "values"]
"""What a permutation moves: a pixel with all its channels, or every value by itself."""

# Small enough for words, keys, and positions to stay in the cache and in memory that is used again.
_POSITIONS_AT_ONCE = 1 << 15


@dataclass(frozen=True, kw_only=True, repr=False)
class _PermutedPixels(PixelNoise):
    """What both have: what is moved, and where the channels are."""

    move: Move = "pixels"
    channel_axis: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        put(self, move=one_of("move", self.move, ("pixels", "values")))

    def _movable(self, planes: Array) -> Array:
        """Return planes whose last axis holds what a permutation moves."""
        return planes if self.move == "pixels" else planes.reshape(len(planes), 1, -1)


@dataclass(frozen=True, kw_only=True, repr=False)
class ShuffledPixels(_PermutedPixels):
    """Move the pixels of every image by one and the same random permutation.

    The permutation depends on the seed and the number of pixels alone, so training and test set
    get the same one from the same seed: use one seed for both.

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
        >>> cl.ShuffledPixels().inputs(images, draws=cl.Draws(seed=0)).reshape(2, 4)
        array([[1, 0, 2, 3],
               [5, 4, 6, 7]])

    Source: Zhang et al. 2017, §2.1, "shuffled pixels".
    """

    stream: ClassVar[str] = "shuffled_pixels"

    def _changed(self, planes: Array, ids: Ids, draws: Draws) -> Array:
        values = self._movable(planes)
        return values.take(_positions(draws, values.shape[2]), axis=2)


@dataclass(frozen=True, kw_only=True, repr=False)
class RandomPixels(_PermutedPixels):
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

    stream: ClassVar[str] = "random_pixels"

    def _changed(self, planes: Array, ids: Ids, draws: Draws) -> Array:
        values = self._movable(planes)
        size = values.shape[2]
        moved = np.empty_like(values, order="C")
        rows = max(1, _POSITIONS_AT_ONCE // size)
        for start in range(0, len(ids), rows):
            some = slice(start, start + rows)
            positions = draws.permutations("random_pixels/positions", ids[some], size)
            for image, order, out in zip(values[some], positions, moved[some], strict=True):
                image.take(order, axis=1, out=out, mode="wrap")  # "wrap" writes to `out` unbuffered
        return moved


@lru_cache(maxsize=16)
def _positions(draws: Draws, size: int) -> Ids:
    positions: Ids = draws.permutations("shuffled_pixels/positions", [0], size)[0]
    positions.flags.writeable = False
    return positions
