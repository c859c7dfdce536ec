"""Iterative refinement: solve again for what is left over."""

from typing import NamedTuple

from torch import Tensor

from corruptlab.capacity.kernels._solvers import Inverse, StoppedBy
from corruptlab.capacity.kernels._stopwatch import Stopwatch
from corruptlab.capacity.kernels._system import System


class Solution(NamedTuple):
    """Coefficients and what they leave over.

    Args:
        coefficients: ``float64`` of shape ``(n, k)``.
        residual: ``y - (K + ridge I) alpha`` in ``float64``, shape ``(n, k)``.
        residuals: Its largest absolute entry after the first solution and each refinement.
        iterations: Iterations that it took.
        stopped_by: Why it ended.
    """

    coefficients: Tensor
    residual: Tensor
    residuals: tuple[float, ...]
    iterations: int
    stopped_by: StoppedBy


def refined(
    system: System,
    inverse: Inverse,
    targets: Tensor,
    *,
    refinements: int,
    goal: Tensor,
    watch: Stopwatch,
) -> Solution:
    """Solve a system, then correct the solution by solving for its residual.

    The residual is computed in ``float64`` whatever the inverse works in, so that each correction
    removes most of what rounding left. One that does not help is dropped and ends it. So does
    Ctrl-C: the last solution stands.

    Args:
        system: The system.
        inverse: Its approximate inverse.
        targets: ``y``, ``float64`` of shape ``(n, k)``.
        refinements: Corrections at most.
        goal: Norms of the columns of the residual that are small enough, shape ``(k,)``; 0 for the
            best there is.
        watch: Times the phase ``"residual"``.

    Returns:
        The solution.

    Source: Wilkinson 1963, "Rounding errors in algebraic processes"; Higham 2002, ch. 12.
    """

    def residual_of(coefficients: Tensor) -> Tensor:
        with watch.phase("residual"):
            return system.residual(coefficients, targets)

    solution = inverse(targets)
    interrupted = inverse.interrupted
    residual = residual_of(solution)
    residuals = [_size(residual)]
    try:
        for _ in range(0 if interrupted else refinements):
            if _reached(residual, goal):
                break
            trial = solution + inverse(residual)
            interrupted = inverse.interrupted
            left = residual_of(trial)
            residuals.append(_size(left))
            if not residuals[-1] < residuals[-2]:
                break
            solution, residual = trial, left
            if interrupted:
                break
    except KeyboardInterrupt:
        interrupted = True
    stopped_by: StoppedBy = "interrupted" if interrupted else "solved"
    if not interrupted and bool(goal.any()) and not _reached(residual, goal):
        stopped_by = "stalled"
    return Solution(solution, residual, tuple(residuals), inverse.iterations, stopped_by)


def _size(residual: Tensor) -> float:
    return float(residual.abs().max())


def _reached(residual: Tensor, goal: Tensor) -> bool:
    return bool((residual.norm(dim=0) <= goal).all())
