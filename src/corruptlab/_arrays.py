"""Arrays and tensors as users pass them: one for the other, and checked."""

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from corruptlab._structured import Inputs
from corruptlab._types import Array

Rows: TypeAlias = Tensor | NDArray[Any]
"""Examples along the first axis, shape ``(n, ...)``; a memory map is one, too."""

ArrayT = TypeVar("ArrayT", NDArray[Any], torch.Tensor)
"""A NumPy array or a PyTorch tensor: what comes in decides what goes out."""

_EXACT_IN_FLOAT32 = (
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.float16,
    torch.bfloat16,
    torch.float32,
)


def without_values(values: object) -> str:
    """Return what kind of tensor this is, if NumPy cannot hold it; empty if it can."""
    if not isinstance(values, torch.Tensor):
        return ""
    if values.is_meta:
        return "a meta tensor"
    return "" if values.layout is torch.strided else f"a tensor of layout {values.layout}"


def check_dense(values: object, name: str, where: str = "") -> None:
    """Refuse tensors that are sparse, or on no device."""
    if kind := without_values(values):
        raise TypeError(f"`{name}` must hold dense tensors with values, got {kind}{where}.")


def float_type(dtype: torch.dtype) -> torch.dtype:
    """Return ``float32`` for types that it holds exactly, else ``float64``."""
    return torch.float32 if dtype in _EXACT_IN_FLOAT32 else torch.float64


def to_numpy(values: NDArray[Any] | torch.Tensor) -> Array:
    """Return the values as a NumPy array, without a copy where that is possible."""
    if isinstance(values, torch.Tensor):
        if kind := without_values(values):
            raise TypeError(f"tensors must be dense and hold values, got {kind}.")
        values = values.detach().cpu().resolve_conj().resolve_neg()
        # NumPy has no bfloat16; float32 holds every bfloat16 exactly.
        return (values.float() if values.dtype is torch.bfloat16 else values).numpy()
    return np.asarray(values)


def like(original: ArrayT, values: Array) -> ArrayT:
    """Return new values as the kind of array, type, and device that the original had."""
    if isinstance(original, torch.Tensor):
        return torch.from_numpy(values).to(device=original.device, dtype=original.dtype)
    return values.astype(original.dtype, copy=False)


def in_place_of(original: ArrayT, values: Array, before: Array) -> ArrayT:
    """Return what became of an array; of another type only if it is of another one than before."""
    if values.dtype == before.dtype:  # which is float32 for bfloat16, too
        return like(original, values)
    if isinstance(original, torch.Tensor):
        return torch.from_numpy(np.ascontiguousarray(values)).to(original.device)
    return values


def read_inputs(inputs: Rows, name: str = "inputs") -> Tensor:
    """Return finite bytes or floats ``(n, ...)`` as a tensor, without a copy where possible."""
    if not isinstance(inputs, Tensor | np.ndarray):
        raise TypeError(f"`{name}` must be a tensor or an array, got {type(inputs).__name__}.")
    check_dense(inputs, name)
    try:
        tensor = inputs.detach() if isinstance(inputs, Tensor) else from_numpy(inputs)
    except TypeError:
        raise TypeError(f"`{name}` must hold numbers, got an array of {inputs.dtype}.") from None
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
    """Return one class label per example, ``int64`` of shape ``(n,)`` on the CPU."""
    check_dense(labels, name)
    values = np.asarray(labels.detach().cpu() if isinstance(labels, Tensor) else labels)
    if values.dtype.kind not in "iu":
        raise TypeError(f"`{name}` must be integers, got {values.dtype}.")
    if values.shape != (n,):
        raise ValueError(
            f"`{name}` must have shape ({n},), one for each input, got shape {values.shape}."
        )
    targets = torch.from_numpy(values.astype(np.int64))
    check_classes(targets, f"`{name}`", num_classes=num_classes)
    return targets


def check_classes(targets: Tensor, what: str, *, num_classes: int) -> None:
    """Reject classes that have no output."""
    low, high = (int(value) for value in targets.aminmax())
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"{what} must lie in 0 .. {num_classes - 1}, the {num_classes} outputs of `model`, "
            f"got {low if low < 0 else high}."
        )


def check_finite(inputs: Inputs, name: str, ids: Sequence[int] | None = None) -> None:
    """Reject NaN and infinities; quote the example, by its id in ``ids`` if they are given."""
    if not isinstance(inputs, Tensor):
        for path, field in inputs.leaves():
            check_finite(field, f"{name}{path}", ids)
        return
    # The sum of all is finite if and (but for overflow) only if all are: one fast pass.
    if not inputs.is_floating_point() or bool(inputs.sum().isfinite()):
        return
    finite = inputs.reshape(len(inputs), -1).isfinite().all(dim=1)
    if not bool(finite.all()):
        bad = int(finite.logical_not().nonzero()[0])
        example = bad if ids is None else ids[bad]
        raise ValueError(f"`{name}` must hold finite inputs, got nan or inf in example {example}.")


def from_numpy(array: NDArray[Any]) -> Tensor:
    """Return an array as a tensor; copy it if it is read-only or of another memory layout."""
    # PyTorch warns of memory that it must not write to, and takes no foreign byte order.
    return torch.from_numpy(np.require(array, array.dtype.newbyteorder("="), ["C", "W"]))
