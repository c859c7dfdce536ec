"""A few columns of a kernel matrix that stand for the whole."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corruptlab._draws import Draws
from corruptlab.capacity.kernels._gram import NOT_FINITE, evaluate
from corruptlab.capacity.kernels._kernels import Kernel
from corruptlab.capacity.kernels._not_positive_definite import NotPositiveDefiniteError
from corruptlab.capacity.kernels._numbers import type_name
from corruptlab.capacity.kernels._spans import spans

# Pivots that are proposed at once: as many as make matrix products fast.
_PROPOSALS = 128

# Side of the squares that the diagonal is taken from; the rest of them is for nothing.
_DIAGONAL = 64


def partial_cholesky(
    kernel: Kernel, points: Tensor, *, rank: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Factor a kernel matrix approximately, ``K ~ F F^T``, from ``rank`` of its columns.

    Each pivot is drawn with probability proportional to what is left of the diagonal. To work on
    many columns at a time, pivots are proposed in groups, with the diagonal as it is before
    the group, and each is kept with probability "left now / left before the group", which
    gives the same law.

    Args:
        kernel: The kernel.
        points: The points, shape ``(n, d)``.
        rank: Columns at most, >= 0; there are fewer if nothing is left of the diagonal.
        seed: Decides the pivots.

    Returns:
        ``F``, shape ``(n, m)`` with ``m <= rank``, and the diagonal of ``K - F F^T``, >= 0.

    Raises:
        NotPositiveDefiniteError: If that diagonal falls below 0 by more than rounding.
        ValueError: If a value of the kernel is not finite.

    Source: Chen, Epperly, Tropp, and Webber 2022, "Randomly pivoted Cholesky"; Epperly, Tropp, and
    Webber 2024, "Embrace rejection", for the groups.
    """
    draws, proposed, m = Draws(seed), 0, 0
    left = _diagonal(kernel, points)
    eps, largest = torch.finfo(points.dtype).eps, float(left.abs().max())
    floor = 100 * eps * largest  # what rounding may leave
    _check(left, eps**0.5 * largest)
    factor = points.new_empty(len(points), rank)
    while m < rank and bool(left.any()):
        ids = np.arange(proposed, proposed + min(_PROPOSALS, rank - m))
        proposed += len(ids)
        pivots = _proposals(left, draws.uniform("kernels/pivot", ids))
        columns = evaluate(kernel, points, points[pivots])
        columns -= factor[:, :m] @ factor[pivots, :m].T
        kept, corner = _rejection(columns[pivots], draws.uniform("kernels/keep", ids), floor)
        new = torch.linalg.solve_triangular(
            corner.T.to(columns), columns[:, kept], upper=True, left=False
        )
        factor[:, m : m + len(kept)] = new
        m += len(kept)
        left -= new.square().sum(1)
        _check(left, eps**0.5 * largest)
        left[pivots[kept]] = 0
        left[pivots[columns[pivots].diagonal() <= floor]] = 0
        left[left <= floor] = 0
    return factor[:, :m].clone(), left


def _diagonal(kernel: Kernel, points: Tensor) -> Tensor:
    """Return ``k(x, x)`` for each point, from small squares."""
    pieces = [points[start:stop] for start, stop in spans(len(points), _DIAGONAL)]
    return torch.cat([evaluate(kernel, some, some).diagonal() for some in pieces])


def _check(left: Tensor, most: float) -> None:
    """Refuse a diagonal that is not finite, or below ``-most`` after some steps of elimination."""
    if not bool(left.isfinite().all()):
        raise ValueError(NOT_FINITE)
    value, at = left.min(0)
    if float(value) < -most:
        raise NotPositiveDefiniteError(int(at), float(value), len(left), type_name(left.dtype))


def _proposals(left: Tensor, uniform: NDArray[np.float64]) -> Tensor:
    """Return a position for each uniform number, with probability proportional to ``left``."""
    shares = left.double().cumsum(0)
    wanted = torch.from_numpy(uniform).to(shares) * shares[-1]
    return torch.searchsorted(shares, wanted, right=True).clamp_(max=len(left) - 1)


def _rejection(square: Tensor, uniform: NDArray[np.float64], floor: float) -> tuple[Tensor, Tensor]:
    """Return which proposals to keep, in order, and the Cholesky factor of their square."""
    rest = square.detach().to("cpu", torch.float64, copy=True)
    before, kept = rest.diagonal().tolist(), []
    for i, u in enumerate(uniform.tolist()):
        now = float(rest[i, i])
        if now > floor and u * before[i] < now:
            kept.append(i)
            column = rest[:, i] / now**0.5
            rest -= torch.outer(column, column)
    at = torch.tensor(kept, dtype=torch.int64, device=square.device)
    return at, torch.linalg.cholesky(square.double()[at[:, None], at])
