"""How every architecture comes to be: layers first, then weights, and no generator in between."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from corruptlab.models._initialization import Initialization, initialize

Network = TypeVar("Network", bound=nn.Module)


def build(layers: Callable[[], Network], init: Initialization, *, seed: int) -> Network:
    """Make a network and draw its initial weights.

    On the meta device the constructors of PyTorch have nothing to fill, so they draw nothing, and
    take no time.

    Args:
        layers: Makes the network; called once.
        init: Name of the law of the initial weights, see `initialize`.
        seed: Which weights; any integer >= 0.

    Returns:
        The network in float32 on the CPU, in training mode, whatever PyTorch's defaults are.
    """
    with torch.device("meta"):
        network = layers()
    network = network.to(torch.float32).to_empty(device="cpu")
    initialize(network, init, seed=seed)
    return network
