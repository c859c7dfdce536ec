"""The kernel matrix of a set of points, evaluated in pieces and never kept."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from corruptlab._progress import Progress
from corruptlab.capacity.kernels._kernels import Kernel

# Tiles that a kernel holds at once while it works: its result and two on the way there.
TILES = 3
# A tile in float64 is to stay in the cache of a processor (measured: a fifth faster than 2,000).
# A GPU has to get much at once: each tile is some twenty launches, whatever its size.
_LARGEST_TILE, _LARGEST_ON_A_GPU = 1000, 8000
_SHARE_FOR_TILES = 1 / 16


def largest_tile(device: torch.device, allowed: float) -> int:
    """Return the rows of the largest tile of the kernel matrix that is worth its memory."""
    if device.type != "cuda":
        return _LARGEST_TILE
    room = math.isqrt(int(_SHARE_FOR_TILES * allowed / (TILES * torch.float64.itemsize)))
    return max(_LARGEST_TILE, min(_LARGEST_ON_A_GPU, room))


def spans(n: int, size: int) -> list[tuple[int, int]]:
    """Return start and stop of each piece of ``0 .. n - 1``; the last may be smaller."""
    return [(start, min(start + size, n)) for start in range(0, n, size)]


def type_name(dtype: torch.dtype) -> str:
    """Return the name of a type as users write it, ``"float32"``."""
    return str(dtype).removeprefix("torch.")


def evaluate(kernel: Kernel, a: Tensor, b: Tensor) -> Tensor:
    """Return ``kernel(a, b)``; refuse what is not a matrix of their type and shape."""
    matrix: object = kernel(a, b)  # whatever it says it returns
    if not isinstance(matrix, Tensor) or matrix.dtype != a.dtype:
        kind = type_name(matrix.dtype) if isinstance(matrix, Tensor) else type(matrix).__name__
        want = type_name(a.dtype)
        raise TypeError(f"`kernel` must return a {want} tensor for {want} points, got {kind}.")
    if matrix.shape != (len(a), len(b)):
        shape, got = (len(a), len(b)), tuple(matrix.shape)
        raise ValueError(f"`kernel` must return a matrix of shape {shape}, got {got}.")
    return matrix


def check_finite_kernel(values: Tensor) -> None:
    """Refuse a kernel with values, or sums of them, that are not finite."""
    if not bool(values.isfinite().all()):
        raise ValueError("`kernel` must be finite, got nan or inf on the points of `x`.")


def check_kernel(kernel: Kernel, points: Tensor) -> None:
    """Try a kernel on a few points, to reject a wrong one before the work begins."""
    some, other = points[:8], points[-8:]
    matrix, mirrored = evaluate(kernel, some, other), evaluate(kernel, other, some).T
    check_finite_kernel(matrix)
    difference = float((matrix - mirrored).abs().max())
    if difference > 1e3 * torch.finfo(matrix.dtype).eps * float(matrix.abs().max()):
        raise ValueError(
            f"`kernel` must be symmetric, got matrices k(a, b) and k(b, a) that differ by "
            f"{difference:.3g}."
        )


class Stopwatch:
    """The seconds of each phase of some work on a device, in the order in which phases began."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what is done inside, even if it fails; a second time adds to the first."""
        self._synchronize()
        start = time.perf_counter()
        self.seconds.setdefault(name, 0.0)
        try:
            yield
        finally:
            self._synchronize()
            self.seconds[name] += time.perf_counter() - start

    def _synchronize(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


@dataclass(frozen=True, eq=False)
class System:
    """The linear system ``(K + ridge I) alpha = y``, solved in tiles of ``tile`` rows of ``K``."""

    kernel: Kernel
    points: Tensor  # (n, d)
    ridge: float
    tile: int
    show: bool  # progress
    watch: Stopwatch
    # Room for K in float64: block rows start .. stop - 1, each with columns 0 .. stop - 1. None is
    # K computed anew for each residual.
    stored: Sequence[Tensor] | None = None

    def times(self, vectors: Tensor) -> Tensor:
        """Return ``(K + ridge I) V`` with ``K`` in the type of the points."""
        return self._times(vectors, self.points.dtype, None)

    def residual(self, coefficients: Tensor, targets: Tensor) -> Tensor:
        """Return ``y - (K + ridge I) alpha``, all of it in ``float64``."""
        with (
            self.watch.phase("residual"),
            self.progress(len(self.points), "residual, rows") as line,
        ):
            if self.stored is not None:
                return targets - self._stored_times(coefficients, self.stored, line)
            return targets - self._times(coefficients, torch.float64, line)

    def progress(self, total: int, label: str) -> Progress:
        """Return a progress line that stays silent if the work takes no time."""
        return Progress(max(1, total), f"kernel fit: {label}", show=self.show, least_seconds=1.0)

    def store(self, row: Tensor) -> None:
        """Compute a block row of ``stored``."""
        stop = row.shape[1]
        for top, bottom in spans(len(row), self.tile):
            first = stop - len(row)
            rows = self.points[first + top : first + bottom].double()
            for left, right in spans(stop, self.tile):
                columns = self.points[left:right].double()
                row[top:bottom, left:right] = evaluate(self.kernel, rows, columns)

    def _stored_times(self, vectors: Tensor, stored: Sequence[Tensor], line: Progress) -> Tensor:
        """Return the product with the matrix that is stored."""
        product = torch.zeros_like(vectors)
        for row in stored:
            stop = row.shape[1]
            start = stop - len(row)
            product[start:stop] += row @ vectors[:stop]
            product[:start] += row[:, :start].T @ vectors[start:stop]
            line.update(stop)
        if not bool(product.isfinite().all()):
            for row in stored:
                check_finite_kernel(row)
        return product.add_(vectors, alpha=self.ridge)

    def _times(self, vectors: Tensor, dtype: torch.dtype, line: Progress | None) -> Tensor:
        """Return the product: each tile is computed in ``dtype``, used for both its places."""
        product = torch.zeros_like(vectors)
        bounds = spans(len(self.points), self.tile)
        for i, (start, stop) in enumerate(bounds):
            rows, own = self.points[start:stop].to(dtype), vectors[start:stop].to(dtype)
            for left, right in bounds[: i + 1]:
                block = evaluate(self.kernel, rows, self.points[left:right].to(dtype))
                product[start:stop] += block @ vectors[left:right].to(dtype)
                if left < start:
                    product[left:right] += block.T @ own
            if line is not None:
                line.update(stop)
        if not bool(product.isfinite().all()):  # by the kernel's fault, or by that of the vectors
            for start, stop in bounds:
                rows = self.points[start:stop].to(dtype)
                for left, right in bounds:
                    columns = self.points[left:right].to(dtype)
                    check_finite_kernel(evaluate(self.kernel, rows, columns))
        return product.add_(vectors, alpha=self.ridge)
