"""Kernel interpolation without regularization, or with a ridge."""

from dataclasses import KW_ONLY, dataclass
from types import MappingProxyType
from typing import Literal, get_args

import torch
from torch import Tensor

from corruptlab._checks import at_least, natural, not_negative, positive
from corruptlab._environment import Environment, usable_device
from corruptlab._progress import Progress
from corruptlab.capacity.kernels._estimate import Estimate, Size, cg_estimate, cholesky_estimate
from corruptlab.capacity.kernels._gram import check_kernel
from corruptlab.capacity.kernels._inputs import (
    Values,
    distinct,
    read_points,
    read_targets,
)
from corruptlab.capacity.kernels._kernel_fit import KernelFit
from corruptlab.capacity.kernels._kernels import Kernel
from corruptlab.capacity.kernels._memory import available_memory
from corruptlab.capacity.kernels._numbers import gigabytes
from corruptlab.capacity.kernels._refine import refined
from corruptlab.capacity.kernels._solvers import CholeskyInverse, ConjugateGradientInverse, Inverse
from corruptlab.capacity.kernels._stopwatch import Stopwatch
from corruptlab.capacity.kernels._system import System

AnySolver = Literal["auto", "cholesky", "cg"]

# Large blocks waste less on short products, small ones less on the squares of the diagonal.
_LARGEST_BLOCK, _SMALLEST_BLOCK, _BLOCKS = 4000, 500, 8
# A tile in float64 shall stay in the cache of a processor (measured: a fifth faster than 2,000).
_LARGEST_TILE = 1000


@dataclass(frozen=True)
class KernelInterpolant:
    """Solve ``(K + ridge I) alpha = y`` for the kernel matrix ``K`` of the training points.

    By default there is no ridge: the fit goes through every target. Labels become one-hot rows
    (1 for the class, 0 elsewhere). Equal points with equal targets count once; with different
    targets nothing interpolates them, which is an error, but not with a ridge.

    The Cholesky factorization is exact up to rounding, and takes ``n**3 / 3`` operations and the
    memory of the lower triangle. Conjugate gradients keep no matrix, so that memory grows
    with ``n`` alone, but compute it anew in every iteration.

    Args:
        kernel: The kernel: one of this module, or any function of two sets of points that gives
            their matrix (see `Kernel`).
        ridge: What is added to the diagonal of ``K``, >= 0; not multiplied by ``n``.
        dtype: Type of the matrix, ``torch.float32`` or ``torch.float64``. Points are rounded to
            it once, at the beginning.
        device: Where to work.
        solver: ``"cholesky"``, ``"cg"``, or ``"auto"``: Cholesky if its memory is there.
        memory: Bytes that the fit may take; None for nine tenths of what is free when it starts.
        refinements: How often the solution is corrected for its residual in ``float64``, >= 0.
            Conjugate gradients are corrected only while that misses ``tolerance``.
        block: Rows of a block of the factor; None chooses by ``n``.
        tolerance: Where conjugate gradients end: the norm of the residual as a share of the norm of
            the targets, by column, > 0.
        max_iterations: How many iterations they may take in all, >= 1.
        rank: Columns of ``K`` that their preconditioner is made of, >= 0.
        seed: Which columns; any integer >= 0.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If one is out of its range, or the device is not there.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> train, test = cl.datasets.load("fashion-mnist-mini")
        >>> gaussian = cl.capacity.kernels.GaussianKernel(gamma=0.02)
        >>> fit = cl.KernelInterpolant(gaussian).fit(
        ...     train.images[:500], train.targets[:500], num_classes=10
        ... )
        >>> fit.error(train.images[:500], train.targets[:500])
        0.0
        >>> fit.error(test.images, test.targets) < 0.25
        True

    Source: Zhang et al. 2017, §5 and Table 3.
    """

    kernel: Kernel
    _: KW_ONLY
    ridge: float = 0.0
    dtype: torch.dtype = torch.float32
    device: torch.device | str = "cpu"
    solver: AnySolver = "auto"
    memory: float | None = None
    refinements: int = 1
    block: int | None = None
    tolerance: float = 1e-4
    max_iterations: int = 1000
    rank: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if not callable(self.kernel):
            raise TypeError(f"`kernel` must be a function of two points, got {self.kernel!r}.")
        not_negative("ridge", self.ridge)
        if self.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"`dtype` must be torch.float32 or torch.float64, got {self.dtype}.")
        usable_device(self.device)
        if self.solver not in get_args(AnySolver):
            raise ValueError(f"`solver` must be one of {get_args(AnySolver)}, got {self.solver!r}.")
        if self.memory is not None:
            positive("memory", self.memory)
        positive("tolerance", self.tolerance)
        for name in ("refinements", "rank", "seed"):
            natural(name, getattr(self, name))
        for name in ("block", "max_iterations"):
            value = getattr(self, name)
            if value is not None:
                at_least(1, name, value)

    def fit(
        self, x: Values, y: Values, *, num_classes: int | None = None, progress: bool = False
    ) -> KernelFit:
        """Interpolate ``y`` at ``x``.

        Ctrl-C during the kernel matrix or its factorization leaves nothing behind and passes
        through. During a refinement, or the iterations of conjugate gradients, it ends the
        fit with the solution so far.

        Args:
            x: Training points, shape ``(n, ...)``: an array or tensor of floats, or of bytes, which
                are divided by 255. What follows the first axis is flattened.
            y: Integer labels ``0 .. num_classes - 1`` of shape ``(n,)``, or floats of shape
                ``(n,)`` or ``(n, k)``.
            num_classes: Number of classes; needed for labels, not for floats.
            progress: Whether to show, on standard error, what it will cost and how far it is.

        Returns:
            The interpolant; see `KernelFit`.

        Raises:
            TypeError: If inputs, targets, or what the kernel returns are of a wrong kind.
            ValueError: If they do not match, are not finite, or differ on equal points.
            MemoryError: If the fit needs more memory than there is.
            NotPositiveDefiniteError: If the kernel matrix is not positive definite in this type.
        """
        place = usable_device(self.device)
        points = read_points(x, dtype=self.dtype, device=place)
        targets = read_targets(y, len(points), num_classes=num_classes, device=place)
        check_kernel(self.kernel, points)
        values, given = targets.values, len(points)
        kept = None if self.ridge else distinct(points, targets)
        if kept is not None:
            points, values = points[kept], values[kept]
        estimate = self.estimate(*points.shape, num_outputs=values.shape[1])
        system = System(self.kernel, points, self.ridge, self._tile(len(points)), progress)
        _announce(system, estimate)
        watch = Stopwatch(place)
        goal = (self.tolerance if estimate.solver == "cg" else 0) * values.norm(dim=0)
        solution = refined(
            system,
            self._inverse(system, estimate, goal=goal, watch=watch),
            values,
            refinements=self.refinements,
            goal=goal,
            watch=watch,
        )
        alpha = solution.coefficients
        interpolated = values - solution.residual - self.ridge * alpha  # K alpha, for nothing
        squares = (alpha * interpolated).sum(0).clamp_(min=0)
        return KernelFit(
            kernel=self.kernel,
            ridge=self.ridge,
            points=points,
            coefficients=alpha,
            num_classes=targets.num_classes,
            flat=targets.flat,
            num_merged=given - len(points),
            stopped_by=solution.stopped_by,
            residuals=solution.residuals,
            norms=tuple(squares.sqrt_().tolist()),
            iterations=solution.iterations,
            seconds=MappingProxyType(watch.seconds),
            estimate=estimate,
            environment=Environment.here(place),
        )

    def estimate(self, num_points: int, num_features: int, *, num_outputs: int = 1) -> Estimate:
        """Say what a fit would cost, and so which solver it would take; nothing is allocated.

        Args:
            num_points: Number of distinct training points, >= 1.
            num_features: Numbers in a point, >= 1.
            num_outputs: Number of classes, or of real targets a point, >= 1.

        Returns:
            Solver, memory, and work.

        Raises:
            TypeError: If a number is no integer.
            ValueError: If one is below 1.
            MemoryError: If it needs more memory than there is.
        """
        n, d, k = num_points, num_features, num_outputs
        for name, value in (("num_points", n), ("num_features", d), ("num_outputs", k)):
            at_least(1, name, value)
        place, tile = torch.device(self.device), self._tile(n)
        size = Size(n, d, k, self.dtype, place)
        factor = cholesky_estimate(
            size, block=self._block(n), tile=tile, refinements=self.refinements
        )
        iterate = cg_estimate(
            size, rank=min(self.rank, n), tile=tile, iterations=self.max_iterations
        )
        allowed = available_memory(place) if self.memory is None else self.memory
        for estimate in (factor, iterate):
            if self.solver in ("auto", estimate.solver) and estimate.num_bytes <= allowed:
                return estimate
        raise MemoryError(_refusal(self.solver, factor, iterate, allowed))

    def _inverse(
        self, system: System, estimate: Estimate, *, goal: Tensor, watch: Stopwatch
    ) -> Inverse:
        n = len(system.points)
        if estimate.solver == "cholesky":
            return CholeskyInverse(system, block=self._block(n), watch=watch)
        return ConjugateGradientInverse(
            system,
            rank=min(self.rank, n),
            seed=self.seed,
            goal=goal / 2,  # the recurrence is blind to rounding: leave it some room
            iterations=self.max_iterations,
            watch=watch,
        )

    def _block(self, n: int) -> int:
        return self.block or min(_LARGEST_BLOCK, max(_SMALLEST_BLOCK, n // _BLOCKS))

    def _tile(self, n: int) -> int:
        return min(self.block or n, _LARGEST_TILE)


def _announce(system: System, estimate: Estimate) -> None:
    if system.show:
        with Progress(1, "kernel fit: estimate", show=True) as line:
            line.update(1, f"{estimate}, about {estimate.seconds():.0f} s")


def _refusal(solver: AnySolver, factor: Estimate, iterate: Estimate, allowed: float) -> str:
    """Return what to say when the memory is not there, with what would need less."""
    needed = {"auto": iterate, "cg": iterate, "cholesky": factor}[solver]
    advice = ""
    if solver == "cholesky" and iterate.num_bytes <= allowed:
        advice = f"; solver='cg' needs {gigabytes(iterate.num_bytes)}"
    return (
        f"`memory` must be at least {gigabytes(needed.num_bytes)} for {needed.num_points:,} points "
        f"with solver={needed.solver!r} in {needed.dtype}, got {gigabytes(allowed)}{advice}."
    )
