"""What the examples are multiplied by: random signs or normal numbers, a column a draw."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corruptlab._draws import Draws

# Draws come in groups, each with a stream of its own: a further draw changes none before it.
_SIGNS_A_WORD = 64
_NORMALS_A_GROUP = 16


@dataclass(frozen=True)
class Weights:
    """Random signs, or normal numbers, that depend on seed, draw, and example alone.

    The sign of example ``i`` in draw ``t`` is bit ``t % 64`` (the lowest is bit 0) of the word of
    example ``i`` in the stream ``"rademacher/signs/{t // 64}"`` of `Draws`: 1 means +1, 0 means -1.
    The normal number is entry ``t % 16`` of the 16 that ``Draws.normals`` gives example ``i``
    in the stream ``"rademacher/normals/{t // 16}"``. So neither the number of draws nor the way
    the examples are cut into blocks changes any of them.

    Args:
        seed: Any integer >= 0.
        draws: How many numbers an example gets.
        gaussian: Whether they are normal instead of signs.
    """

    seed: int
    draws: int
    gaussian: bool

    def rows(self, first: int, count: int) -> Tensor:
        """Return the numbers of examples ``first .. first + count - 1``.

        Args:
            first: Number of the first example.
            count: How many examples.

        Returns:
            ``float32`` of shape ``(count, draws)``.
        """
        ids = np.arange(first, first + count)
        group = self._normals if self.gaussian else self._signs
        size = _NORMALS_A_GROUP if self.gaussian else _SIGNS_A_WORD
        rows = torch.empty((count, self.draws), dtype=torch.float32)
        for start in range(0, self.draws, size):
            some = rows[:, start : start + size]
            some.copy_(torch.from_numpy(group(start // size, ids))[:, : some.shape[1]])
        return rows

    def _signs(self, group: int, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        words = Draws(self.seed).words(f"rademacher/signs/{group}", ids)  # (count, 1)
        octets = words.astype("<u8", copy=False).view(np.uint8)  # (count, 8), lowest bits first
        return _signs_of_octets().take(octets, axis=0).reshape(-1, _SIGNS_A_WORD)

    def _normals(self, group: int, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        return Draws(self.seed).normals(f"rademacher/normals/{group}", ids, _NORMALS_A_GROUP)


@cache
def _signs_of_octets() -> NDArray[np.float32]:
    """Return the eight signs of each octet, shape ``(256, 8)``: a look-up instead of shifts."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    table: NDArray[np.float32] = 2 * bits.astype(np.float32) - 1
    table.flags.writeable = False
    return table
