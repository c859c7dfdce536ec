"""States of a network and of PyTorch that a fit changes for a while and then puts back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

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
def recording_gradients() -> Iterator[None]:
    """Record gradients for a while, even if the caller has switched that off."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        yield


@contextmanager
def kept_generators(device: torch.device) -> Iterator[None]:
    """Put PyTorch's generators back as they were.

    Args:
        device: The device of the fit.
    """
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        yield


def seed_layers(word: int, device: torch.device) -> None:
    """Seed PyTorch's generators for what layers draw in one step, such as dropout.

    A step that is seeded by itself draws the same after a resumption as without one, and there is
    no state to keep. It costs a microsecond.

    Args:
        word: The seed.
        device: The device of the fit.
    """
    torch.default_generator.manual_seed(word)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(word)


def layer_seeds(seed: int, steps: range, rank: int) -> list[int]:
    """Return the seeds of some steps.

    Args:
        seed: The seed of the fit.
        steps: Numbers of the steps, from 0.
        rank: Number of the process: each draws its own.

    Returns:
        One seed a step.
    """
    stream = "fit/layers" if rank == 0 else f"fit/layers/{rank}"
    words: list[int] = Draws(seed).integers(stream, np.asarray(steps, np.int64), 2**31).tolist()
    return words


@contextmanager
def dropout_of(model: nn.Module, p: float | None) -> Iterator[None]:
    """Set the probability of all dropout layers for a while.

    Args:
        model: The network.
        p: The probability, or None to leave every layer as it is.

    Raises:
        ValueError: If there shall be dropout and the network has no such layer.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, _DropoutNd)]
    if p and not layers:
        raise ValueError(
            f"`recipe.dropout` must be None or 0 for a network without dropout layers, got {p}."
        )
    before = [layer.p for layer in layers]
    for layer in layers:
        layer.p = layer.p if p is None else p
    try:
        yield
    finally:
        for layer, probability in zip(layers, before, strict=True):
            layer.p = probability


@contextmanager
def deterministic_kernels(wanted: bool, device: torch.device) -> Iterator[None]:
    """Let PyTorch use deterministic GPU kernels only, for a while.

    Args:
        wanted: Whether to do so.
        device: The device; on a CPU there is nothing to do.

    Raises:
        ValueError: If the GPU's matrix library needs a setting that has to come before.
    """
    if not wanted or device.type != "cuda":
        yield
        return
    if os.environ.get("CUBLAS_WORKSPACE_CONFIG") not in (":4096:8", ":16:8"):
        raise ValueError(
            "`execution.deterministic` on a GPU needs the environment variable "
            "CUBLAS_WORKSPACE_CONFIG=:4096:8, set before Python starts."
        )
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
