"""The stored triangle is the lower one, in half the memory."""

import pytest
import torch

from corruptlab.capacity.kernels._triangle import LowerTriangle
from tests.capacity.kernels.cases import CPU, positive_definite, triangle

N = 53
BLOCKS = [1, 2, 7, 16, 26, 52, 53, 100]


@pytest.mark.parametrize("block", BLOCKS)
def test_stored_triangle_is_the_lower_triangle(block: int) -> None:
    matrix = positive_definite(N)
    stored = triangle(matrix, block)
    assert torch.equal(stored.dense(), matrix.tril())
    assert torch.equal(stored.diagonal(), matrix.diagonal())
    for i, (start, stop) in enumerate(stored.bounds):
        for j, (left, right) in enumerate(stored.bounds[: i + 1]):
            assert torch.equal(stored.block(i, j), matrix[start:stop, left:right])


@pytest.mark.parametrize("block", BLOCKS)
def test_triangle_takes_about_half_the_memory_and_says_how_much(block: int) -> None:
    stored = LowerTriangle(N, block=block, dtype=torch.float32, device=CPU)
    held = stored.rows[0].untyped_storage().nbytes() // 4
    assert held == LowerTriangle.numbers(N, block) == sum(row.numel() for row in stored.rows)
    assert N * (N + 1) / 2 <= held <= (N**2 + N * min(block, N)) / 2


def test_memory_that_is_not_there_is_one_error() -> None:
    with pytest.raises(MemoryError, match=r"^No 625000000\.0 GB for the kernel matrix on cpu: "):
        LowerTriangle(500_000_000, block=125_000_000, dtype=torch.float32, device=CPU)
