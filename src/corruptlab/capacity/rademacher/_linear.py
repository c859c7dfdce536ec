"""Linear functions in a ball."""

import math
from typing import Literal, Protocol, TypeAlias, get_args

import torch
from torch import Tensor

from corruptlab._checks import check_choice, positive
from corruptlab.capacity.rademacher._bound import (
    Bound,
    Convention,
    khintchine,
    second_moment_bounds,
)
from corruptlab.capacity.rademacher._estimate import Estimate, MonteCarlo, SignedSums
from corruptlab.capacity.rademacher._finite import massart
from corruptlab.capacity.rademacher._inputs import Inputs, column_squares, read_blocks, row_norms

Ball: TypeAlias = Literal["l2", "l1"]
"""Which norm of the weight vector is at most the radius."""


@torch.no_grad()
def linear(
    inputs: Inputs,
    *,
    radius: float = 1.0,
    ball: Ball = "l2",
    draws: int = 100,
    seed: int = 0,
    convention: Convention = "zhang",
    gaussian: bool = False,
    confidence: float = 0.95,
) -> Estimate:
    """Estimate the complexity of the linear functions ``x -> <w, x>`` with ``w`` in a norm ball.

    For a draw of signs, the supremum is exactly ``(B/n) ||sum_i sigma_i x_i||`` in the dual norm:
    l2 for the l2 ball and l-infinity for the l1 ball of radius B. Only the mean over draws is
    estimated. ``uint8`` inputs are divided by 255, as a `Recipe` does; other inputs are used
    unchanged. Inputs are flattened. There is no bias; append a constant 1 to the inputs for a bias
    inside the ball.

    Inputs are read once, in blocks of a few million values, so a memory map or an iterator of
    blocks can be much larger than memory. The work is one matrix product of ``(draws, b)`` by
    ``(b, d)`` for each block of b examples, on the device of the block.

    Args:
        inputs: Tensor, array, or memory map of shape ``(n, ...)``, or an iterable of blocks of that
            shape. Products are computed in ``float32`` for dtypes that ``float32`` represents
            exactly, unless the squares in a block overflow or underflow, and otherwise in
            ``float64``.
        radius: Radius B of the ball, > 0.
        ball: Norm of the ball, ``"l2"`` or ``"l1"``.
        draws: Number of random sign vectors, >= 2.
        seed: Seed of the signs, which depend on the seed, the draw, and the example; any integer >=
            0.
        convention: Definition of the complexity, see `Convention`; the class is symmetric, so the
            two differ by a factor of 2.
        gaussian: Whether to estimate the Gaussian complexity, with normal draws in place of signs.
        confidence: Confidence level of the intervals, in ``(0, 1)``.

    Returns:
        The estimate. For the l2 ball, its upper bound is ``(B/n) sqrt(sum_i ||x_i||**2)`` and its
        lower bound is ``1/sqrt(2)`` times this value (Khintchine-Kahane inequality). For the l1
        ball, with the column ``c`` of the inputs that has the largest norm, the bounds are
        ``(B/n) ||c|| sqrt(2 log(2 d))`` and ``(B/n) ||c|| / sqrt(2)``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If there are no inputs, a value is not finite, shapes differ, or an option is
            out of range.

    Example:
        >>> import numpy as np
        >>> from corruptlab.capacity import rademacher
        >>> inputs = np.random.default_rng(0).standard_normal((1000, 20))
        >>> rademacher.linear(inputs)
        Estimate(Rademacher complexity of linear functions in the l2 ball of radius 1: ...,
        95% t-interval [..., ...], bounds [0.0996..., 0.140...]; n=1000, draws=100, seed=0,
        convention='zhang')

    Source: Bartlett and Mendelson 2002, Lemma 22; Mohri et al. 2018, Thm 5.10 (l2), 11.15 (l1).
    """
    radius = positive("radius", radius)
    check_choice("ball", ball, get_args(Ball))
    plan = MonteCarlo(
        draws=draws, seed=seed, convention=convention, gaussian=gaussian, confidence=confidence
    )
    unit: _UnitBall = _L2Ball() if ball == "l2" else _L1Ball()
    sums = SignedSums(plan.weights)
    for piece in read_blocks(inputs, beside=plan.draws):
        block = piece.flatten(1)  # (b, d)
        unit.add(block, first=sums.n)
        sums.add(block)
    return plan.estimate(
        unit.suprema(sums.sums) / sums.n,
        name=f"linear functions in the {ball} ball",
        radius=radius,
        n=sums.n,
        scale=unit.scale(sums.n, gaussian=gaussian),
        bounds=unit.bounds(sums.n, gaussian=gaussian),
        symmetric=True,
        device=sums.sums.device,
    )


class _UnitBall(Protocol):
    """What has to be known of a unit ball; it learns about the inputs block by block."""

    def add(self, block: Tensor, *, first: int) -> None:
        """Take note of the next examples, ``(b, d)``, the first of which has number ``first``."""

    def suprema(self, sums: Tensor) -> Tensor:
        """Return ``sup_w <w, s>`` for each row s of ``(draws, d)``: its dual norm."""

    def scale(self, n: int, *, gaussian: bool) -> float:
        """Return the constant of the concentration bound, see `Estimate`."""

    def bounds(self, n: int, *, gaussian: bool) -> tuple[Bound, Bound]:
        """Return the lower and the upper bound on the complexity."""


class _L2Ball:
    """Weight vectors with ``||w||_2 <= 1``; at x no function exceeds ``||x||_2``."""

    def __init__(self) -> None:
        self._squares = 0.0  # sum_i ||x_i||_2^2

    def add(self, block: Tensor, *, first: int) -> None:
        norms = row_norms(block, "l2", first=first, name="inputs")
        self._squares += float(norms.square().sum())

    def suprema(self, sums: Tensor) -> Tensor:
        norms: Tensor = torch.linalg.vector_norm(sums, dim=1)
        return norms

    def scale(self, n: int, *, gaussian: bool) -> float:
        # The Lipschitz constant is the spectral norm of the inputs, which is below this.
        return math.sqrt(self._squares) / n

    def bounds(self, n: int, *, gaussian: bool) -> tuple[Bound, Bound]:
        return second_moment_bounds(math.sqrt(self._squares), n=n, gaussian=gaussian)


class _L1Ball:
    """Weight vectors with ``||w||_1 <= 1``; at x no function exceeds ``||x||_inf``."""

    # It is the convex hull of the 2 d signed coordinates, hence Massart's lemma from above; from
    # below, one coordinate alone.

    def __init__(self) -> None:
        self._squares = 0.0  # sum_i ||x_i||_inf^2
        self._columns = torch.zeros(1, dtype=torch.float64)  # sum_i x_ij^2 for each j, once known

    def add(self, block: Tensor, *, first: int) -> None:
        norms = row_norms(block, "linf", first=first, name="inputs")
        self._squares += float(norms.square().sum())
        self._columns = self._columns.to(block.device) + column_squares(block)

    def suprema(self, sums: Tensor) -> Tensor:
        return sums.abs().amax(dim=1)

    def scale(self, n: int, *, gaussian: bool) -> float:
        # A supremum of coordinates is as Lipschitz as the steepest of them.
        return (self._longest_column if gaussian else math.sqrt(self._squares)) / n

    def bounds(self, n: int, *, gaussian: bool) -> tuple[Bound, Bound]:
        longest = self._longest_column
        upper = massart(longest, size=2 * len(self._columns), n=n)
        return khintchine(longest, n=n, gaussian=gaussian), upper

    @property
    def _longest_column(self) -> float:
        return math.sqrt(float(self._columns.max()))
