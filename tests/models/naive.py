"""Layers and networks written out plainly, which those of the package have to equal."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

State = Mapping[str, Tensor]


def images(n: int = 2, c: int = 3, h: int = 28, w: int = 28, *, seed: int = 0) -> Tensor:
    return torch.randn(n, c, h, w, generator=torch.Generator().manual_seed(seed))


def moved(net: nn.Sequential, *, seed: int = 1) -> nn.Sequential:
    """Give biases and shifts values that are not 0, so that leaving them out would show."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim == 1:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return net


def pad(x: Tensor, kernel: int, stride: int, fill: float) -> Tensor:
    """Pad as TensorFlow's documentation says, one axis after the other."""
    for axis in (2, 3):
        total = max(kernel - (x.shape[axis] % stride or stride), 0)
        before, after = list(x.shape), list(x.shape)
        before[axis], after[axis] = total // 2, total - total // 2
        x = torch.cat([torch.full(before, fill), x, torch.full(after, fill)], dim=axis)
    return x


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1) -> Tensor:
    return conv2d(pad(x, weight.shape[-1], stride, 0.0), weight, bias, stride)


def pool(x: Tensor, kernel: int = 3, stride: int = 2) -> Tensor:
    padded = pad(x, kernel, stride, -math.inf)
    height, width = (-(-size // stride) for size in x.shape[-2:])
    out = torch.empty(*x.shape[:2], height, width)
    for i in range(height):
        for j in range(width):
            top, left = i * stride, j * stride
            out[:, :, i, j] = padded[:, :, top : top + kernel, left : left + kernel].amax((2, 3))
    return out


def lrn(
    x: NDArray[np.float64],
    *,
    radius: int = 4,
    bias: float = 1.0,
    alpha: float = 0.001 / 9,
    beta: float = 0.75,
) -> NDArray[np.float64]:
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        near = x[:, max(0, c - radius) : c + radius + 1]
        out[:, c] = x[:, c] / (bias + alpha * (near**2).sum(axis=1)) ** beta
    return out


def inception(state: State, x: Tensor, *, batch_norm: bool) -> Tensor:
    """Small Inception in training mode."""

    def module(x: Tensor, name: str, stride: int = 1) -> Tensor:
        bias = None if batch_norm else state[f"{name}.conv.bias"]
        x = conv(x, state[f"{name}.conv.weight"], bias, stride)
        if batch_norm:
            mean = x.mean((0, 2, 3), keepdim=True)
            variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
            x = (x - mean) / (variance + 0.001).sqrt()
            x = x + state[f"{name}.norm.bias"][None, :, None, None]
        return x.clamp(min=0)

    x = module(x, "0")
    for k in range(1, 11):
        if k in (3, 8):
            x = torch.cat([module(x, f"{k}.conv3x3", stride=2), pool(x)], dim=1)
        else:
            x = torch.cat([module(x, f"{k}.conv1x1"), module(x, f"{k}.conv3x3")], dim=1)
    return linear(x.mean((2, 3)), state["13.weight"], state["13.bias"])


def alexnet(state: State, x: Tensor) -> Tensor:
    """Small AlexNet."""
    for name in ("0", "4"):
        x = conv(x, state[f"{name}.weight"], state[f"{name}.bias"]).clamp(min=0)
        x = torch.from_numpy(lrn(pool(x).double().numpy())).float()
    x = x.flatten(1)
    for name in ("9", "11"):
        x = linear(x, state[f"{name}.weight"], state[f"{name}.bias"]).clamp(min=0)
    return linear(x, state["13.weight"], state["13.bias"])
