"""Small problems that the tests of kernels share, and naive ways to solve them."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from corruptlab.capacity.kernels import (
    GaussianKernel,
    Kernel,
    KernelInterpolant,
    LaplaceKernel,
    LinearKernel,
    PolynomialKernel,
)

Floats = NDArray[np.float64]
Naive = Callable[[Floats, Floats], float]

# Each kernel with its formula for two single points.
KERNELS: dict[str, tuple[Kernel, Naive]] = {
    "gaussian": (GaussianKernel(0.3), lambda a, b: math.exp(-0.3 * float(((a - b) ** 2).sum()))),
    "laplace": (
        LaplaceKernel(1.7),
        lambda a, b: math.exp(-math.sqrt(float(((a - b) ** 2).sum())) / 1.7),
    ),
    "linear": (LinearKernel(), lambda a, b: float((a * b).sum())),
    "polynomial": (
        PolynomialKernel(3, gamma=0.5, constant=2.0),
        lambda a, b: (0.5 * float((a * b).sum()) + 2.0) ** 3,
    ),
}


def unstored(made: KernelInterpolant, n: int, d: int, *, num_outputs: int = 3) -> KernelInterpolant:
    """Return an interpolant without the memory to store its matrix in float64."""
    whole = made.estimate(n, d, num_outputs=num_outputs)
    assert whole.stores_matrix
    less = replace(made, memory=whole.num_bytes - 1)
    assert not less.estimate(n, d, num_outputs=num_outputs).stores_matrix
    return less


def points(n: int = 40, d: int = 5, seed: int = 0) -> torch.Tensor:
    """Return standard normal points in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def labels(n: int = 40, classes: int = 3, seed: int = 1) -> torch.Tensor:
    """Return random labels."""
    return torch.randint(classes, (n,), generator=torch.Generator().manual_seed(seed))


def gram(name: str, a: torch.Tensor, b: torch.Tensor) -> Floats:
    """Return a kernel matrix by a double loop in float64."""
    formula = KERNELS[name][1]
    rows, columns = a.double().numpy(), b.double().numpy()
    return np.array([[formula(p, q) for q in columns] for p in rows])


def positive_definite(n: int, *, least: float = 0.5, seed: int = 0) -> torch.Tensor:
    """Return a dense positive definite matrix in float64, its eigenvalues at least ``least``."""
    x = points(n, n, seed)
    return x @ x.T / n + least * torch.eye(n, dtype=torch.float64)


def of_matrix(matrix: torch.Tensor) -> Kernel:
    """Return a kernel of given values; its points are `numbers`, each the number of a row."""

    def kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return matrix.to(a.dtype)[a[:, 0].long()][:, b[:, 0].long()]

    return kernel


def numbers(n: int) -> torch.Tensor:
    """Return points of one dimension, 0 to n - 1."""
    return torch.arange(float(n), dtype=torch.float64)[:, None]
