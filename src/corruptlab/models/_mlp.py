"""Multi-layer perceptrons."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import nn

from corruptlab._checks import whole
from corruptlab.models._initialization import Initialization, initialize


def mlp(
    *widths: int,
    input_shape: Sequence[int] = (3, 28, 28),
    num_classes: int = 10,
    seed: int = 0,
    init: Initialization = "glorot_uniform",
) -> nn.Sequential:
    """Build a fully connected ReLU network with one hidden layer for each width.

    Layers are ``Flatten, Linear, ReLU, ..., Linear``, in float32 on the CPU, in training mode.
    The weights are drawn by `initialize` and depend on ``seed``, not on PyTorch's generators.

    Args:
        *widths: Units of the hidden layers, each >= 1, first layer first. None at all gives a
            linear model.
        input_shape: Shape of one input *after* cropping, such as ``(channels, height, width)``.
        num_classes: Number of outputs, >= 1.
        seed: Which initial weights; any integer >= 0.
        init: Name of the law of the initial weights, see `initialize`.

    Returns:
        The network: ``(n, *input_shape)`` float32 in, ``(n, num_classes)`` logits out.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is below 1, or ``init`` is not a known name.

    Example:
        >>> from corruptlab.models import mlp
        >>> sum(parameter.numel() for parameter in mlp(512).parameters())
        1209866
        >>> sum(parameter.numel() for parameter in mlp(512, 512, 512).parameters())
        1735178

    Source: Zhang et al. 2017, App. A: MLP 1x512 and MLP 3x512 on 28x28x3 inputs.
    """
    _require_sizes("widths", widths)
    _require_sizes("input_shape", input_shape)
    _require_sizes("num_classes", [num_classes])
    sizes = [math.prod(input_shape), *widths, num_classes]
    layers: list[nn.Module] = [nn.Flatten()]
    # On the meta device the constructors of PyTorch have nothing to fill, so they draw nothing.
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out, device="meta", dtype=torch.float32), nn.ReLU()]
    network = nn.Sequential(*layers[:-1]).to_empty(device="cpu")  # no ReLU after the last layer
    initialize(network, init, seed=seed)
    return network


def _require_sizes(name: str, sizes: Sequence[int]) -> None:
    if any(whole(name, size) < 1 for size in sizes):
        given = sizes[0] if name == "num_classes" else tuple(sizes)
        raise ValueError(f"`{name}` must be at least 1, got {given}.")
