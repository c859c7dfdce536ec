"""Balls of weight vectors: the supremum over each in closed form, and what bounds it."""

import math
from typing import Protocol

import torch
from torch import Tensor

from corruptlab.capacity.rademacher._bound import Bound
from corruptlab.capacity.rademacher._massart import massart
from corruptlab.capacity.rademacher._moments import column_squares, row_norms
from corruptlab.capacity.rademacher._second_moment import khintchine, second_moment_bounds


class UnitBall(Protocol):
    """What has to be known of a unit ball; it learns about the inputs block by block."""

    def add(self, block: Tensor, *, first: int) -> None:
        """Take note of the next examples, ``(b, d)``, the first of which has number ``first``."""

    def suprema(self, sums: Tensor) -> Tensor:
        """Return ``sup_w <w, s>`` for each row s of ``(draws, d)``: its dual norm."""

    def scale(self, n: int, *, gaussian: bool) -> float:
        """Return the constant of the sure interval, see `Estimate`."""

    def bounds(self, n: int, *, gaussian: bool) -> tuple[Bound, Bound]:
        """Return the lower and the upper bound on the complexity."""


class L2Ball:
    """Weight vectors with ``||w||_2 <= 1``; at x no function exceeds ``||x||_2``."""

    def __init__(self) -> None:
        self._squares = 0.0  # sum_i ||x_i||_2^2

    def add(self, block: Tensor, *, first: int) -> None:
        """See `UnitBall`."""
        norms = row_norms(block, "l2", first=first, name="inputs")
        self._squares += float(norms.square().sum())

    def suprema(self, sums: Tensor) -> Tensor:
        """See `UnitBall`."""
        norms: Tensor = torch.linalg.vector_norm(sums, dim=1)
        return norms

    def scale(self, n: int, *, gaussian: bool) -> float:
        """See `UnitBall`; the Lipschitz constant is the spectral norm of the inputs, below this."""
        return math.sqrt(self._squares) / n

    def bounds(self, n: int, *, gaussian: bool) -> tuple[Bound, Bound]:
        """See `UnitBall`."""
        return second_moment_bounds(math.sqrt(self._squares), n=n, gaussian=gaussian)


class L1Ball:
    """Weight vectors with ``||w||_1 <= 1``; at x no function exceeds ``||x||_inf``.

    It is the convex hull of the 2 d signed coordinates, hence Massart's lemma from above; from
    below, one coordinate alone.
    """

    def __init__(self) -> None:
        self._squares = 0.0  # sum_i ||x_i||_inf^2
        self._columns = torch.zeros(1, dtype=torch.float64)  # sum_i x_ij^2 for each j, once known

    def add(self, block: Tensor, *, first: int) -> None:
        """See `UnitBall`."""
        norms = row_norms(block, "linf", first=first, name="inputs")
        self._squares += float(norms.square().sum())
        self._columns = self._columns.to(block.device) + column_squares(block)

    def suprema(self, sums: Tensor) -> Tensor:
        """See `UnitBall`."""
        return sums.abs().amax(dim=1)

    def scale(self, n: int, *, gaussian: bool) -> float:
        """See `UnitBall`; a supremum of coordinates is as Lipschitz as the steepest of them."""
        return (self._longest_column if gaussian else math.sqrt(self._squares)) / n

    def bounds(self, n: int, *, gaussian: bool) -> tuple[Bound, Bound]:
        """See `UnitBall`."""
        longest = self._longest_column
        upper = massart(longest, size=2 * len(self._columns), n=n)
        return khintchine(longest, n=n, gaussian=gaussian), upper

    @property
    def _longest_column(self) -> float:
        return math.sqrt(float(self._columns.max()))
