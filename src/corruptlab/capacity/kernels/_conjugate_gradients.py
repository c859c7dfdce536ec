"""Conjugate gradients for several right-hand sides, preconditioned by a few random columns."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corruptlab._draws import Draws
from corruptlab._progress import Progress
from corruptlab.capacity.kernels._cholesky import NotPositiveDefiniteError
from corruptlab.capacity.kernels._gram import (
    System,
    check_finite_kernel,
    evaluate,
    spans,
    type_name,
)
from corruptlab.capacity.kernels._kernels import Kernel

# Pivots that are proposed at once: as many as make matrix products fast.
_PROPOSALS = 128

# Side of the squares that the diagonal is taken from; the rest of them is for nothing.
_DIAGONAL = 64

# Rows that are converted to float64 at once.
_ROWS_AT_ONCE = 8192


class ConjugateGradientInverse:
    """The inverse of the matrix of a system by preconditioned conjugate gradients."""

    def __init__(
        self, system: System, *, rank: int, seed: int, goal: Tensor, iterations: int
    ) -> None:
        self._system, self._goal, self._allowed = system, goal, iterations
        self.iterations, self.interrupted = 0, False
        with system.watch.phase("preconditioner"):
            self._precondition = Preconditioner(
                system.kernel, system.points, ridge=system.ridge, rank=rank, seed=seed
            )
        # Some units in the last place of each value of the kernel, and of each sum of them.
        eps = torch.finfo(system.points.dtype).eps
        self._rounding = 4 * eps * self._precondition.size * len(system.points) ** 0.5

    def __call__(self, targets: Tensor) -> Tensor:
        """Iterate until the goal is reached or the iterations are used up."""
        left = self._allowed - self.iterations
        with (
            self._system.watch.phase("solve"),
            self._system.progress(left, "iterations") as line,
        ):
            reached = conjugate_gradients(
                self._system.times,
                targets,
                precondition=self._precondition,
                goal=self._goal,
                iterations=left,
                line=line,
                rounding=self._rounding,
            )
        self.iterations += reached.iterations
        self.interrupted = reached.interrupted
        return reached.solution


class Iterate(NamedTuple):
    """Where conjugate gradients ended, after how many products with the matrix."""

    solution: Tensor  # (n, k)
    iterations: int
    interrupted: bool  # by Ctrl-C


def conjugate_gradients(
    times: Callable[[Tensor], Tensor],
    targets: Tensor,
    *,
    precondition: Callable[[Tensor], Tensor],
    goal: Tensor,
    iterations: int,
    line: Progress,
    rounding: float = 0.0,
) -> Iterate:
    """Solve ``A x = y`` for each column of ``y`` from zero, until ``|y - A x| <= goal``."""
    # Hestenes and Stiefel 1952; Golub and Van Loan 2013, "Matrix computations", §11.5. Columns
    # share products with A but not their steps. A column that is solved rests, and so does one
    # along whose direction A is not positive in the arithmetic at hand.
    #
    # A product with x is off by about `rounding` |x|, which the recurrence of r does not see. For a
    # nearly singular A, x grows until this is all there is: a column is given up when it exceeds
    # |y|, the residual of x = 0, and one that is not solved gets the iterate with the least sum of
    # both. Greenbaum 1997, "Estimating the attainable accuracy of recursively computed residual
    # methods".
    x, r = torch.zeros_like(targets), targets
    size = targets.norm(dim=0)
    best, least = x, size
    solved = size <= goal
    lost = torch.zeros_like(solved)
    start = float(targets.norm())
    done = 0
    try:
        direction = z = precondition(r)
        product = (r * z).sum(0)
        for done in range(1, iterations + 1):
            image = times(direction)
            curvature = (direction * image).sum(0)
            moving = (r.norm(dim=0) > goal) & (curvature > 0) & ~lost
            step = torch.where(moving, product / curvature, 0)
            x = torch.where(moving, x + step * direction, x)
            r = torch.where(moving, r - step * image, r)
            sizes, error = r.norm(dim=0), rounding * x.norm(dim=0)
            lost |= (error <= size).logical_not()  # NaN too
            solved = (sizes <= goal) & ~lost
            better = solved | (sizes + error < least)
            best = torch.where(better, x, best)
            least = torch.where(better, sizes + error, least)
            line.update(done, f"residual down to {float(sizes.norm()) / start:.1e}")
            if bool((solved | lost).all()) or not bool(moving.any()):
                break
            z = precondition(r)
            before, product = product, (r * z).sum(0)
            direction = z + torch.where(moving, product / before, 0) * direction
            direction = torch.where(lost, 0, direction)
    except KeyboardInterrupt:
        return Iterate(best, done, interrupted=True)
    return Iterate(best, done, interrupted=False)


class Preconditioner:
    """The inverse of ``F F^T + delta I``, where ``F F^T`` approximates the kernel matrix ``K``."""

    # delta is the ridge and the mean of what the partial Cholesky factor F leaves of the diagonal,
    # so that the traces agree, but at least sqrt(eps) of the mean diagonal. The inverse comes from
    # a matrix of the size of the rank: (I - F (F^T F + delta I)^-1 F^T) / delta. Díaz, Epperly,
    # Frangella, Tropp, and Webber 2023, "Robust, randomized preconditioning for kernel ridge
    # regression".

    def __init__(
        self, kernel: Kernel, points: Tensor, *, ridge: float, rank: int, seed: int
    ) -> None:
        self._factor, left = partial_cholesky(kernel, points, rank=rank, seed=seed)
        self.size = float(self._factor.square().sum(1).mean() + left.mean())  # mean diagonal
        # A smaller delta would blow up what rounding leaves of the difference below.
        least = torch.finfo(points.dtype).eps ** 0.5 * self.size
        self._delta: float = ridge + max(float(left.mean()), least)
        inner = torch.zeros(2 * self._factor.shape[1:], dtype=torch.float64, device=points.device)
        for start, stop in spans(len(points), _ROWS_AT_ONCE):
            rows = self._factor[start:stop].double()
            inner += rows.T @ rows
        inner.diagonal().add_(self._delta)
        self._inner = torch.linalg.cholesky(inner)

    def __call__(self, vectors: Tensor) -> Tensor:
        """Return the approximate inverse times ``float64`` vectors of shape ``(n, k)``."""
        factor = self._factor
        short = torch.cholesky_solve((factor.T @ vectors.to(factor.dtype)).double(), self._inner)
        rest: Tensor = vectors - factor @ short.to(factor.dtype)
        return rest / self._delta


def partial_cholesky(
    kernel: Kernel, points: Tensor, *, rank: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Return a factor ``F`` of at most ``rank`` columns, and the diagonal of ``K - F F^T >= 0``."""
    # Each pivot is drawn with probability proportional to what is left of the diagonal. To work on
    # many columns at a time, pivots are proposed in groups, with the diagonal as it is before the
    # group, and each is kept with probability "left now / left before the group", which gives the
    # same law. Chen, Epperly, Tropp, and Webber 2022, "Randomly pivoted Cholesky"; Epperly, Tropp,
    # and Webber 2024, "Embrace rejection", for the groups.
    draws, proposed, m = Draws(seed), 0, 0
    squares = [points[start:stop] for start, stop in spans(len(points), _DIAGONAL)]
    left = torch.cat([evaluate(kernel, some, some).diagonal() for some in squares])
    eps, largest = torch.finfo(points.dtype).eps, float(left.abs().max())
    floor = 100 * eps * largest  # what rounding may leave
    _check_diagonal(left, eps**0.5 * largest)
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
        _check_diagonal(left, eps**0.5 * largest)
        left[pivots[kept]] = 0
        left[pivots[columns[pivots].diagonal() <= floor]] = 0
        left[left <= floor] = 0
    return factor[:, :m].clone(), left


def _check_diagonal(left: Tensor, most: float) -> None:
    """Refuse a diagonal that is not finite, or below ``-most`` after some steps of elimination."""
    check_finite_kernel(left)
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
