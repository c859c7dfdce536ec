"""Sums of weighted examples, all draws at once, in one pass."""

import torch
from torch import Tensor

from corruptlab.capacity.rademacher._weights import Weights


class SignedSums:
    """Accumulates ``sum_i w_ti x_i`` for every draw t over blocks of examples.

    One block costs one matrix product, ``(draws, b)`` times ``(b, d)``, in the precision of the
    block, with signs made for it on the spot; blocks are added in float64. So how the examples
    are cut into blocks changes a result by no more than the rounding of a product of one block.

    Args:
        weights: The signs or normal numbers.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._sums: Tensor | None = None
        self.n = 0

    def add(self, block: Tensor) -> None:
        """Add the next examples.

        Args:
            block: ``float32`` or ``float64`` of shape ``(b, d)``.
        """
        rows = self._weights.rows(self.n, len(block)).to(block)  # (b, draws)
        sums = (rows.T @ block).to(torch.float64)  # (draws, d)
        self._sums = sums if self._sums is None else self._sums.add_(sums)
        self.n += len(block)

    @property
    def sums(self) -> Tensor:
        """The sums so far, ``float64`` of shape ``(draws, d)``."""
        assert self._sums is not None, "a reader of blocks yields one or complains"
        return self._sums
