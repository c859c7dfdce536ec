"""The linear system of a kernel interpolant."""

from dataclasses import dataclass

import torch
from torch import Tensor

from corruptlab._progress import Progress
from corruptlab.capacity.kernels._gram import gram_times
from corruptlab.capacity.kernels._kernels import Kernel


@dataclass(frozen=True, eq=False)
class System:
    """``(K + ridge I) alpha = y`` for the kernel matrix ``K`` of some points, which is not kept.

    Args:
        kernel: The kernel.
        points: The points, shape ``(n, d)``.
        ridge: What is added to the diagonal.
        tile: Rows and columns of ``K`` that are in memory at a time.
        show: Whether to show progress.
    """

    kernel: Kernel
    points: Tensor
    ridge: float
    tile: int
    show: bool

    def times(self, vectors: Tensor) -> Tensor:
        """Return ``(K + ridge I) V`` with ``K`` in the type of the points."""
        return self._times(vectors, self.points.dtype, None)

    def residual(self, coefficients: Tensor, targets: Tensor) -> Tensor:
        """Return ``y - (K + ridge I) alpha``, all of it in ``float64``."""
        with self.progress(len(self.points), "residual, rows") as line:
            return targets - self._times(coefficients, torch.float64, line)

    def progress(self, total: int, label: str) -> Progress:
        """Return a progress line of a part of the work, which is silent if that takes no time."""
        return Progress(max(1, total), f"kernel fit: {label}", show=self.show, least_seconds=1.0)

    def _times(self, vectors: Tensor, dtype: torch.dtype, line: Progress | None) -> Tensor:
        product = gram_times(
            self.kernel, self.points, vectors, dtype=dtype, tile=self.tile, line=line
        )
        return product.add_(vectors, alpha=self.ridge)
