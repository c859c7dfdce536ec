"""Multi-layer perceptrons."""

import itertools
import math
from collections.abc import Sequence

from torch import nn

from corruptlab._memory import check_fits
from corruptlab.models._initialization import Initialization, build
from corruptlab.models._layers import check_num_classes, check_sizes


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
        *widths: Number of units of each hidden layer, in the order of the layers, each >= 1.
            Without widths, the model is linear.
        input_shape: Shape of one input *after* cropping, such as ``(channels, height, width)``.
        num_classes: Number of outputs, >= 1.
        seed: Seed of the initial weights; any integer >= 0.
        init: Distribution of the initial weights, see `initialize`.

    Returns:
        The network. It maps ``float32`` inputs of shape ``(n, *input_shape)`` to logits of shape
        ``(n, num_classes)``.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is below 1 or exceeds the memory, or ``init`` is unknown.

    Example:
        >>> from corruptlab.models import mlp
        >>> sum(parameter.numel() for parameter in mlp(512).parameters())
        1209866
        >>> sum(parameter.numel() for parameter in mlp(512, 512, 512).parameters())
        1735178

    Source: Zhang et al. 2017, App. A: MLP 1x512 and MLP 3x512 on 28x28x3 inputs.
    """
    check_sizes("widths", widths)
    check_sizes("input_shape", input_shape)
    inner = [math.prod(input_shape), *widths]
    weights = sum(fan_in * fan_out for fan_in, fan_out in itertools.pairwise(inner))
    check_fits("widths", widths, 4 * weights, "sizes that fit")
    check_num_classes(num_classes, inner[-1])
    sizes = [*inner, num_classes]
    return build(lambda: _layers(sizes), init, seed=seed)


def _layers(sizes: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])  # no ReLU after the last layer
