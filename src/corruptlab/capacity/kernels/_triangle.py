"""The lower triangle of a symmetric matrix, in half the memory of the whole."""

import itertools

import torch
from torch import Tensor

from corruptlab.capacity.kernels._spans import spans


class LowerTriangle:
    """Block rows of a symmetric ``n x n`` matrix, each up to its diagonal, in one piece of memory.

    Block row ``i`` holds rows ``start .. stop - 1`` and columns ``0 .. stop - 1``: the square on
    the diagonal is whole, what lies right of it has no memory. So ``n`` = 60,000 takes 7.7 GB
    in float32 with blocks of 4,000, where the whole matrix takes 14.4 GB.

    Args:
        n: Number of rows, >= 1.
        block: Rows of a block, >= 1; the last block may have fewer.
        dtype: Type of the numbers.
        device: Where they live.

    Attributes:
        bounds: First and one past the last row of each block.
        rows: The block rows, shape ``(stop - start, stop)`` each: views of one tensor, whose
            numbers are arbitrary at first.

    Raises:
        MemoryError: If the device has not that much memory.
    """

    def __init__(self, n: int, *, block: int, dtype: torch.dtype, device: torch.device) -> None:
        self.n = n
        self.bounds = spans(n, block)
        sizes = [(stop - start) * stop for start, stop in self.bounds]
        numbers = _allocate(sum(sizes), dtype, device)
        ends = itertools.accumulate(sizes)
        self.rows: list[Tensor] = [
            numbers[end - size : end].view(-1, stop)
            for end, size, (_, stop) in zip(ends, sizes, self.bounds, strict=True)
        ]

    @staticmethod
    def numbers(n: int, block: int) -> int:
        """Return how many numbers the triangle of an ``n x n`` matrix holds."""
        return sum((stop - start) * stop for start, stop in spans(n, block))

    def block(self, i: int, j: int) -> Tensor:
        """Return the block of block row ``i`` and block column ``j <= i``, a view."""
        return self.rows[i][:, slice(*self.bounds[j])]

    def diagonal(self) -> Tensor:
        """Return a copy of the diagonal, shape ``(n,)``."""
        return torch.cat([self.block(i, i).diagonal() for i in range(len(self.rows))])

    def dense(self) -> Tensor:
        """Return the whole lower triangle as an ``n x n`` matrix, zero above the diagonal."""
        whole = self.rows[0].new_zeros(self.n, self.n)
        for (start, stop), row in zip(self.bounds, self.rows, strict=True):
            whole[start:stop, :stop] = row
        return whole.tril_()


def _allocate(count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    try:
        return torch.empty(count, dtype=dtype, device=device)
    except RuntimeError as error:
        size = count * dtype.itemsize / 1e9
        reason = str(error).partition("\n")[0]
        raise MemoryError(f"No {size:.1f} GB for the kernel matrix on {device}: {reason}") from None
