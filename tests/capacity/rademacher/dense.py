"""Networks as dense matrices, found by feeding every basis vector to every layer."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from tests.capacity.rademacher.naive import Floats


@dataclass
class Map:
    """``x -> matrix x + offset`` on flattened inputs."""

    matrix: Floats
    offset: Floats

    @property
    def with_constant(self) -> Floats:
        """Acts on (x, 1)."""
        return np.concatenate([self.matrix, self.offset[:, None]], axis=1)

    @property
    def with_constant_on(self) -> Floats:
        """Acts on (x, 1) and gives (y, 1)."""
        last = np.zeros((1, self.matrix.shape[1] + 1))
        last[0, -1] = 1
        return np.concatenate([self.with_constant, last])


def dense(layer: nn.Module, shape: tuple[int, ...]) -> Map:
    """Columns of the matrix are what a layer does to basis vectors, its offset taken away."""
    size = math.prod(shape)
    layer = layer.double()
    with torch.no_grad():
        offset = layer(torch.zeros(1, *shape, dtype=torch.float64)).flatten(1)
        images = layer(torch.eye(size, dtype=torch.float64).reshape(size, *shape)).flatten(1)
    return Map((images - offset).numpy().T, offset[0].numpy())


def spectral(matrix: Floats) -> float:
    return float(np.linalg.svd(matrix, compute_uv=False)[0])


def frobenius(matrix: Floats) -> float:
    return math.sqrt(float((matrix**2).sum()))


def one_inf(matrix: Floats) -> float:
    return max(float(np.abs(row).sum()) for row in matrix)


def two_one(matrix: Floats) -> float:
    """Sum of the lengths of the rows: the (2,1) norm of the transpose."""
    return sum(math.sqrt(float(row @ row)) for row in matrix)


def seeded(network: nn.Module, *, seed: int = 0) -> nn.Module:
    """Fill all parameters with normal numbers."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
    return network
