"""A fitted kernel interpolant: what a fit costs, and what it found."""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from corruptlab._environment import Environment
from corruptlab._memory import full_memory
from corruptlab._text import counted
from corruptlab.capacity.kernels._gram import available_memory, evaluate, largest_tile, spans
from corruptlab.capacity.kernels._inputs import Values, read_labels, read_points, tensor_of
from corruptlab.capacity.kernels._kernels import Kernel

Solver: TypeAlias = Literal["cholesky", "cg"]
"""How the system is solved: by a Cholesky factorization, or by conjugate gradients."""

StoppedBy: TypeAlias = Literal["solved", "stalled", "interrupted"]
"""Why a fit ended: the system is solved, nothing moved it nearer its goal, or Ctrl-C."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Memory and work of a kernel fit.

    For ``n`` points of ``d`` numbers, ``k`` outputs, and ``s`` bytes a number, the largest terms
    are ``s n**2 / 2`` bytes and ``n**3 / 3 + n**2 d`` operations of the Cholesky factorization; or
    ``2 s n r`` bytes for a preconditioner of rank ``r``, and ``n**2 (d + 2 k)`` operations for each
    iteration of conjugate gradients. For up to about 30,000 points Cholesky also stores the matrix
    in ``float64``, ``4 n**2`` bytes, if there is room: residuals then need not compute it again.

    Args:
        solver: How the system is solved.
        dtype: Name of the type of the matrix.
        device: Where it is solved.
        num_points: Number of points.
        num_bytes: Memory at the peak: the lower triangle of the kernel matrix, also in ``float64``
            if it is stored (or the preconditioner), tiles, points, and targets. Temporaries of a
            user's own kernel beyond three tiles are not in it.
        flops: Floating-point operations, those in float64 counted twice; for ``"cg"`` if it takes
            all of its iterations.
        stores_matrix: Whether the matrix is stored in ``float64``.

    Example:
        >>> from corruptlab.capacity.kernels import GaussianKernel, KernelInterpolant
        >>> estimate = KernelInterpolant(GaussianKernel(0.02)).estimate(60_000, 784, num_outputs=10)
        >>> print(estimate)
        cholesky in float32 on cpu: 60,000 points, 8.37 GB, 86,688 GFLOP
    """

    solver: Solver
    dtype: str
    device: str
    num_points: int
    num_bytes: int
    flops: float
    stores_matrix: bool = False

    def seconds(self) -> float:
        """Return how long the work takes at the rate of large matrix products, measured now.

        The device is tried for some hundredths of a second, once for each type.
        """
        return self.flops / _rate(getattr(torch, self.dtype), torch.device(self.device))

    def __str__(self) -> str:
        return (
            f"{self.solver} in {self.dtype} on {self.device}: {self.num_points:,} points, "
            f"{gigabytes(self.num_bytes)}, {self.flops / 1e9:,.0f} GFLOP"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelFit:
    """The function ``f(x) = sum_i alpha_i k(x, x_i)``, one for each output.

    Without a ridge it takes the values ``y`` at the training points, up to `residual`, and among
    all functions that do it has the least norm in the kernel's Hilbert space.

    Attributes:
        kernel: The kernel.
        ridge: What was added to the diagonal of the kernel matrix.
        points: Distinct training points, shape ``(n, d)``.
        coefficients: ``alpha``, ``float64`` of shape ``(n, k)``.
        num_classes: Number of classes, or None if the targets were real numbers.
        flat: Whether the targets were one real number a point.
        num_merged: Training points that equal another one, with equal targets, and were left out.
        stopped_by: Why the fit ended: ``"solved"``; ``"stalled"`` if conjugate gradients did not
            get to their tolerance; ``"interrupted"`` by Ctrl-C.
        residuals: Largest absolute entry of ``y - (K + ridge I) alpha``, computed in ``float64``,
            after the first solution and after each refinement.
        norms: Norm of each output in the kernel's Hilbert space, ``sqrt(alpha_c^T K alpha_c)``.
        iterations: Products with the kernel matrix that conjugate gradients took; 0 for Cholesky.
        seconds: Name of each phase to its seconds.
        estimate: What was foreseen: solver, type, memory, and work.
        environment: Versions, machine, and device.

    Example:
        >>> import torch
        >>> from corruptlab.capacity.kernels import GaussianKernel, KernelInterpolant
        >>> x = torch.tensor([[0.0], [1.0], [2.0]])
        >>> fit = KernelInterpolant(GaussianKernel(1.0)).fit(x, [0, 1, 0], num_classes=2)
        >>> fit.error(x, [0, 1, 0]), fit.residual < 1e-6
        (0.0, True)
        >>> fit.classify([[0.9], [5.0]])
        tensor([1, 0])
        >>> round(fit.norm, 3)
        2.009

    Source: Zhang et al. 2017, §5.
    """

    kernel: Kernel
    ridge: float
    points: Tensor
    coefficients: Tensor
    num_classes: int | None
    flat: bool
    num_merged: int
    stopped_by: StoppedBy
    residuals: tuple[float, ...]
    norms: tuple[float, ...]
    iterations: int
    seconds: Mapping[str, float]
    estimate: Estimate
    environment: Environment

    @property
    def residual(self) -> float:
        """The least of `residuals`, which is that of `coefficients`."""
        return min(self.residuals)

    @property
    def norm(self) -> float:
        """Norm of all outputs together: the root of the sum of the squares of `norms`."""
        return math.hypot(*self.norms)

    @property
    def gflops_per_second(self) -> float | None:
        """Rate of the factorization, ``n**3 / 3`` operations; None without one."""
        seconds = self.seconds.get("factor")
        return len(self.points) ** 3 / 3e9 / seconds if seconds else None

    def predict(self, x: Values) -> Tensor:
        """Evaluate the function, in the type of the fit.

        Args:
            x: Inputs, shape ``(m, ...)`` as in the fit; bytes are divided by 255.

        Returns:
            Values of shape ``(m, k)``, or ``(m,)`` if the targets were flat, on the device of the
            fit. For classes, column ``c`` interpolates 1 on class ``c`` and 0 elsewhere.

        Raises:
            TypeError: If the inputs are no real numbers.
            ValueError: If they have another number of dimensions, or are not finite.
            MemoryError: If the memory of the device is full.
        """
        device = self.points.device
        with full_memory(f"The memory of {device} is full; predict fewer inputs at a time."):
            return self._predict(x)

    def _predict(self, x: Values) -> Tensor:
        device = self.points.device
        inputs = read_points(x, dtype=self.points.dtype, device=device)
        if inputs.shape[1] != self.points.shape[1]:
            raise ValueError(
                f"`x` must have the {self.points.shape[1]} dimensions of the training points, "
                f"got {inputs.shape[1]}."
            )
        weights = self.coefficients.to(inputs.dtype)
        values = inputs.new_zeros(len(inputs), weights.shape[1])
        tile = largest_tile(device, available_memory(device))
        for start, stop in spans(len(inputs), tile):
            for left, right in spans(len(weights), tile):
                block = evaluate(self.kernel, inputs[start:stop], self.points[left:right])
                values[start:stop] += block @ weights[left:right]
        return values[:, 0] if self.flat else values

    def classify(self, x: Values) -> Tensor:
        """Return the class with the largest value for each input.

        Args:
            x: Inputs, as in `predict`.

        Returns:
            ``int64`` classes of shape ``(m,)``; the lowest of those that tie.

        Raises:
            TypeError: If the targets were no classes, or the inputs are no real numbers.
            ValueError: If the inputs do not suit, see `predict`.
        """
        if self.num_classes is None:
            raise TypeError("`classify` needs a fit to integer labels, got one to real targets.")
        return self.predict(x).argmax(dim=1)

    def error(self, x: Values, y: Values) -> float:
        """Measure the function on labelled inputs.

        Args:
            x: Inputs, as in `predict`.
            y: Their targets, of the kind of the training targets.

        Returns:
            For classes the share that is classified wrongly; for real targets the mean squared
            error over all inputs and outputs.

        Raises:
            TypeError: If inputs or targets are of another kind.
            ValueError: If their numbers or shapes do not match, or a label names no class.
        """
        wanted = tensor_of("y", y)
        outcome = self.predict(x) if self.num_classes is None else self.classify(x)
        if self.num_classes is not None:
            wanted = read_labels(wanted, self.num_classes)
        if wanted.shape != outcome.shape:
            shape, got = tuple(outcome.shape), tuple(wanted.shape)
            raise ValueError(f"`y` must have shape {shape} like the predictions, got {got}.")
        wanted = wanted.to(outcome.device)
        if self.num_classes is not None:
            return float((outcome != wanted).double().mean())
        return float((outcome.double() - wanted.double()).square().mean())

    def to_dict(self) -> dict[str, Any]:
        """Return everything but points and coefficients as a dictionary that JSON can hold."""
        return {
            "kernel": _described(self.kernel),
            "ridge": self.ridge,
            "num_points": len(self.points),
            "num_merged": self.num_merged,
            "num_classes": self.num_classes,
            "num_outputs": len(self.norms),
            "stopped_by": self.stopped_by,
            "residuals": list(self.residuals),
            "norm": self.norm,
            "norms": list(self.norms),
            "iterations": self.iterations,
            "seconds": dict(self.seconds),
            "gflops_per_second": self.gflops_per_second,
            "estimate": asdict(self.estimate),
            "environment": self.environment.to_dict(),
        }

    def __repr__(self) -> str:
        n, k = self.coefficients.shape
        how = "" if self.stopped_by == "solved" else f", {self.stopped_by}"
        return (
            f"KernelFit({counted(n, 'point')}, {counted(k, 'output')} by {self.estimate.solver} in "
            f"{self.estimate.dtype}{how}, {sum(self.seconds.values()):.1f} s; "
            f"residual {self.residual:.1e}, norm {self.norm:.4g})"
        )


def gigabytes(count: float) -> str:
    """Return a number of bytes for people, in powers of 1,000."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def _described(kernel: Any) -> dict[str, Any]:
    """Return the name of a kernel, and its parameters if it is a dataclass."""
    name = getattr(kernel, "__name__", type(kernel).__name__)
    own = fields(kernel) if is_dataclass(kernel) else ()
    return {"name": name, **{field.name: getattr(kernel, field.name) for field in own}}


@cache
def _rate(dtype: torch.dtype, device: torch.device, size: int = 1024) -> float:
    """Return the FLOP/s of the faster of two matrix products, after one to warm up."""
    a = torch.ones(size, size, dtype=dtype, device=device)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        (a @ a)[0, 0].item()  # `item` waits for the device
        seconds.append(time.perf_counter() - start)
    return 2.0 * size**3 / min(seconds[1:])
