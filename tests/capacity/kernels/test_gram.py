"""The kernel matrix in blocks is the kernel matrix."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from corruptlab._progress import Progress
from corruptlab.capacity.kernels import GaussianKernel
from corruptlab.capacity.kernels._gram import fill, gram_times
from corruptlab.capacity.kernels._triangle import LowerTriangle
from tests.capacity.kernels.cases import CPU, KERNELS, gram, points

GAUSSIAN = GaussianKernel(0.3)


@pytest.mark.parametrize("tile", [1, 7, 40, 100])
def test_product_in_tiles_is_the_product(tile: int) -> None:
    x, vectors = points(), points(40, 3, seed=2)
    product = gram_times(GAUSSIAN, x, vectors, dtype=torch.float64, tile=tile)
    assert_allclose(product.numpy(), gram("gaussian", x, x) @ vectors.numpy(), atol=1e-12)


@pytest.mark.parametrize("block", [1, 7, 40, 100])
@pytest.mark.parametrize("name", list(KERNELS))
def test_filled_triangle_is_the_matrix_with_the_ridge(name: str, block: int) -> None:
    x = points()
    stored = LowerTriangle(40, block=block, dtype=torch.float64, device=CPU)
    fill(stored, KERNELS[name][0], x, 0.25, Progress(1, "", show=False))
    expected = np.tril(gram(name, x, x) + 0.25 * np.eye(40))
    assert_allclose(stored.dense().numpy(), expected, rtol=1e-12, atol=1e-12)


def test_each_pair_of_tiles_is_computed_once() -> None:
    pairs = []

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        pairs.append((float(a[0, 0]), float(b[0, 0])))
        return GAUSSIAN(a, b)

    x = torch.arange(40.0)[:, None]
    gram_times(kernel, x, torch.ones(40, 1), dtype=torch.float32, tile=10)
    assert sorted(pairs) == [(i, j) for i in (0, 10, 20, 30) for j in range(0, i + 1, 10)]


def test_sums_are_in_the_type_of_the_vectors_and_values_in_the_given_one() -> None:
    seen: set[torch.dtype] = set()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        seen.update((a.dtype, b.dtype))
        return GAUSSIAN(a, b)

    product = gram_times(kernel, points(), points(40, 2).float(), dtype=torch.float64, tile=7)
    assert product.dtype is torch.float32
    assert seen == {torch.float64}


def test_progress_counts_rows() -> None:
    class Count:
        done: tuple[int, ...] = ()

        def update(self, done: int, note: str = "") -> None:
            self.done += (done,)

    line: Any = Count()
    gram_times(GAUSSIAN, points(), points(40, 2), dtype=torch.float64, tile=15, line=line)
    assert line.done == (15, 30, 40)


def test_kernel_that_is_not_finite_is_said_and_vectors_that_are_not_are_let_through() -> None:
    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return GAUSSIAN(a, b).masked_fill_(a[:, :1] > 1.9, torch.inf)

    def times(kernel: Any, vectors: Tensor) -> Tensor:
        return gram_times(kernel, points(), vectors, dtype=torch.float64, tile=7)

    text = r"^`kernel` must be finite, got nan or inf on the points of `x`\.$"
    with pytest.raises(ValueError, match=text):
        times(kernel, points(40, 2))
    assert bool(times(GAUSSIAN, torch.full((40, 1), torch.nan)).isnan().all())
