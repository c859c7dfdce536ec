"""Functions in a ball of a reproducing kernel Hilbert space."""

import math

import torch

from corruptlab._checks import positive
from corruptlab.capacity.rademacher._blocks import Rows
from corruptlab.capacity.rademacher._convention import Convention
from corruptlab.capacity.rademacher._estimate import Estimate
from corruptlab.capacity.rademacher._gram import KernelFunction, gram_products
from corruptlab.capacity.rademacher._monte_carlo import MonteCarlo
from corruptlab.capacity.rademacher._second_moment import second_moment_bounds


@torch.no_grad()
def kernel(
    data: Rows,
    *,
    function: KernelFunction | None = None,
    radius: float = 1.0,
    draws: int = 100,
    seed: int = 0,
    convention: Convention = "zhang",
    gaussian: bool = False,
    confidence: float = 0.95,
    progress: bool = False,
) -> Estimate:
    """Estimate the complexity of the ball of radius B in the Hilbert space of a kernel.

    For one draw of signs the supremum is exactly ``(B/n) sqrt(sigma^T K sigma)`` with the Gram
    matrix K of the sample; only the mean over draws is estimated. K is worked on in tiles of
    2,048 rows and columns, so with a ``function`` the whole matrix never exists, and a memory map
    of it may be larger than memory. The linear kernel gives what `linear` gives in the l2 ball,
    draw by draw.

    Args:
        data: The Gram matrix, shape ``(n, n)``, symmetric and positive semi-definite; or, with a
            ``function``, the inputs, shape ``(n, ...)``. A tensor, an array, or a memory map.
        function: The kernel: takes tensors of ``a`` and of ``b`` inputs, gives the ``(a, b)``
            matrix of values. It has to be symmetric; the tiles below the diagonal are not asked
            for.
        radius: Radius B of the ball, > 0.
        draws: Number of random sign vectors, >= 2.
        seed: Decides the signs, with the number of the draw and of the example; any integer >= 0.
        convention: Which definition; the class is symmetric, so they differ by a factor of 2.
        gaussian: Whether to estimate the Gaussian complexity, normal numbers in place of signs.
        confidence: Level of the intervals, in ``(0, 1)``.
        progress: Whether to show progress on standard error.

    Returns:
        The estimate, with the bounds ``(B/n) sqrt(trace K)`` and, from below, the
        Khintchine-Kahane share ``1/sqrt(2)`` of it.

    Raises:
        TypeError: If an argument or what the kernel gives is of a wrong kind.
        ValueError: If a shape does not fit, the matrix is not finite, symmetric, and positive
            semi-definite, or an option is out of range.

    Example:
        >>> import torch
        >>> from corruptlab.capacity import rademacher
        >>> inputs = torch.linspace(-1, 1, 50)[:, None]
        >>> def gaussian(a, b):
        ...     return torch.exp(-5 * torch.cdist(a, b) ** 2)
        >>> estimate = rademacher.kernel(inputs, function=gaussian)
        >>> estimate.upper_bound  # sqrt(50) / 50: a point has kernel value 1 with itself
        Bound(0.141421, n=50, convention='zhang'; second moment)
        >>> estimate.lower_bound.value < estimate.value < estimate.upper_bound.value
        True

    Source: Bartlett and Mendelson 2002, Lemma 22; Mohri et al. 2018, Thm 6.12.
    """
    radius = positive("radius", radius)
    plan = MonteCarlo(
        draws=draws, seed=seed, convention=convention, gaussian=gaussian, confidence=confidence
    )
    forms, trace, n = gram_products(data, function, plan.weights, progress=progress)
    root = math.sqrt(trace)
    return plan.estimate(
        forms.sqrt() / n,
        name="functions in the kernel's ball",
        radius=radius,
        n=n,
        scale=root / n,
        bounds=second_moment_bounds(root, n=n, gaussian=gaussian),
        symmetric=True,
        device=data.device if isinstance(data, torch.Tensor) else torch.device("cpu"),
    )
