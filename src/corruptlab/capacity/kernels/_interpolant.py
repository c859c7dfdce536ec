"""Kernel interpolation without regularization, or with a ridge."""

import warnings
from dataclasses import KW_ONLY, dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol, get_args

import torch
from torch import Tensor

from corruptlab._checks import at_least, natural, not_negative, positive
from corruptlab._environment import Environment, usable_device
from corruptlab._memory import available_memory, full_memory
from corruptlab._progress import Progress
from corruptlab.capacity.kernels._cholesky import CholeskyInverse, LowerTriangle
from corruptlab.capacity.kernels._conjugate_gradients import ConjugateGradientInverse
from corruptlab.capacity.kernels._gram import (
    TILES,
    Stopwatch,
    System,
    check_kernel,
    largest_tile,
    type_name,
)
from corruptlab.capacity.kernels._inputs import Values, distinct, read_points, read_targets
from corruptlab.capacity.kernels._kernel_fit import (
    Estimate,
    KernelFit,
    Solver,
    StoppedBy,
    gigabytes,
)
from corruptlab.capacity.kernels._kernels import Kernel

AnySolver = Literal["auto", "cholesky", "cg"]

# Large blocks waste less on short products, small ones less on the squares of the diagonal.
# Sizes that are no multiple of 32 numbers make products a fifth slower (measured).
_LARGEST_BLOCK, _SMALLEST_BLOCK, _BLOCKS, _MULTIPLE = 4000, 512, 8, 32

# The more points, the smaller the share of the residuals, and the more a stored matrix takes.
_MOST_STORED_BYTES = 4e9


@dataclass(frozen=True)
class KernelInterpolant:
    """Solve ``(K + ridge I) alpha = y`` for the kernel matrix ``K`` of the training points.

    By default there is no ridge, and the fit interpolates all targets. Labels become one-hot rows
    (1 for the class, 0 elsewhere). Equal points with equal targets are merged; equal points with
    different targets cannot be interpolated and raise an error, except with a ridge.

    The Cholesky factorization is exact up to rounding, and takes ``n**3 / 3`` operations and the
    memory of the lower triangle. Conjugate gradients do not store the matrix, so their memory is
    linear in ``n``, but compute it again in every iteration.

    Args:
        kernel: A kernel of this module, or any function of two sets of points that returns their
            kernel matrix (see `Kernel`).
        ridge: Number added to the diagonal of ``K``, >= 0; not multiplied by ``n``.
        dtype: Type of the matrix, ``torch.float32`` or ``torch.float64``. Points are rounded to
            it once, at the beginning.
        device: Device of the computation.
        solver: ``"cholesky"``, ``"cg"``, or ``"auto"``: Cholesky if its memory is available.
        memory: Memory limit in bytes; None for nine tenths of the free memory at the start.
        refinements: Number of corrections of the solution by its residual in ``float64``, >= 0.
            Conjugate gradients are corrected only while the residual exceeds ``tolerance``.
        block: Number of rows of a block of the factor; None chooses by ``n``.
        tolerance: Stopping criterion of conjugate gradients: the norm of the residual relative to
            the norm of the targets, by column, > 0.
        max_iterations: Maximum number of iterations of conjugate gradients in all, >= 1.
        rank: Number of columns of ``K`` in their preconditioner, >= 0.
        seed: Seed of the choice of these columns; an integer >= 0.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the device is not available.

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

        Ctrl-C while the kernel matrix is computed or factorized raises ``KeyboardInterrupt``.
        During a refinement, or the iterations of conjugate gradients, it ends the fit with the
        solution so far.

        Args:
            x: Training points, shape ``(n, ...)``: an array or tensor of floats, or of bytes, which
                are divided by 255. The other axes are flattened.
            y: Integer labels ``0 .. num_classes - 1`` of shape ``(n,)``, or floats of shape
                ``(n,)`` or ``(n, k)``.
            num_classes: Number of classes; required for labels, not for floats.
            progress: Whether to show the estimated cost and the progress on standard error.

        Returns:
            The interpolant; see `KernelFit`.

        Raises:
            TypeError: If inputs, targets, or the return value of the kernel have the wrong type.
            ValueError: If they do not match, are not finite, or differ on equal points.
            MemoryError: If the fit requires more memory than is available.
            NotPositiveDefiniteError: If the kernel matrix is not positive definite in this type.
        """
        device = usable_device(self.device)
        with full_memory(
            f"The memory of {device} is full; try a smaller `block`, solver='cg' with a smaller "
            "`rank`, or fewer points."
        ):
            return self._fit(x, y, num_classes, progress, device)

    def _fit(
        self,
        x: Values,
        y: Values,
        num_classes: int | None,
        progress: bool,
        device: torch.device,
    ) -> KernelFit:
        points = read_points(x, dtype=self.dtype, device=device)
        targets = read_targets(y, len(points), num_classes=num_classes, device=device)
        check_kernel(self.kernel, points)
        values, given = targets.values, len(points)
        kept = None if self.ridge else distinct(points, targets)
        if kept is not None:
            points, values = points[kept], values[kept]
        allowed = self._allowed()
        estimate = self._estimate(len(points), points.shape[1], values.shape[1], allowed)
        if progress:
            with Progress(1, "kernel fit: estimate", show=True) as line:
                line.update(1, f"{estimate}, about {estimate.seconds():.0f} s")
        watch = Stopwatch(device)
        tile = self._tile(len(points), allowed)
        stored = None
        if estimate.stores_matrix:
            block = self._block(len(points))
            stored = LowerTriangle(
                len(points), block=block, dtype=torch.float64, device=device
            ).rows
        system = System(self.kernel, points, self.ridge, tile, progress, watch, stored)
        goal = (self.tolerance if estimate.solver == "cg" else 0) * values.norm(dim=0)
        inverse = self._inverse(system, estimate.solver, goal)
        solution = refined(system, inverse, values, refinements=self.refinements, goal=goal)
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
            iterations=inverse.iterations,
            seconds=MappingProxyType(watch.seconds),
            estimate=estimate,
            environment=Environment.here(device),
        )

    def estimate(self, num_points: int, num_features: int, *, num_outputs: int = 1) -> Estimate:
        """Return the cost of a fit, and the solver that it would use, without allocating memory.

        Args:
            num_points: Number of distinct training points, >= 1.
            num_features: Number of features of a point, >= 1.
            num_outputs: Number of classes, or of real targets per point, >= 1.

        Returns:
            Solver, memory, and number of operations.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If a number is below 1.
            MemoryError: If the fit requires more memory than is available.
        """
        n, d, k = num_points, num_features, num_outputs
        for name, value in (("num_points", n), ("num_features", d), ("num_outputs", k)):
            at_least(1, name, value)
        return self._estimate(n, d, k, self._allowed())

    def _allowed(self) -> float:
        """Return how many bytes a fit may take."""
        return available_memory(torch.device(self.device)) if self.memory is None else self.memory

    def _estimate(self, n: int, d: int, k: int, allowed: float) -> Estimate:
        storing, cholesky, cg = self._estimates(n, d, k, allowed)
        small = storing.num_bytes - cholesky.num_bytes <= _MOST_STORED_BYTES
        for estimate in (storing, cholesky, cg) if small else (cholesky, cg):
            if self.solver in ("auto", estimate.solver) and estimate.num_bytes <= allowed:
                return estimate
        needed, advice = cholesky if self.solver == "cholesky" else cg, ""
        if self.solver == "cholesky" and cg.num_bytes <= allowed:
            advice = f"; solver='cg' needs {gigabytes(cg.num_bytes)}"
        raise MemoryError(
            f"`memory` must be at least {gigabytes(needed.num_bytes)} for {n:,} points with "
            f"solver={needed.solver!r} in {needed.dtype}, got {gigabytes(allowed)}{advice}."
        )

    def _estimates(
        self, n: int, d: int, k: int, allowed: float
    ) -> tuple[Estimate, Estimate, Estimate]:
        """Return what Cholesky with and without a stored matrix, and conjugate gradients cost."""
        size, rank = self.dtype.itemsize, min(self.rank, n)
        # Points, before and after equal ones are merged, and ten (n, k) in float64.
        vectors = 2 * n * d * size + 10 * n * k * 8
        product = float(n) ** 2 * (d + 2 * k)  # operations of one, half of the matrix computed

        def tiles(rows: int, size: int) -> int:  # of kernel values, of points before and after
            rows = min(rows, n)
            return rows * (TILES * rows + 6 * d) * size

        def estimate(
            solver: Solver, num_bytes: int, flops: float, *, stores: bool = False
        ) -> Estimate:
            return Estimate(
                solver=solver,
                dtype=type_name(self.dtype),
                device=str(torch.device(self.device)),
                num_points=n,
                num_bytes=num_bytes + vectors,
                flops=flops,
                stores_matrix=stores,
            )

        block, tile = self._block(n), tiles(self._tile(n, allowed), 8)
        numbers = LowerTriangle.numbers(n, block)
        triangle, solutions = numbers * size, 1 + self.refinements
        each = 2 * product + 4 * n**2 * k  # a residual in float64, and a substitution
        preconditioner = 2 * n * rank * size + 3 * rank**2 * 8
        setup = n * rank * (2 * d + 3 * rank)
        iterations = self.max_iterations * (product + 4 * n * rank * k)
        return (
            estimate(
                "cholesky",
                triangle + 8 * numbers + tile,
                n**2 * (2 * d + n / 3) + solutions * 8 * n**2 * k,
                stores=True,
            ),
            estimate(
                "cholesky",
                triangle + max(tiles(block, size), tile),
                n**2 * (d + n / 3) + solutions * each,
            ),
            estimate("cg", preconditioner + tile, setup + iterations + 2 * product),
        )

    def _inverse(self, system: System, solver: Solver, goal: Tensor) -> "Inverse":
        n = len(system.points)
        if solver == "cholesky":
            return CholeskyInverse(system, block=self._block(n))
        return ConjugateGradientInverse(
            system,
            rank=min(self.rank, n),
            seed=self.seed,
            goal=goal / 2,  # the recurrence is blind to rounding: leave it some room
            iterations=self.max_iterations,
        )

    def _block(self, n: int) -> int:
        if self.block is not None:
            return self.block
        share = -(-n // (_BLOCKS * _MULTIPLE)) * _MULTIPLE
        return min(_LARGEST_BLOCK, max(_SMALLEST_BLOCK, share))

    def _tile(self, n: int, allowed: float) -> int:
        return min(self.block or n, largest_tile(torch.device(self.device), allowed))


class Inverse(Protocol):
    """An approximate inverse of the matrix of a system."""

    iterations: int
    interrupted: bool

    def __call__(self, targets: Tensor) -> Tensor:
        """Return ``float64`` coefficients for ``float64`` targets, both of shape ``(n, k)``."""


class Solution(NamedTuple):
    """Coefficients and what they leave over."""

    coefficients: Tensor  # float64, (n, k)
    residual: Tensor  # y - (K + ridge I) alpha in float64
    residuals: tuple[float, ...]  # its largest entry, at first and after each refinement
    stopped_by: StoppedBy


def refined(
    system: System, inverse: Inverse, targets: Tensor, *, refinements: int, goal: Tensor
) -> Solution:
    """Solve a system, then correct the solution for its residual, down to a goal by column."""
    # The residual is computed in float64 whatever the inverse works in, so that each correction
    # removes most of what rounding left. One that does not help is dropped and ends it. So does
    # Ctrl-C: the last solution stands. Wilkinson 1963, "Rounding errors in algebraic processes";
    # Higham 2002, ch. 12.

    def largest(residual: Tensor) -> float:
        return float(residual.abs().max())

    def reached(residual: Tensor) -> bool:
        return bool((residual.norm(dim=0) <= goal).all())

    solution = inverse(targets)
    interrupted = inverse.interrupted
    residual = system.residual(solution, targets)
    if bool(goal.any()):  # no iterate of a column is worse than 0, with which it began
        worse = (residual.norm(dim=0) <= targets.norm(dim=0)).logical_not()  # NaN too
        solution = torch.where(worse, 0, solution)
        residual = torch.where(worse, targets, residual)
    residuals = [largest(residual)]
    try:
        for _ in range(0 if interrupted else refinements):
            if reached(residual):
                break
            trial = solution + inverse(residual)
            interrupted = inverse.interrupted
            left = system.residual(trial, targets)
            residuals.append(largest(left))
            if not residuals[-1] < residuals[-2]:
                break
            solution, residual = trial, left
            if interrupted:
                break
    except KeyboardInterrupt:
        interrupted = True
    stopped_by: StoppedBy = "interrupted" if interrupted else "solved"
    if not interrupted and bool(goal.any()) and not reached(residual):
        stopped_by = "stalled"
        _warn_of_stall(system, inverse, residual, targets)
    return Solution(solution, residual, tuple(residuals), stopped_by)


def _warn_of_stall(system: System, inverse: Inverse, residual: Tensor, targets: Tensor) -> None:
    share = float((residual.norm(dim=0) / targets.norm(dim=0)).nan_to_num_().max())
    dtype = type_name(system.points.dtype)
    more = "" if dtype == "float64" else "`dtype=torch.float64`, "
    warnings.warn(
        f"Conjugate gradients stalled at a residual of {share:.2g} of the targets after "
        f"{inverse.iterations} iterations: in {dtype} the kernel matrix is nearly singular, or "
        f"`max_iterations` too few. Use a narrower kernel, {more}a `ridge`, a larger `rank`, or "
        "more iterations.",
        RuntimeWarning,
        stacklevel=4,
    )
