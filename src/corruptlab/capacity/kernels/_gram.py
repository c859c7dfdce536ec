"""The kernel matrix of a set of points: its lower triangle, or its products without it."""

import torch
from torch import Tensor

from corruptlab._progress import Progress
from corruptlab.capacity.kernels._kernels import Kernel
from corruptlab.capacity.kernels._numbers import type_name
from corruptlab.capacity.kernels._spans import spans
from corruptlab.capacity.kernels._triangle import LowerTriangle

NOT_FINITE = "`kernel` must be finite, got nan or inf on the points of `x`."
"""What is said of a kernel whose values are no numbers."""


def evaluate(kernel: Kernel, a: Tensor, b: Tensor) -> Tensor:
    """Return ``kernel(a, b)``, or say what is wrong with it.

    Args:
        kernel: The kernel, which may be anyone's.
        a: Points, shape ``(n, d)``.
        b: Points, shape ``(m, d)``.

    Returns:
        The matrix, shape ``(n, m)``, of the type of the points.

    Raises:
        TypeError: If the kernel returns no tensor of the points' type.
        ValueError: If it has another shape.
    """
    matrix: object = kernel(a, b)  # whatever it says it returns
    if not isinstance(matrix, Tensor) or matrix.dtype != a.dtype:
        kind = type_name(matrix.dtype) if isinstance(matrix, Tensor) else type(matrix).__name__
        want = type_name(a.dtype)
        raise TypeError(f"`kernel` must return a {want} tensor for {want} points, got {kind}.")
    if matrix.shape != (len(a), len(b)):
        shape, got = (len(a), len(b)), tuple(matrix.shape)
        raise ValueError(f"`kernel` must return a matrix of shape {shape}, got {got}.")
    return matrix


def check_kernel(kernel: Kernel, points: Tensor) -> None:
    """Try a kernel on a few points, so that a wrong one costs no time.

    Args:
        kernel: The kernel.
        points: All points.

    Raises:
        TypeError: If it returns something of a wrong kind.
        ValueError: If its matrix is of a wrong shape, not finite, or not symmetric.
    """
    some, other = points[:8], points[-8:]
    matrix, mirrored = evaluate(kernel, some, other), evaluate(kernel, other, some).T
    if not bool(matrix.isfinite().all()):
        raise ValueError(NOT_FINITE)
    difference = float((matrix - mirrored).abs().max())
    if difference > 1e3 * torch.finfo(matrix.dtype).eps * float(matrix.abs().max()):
        raise ValueError(
            f"`kernel` must be symmetric, got matrices k(a, b) and k(b, a) that differ by "
            f"{difference:.3g}."
        )


def fill(
    matrix: LowerTriangle, kernel: Kernel, points: Tensor, ridge: float, line: Progress
) -> None:
    """Write the lower triangle of ``K + ridge I``, block by block.

    Args:
        matrix: Is overwritten.
        kernel: The kernel.
        points: The points, shape ``(n, d)``.
        ridge: Is added to the diagonal.
        line: Is told how many rows are done.
    """
    for i, (start, stop) in enumerate(matrix.bounds):
        for j, (left, right) in enumerate(matrix.bounds[: i + 1]):
            matrix.block(i, j).copy_(evaluate(kernel, points[start:stop], points[left:right]))
        if ridge:
            matrix.block(i, i).diagonal().add_(ridge)
        line.update(stop)


def gram_times(
    kernel: Kernel,
    points: Tensor,
    vectors: Tensor,
    *,
    dtype: torch.dtype,
    tile: int,
    line: Progress | None = None,
) -> Tensor:
    """Return ``K V`` without ``K``: each tile is computed, used for both its places, and dropped.

    Args:
        kernel: The kernel.
        points: The points, shape ``(n, d)``.
        vectors: ``V``, shape ``(n, k)``.
        dtype: Type to compute kernel and products in; sums of tiles are in that of ``V``.
        tile: Rows and columns of a tile, >= 1.
        line: Is told how many rows are done, if it is there.

    Returns:
        The product, shape ``(n, k)``, in the type of ``V``.

    Raises:
        ValueError: If it is not finite, though ``V`` is.
    """
    product = torch.zeros_like(vectors)
    bounds = spans(len(points), tile)
    for i, (start, stop) in enumerate(bounds):
        rows, own = points[start:stop].to(dtype), vectors[start:stop].to(dtype)
        for left, right in bounds[: i + 1]:
            block = evaluate(kernel, rows, points[left:right].to(dtype))
            product[start:stop] += block @ vectors[left:right].to(dtype)
            if left < start:
                product[left:right] += block.T @ own
        if line is not None:
            line.update(stop)
    if bool(vectors.isfinite().all()) and not bool(product.isfinite().all()):
        raise ValueError(NOT_FINITE)
    return product
