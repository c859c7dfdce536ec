"""One pixel permutation for all images."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from corruptlab._draws import Draws
from corruptlab._types import Array, Ids
from corruptlab.corruptions._pixel_noise import PixelNoise
from corruptlab.corruptions._pixels import Move, check_move, movable


@dataclass(frozen=True, kw_only=True, repr=False)
class ShuffledPixels(PixelNoise):
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

    move: Move = "pixels"
    channel_axis: int | None = None
    stream: ClassVar[str] = "shuffled_pixels"

    def __post_init__(self) -> None:
        check_move(self.move)

    def _changed(self, planes: Array, ids: Ids, draws: Draws) -> Array:
        values = movable(planes, self.move)
        return values.take(_positions(draws, values.shape[2]), axis=2)


@lru_cache(maxsize=16)
def _positions(draws: Draws, size: int) -> Ids:
    positions: Ids = draws.permutations("shuffled_pixels/positions", [0], size)[0]
    positions.flags.writeable = False
    return positions
