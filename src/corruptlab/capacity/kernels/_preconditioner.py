"""An approximate inverse of a kernel matrix, from a few of its columns."""

import torch
from torch import Tensor

from corruptlab.capacity.kernels._kernels import Kernel
from corruptlab.capacity.kernels._partial_cholesky import partial_cholesky
from corruptlab.capacity.kernels._spans import spans

# Rows that are converted to float64 at once.
_ROWS_AT_ONCE = 8192


class Preconditioner:
    """The inverse of ``F F^T + delta I``, where ``F F^T`` approximates the kernel matrix ``K``.

    ``F`` is a partial Cholesky factor of ``K`` whose pivots are drawn with probability proportional
    to what is left of the diagonal. ``delta`` is the ridge and the mean of what is left at the
    end, so that the traces agree, but at least ``sqrt(eps)`` of the mean diagonal. The inverse
    comes from a matrix of the size of the rank: ``(I - F (F^T F + delta I)^-1 F^T) / delta``.

    Args:
        kernel: The kernel.
        points: The points, shape ``(n, d)``.
        ridge: What is added to the diagonal of ``K``.
        rank: Columns of ``F`` at most, >= 0; there are fewer if nothing is left of the diagonal.
        seed: Decides the pivots.

    Raises:
        NotPositiveDefiniteError: If ``K`` is seen not to be positive semi-definite.
        ValueError: If a value of the kernel is not finite.

    Source: Díaz, Epperly, Frangella, Tropp, and Webber 2023, "Robust, randomized preconditioning
    for kernel ridge regression".
    """

    def __init__(
        self, kernel: Kernel, points: Tensor, *, ridge: float, rank: int, seed: int
    ) -> None:
        self._factor, left = partial_cholesky(kernel, points, rank=rank, seed=seed)
        size = float(self._factor.square().sum(1).mean() + left.mean())
        # A smaller delta would blow up what rounding leaves of the difference below.
        least = torch.finfo(points.dtype).eps ** 0.5 * size
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
