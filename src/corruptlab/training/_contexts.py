"""States of a network and of PyTorch that a fit changes for a while and then restores."""

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from corruptlab._draws import Draws
from corruptlab._memory import full_memory
from corruptlab.training._recipe import Recipe

# Work of fewer operations gains nothing from a second thread: it takes a tenth of a millisecond on
# one core, and Python takes several times as long to start it. With two, every product waits until
# both threads had their turn, which on a core that other programs use is milliseconds later.
OPERATIONS_FOR_THREADS = 1e7


@contextmanager
def recording_gradients() -> Iterator[None]:
    """Record gradients for a while, even if the caller has switched that off."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        yield


@contextmanager
def preserve_torch_rng(device: torch.device) -> Iterator[None]:
    """Restore PyTorch's generators, on the CPU and on the device of the fit."""
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        yield


def seed_layers(seed: int, device: torch.device) -> None:
    """Seed PyTorch's generators for what layers draw in one step, such as dropout.

    A step that is seeded by itself draws the same after a resumption; there is no state to keep.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        index: int | None = device.index
        own = torch.cuda.current_device() if index is None else index
        torch.cuda.default_generators[own].manual_seed(seed)


def layer_seeds(seed: int, steps: range, rank: int) -> list[int]:
    """Return a seed for each of some steps; each process draws its own."""
    stream = "fit/layers" if rank == 0 else f"fit/layers/{rank}"
    seeds: list[int] = Draws(seed).integers(stream, np.asarray(steps, np.int64), 2**31).tolist()
    return seeds


@contextmanager
def dropout_of(model: nn.Module, p: float | None) -> Iterator[None]:
    """Set the probability of all dropout layers for a while; None leaves each as it is."""
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
    """Let PyTorch use deterministic GPU kernels only, for a while."""
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


@contextmanager
def float32_products(device: torch.device, *, tf32: bool) -> Iterator[None]:
    """Let a GPU compute products of float32 numbers with all their digits, or with TF32's."""
    # By PyTorch's defaults convolutions do the latter, and matrix products the former.
    if device.type != "cuda":
        yield
        return
    before, name = _read_tf32(), "tf32" if tf32 else "ieee"
    exact = before._replace(gpu=(name,) * len(before.gpu))
    if before.cudnn is not None:
        exact = exact._replace(cudnn=tf32)
    if before.matmul is not None:
        digits = "high" if tf32 else "highest"
        exact = exact._replace(matmul=digits, cpu=(name,) * len(before.cpu))
    _set_tf32(exact)
    try:
        yield
    finally:
        _set_tf32(before)


class _Tf32(NamedTuple):
    """PyTorch's settings, which it knows by two names each from PyTorch 2.9 on."""

    cudnn: bool | None  # by the old names; None if they contradict the new ones, and then
    matmul: str | None  # whoever reads or sets them gets an error
    gpu: tuple[str, ...]  # by the new names, if there are any
    cpu: tuple[str, ...]


def _tf32_switches() -> tuple[list[Any], list[Any]]:
    """Return what goes by new names: settings for the GPU, and for the CPU."""
    backends: Any = torch.backends
    if not hasattr(backends.cudnn, "conv"):
        return [], []
    return [backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn], [backends.mkldnn.matmul]


def _read_tf32() -> _Tf32:
    cudnn = matmul = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer versions warn of old names
        with suppress(RuntimeError):
            cudnn = torch.backends.cudnn.allow_tf32
        with suppress(RuntimeError):
            matmul = torch.get_float32_matmul_precision()
    gpu, cpu = ([each.fp32_precision for each in some] for some in _tf32_switches())
    return _Tf32(cudnn, matmul, tuple(gpu), tuple(cpu))


def _set_tf32(wanted: _Tf32) -> None:
    # Both names, so that neither contradicts the other; the new ones last, because an old one
    # changes several of them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if wanted.cudnn is not None:
            torch.backends.cudnn.allow_tf32 = wanted.cudnn
        if wanted.matmul is not None:
            torch.set_float32_matmul_precision(wanted.matmul)
    for switches, values in zip(_tf32_switches(), (wanted.gpu, wanted.cpu), strict=True):
        for switch, value in zip(switches, values, strict=True):
            switch.fp32_precision = value


def explained_memory(recipe: Recipe, device: torch.device) -> AbstractContextManager[None]:
    """Turn PyTorch's errors about memory into one that says what to change."""
    return full_memory(
        f"The memory of {device} is full with batches of {recipe.batch_size}; try a smaller "
        "`recipe.batch_size`, recipe.precision='bfloat16', or, if the data take most of it, "
        "execution=Execution(data='stream')."
    )
