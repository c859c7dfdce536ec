"""By how much pooling stretches distances."""

import math
from math import prod

import torch
from torch import Tensor, nn

from corruptlab.capacity.rademacher._layers import Pool
from corruptlab.capacity.rademacher._spectral_norm import largest_singular_value


def l2_lipschitz(pool: Pool) -> float:
    """Return a Lipschitz constant of a pooling layer in the Euclidean norm.

    Mean pooling is linear, and its constant is its spectral norm: ``1 / k`` for k x k windows
    side by side. The maximum over a window moves by no more than the largest change in it, so
    maximum pooling has the square root of the number of windows that share a pixel at most: 1 for
    windows side by side.

    Args:
        pool: The layer.

    Returns:
        The constant.
    """
    if isinstance(pool.layer, nn.MaxPool2d):
        return math.sqrt(prod(_windows_a_pixel(pool, axis) for axis in (0, 1)))
    plane = (1, 1, *pool.in_shape[-2:])  # channels do not mix, so one is enough
    return largest_singular_value(
        lambda vector: _pooled(pool, vector.reshape(plane)).flatten(),
        prod(plane),
        torch.device("cpu"),
    )


def max_gain(pool: Pool) -> float:
    """Return a Lipschitz constant in the maximum norm: 1 unless a divisor says otherwise.

    Args:
        pool: The layer.

    Returns:
        The constant; for mean pooling the largest sum of a row of its matrix, which has no
        negative entries.
    """
    if isinstance(pool.layer, nn.MaxPool2d):
        return 1.0
    ones = torch.ones(1, 1, *pool.in_shape[-2:], dtype=torch.float64)
    return float(_pooled(pool, ones).max())


def _pooled(pool: Pool, images: Tensor) -> Tensor:
    result: Tensor = pool.layer(images)
    return result


def _windows_a_pixel(pool: Pool, axis: int) -> int:
    """Return the largest number of windows along an axis that hold the same position."""
    layer = pool.layer
    assert isinstance(layer, nn.MaxPool2d)
    size, stride, padding, dilation = (
        value if isinstance(value, int) else value[axis]
        for value in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    )
    length = pool.in_shape[-2:][axis]
    plane: Tensor = layer(torch.zeros(1, 1, *pool.in_shape[-2:]))
    starts = torch.arange(plane.shape[2 + axis])[:, None] * stride - padding
    positions = (starts + torch.arange(size) * dilation).flatten()
    inside = positions[(positions >= 0) & (positions < length)]
    return int(torch.bincount(inside).max())
