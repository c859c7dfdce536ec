"""Plain layers with given weights."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """Return a ``float64`` layer that holds copies of a weight and, maybe, a bias.

    Args:
        weight: Shape ``(outputs, inputs)``; may be an expanded view.
        bias: Shape ``(outputs,)``, or None for a layer without.

    Returns:
        The layer, on the device of the weight.
    """
    outputs, inputs = weight.shape
    # On the meta device the constructor has nothing to fill, so it draws nothing.
    layer = nn.Linear(inputs, outputs, bias is not None, device="meta", dtype=torch.float64)
    layer = layer.to_empty(device=weight.device)
    layer.weight.copy_(weight)
    if bias is not None:
        layer.bias.copy_(bias)
    return layer
