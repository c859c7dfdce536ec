"""States of a network and of PyTorch that a fit changes for a while and then puts back."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from corruptlab._draws import Draws


@contextmanager
def kept_modes(model: nn.Module) -> Iterator[None]:
    """Put every layer back into the mode (training or evaluation) that it was in.

    Args:
        model: The network.
    """
    modes = [(layer, layer.training) for layer in model.modules()]
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network in evaluation mode without gradients for a while.

    Args:
        model: The network.
    """
    with kept_modes(model), torch.no_grad():
        model.eval()
        yield


@contextmanager
def own_generators(seed: int, device: torch.device) -> Iterator[None]:
    """Seed PyTorch's generators for what layers draw (dropout), and put them back afterwards.

    Args:
        seed: The seed of the fit.
        device: The device it runs on.
    """
    word = int(Draws(seed).integers("fit/layers", [0], 2**31)[0])
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(word)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(word)
        yield
