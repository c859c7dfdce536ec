"""Arrays in, arrays out: NumPy arrays and PyTorch tensors, one for the other."""

from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from corruptlab._types import Array

ArrayT = TypeVar("ArrayT", NDArray[Any], torch.Tensor)
"""A NumPy array or a PyTorch tensor: what comes in decides what goes out."""


def without_values(values: object) -> str:
    """Return what kind of tensor this is, if NumPy cannot hold it; empty if it can."""
    if not isinstance(values, torch.Tensor):
        return ""
    if values.is_meta:
        return "a meta tensor"
    return "" if values.layout is torch.strided else f"a tensor of layout {values.layout}"


def to_numpy(values: NDArray[Any] | torch.Tensor) -> Array:
    """Return the values as a NumPy array, without a copy where that is possible."""
    if isinstance(values, torch.Tensor):
        if kind := without_values(values):
            raise TypeError(f"tensors must be dense and hold values, got {kind}.")
        values = values.detach().cpu()
        # NumPy has no bfloat16; float32 holds every bfloat16 exactly.
        return (values.float() if values.dtype is torch.bfloat16 else values).numpy()
    return np.asarray(values)


def like(original: ArrayT, values: Array) -> ArrayT:
    """Return new values as the kind of array, type, and device that the original had."""
    if isinstance(original, torch.Tensor):
        return torch.from_numpy(values).to(device=original.device, dtype=original.dtype)
    return values.astype(original.dtype, copy=False)
