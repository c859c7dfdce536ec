"""The least solution of a linear system: where SGD from zero ends."""

from dataclasses import dataclass

import torch
from torch import Tensor

from corruptlab._checks import positive
from corruptlab._reports import Report
from corruptlab.capacity.kernels._inputs import Values, check_finite, tensor_of


@dataclass(frozen=True, kw_only=True, eq=False)
class MinNorm(Report, kind="min_norm", derived=("norm",)):
    """Minimum-norm solution of ``X w = y``; returned by `min_norm`.

    Attributes:
        weights: ``w = X^T alpha``, ``float64`` of shape ``(d,)`` or ``(d, k)``, as ``y``.
        coefficients: ``alpha``, shape ``(n,)`` or ``(n, k)``: the coefficients of ``w`` in the rows
            of ``X``. For linearly dependent rows, the ``alpha`` of minimum norm.
        rank: Rank of ``X``.
        residual: Relative residual ``||X w - y|| / ||y||``; 0 up to rounding if the system is
            solvable.

    Example:
        >>> import torch
        >>> from corruptlab.capacity.kernels import min_norm
        >>> least = min_norm([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]], [2.0, 4.0])
        >>> least.weights
        tensor([1., 1., 2.], dtype=torch.float64)
        >>> least
        MinNorm(3 weights of norm 2.449, rank 2, residual 0.0e+00)

    Source: Zhang et al. 2017, §5.
    """

    weights: Tensor
    coefficients: Tensor
    rank: int
    residual: float

    @property
    def norm(self) -> float:
        """Norm of the weights over all outputs."""
        return float(self.weights.norm())

    def __repr__(self) -> str:
        return (
            f"MinNorm({self.weights.numel():,} weights of norm {self.norm:.4g}, "
            f"rank {self.rank}, residual {self.residual:.1e})"
        )


def min_norm(
    x: Values, y: Values, *, least_squares: bool = False, tolerance: float = 1e-8
) -> MinNorm:
    """Solve ``X w = y`` for the ``w`` of minimum l2 norm.

    For linearly independent rows, the solution follows from their inner products:
    ``X X^T alpha = y``, ``w = X^T alpha``. For dependent rows, or if the Gram matrix is too
    ill-conditioned, it is computed from the singular value decomposition of ``X``, where singular
    values below ``max(n, d) eps`` times the largest count as 0. All computations are in ``float64``
    on the CPU.

    SGD on the squared loss with the initial value ``w = 0`` adds multiples of rows, so its iterates
    stay in the span of the rows, which contains exactly one solution of the system: this one.

    Args:
        x: ``X``, one example per row, shape ``(n, d)``.
        y: Real targets of shape ``(n,)`` or ``(n, k)``.
        least_squares: Whether to return the least-squares solution of minimum norm if the system
            has no solution.
        tolerance: Relative tolerance, > 0; the system counts as solvable if
            ``||X w - y|| <= tolerance ||y||``.

    Returns:
        Weights, coefficients, rank, and residual.

    Raises:
        TypeError: If ``x`` or ``y`` contains values that are not real numbers.
        ValueError: If shapes do not match, a value is not finite, or the system has no solution and
            ``least_squares`` is not set.

    Example:
        >>> import torch
        >>> from corruptlab.capacity.kernels import min_norm
        >>> x, y = torch.tensor([[1.0, 2.0], [2.0, 4.0]]), torch.tensor([5.0, 11.0])
        >>> min_norm(x, y)
        Traceback (most recent call last):
        ...
        ValueError: `x` must have a solution of X w = y, got rank 1 for 2 rows and a residual
        of 0.037 of ||y||: pass `least_squares=True` for the nearest.
        >>> min_norm(x, y, least_squares=True).weights
        tensor([1.0800, 2.1600], dtype=torch.float64)

    Source: Zhang et al. 2017, §5.
    """
    positive("tolerance", tolerance)
    rows, targets = _system(x, y)
    values = targets[:, None] if targets.ndim == 1 else targets
    solved = _by_inner_products(rows, values)
    if solved is None or _residual(rows, solved, values) > tolerance:
        solved, rank = _by_singular_values(rows, values)
    else:
        rank = len(rows)
    weights, residual = rows.T @ solved, _residual(rows, solved, values)
    if residual > tolerance and not least_squares:
        raise ValueError(
            f"`x` must have a solution of X w = y, got rank {rank} for {len(rows)} rows and a "
            f"residual of {residual:.2g} of ||y||: pass `least_squares=True` for the nearest."
        )
    if targets.ndim == 1:
        weights, solved = weights[:, 0], solved[:, 0]
    return MinNorm(weights=weights, coefficients=solved, rank=rank, residual=residual)


def _system(x: Values, y: Values) -> tuple[Tensor, Tensor]:
    rows = tensor_of("x", x).to("cpu", torch.float64)
    targets = tensor_of("y", y).to("cpu", torch.float64)
    if rows.ndim != 2 or rows.numel() == 0:
        raise ValueError(
            f"`x` must have shape (n, d) with n and d at least 1, got {tuple(rows.shape)}."
        )
    if targets.ndim not in (1, 2) or len(targets) != len(rows):
        raise ValueError(
            f"`y` must have shape ({len(rows)},) or ({len(rows)}, k), got {tuple(targets.shape)}."
        )
    check_finite("x", rows)
    check_finite("y", targets)
    return rows, targets


def _by_inner_products(rows: Tensor, values: Tensor) -> Tensor | None:
    """Return ``alpha`` from ``X X^T``; None if that is singular, or nearly so."""
    n, d = rows.shape
    if n > d:
        return None
    gram = rows @ rows.T
    factor, info = torch.linalg.cholesky_ex(gram)
    pivots = factor.diagonal().square()
    # A pivot is the squared distance of a row to the span of those before it. Below this share
    # of the row's own size it is mostly rounding.
    if int(info) or bool((pivots <= max(n, d) * _EPS**0.5 * gram.diagonal()).any()):
        return None
    alpha = torch.cholesky_solve(values, factor)
    return alpha + torch.cholesky_solve(values - rows @ (rows.T @ alpha), factor)  # refined once


def _by_singular_values(rows: Tensor, values: Tensor) -> tuple[Tensor, int]:
    """Return ``alpha = U S^-2 U^T y``, and the rank."""
    u, s, _ = torch.linalg.svd(rows, full_matrices=False)
    kept = s > max(rows.shape) * _EPS * s[0]
    u, s = u[:, kept], s[kept]
    return u @ ((u.T @ values) / s[:, None].square()), int(kept.sum())


def _residual(rows: Tensor, alpha: Tensor, values: Tensor) -> float:
    size = float(values.norm())
    return float((rows @ (rows.T @ alpha) - values).norm()) / size if size else 0.0


_EPS = torch.finfo(torch.float64).eps
