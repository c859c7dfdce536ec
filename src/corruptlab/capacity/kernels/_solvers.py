"""Two ways to solve the system: by a factor of the matrix, or without the matrix."""

from typing import Literal, Protocol, TypeAlias

from torch import Tensor

from corruptlab.capacity.kernels._cholesky import factorize, solve
from corruptlab.capacity.kernels._conjugate_gradients import conjugate_gradients
from corruptlab.capacity.kernels._gram import fill
from corruptlab.capacity.kernels._preconditioner import Preconditioner
from corruptlab.capacity.kernels._stopwatch import Stopwatch
from corruptlab.capacity.kernels._system import System
from corruptlab.capacity.kernels._triangle import LowerTriangle

StoppedBy: TypeAlias = Literal["solved", "stalled", "interrupted"]
"""Why a fit ended: the system is solved, nothing moved it nearer its goal, or Ctrl-C."""


class Inverse(Protocol):
    """An approximate inverse of the matrix of a system."""

    iterations: int
    interrupted: bool

    def __call__(self, targets: Tensor) -> Tensor:
        """Return ``float64`` coefficients for ``float64`` targets, both of shape ``(n, k)``."""


class CholeskyInverse:
    """The inverse by a Cholesky factorization, which is done here and now.

    Args:
        system: The system.
        block: Rows of a block of the factor.
        watch: Times the phases ``"gram"``, ``"factor"``, and ``"solve"``.
    """

    iterations = 0
    interrupted = False

    def __init__(self, system: System, *, block: int, watch: Stopwatch) -> None:
        points, n = system.points, len(system.points)
        self._watch = watch
        self._factor = LowerTriangle(n, block=block, dtype=points.dtype, device=points.device)
        with watch.phase("gram"), system.progress(n, "kernel matrix, rows") as line:
            fill(self._factor, system.kernel, points, system.ridge, line)
        with watch.phase("factor"), system.progress(round(n**3 / 3e9), "factor, GFLOP") as line:
            factorize(self._factor, line)

    def __call__(self, targets: Tensor) -> Tensor:
        """Substitute forth and back."""
        with self._watch.phase("solve"):
            return solve(self._factor, targets.to(self._factor.rows[0].dtype)).double()


class ConjugateGradientInverse:
    """The inverse by preconditioned conjugate gradients; no matrix is kept.

    Args:
        system: The system.
        rank: Rank of the preconditioner.
        seed: Decides the columns that it is made of.
        goal: Norm of the residual that is sought, by column, shape ``(k,)``.
        iterations: How many there may be in all.
        watch: Times the phases ``"preconditioner"`` and ``"solve"``.

    Attributes:
        iterations: How many there were.
        interrupted: Whether Ctrl-C ended the last of them.
    """

    def __init__(
        self,
        system: System,
        *,
        rank: int,
        seed: int,
        goal: Tensor,
        iterations: int,
        watch: Stopwatch,
    ) -> None:
        self._system, self._watch = system, watch
        self._goal, self._allowed = goal, iterations
        self.iterations, self.interrupted = 0, False
        with watch.phase("preconditioner"):
            self._precondition = Preconditioner(
                system.kernel, system.points, ridge=system.ridge, rank=rank, seed=seed
            )

    def __call__(self, targets: Tensor) -> Tensor:
        """Iterate until the goal is reached or the iterations are used up."""
        left = self._allowed - self.iterations
        with self._watch.phase("solve"), self._system.progress(left, "iterations") as line:
            reached = conjugate_gradients(
                self._system.times,
                targets,
                precondition=self._precondition,
                goal=self._goal,
                iterations=left,
                line=line,
            )
        self.iterations += reached.iterations
        self.interrupted = reached.interrupted
        return reached.solution
