"""Cholesky factorization in place, block row by block row."""

import torch
from torch import Tensor

from corruptlab._progress import Progress
from corruptlab.capacity.kernels._not_positive_definite import NotPositiveDefiniteError
from corruptlab.capacity.kernels._numbers import type_name
from corruptlab.capacity.kernels._triangle import LowerTriangle

# Squares on the diagonal are updated as a whole up to this size: half of that work is for nothing,
# but smaller products run slower.
_WHOLE_SQUARE = 512

# A pivot below this many roundings of its diagonal entry is noise, whatever its sign.
_ROUNDING = 16


def factorize(matrix: LowerTriangle, line: Progress) -> None:
    """Overwrite a positive definite matrix ``A`` with its factor ``L``, where ``L L^T = A``.

    For each block row ``i``: ``L_ij = (A_ij - sum_k<j L_ik L_jk^T) L_jj^-T`` from left to right,
    then ``L_ii = chol(A_ii - sum_k<i L_ik L_ik^T)``. Each block is finished by one long matrix
    product and one triangular solve, ``n**3 / 3`` multiplications and additions in all. LAPACK
    sees single blocks only, so that the size of the matrix cannot overflow its integers.

    Args:
        matrix: The lower triangle of ``A``; the triangle of ``L`` afterwards, where the squares
            on the diagonal are zero above the diagonal.
        line: Is told how many GFLOP are done.

    Raises:
        NotPositiveDefiniteError: If a pivot is not above rounding; the matrix is lost then.
    """
    done = 0.0
    for i, (start, stop) in enumerate(matrix.bounds):
        row = matrix.rows[i]
        for j, (left, right) in enumerate(matrix.bounds[:i]):
            block = matrix.block(i, j)
            if left:
                block.addmm_(row[:, :left], matrix.rows[j][:, :left].T, alpha=-1)
            factor = matrix.block(j, j)
            block.copy_(torch.linalg.solve_triangular(factor.T, block, upper=True, left=False))
            done += (stop - start) * (right - left) * (left + right)
            line.update(round(done / 1e9))
        square = matrix.block(i, i)
        least = _ROUNDING * torch.finfo(square.dtype).eps * square.diagonal()
        if start:
            _subtract_square(square, row[:, :start])
        square.copy_(_factor(square, least, start, matrix.n))
        done += (stop - start) ** 2 * (start + (stop - start) / 3)
        line.update(round(done / 1e9))


def solve(factor: LowerTriangle, targets: Tensor) -> Tensor:
    """Solve ``L L^T x = y`` by substitution, forth and back.

    Args:
        factor: ``L``, from `factorize`.
        targets: ``y``, shape ``(n, k)``, in the type of the factor.

    Returns:
        ``x``, shape ``(n, k)``.
    """
    x = targets.clone()
    blocks = list(zip(factor.bounds, factor.rows, strict=True))
    for (start, stop), row in blocks:
        x[start:stop] -= row[:, :start] @ x[:start]
        square = row[:, start:]
        x[start:stop] = torch.linalg.solve_triangular(square, x[start:stop], upper=False)
    for (start, stop), row in reversed(blocks):
        square = row[:, start:]
        x[start:stop] = torch.linalg.solve_triangular(square.T, x[start:stop], upper=True)
        x[:start] -= row[:, :start].T @ x[start:stop]
    return x


def _subtract_square(square: Tensor, panel: Tensor) -> None:
    """Subtract ``panel @ panel.T`` from the lower triangle of a square, and little above it."""
    if len(square) <= _WHOLE_SQUARE:
        square.addmm_(panel, panel.T, alpha=-1)
        return
    half = len(square) // 2
    _subtract_square(square[:half, :half], panel[:half])
    square[half:, :half].addmm_(panel[half:], panel[:half].T, alpha=-1)
    _subtract_square(square[half:, half:], panel[half:])


def _factor(square: Tensor, least: Tensor, start: int, n: int) -> Tensor:
    """Return the factor of one square, whose first row is row ``start`` of the matrix."""
    factor: Tensor
    factor, info = torch.linalg.cholesky_ex(square)
    good = int(info) - 1 if int(info) else len(square)  # rows that have a factor
    if good < len(square):
        factor, _ = torch.linalg.cholesky_ex(square[:good, :good])
    pivots = factor.diagonal().square()
    bad = (pivots > least[:good]).logical_not().nonzero()  # NaN too
    if len(bad):
        at = int(bad[0])
        raise _error(square, start + at, float(pivots[at]), n)
    if good < len(square):
        row = torch.linalg.solve_triangular(factor, square[good, :good, None], upper=False)
        raise _error(square, start + good, float(square[good, good] - row.square().sum()), n)
    return factor


def _error(square: Tensor, pivot: int, value: float, n: int) -> NotPositiveDefiniteError:
    return NotPositiveDefiniteError(pivot, value, num_points=n, dtype=type_name(square.dtype))
