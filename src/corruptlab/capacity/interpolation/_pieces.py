"""A sum of hinges as what it is, a piecewise linear function: O(log n) for a value."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from corruptlab.capacity.interpolation._prefix_sums import prefix_sums


class Pieces(NamedTuple):
    """The function ``sum_j w_j max(z - b_j, 0)`` by its pieces, from left to right.

    Piece 0 is the zero left of all hinges, and piece j begins at the j-th hinge from the left.

    Args:
        order: Which hinge is the j-th from the left, shape ``(n,)``.
        starts: Their places, rising, shape ``(n,)``.
        anchors: Where each piece's value is known, shape ``(n + 1,)``.
        values: The values there, shape ``(n + 1, k)``.
        slopes: The slopes of the pieces, shape ``(n + 1, k)``.
    """

    order: Tensor
    starts: Tensor
    anchors: Tensor
    values: Tensor
    slopes: Tensor

    @classmethod
    def of(cls, b: Tensor, w: Tensor) -> "Pieces":
        """Add up the hinges.

        The slope of a piece is the sum of the weights so far, and the value at the next hinge is
        this one's plus slope times distance. Nothing large cancels: all partial sums are slopes
        and values of the function itself, and they are added with twice the precision.

        Args:
            b: Where the hinges are, shape ``(n,)``, in any order.
            w: Their weights, shape ``(n, k)``.

        Returns:
            The pieces, on the device of ``b``, in ``float64``.
        """
        places, weights = (t.detach().cpu().double().numpy() for t in (b, w))
        order = np.argsort(places, kind="stable")
        starts = places[order]
        slopes = prefix_sums(weights[order])
        rises = prefix_sums(slopes[:-1] * np.diff(starts)[:, None])
        zero = np.zeros_like(slopes[:1])
        arrays = (
            order,
            starts,
            np.concatenate([starts[:1], starts]),
            np.concatenate([zero, zero, rises]),
            np.concatenate([zero, slopes]),
        )
        with torch.inference_mode(False):  # they may be needed for a gradient later
            return cls(*(torch.from_numpy(array).to(b.device) for array in arrays))

    def find(self, z: Tensor) -> Tensor:
        """Return the number of the piece that each place is in, shape ``(m,)``."""
        return torch.searchsorted(self.starts, z, right=True)

    def at(self, z: Tensor, piece: Tensor) -> Tensor:
        """Return the values at places whose pieces are known, shape ``(m, k)``."""
        return self.values[piece] + self.slopes[piece] * (z - self.anchors[piece])[:, None]
