"""Cholesky factorization in place, block row by block row, in half the memory of the matrix."""

import itertools

import torch
from torch import Tensor

from corruptlab._progress import Progress
from corruptlab.capacity.kernels._gram import System, evaluate, spans, type_name

# Squares on the diagonal are updated as a whole up to this size: half of that work is for nothing,
# but smaller products run slower.
_WHOLE_SQUARE = 512

# A pivot below this many roundings of its diagonal entry is noise, whatever its sign.
_ROUNDING = 16


class NotPositiveDefiniteError(ArithmeticError):
    """Raised if a kernel matrix is not numerically positive definite.

    Args:
        pivot: Position of the point, from 0, at which the factorization failed, because it is
            numerically dependent on the points before it.
        value: Pivot, which should be positive: the squared distance, in feature space, from point p
            to the span of the points before it, ``K_pp - K_p< K_<<^-1 K_<p``. With rounding, it can
            be slightly above 0. Conjugate gradients process points in another order; they detect
            such a point while they compute the preconditioner, or not at all.
        num_points: Number of rows of the matrix.
        dtype: Name of the dtype.

    Attributes:
        pivot: Position of the point.
        value: Pivot at this point.

    Example:
        >>> from corruptlab.capacity.kernels import NotPositiveDefiniteError
        >>> print(NotPositiveDefiniteError(2, -1e-7, num_points=9, dtype="float32"))
        `kernel` must give a positive definite matrix, got pivot -1e-07 at point 2 of 9 in float32:
        use a narrower kernel, `dtype=torch.float64`, or a `ridge`.
    """

    def __init__(self, pivot: int, value: float, num_points: int, dtype: str) -> None:
        super().__init__(pivot, value, num_points, dtype)  # as they are, so that it can be pickled
        self.pivot: int = pivot
        self.value: float = value
        self.num_points: int = num_points
        self.dtype: str = dtype

    def __str__(self) -> str:
        other = "a `ridge`" if self.dtype == "float64" else "`dtype=torch.float64`, or a `ridge`"
        comma = " or" if self.dtype == "float64" else ","
        return (
            f"`kernel` must give a positive definite matrix, got pivot {self.value:.3g} at point "
            f"{self.pivot} of {self.num_points} in {self.dtype}: "
            f"use a narrower kernel{comma} {other}."
        )


class LowerTriangle:
    """Block rows of a symmetric ``n x n`` matrix, each up to its diagonal, in one buffer."""

    # Block row i holds rows start .. stop - 1 and columns 0 .. stop - 1: 7.7 GB for n = 60,000 in
    # float32 with blocks of 4,000, where the whole matrix takes 14.4 GB.

    def __init__(self, n: int, *, block: int, dtype: torch.dtype, device: torch.device) -> None:
        self.n, self.bounds = n, spans(n, block)
        sizes = [(stop - start) * stop for start, stop in self.bounds]
        try:
            numbers = torch.empty(sum(sizes), dtype=dtype, device=device)
        except RuntimeError as error:
            size, reason = sum(sizes) * dtype.itemsize / 1e9, str(error).partition("\n")[0]
            raise MemoryError(
                f"No {size:.1f} GB for the kernel matrix on {device}: {reason}"
            ) from None
        self.rows: list[Tensor] = [
            numbers[end - size : end].view(-1, stop)
            for end, size, (_, stop) in zip(
                itertools.accumulate(sizes), sizes, self.bounds, strict=True
            )
        ]

    @staticmethod
    def numbers(n: int, block: int) -> int:
        """Return how many numbers the triangle of an ``n x n`` matrix holds."""
        return sum((stop - start) * stop for start, stop in spans(n, block))

    def block(self, i: int, j: int) -> Tensor:
        """Return the block of block row ``i`` and block column ``j <= i``, a view."""
        return self.rows[i][:, slice(*self.bounds[j])]


class CholeskyInverse:
    """The inverse of the matrix of a system by a Cholesky factorization, which is done at once."""

    iterations = 0
    interrupted = False

    def __init__(self, system: System, *, block: int) -> None:
        points, n, self._watch = system.points, len(system.points), system.watch
        self._factor = LowerTriangle(n, block=block, dtype=points.dtype, device=points.device)
        with self._watch.phase("gram"), system.progress(n, "kernel matrix, rows") as line:
            _fill(self._factor, system, line)
        with (
            self._watch.phase("factor"),
            system.progress(round(n**3 / 3e9), "factor, GFLOP") as line,
        ):
            _factorize(self._factor, line)

    def __call__(self, targets: Tensor) -> Tensor:
        """Solve by forward and back substitution."""
        with self._watch.phase("solve"):
            return _solve(self._factor, targets.to(self._factor.rows[0].dtype)).double()


def _fill(matrix: LowerTriangle, system: System, line: Progress) -> None:
    """Write the lower triangle of ``K + ridge I``, block by block."""
    points = system.points
    for i, (start, stop) in enumerate(matrix.bounds):
        if system.stored is not None:
            system.store(system.stored[i])
            matrix.rows[i].copy_(system.stored[i])
        else:
            for j, (left, right) in enumerate(matrix.bounds[: i + 1]):
                block = evaluate(system.kernel, points[start:stop], points[left:right])
                matrix.block(i, j).copy_(block)
        if system.ridge:
            matrix.block(i, i).diagonal().add_(system.ridge)
        line.update(stop)


def _factorize(matrix: LowerTriangle, line: Progress) -> None:
    """Overwrite a positive definite matrix ``A`` with its factor ``L``, where ``L L^T = A``."""
    # For each block row i: L_ij = (A_ij - sum_k<j L_ik L_jk^T) L_jj^-T from left to right, then
    # L_ii = chol(A_ii - sum_k<i L_ik L_ik^T). Each block is finished by one long matrix product and
    # one triangular solve, n**3 / 3 multiplications and additions in all. LAPACK sees single
    # blocks only, so that the size of the matrix cannot overflow its integers.
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
        value = float(pivots[at])
    elif good < len(square):
        at = good
        row = torch.linalg.solve_triangular(factor, square[good, :good, None], upper=False)
        value = float(square[good, good] - row.square().sum())
    else:
        return factor
    raise NotPositiveDefiniteError(start + at, value, n, type_name(square.dtype))


def _solve(factor: LowerTriangle, targets: Tensor) -> Tensor:
    """Return the ``x`` of ``L L^T x = y``, shape ``(n, k)``, by forward and back substitution."""
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
