"""Conjugate gradients, for several right-hand sides at once."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from corruptlab._progress import Progress


@dataclass(frozen=True)
class Iterate:
    """Where conjugate gradients ended.

    Args:
        solution: Shape ``(n, k)``.
        iterations: Products with the matrix.
        interrupted: Whether Ctrl-C ended it.
    """

    solution: Tensor
    iterations: int
    interrupted: bool


def conjugate_gradients(
    times: Callable[[Tensor], Tensor],
    targets: Tensor,
    *,
    precondition: Callable[[Tensor], Tensor],
    goal: Tensor,
    iterations: int,
    line: Progress,
) -> Iterate:
    """Solve ``A x = y`` for each column of ``y`` by itself, from zero.

    The columns share products with ``A`` but not their steps. A column that is solved rests, and
    so does one along whose direction ``A`` is not positive in the arithmetic at hand. Ctrl-C ends
    the iteration with what there is.

    Args:
        times: The product with ``A``, symmetric and positive definite.
        targets: ``y``, ``float64`` of shape ``(n, k)``.
        precondition: The product with an approximate inverse of ``A``.
        goal: A column is solved when ``|y - A x| <= goal`` by the recurrence, shape ``(k,)``.
        iterations: How many there may be.
        line: Is told the iteration and what is left of the residual's norm.

    Returns:
        The solution and how many iterations it took.

    Source: Hestenes and Stiefel 1952; Golub and Van Loan 2013, "Matrix computations", §11.5.
    """
    x, r = torch.zeros_like(targets), targets
    start = float(targets.norm())
    done = 0
    try:
        direction = z = precondition(r)
        product = (r * z).sum(0)
        for done in range(1, iterations + 1):
            image = times(direction)
            curvature = (direction * image).sum(0)
            moving = (r.norm(dim=0) > goal) & (curvature > 0)
            step = torch.where(moving, product / curvature, 0)
            x, r = x + step * direction, r - step * image
            sizes = r.norm(dim=0)
            line.update(done, f"residual down to {float(sizes.norm()) / start:.1e}")
            if bool((sizes <= goal).all()) or not bool(moving.any()):
                break
            z = precondition(r)
            before, product = product, (r * z).sum(0)
            direction = z + torch.where(moving, product / before, 0) * direction
    except KeyboardInterrupt:
        return Iterate(x, done, interrupted=True)
    return Iterate(x, done, interrupted=False)
