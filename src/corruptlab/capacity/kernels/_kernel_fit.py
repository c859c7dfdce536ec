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
from corruptlab._memory import available_memory, full_memory
from corruptlab._text import counted
from corruptlab.capacity.kernels._gram import evaluate, largest_tile, spans
from corruptlab.capacity.kernels._inputs import Values, read_labels, read_points, tensor_of
from corruptlab.capacity.kernels._kernels import Kernel

Solver: TypeAlias = Literal["cholesky", "cg"]
"""How the system is solved: by a Cholesky factorization, or by conjugate gradients."""

StoppedBy: TypeAlias = Literal["solved", "stalled", "interrupted"]
"""Why a fit ended: the system is solved, nothing moved it nearer its goal, or Ctrl-C."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Estimated memory and work of a kernel fit; returned by `KernelInterpolant.estimate`.

    For ``n`` points of dimension ``d``, ``k`` outputs, and ``s`` bytes per number, the dominant
    terms of the Cholesky factorization are ``s n**2 / 2`` bytes and ``n**3 / 3 + n**2 d``
    operations. Those of conjugate gradients are ``2 s n r`` bytes, for a preconditioner of rank
    ``r``, and ``n**2 (d + 2 k)`` operations per iteration. For up to about 30,000 points, Cholesky
    also stores the matrix in ``float64`` if the memory allows, ``4 n**2`` bytes, so that residuals
    need not recompute it.

    Args:
        solver: Solver of the linear system.
        dtype: Name of the dtype of the matrix.
        device: Device of the fit.
        num_points: Number of points.
        num_bytes: Peak memory in bytes: the lower triangle of the kernel matrix, also in
            ``float64`` if it is stored (or the preconditioner), tiles, points, and targets.
            Temporaries of a custom kernel beyond three tiles are not included.
        flops: Floating-point operations, where those in ``float64`` count twice; for ``"cg"``, with
            the maximum number of iterations.
        stores_matrix: Whether the matrix is stored in ``float64``.

    Example:
        >>> from corruptlab.capacity.kernels import GaussianKernel, KernelInterpolant
        >>> interpolant = KernelInterpolant(GaussianKernel(0.02), memory=10e9)
        >>> estimate = interpolant.estimate(60_000, 784, num_outputs=10)
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
        """Return the estimated time in seconds, from a measured rate of matrix products.

        The first call for a dtype measures the device for a few hundredths of a second.
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

    Without a ridge, its values at the training points are ``y``, up to `residual`, and its norm in
    the reproducing kernel Hilbert space is the smallest among all such functions.

    Attributes:
        kernel: The kernel.
        ridge: Number that was added to the diagonal of the kernel matrix.
        points: Distinct training points, shape ``(n, d)``.
        coefficients: ``alpha``, ``float64`` of shape ``(n, k)``.
        num_classes: Number of classes, or None if the targets were real numbers.
        flat: Whether the targets had shape ``(n,)``.
        num_merged: Number of training points that were dropped because they equal another point
            with an equal target.
        stopped_by: Reason for the end of the fit: ``"solved"``; ``"stalled"`` if conjugate
            gradients did not reach their tolerance; ``"interrupted"`` by Ctrl-C.
        residuals: Largest absolute entry of ``y - (K + ridge I) alpha``, computed in ``float64``,
            after the first solution and after each refinement.
        norms: Norm of each output in the kernel's Hilbert space, ``sqrt(alpha_c^T K alpha_c)``.
        iterations: Number of products with the kernel matrix in conjugate gradients; 0 for
            Cholesky.
        seconds: Duration of each phase in seconds, by name.
        estimate: Estimate before the fit: solver, dtype, memory, and work.
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
        """Smallest of `residuals`, which is the residual of `coefficients`."""
        return min(self.residuals)

    @property
    def norm(self) -> float:
        """Norm over all outputs: the square root of the sum of squares of `norms`."""
        return math.hypot(*self.norms)

    @property
    def gflops_per_second(self) -> float | None:
        """Rate of the factorization, ``n**3 / 3`` operations; None without one."""
        seconds = self.seconds.get("factor")
        return len(self.points) ** 3 / 3e9 / seconds if seconds else None

    def predict(self, x: Values) -> Tensor:
        """Evaluate the function in the dtype of the fit.

        Args:
            x: Inputs, shape ``(m, ...)`` as in the fit; ``uint8`` is divided by 255.

        Returns:
            Values of shape ``(m, k)``, or ``(m,)`` if the targets had one axis, on the device of
            the fit. For classes, column ``c`` interpolates 1 on class ``c`` and 0 elsewhere.

        Raises:
            TypeError: If the inputs are not real numbers.
            ValueError: If the dimension of the inputs differs from the fit, or a value is not
                finite.
            MemoryError: If the device runs out of memory.
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
            ``int64`` classes of shape ``(m,)``; the lowest class in a tie.

        Raises:
            TypeError: If the targets were not classes, or the inputs are not real numbers.
            ValueError: If the inputs are invalid, see `predict`.
        """
        if self.num_classes is None:
            raise TypeError("`classify` needs a fit to integer labels, got one to real targets.")
        return self.predict(x).argmax(dim=1)

    def error(self, x: Values, y: Values) -> float:
        """Return the error rate, or the mean squared error, on labelled inputs.

        Args:
            x: Inputs, as in `predict`.
            y: Targets of the inputs, classes or real numbers as in the fit.

        Returns:
            Share of misclassified inputs for classes; mean squared error over all inputs and
            outputs for real targets.

        Raises:
            TypeError: If the inputs or targets have the wrong type.
            ValueError: If lengths or shapes do not match, or a label is out of range.
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
        """Return the fields, except points and coefficients, as a JSON-serializable dictionary."""
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
