"""Spectral norms of layers, as the linear operators they are."""

import math
from collections.abc import Callable
from math import prod
from typing import TypeAlias

import numpy as np
import scipy
import torch
from torch import Tensor, nn

from corruptlab._draws import Draws
from corruptlab.capacity.rademacher._layers import Affine, Pool, read_layers

Operator: TypeAlias = Callable[[Tensor], Tensor]
"""A linear function of a ``float64`` vector ``(d,)``."""

# Relative error of the squared norm at which to stop, and a number of steps that is never needed:
# layers take 20 to 100.
_TOLERANCE = 1e-6
_STEPS = 1000


def spectral_norm(layer: nn.Linear | nn.Conv2d, input_shape: tuple[int, ...]) -> float:
    """Return the spectral norm of a layer as a linear operator, without its bias.

    For a convolution, this is the norm of the operator on images of the given shape, including zero
    padding and stride, and not the norm of its kernel as a matrix. (The Fourier transform of the
    kernel gives the norm directly only for circular padding, Sedghi, Gupta, and Long 2019; for zero
    padding it is an approximation.) The operator and its transpose, computed by automatic
    differentiation, are applied in a Lanczos iteration, whose number of steps is about the square
    root of that of power iteration. The iterates converge from below; the residual, which is below
    1e-6 of the squared norm, is added.

    Args:
        layer: ``nn.Linear``, or ``nn.Conv2d`` with zero padding.
        input_shape: Shape of one input, such as ``(3, 28, 28)``.

    Returns:
        The norm in ``float64``, accurate to six digits.

    Raises:
        TypeError: If ``layer`` has another type.
        ValueError: If ``input_shape`` does not match the layer, or the padding is not zero padding.

    Example:
        >>> import torch
        >>> from corruptlab.capacity import rademacher
        >>> average = torch.nn.Conv2d(1, 1, 3, padding=1, bias=False)
        >>> _ = torch.nn.init.constant_(average.weight, 1 / 9)
        >>> round(rademacher.spectral_norm(average, (1, 8, 8)), 4)  # 1 with circular padding
        0.9212

    Source: Golub and Van Loan 2013, §10.1 and 10.4.
    """
    if not isinstance(layer, nn.Linear | nn.Conv2d):
        raise TypeError(f"`layer` must be an nn.Linear or nn.Conv2d, got {type(layer).__name__}.")
    (affine,) = read_layers(nn.Sequential(layer), input_shape)
    assert isinstance(affine, Affine)
    return largest_singular_value(affine.linear, affine.in_size, affine.weight.device)


@torch.inference_mode(False)  # there nothing could be differentiated
def largest_singular_value(operator: Operator, size: int, device: torch.device) -> float:
    """Return the norm, to six digits, of a differentiable linear operator on ``size`` numbers."""
    squared = _squared(operator, size, device)  # A^T A
    normals = Draws(0).normals("rademacher/spectral_norm", [0], size)[0]
    start = torch.from_numpy(normals).to(device, torch.float64)
    basis: list[Tensor] = [start / torch.linalg.vector_norm(start)]
    diagonal: list[float] = []
    beside: list[float] = []
    value = residual = 0.0
    for _ in range(min(size, _STEPS)):
        step = squared(basis[-1])
        diagonal.append(float(step @ basis[-1]))
        # Against all vectors so far, as the three-term recurrence alone loses orthogonality; and
        # twice, as little is left of what is almost an eigenvector, and that little is inexact.
        known = torch.stack(basis)
        for _ in range(2):
            step = step - known.T @ (known @ step)
        left = float(torch.linalg.vector_norm(step))
        value, residual = _largest_ritz(diagonal, beside, left)
        if residual <= _TOLERANCE * value:
            break
        beside.append(left)
        basis.append(step / left)
    return float(np.sqrt(value + residual))


def _squared(operator: Operator, size: int, device: torch.device) -> Operator:
    with torch.enable_grad():
        origin = torch.zeros(size, dtype=torch.float64, device=device, requires_grad=True)
        image = operator(origin)

    def squared(vector: Tensor) -> Tensor:
        with torch.no_grad():
            pushed = operator(vector)
        pulled: Tensor = torch.autograd.grad(image, origin, pushed, retain_graph=True)[0]
        return pulled

    return squared


def _largest_ritz(diagonal: list[float], beside: list[float], left: float) -> tuple[float, float]:
    """Return the largest eigenvalue of the tridiagonal matrix, and the residual of its vector."""
    last = len(diagonal) - 1
    if last == 0:  # SciPy before 1.13 takes no empty off-diagonal
        return max(diagonal[0], 0.0), left
    values, vectors = scipy.linalg.eigh_tridiagonal(
        np.array(diagonal), np.array(beside), select="i", select_range=(last, last)
    )
    return max(float(values[0]), 0.0), left * abs(float(vectors[-1, 0]))


def l2_lipschitz(pool: Pool) -> float:
    """Return a Lipschitz constant of a pooling layer in the Euclidean norm."""
    # Mean pooling is linear, and its constant is its spectral norm: 1 / k for k x k windows side
    # by side. The maximum over a window moves by no more than the largest change in it, so maximum
    # pooling has the square root of the number of windows that share a pixel at most.
    layer = pool.layer
    if isinstance(layer, nn.MaxPool2d):
        return math.sqrt(prod(_windows_a_pixel(layer, pool.in_shape, axis) for axis in (0, 1)))
    plane = (1, 1, *pool.in_shape[-2:])  # channels do not mix, so one is enough

    def mean(vector: Tensor) -> Tensor:
        image: Tensor = layer(vector.reshape(plane))
        return image.flatten()

    return largest_singular_value(mean, prod(plane), torch.device("cpu"))


def _windows_a_pixel(layer: nn.MaxPool2d, shape: tuple[int, ...], axis: int) -> int:
    """Return the largest number of windows along an axis that hold the same position."""
    size, stride, padding, dilation = (
        value if isinstance(value, int) else value[axis]
        for value in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    )
    length = shape[-2:][axis]
    plane: Tensor = layer(torch.zeros(1, 1, *shape[-2:]))
    starts = torch.arange(plane.shape[2 + axis])[:, None] * stride - padding
    positions = (starts + torch.arange(size) * dilation).flatten()
    inside = positions[(positions >= 0) & (positions < length)]
    return int(torch.bincount(inside).max())
