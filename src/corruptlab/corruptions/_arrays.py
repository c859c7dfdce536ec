"""Arrays in, arrays out: the checks and conversions that every corruption shares."""

from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from corruptlab._checks import at_least, example_ids
from corruptlab._types import Array, Ids, Labels

ArrayT = TypeVar("ArrayT", NDArray[Any], torch.Tensor)
"""A NumPy array or a PyTorch tensor: what comes in decides what goes out."""


def to_numpy(values: NDArray[Any] | torch.Tensor) -> Array:
    """Return the values as a NumPy array, without a copy where that is possible."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        # NumPy has no bfloat16; float32 holds every bfloat16 exactly.
        return (values.float() if values.dtype is torch.bfloat16 else values).numpy()
    return np.asarray(values)


def like(original: ArrayT, values: Array) -> ArrayT:
    """Return new values as the kind of array, type, and device that the original had."""
    if isinstance(original, torch.Tensor):
        return torch.from_numpy(values).to(device=original.device, dtype=original.dtype)
    return values.astype(original.dtype, copy=False)


def checked_labels(labels: NDArray[Any] | torch.Tensor, num_classes: int) -> Labels:
    """Return class labels as ``int64``, or say what is wrong with them."""
    y = to_numpy(labels)
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise TypeError(
            "`labels` must be one integer class for each example, got "
            f"{y.dtype} of shape {y.shape}; turn soft or multi-label targets into classes first."
        )
    at_least(1, "num_classes", num_classes)
    wrong = np.flatnonzero((y < 0) | (y >= num_classes))
    if len(wrong):
        raise ValueError(
            f"`labels` must lie in 0 .. {num_classes - 1}, "
            f"got {y[wrong[0]]} at position {wrong[0]}."
        )
    return y.astype(np.int64, copy=False)


def checked_ids(ids: ArrayLike | None, n: int) -> Ids:
    """Return the example numbers of ``n`` examples: those given, or 0 .. n - 1."""
    if ids is None:
        return np.arange(n)
    numbers = example_ids(ids)
    if numbers.shape != (n,):
        raise ValueError(
            f"`ids` must hold one number for each of {n} examples, got shape {numbers.shape}."
        )
    return numbers
