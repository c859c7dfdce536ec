"""Pixels moved by random permutations: one for all images, or one for each."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corruptlab._arrays import ArrayT, to_numpy
from corruptlab._checks import one_of
from corruptlab._draws import Draws
from corruptlab._types import Array, Ids
from corruptlab.corruptions._masked_noise import MaskedNoise
from corruptlab.corruptions._noise import checked_ids, put
from corruptlab.corruptions._pixel_noise import PixelNoise, Planes

Move: TypeAlias = Literal["pixels", "values"]
"""What a permutation moves: a pixel with all its channels, or every value by itself."""

# Small enough for words, keys, and positions to stay in the cache and in memory that is used again.
_POSITIONS_AT_ONCE = 1 << 15


@dataclass(frozen=True, kw_only=True, repr=False)
class _PermutedPixels(MaskedNoise, PixelNoise):
    """What both have: what is moved, where to, and where the channels are."""

    move: Move = "pixels"
    channel_axis: int | None = None

    def __post_init__(self) -> None:
        MaskedNoise.__post_init__(self)
        PixelNoise.__post_init__(self)
        put(self, move=one_of("move", self.move, ("pixels", "values")))

    def inputs(
        self,
        clean: ArrayT,
        *,
        draws: Draws,
        ids: ArrayLike | None = None,
        where: ArrayLike | None = None,
    ) -> ArrayT:
        """Return the corrupted inputs.

        Args:
            clean: Batch of inputs, shape ``(n, ...)``, array or tensor of any type.
            draws: Random numbers, which depend on a seed; see `Draws`.
            ids: Example numbers, shape ``(n,)``; ``0 .. n - 1`` if not given.
            where: Masks of the shape of ``clean`` if the corruption names their field.

        Returns:
            Inputs of the shape, kind, and type of ``clean``.

        Raises:
            ValueError: If the channel axis is ambiguous, or ``ids`` or ``where`` do not fit.
        """
        numbers = checked_ids(ids, len(clean))
        free = self._free(to_numpy(clean), where)

        def moved(planes: Planes) -> Array:
            values = self._movable(planes.values)
            masks = None if free is None else self._movable(planes.like(free))
            may_move = None if masks is None else np.asarray(masks.all(axis=1))
            out = np.empty_like(values, order="C")
            size = values.shape[2]
            rows = max(1, _POSITIONS_AT_ONCE // max(1, size))
            for start in range(0, len(values), rows):
                some = slice(start, start + rows)
                orders = self._orders(numbers[some], draws, size)
                if may_move is not None:
                    orders = _among(orders, may_move if len(may_move) == 1 else may_move[some])
                _permute(values[some], orders, out[some])
            return out

        return self._on_planes(clean, moved)

    def _movable(self, planes: Array) -> Array:
        """Return planes whose last axis holds what a permutation moves."""
        return planes if self.move == "pixels" else planes.reshape(len(planes), 1, -1)

    @abstractmethod
    def _orders(self, ids: Ids, draws: Draws, size: int) -> Ids:
        """Return one permutation of the pixels for each example, or one for all, ``(1, size)``."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ShuffledPixels(_PermutedPixels):
    """Permute the pixels of all images with the same random permutation.

    The permutation depends only on the seed and the number of pixels, so a training and a test set
    get the same one if they have the same seed. With a mask, the positions that move are permuted
    in the order in which the full permutation lists them, so inputs with equal masks undergo the
    same permutation.

    Args:
        where: Positions that move; the others stay in place. A mask of the shape of one input
            (array, tensor, or nested list of booleans), or the name or position of the field of
            the items that holds the mask of each input, such as ``"attention_mask"``. None moves
            all positions.
        keep: Values that stay in place, such as the ids of padding and of special tokens. A pixel
            stays if any of its channels must.
        move: ``"pixels"`` moves each pixel with all its channels (default; the paper does not
            say which it used), ``"values"`` moves every value by itself, across channels.
        channel_axis: Axis of one input that holds the channels. By default none for inputs of
            one or two dimensions, and for three the smaller of the first and last axis.

    Raises:
        TypeError: If ``where`` or ``keep`` has the wrong type.
        ValueError: If ``move`` is unknown, or a mask holds other numbers than 0 and 1.

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

    def _orders(self, ids: Ids, draws: Draws, size: int) -> Ids:
        return _positions(draws, size)


@dataclass(frozen=True, kw_only=True, repr=False)
class RandomPixels(_PermutedPixels):
    """Permute the pixels of each image with its own random permutation.

    The permutation depends on the seed and the example id, and is the same in every epoch. To draw
    other permutations for a test set, pass different example ids: ``corrupt(test, ..., ids=...)``.

    Args:
        where: Positions that move; the others stay in place. A mask of the shape of one input
            (array, tensor, or nested list of booleans), or the name or position of the field of
            the items that holds the mask of each input, such as ``"attention_mask"``. None moves
            all positions.
        keep: Values that stay in place, such as the ids of padding and of special tokens. A pixel
            stays if any of its channels must.
        move: ``"pixels"`` moves each pixel with all its channels (default; the paper does not
            say which it used), ``"values"`` moves every value by itself, across channels.
        channel_axis: Axis of one input that holds the channels. By default none for inputs of
            one or two dimensions, and for three the smaller of the first and last axis.

    Raises:
        TypeError: If ``where`` or ``keep`` has the wrong type.
        ValueError: If ``move`` is unknown, or a mask holds other numbers than 0 and 1.

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

    def _orders(self, ids: Ids, draws: Draws, size: int) -> Ids:
        return draws.permutations("random_pixels/positions", ids, size)


@lru_cache(maxsize=16)
def _positions(draws: Draws, size: int) -> Ids:
    positions: Ids = draws.permutations("shuffled_pixels/positions", [0], size)
    positions.flags.writeable = False
    return positions


def _among(orders: Ids, free: NDArray[np.bool_]) -> Ids:
    """Return the permutations that others induce among free positions; the rest stay in place.

    Free positions keep the order in which a permutation lists them, so that a uniform permutation
    of all positions induces a uniform permutation of the free ones.
    """
    shape = (max(len(orders), len(free)), orders.shape[1])
    orders, free = np.broadcast_to(orders, shape), np.broadcast_to(free, shape)
    induced = np.tile(np.arange(shape[1]), (shape[0], 1))
    induced[free] = orders[np.take_along_axis(free, orders, axis=1)]
    return induced


def _permute(values: Array, orders: Ids, out: Array) -> None:
    """Write values in other orders, ``(n, size)`` or one for all, ``(1, size)``."""
    # "wrap" writes to `out` without a buffer.
    if len(orders) == 1:
        values.take(orders[0], axis=2, out=out, mode="wrap")
        return
    for image, order, moved in zip(values, orders, out, strict=True):
        image.take(order, axis=1, out=moved, mode="wrap")
