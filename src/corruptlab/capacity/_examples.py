"""Examples as a user hands them over, as tensors that are checked."""

from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from corruptlab._tensors import check_finite

Rows: TypeAlias = Tensor | NDArray[Any]
"""Examples along the first axis, shape ``(n, ...)``: images as they are stored, or vectors."""

Pair: TypeAlias = tuple[Rows, ArrayLike | Tensor]
"""Inputs, shape ``(n, ...)``, and their labels, shape ``(n,)``."""


def read_inputs(inputs: Rows, name: str = "inputs") -> Tensor:
    """Return inputs as a tensor, without a copy where there need be none.

    Args:
        inputs: Tensor or array of shape ``(n, ...)``.
        name: What the caller calls them, for the errors.

    Returns:
        The same numbers in the same type.

    Raises:
        TypeError: If they are something else, or neither bytes nor floats.
        ValueError: If there is no example, an example has no axis, or a number is not finite.
    """
    if not isinstance(inputs, Tensor | np.ndarray):
        raise TypeError(f"`{name}` must be a tensor or an array, got {type(inputs).__name__}.")
    tensor = inputs.detach() if isinstance(inputs, Tensor) else _from_numpy(inputs, name)
    if tensor.ndim < 2 or len(tensor) == 0:
        raise ValueError(
            f"`{name}` must have shape (n, ...) with n >= 1 examples of at least one axis, "
            f"got shape {tuple(tensor.shape)}."
        )
    if tensor.dtype != torch.uint8 and not tensor.is_floating_point():
        raise TypeError(f"`{name}` must be bytes (uint8) or floats, got {tensor.dtype}.")
    check_finite(tensor, name)
    return tensor


def read_labels(
    labels: ArrayLike | Tensor, *, n: int, num_classes: int, name: str = "labels"
) -> Tensor:
    """Return class labels as a tensor on the CPU.

    Args:
        labels: One integer an example.
        n: Number of examples.
        num_classes: Outputs of the network.
        name: What the caller calls them, for the errors.

    Returns:
        ``int64`` of shape ``(n,)``.

    Raises:
        TypeError: If they are not integers.
        ValueError: If they are not one for each example, or one has no output.
    """
    values = np.asarray(labels.detach().cpu() if isinstance(labels, Tensor) else labels)
    if values.dtype.kind not in "iu":
        raise TypeError(f"`{name}` must be integers, got {values.dtype}.")
    if values.shape != (n,):
        raise ValueError(
            f"`{name}` must have shape ({n},), one for each input, got shape {values.shape}."
        )
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"`{name}` must lie in 0 .. {num_classes - 1}, the {num_classes} outputs of `model`, "
            f"got {low if low < 0 else high}."
        )
    return torch.from_numpy(values.astype(np.int64))


def _from_numpy(array: NDArray[Any], name: str) -> Tensor:
    # PyTorch knows neither what is read-only (a memory map) nor the other order of bytes.
    native = np.require(array, array.dtype.newbyteorder("="), ["C", "W"])
    try:
        return torch.from_numpy(native)
    except TypeError:
        raise TypeError(f"`{name}` must hold numbers, got an array of {array.dtype}.") from None
