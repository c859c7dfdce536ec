"""The theorem written down as it stands: a matrix, a solve, a sum."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def matrix(z: Floats, b: Floats) -> Floats:
    """A_ij = max(z_i - b_j, 0)."""
    return np.maximum(z[:, None] - b[None, :], 0)


def network(x: Floats, a: Floats, b: Floats, w: Floats) -> Floats:
    """c(x) = sum_j w_j max(<a, x> - b_j, 0)."""
    return np.asarray(matrix(x @ a, b) @ w)


def exact_network(x: Floats, a: Floats, b: Floats, w: Floats) -> float:
    """The same at one point without any rounding until the end."""
    z = exact_inner_product(x, a)
    hinges = [max(z - Fraction(place), Fraction(0)) for place in b.tolist()]
    return float(sum(Fraction(each) * h for each, h in zip(w.tolist(), hinges, strict=True)))


def exact_inner_product(x: Floats, a: Floats) -> Fraction:
    terms = (Fraction(p) * Fraction(q) for p, q in zip(x.tolist(), a.tolist(), strict=True))
    return sum(terms, Fraction(0))


def points(n: int, d: int, *, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((n, d))


def signs(n: int, *, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).choice([-1.0, 1.0], n)


def values(net: torch.nn.Module, x: NDArray[Any]) -> Floats:
    return np.asarray(net(torch.from_numpy(x)).numpy())


def same(one: torch.nn.Module, other: torch.nn.Module) -> None:
    for (name, p), (_, q) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        assert_array_equal(p, q, err_msg=name)


class Twice:
    """Blocks of some sizes, as often as they are asked for."""

    def __init__(self, x: Any, y: Any, *sizes: int) -> None:
        self.x, self.y, self.sizes, self.readings = x, y, sizes, 0

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        self.readings += 1
        first = 0
        for size in self.sizes:
            yield self.x[first : first + size], self.y[first : first + size]
            first += size
