"""What a fit will cost, before it starts."""

import time
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple, TypeAlias

import torch

from corruptlab.capacity.kernels._numbers import gigabytes, type_name
from corruptlab.capacity.kernels._triangle import LowerTriangle

Solver: TypeAlias = Literal["cholesky", "cg"]
"""How the system is solved: by a Cholesky factorization, or by conjugate gradients."""

# Tiles that a kernel holds at once while it works: its result and two on the way there.
_TILES = 3


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Memory and work of a kernel fit.

    For ``n`` points of ``d`` numbers, ``k`` outputs, and ``s`` bytes a number, the largest terms
    are ``s n**2 / 2`` bytes and ``n**3 / 3 + n**2 d`` operations of the Cholesky factorization; or
    ``2 s n r`` bytes for a preconditioner of rank ``r``, and ``n**2 (d + 2 k)`` operations for each
    iteration of conjugate gradients.

    Args:
        solver: How the system is solved.
        dtype: Name of the type of the matrix.
        device: Where it is solved.
        num_points: Number of points.
        num_bytes: Memory at the peak: the lower triangle of the kernel matrix (or the
            preconditioner), tiles, points, and targets. Temporaries of a user's own kernel beyond
            three tiles are not in it.
        flops: Floating-point operations, those in float64 counted twice; for ``"cg"`` if it takes
            all of its iterations.

    Example:
        >>> from corruptlab.capacity.kernels import GaussianKernel, KernelInterpolant
        >>> estimate = KernelInterpolant(GaussianKernel(0.02)).estimate(60_000, 784, num_outputs=10)
        >>> print(estimate)
        cholesky in float32 on cpu: 60,000 points, 8.37 GB, 86,688 GFLOP
    """

    solver: Solver
    dtype: str
    device: str
    num_points: int
    num_bytes: int
    flops: float

    def seconds(self) -> float:
        """Return how long the work takes at the rate of large matrix products, measured now.

        The device is tried for some hundredths of a second, once for each type.
        """
        return self.flops / _rate(getattr(torch, self.dtype), torch.device(self.device))

    def __str__(self) -> str:
        return (
            f"{self.solver} in {self.dtype} on {self.device}: {self.num_points:,} points, "
            f"{gigabytes(self.num_bytes)}, {self.flops / 1e9:,.0f} GFLOP"
        )


class Size(NamedTuple):
    """Size of a fit: ``n`` points of ``d`` dimensions, ``k`` outputs; type and place."""

    n: int
    d: int
    k: int
    dtype: torch.dtype
    device: torch.device

    @property
    def product(self) -> float:
        """Operations of one product with the kernel matrix, half of which is computed."""
        return float(self.n) ** 2 * (self.d + 2 * self.k)

    @property
    def vectors(self) -> int:
        """Bytes of the points, before and after equal ones are merged, and of ten ``(n, k)``."""
        return 2 * self.n * self.d * self.dtype.itemsize + 10 * self.n * self.k * 8

    def tiles(self, rows: int, dtype: torch.dtype) -> int:
        """Return the bytes of what one tile needs: kernel values, points before and after."""
        return rows * (_TILES * rows + 6 * self.d) * dtype.itemsize


def cholesky_estimate(size: Size, *, block: int, tile: int, refinements: int) -> Estimate:
    """Estimate a fit by Cholesky factorization.

    Args:
        size: Size of the fit.
        block: Rows of a block of the factor.
        tile: Rows of a tile of the products in float64.
        refinements: Steps of refinement.

    Returns:
        The estimate.
    """
    n, d, k, dtype, device = size
    triangle = LowerTriangle.numbers(n, block) * dtype.itemsize
    scratch = max(size.tiles(min(block, n), dtype), size.tiles(min(tile, n), torch.float64))
    factor = n**2 * (d + n / 3)
    each = 2 * size.product + 4 * n**2 * k  # a residual in float64, and a substitution
    return Estimate(
        solver="cholesky",
        dtype=type_name(dtype),
        device=str(device),
        num_points=n,
        num_bytes=triangle + scratch + size.vectors,
        flops=factor + (1 + refinements) * each,
    )


def cg_estimate(size: Size, *, rank: int, tile: int, iterations: int) -> Estimate:
    """Estimate a fit by conjugate gradients.

    Args:
        size: Size of the fit.
        rank: Rank of the preconditioner.
        tile: Rows of a tile.
        iterations: Iterations at most.

    Returns:
        The estimate.
    """
    n, d, k, dtype, device = size
    preconditioner = 2 * n * rank * dtype.itemsize + 3 * rank**2 * 8
    setup = n * rank * (2 * d + 3 * rank)
    each = size.product + 4 * n * rank * k
    return Estimate(
        solver="cg",
        dtype=type_name(dtype),
        device=str(device),
        num_points=n,
        num_bytes=preconditioner + size.tiles(min(tile, n), torch.float64) + size.vectors,
        flops=setup + iterations * each + 2 * size.product,
    )


@cache
def _rate(dtype: torch.dtype, device: torch.device, size: int = 1024) -> float:
    """Return the FLOP/s of the faster of two matrix products, after one to warm up."""
    a = torch.ones(size, size, dtype=dtype, device=device)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        (a @ a)[0, 0].item()  # `item` waits for the device
        seconds.append(time.perf_counter() - start)
    return 2.0 * size**3 / min(seconds[1:])
