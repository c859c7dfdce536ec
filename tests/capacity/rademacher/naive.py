"""Complexities from their definition: every vector of signs, one at a time."""

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from corruptlab.capacity.rademacher import Convention

Floats = NDArray[np.float64]


def points(n: int, d: int = 3, *, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((n, d))


def exact(n: int, sup: Callable[[Floats], float], *, convention: Convention = "zhang") -> float:
    """Mean over all 2**n signs of ``sup``, which is that of ``sum_i sigma_i f(x_i)`` over f."""
    times = 2 if convention == "bartlett_mendelson" else 1
    sups = [sup(np.array(signs, float)) for signs in itertools.product((-1, 1), repeat=n)]
    return times / n * math.fsum(sups) / len(sups)


def l2(x: Floats) -> Callable[[Floats], float]:
    return lambda signs: math.sqrt(sum(float(signs @ column) ** 2 for column in x.T))


def l1(x: Floats) -> Callable[[Floats], float]:
    return lambda signs: max(abs(float(signs @ column)) for column in x.T)


def rkhs(gram: Floats) -> Callable[[Floats], float]:
    return lambda signs: math.sqrt(max(float(signs @ gram @ signs), 0))


def largest(values: Floats, *, absolute: bool = False) -> Callable[[Floats], float]:
    def sup(signs: Floats) -> float:
        sums = [float(signs @ row) for row in values]
        return max(map(abs, sums)) if absolute else max(sums)

    return sup
