"""One input, or a batch of inputs, as an array, whatever type it has."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch

from corruptlab._arrays import check_dense, in_place_of, to_numpy
from corruptlab._structured import Inputs, StructuredInputs, is_sequence
from corruptlab._types import Array

Batch: TypeAlias = Array | StructuredInputs
"""Stacked inputs, shape ``(n, ...)``; with several fields, of arrays of this shape."""

_MODES = ("L", "LA", "RGB", "RGBA")

_REMEDIES = {
    "1": "convert them with image.convert('L')",
    "La": "convert them with image.convert('LA')",
    "PA": "convert them with image.convert('RGBA')",
    "RGBa": "convert them with image.convert('RGBA')",
    **dict.fromkeys(
        ("I", "F", "I;16", "I;16L", "I;16B", "I;16N"),
        "turn them into arrays with np.asarray(image), which keeps all their bits",
    ),
}


def as_array(value: Any, name: str = "dataset", position: int | None = None) -> Array:
    """Return one input as an array; PIL images have the channels last."""
    where = "" if position is None else f" at position {position}"
    if isinstance(value, torch.Tensor):
        check_dense(value, name, where)
        return to_numpy(value)
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if is_pil(value):
        if value.mode not in _MODES:
            remedy = _REMEDIES.get(value.mode, "convert them with image.convert('RGB')")
            raise TypeError(
                f"`{name}` must have PIL images of mode L, LA, RGB, or RGBA, "
                f"got {value.mode!r}{where}; {remedy}."
            )
        return np.asarray(value)
    raise TypeError(
        f"`{name}` must have inputs that are tensors, arrays, or PIL images, "
        f"got {type(value).__name__}{where}."
    )


def channels_first(value: Any, name: str = "dataset", position: int | None = None) -> Array:
    """Return one input as an array, PIL images with the channels first as PyTorch has them."""
    array = as_array(value, name, position)
    if not is_pil(value):
        return array
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


def stacked(inputs: Sequence[Any], name: str = "dataset", at: Sequence[int] | None = None) -> Batch:
    """Return inputs as one batch, PIL images with the channels first; `at` are their positions."""
    at = range(len(inputs)) if at is None else at
    if len(inputs) and is_structured(inputs[0]):
        return StructuredInputs(_stacked_fields(inputs, name, at), len(inputs))
    return _stacked_arrays(inputs, name, at)


def is_structured(value: Any) -> bool:
    """Return whether an input consists of several fields."""
    return isinstance(value, Mapping) or (isinstance(value, tuple) and is_sequence(value))


def _stacked_fields(inputs: Sequence[Any], name: str, at: Sequence[int]) -> Any:
    """Return a field, or a dictionary or tuple of fields, each stacked."""
    first = inputs[0]
    if not is_structured(first):
        return _stacked_arrays(inputs, name, at)
    keys = _keys(first)
    for value, position in zip(inputs, at, strict=True):
        if type(value) is not type(first) or set(_keys(value)) != set(keys):
            raise ValueError(
                f"`{name}` must have inputs with the same fields, got {_shown_fields(first)} at "
                f"position {at[0]} and {_shown_fields(value)} at position {position}."
            )
    found = {k: _stacked_fields([x[k] for x in inputs], f"{name}[{k!r}]", at) for k in keys}
    return found if isinstance(first, Mapping) else tuple(found.values())


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Mapping) else list(range(len(value)))


def _shown_fields(value: Any) -> str:
    kind = type(value).__name__
    if isinstance(value, Mapping):
        return f"a {kind} of {', '.join(map(repr, value))}"
    return f"a {kind} of {len(value)}" if is_structured(value) else f"a {kind}"


def _stacked_arrays(inputs: Sequence[Any], name: str, at: Sequence[int]) -> Array:
    arrays = [channels_first(value, name, i) for value, i in zip(inputs, at, strict=True)]
    return as_batch(arrays, name, at)


def one_array(batch: Batch, name: str) -> Array:
    """Return a batch of inputs of one field; refuse several where inputs are read or changed."""
    if isinstance(batch, StructuredInputs):
        raise TypeError(
            f"`{name}` must serve one tensor, array, or image as the input here, "
            f"got {_shown_fields(batch.value)}."
        )
    return batch


def tensors_from(batch: Batch, name: str) -> Inputs:
    """Return a batch of arrays as tensors that share its memory."""
    if isinstance(batch, StructuredInputs):
        return batch.map(lambda array: _tensor_from(array, name))
    return _tensor_from(batch, name)


def _tensor_from(array: Array, name: str) -> torch.Tensor:
    if array.dtype.kind not in "biufc":
        raise TypeError(
            f"`{name}` must have inputs of numbers where tensors are made of them, got "
            f"{array.dtype}; encode texts and categories as numbers first."
        )
    return torch.from_numpy(array)


def as_batch(arrays: Sequence[Array], name: str, at: Sequence[int]) -> Array:
    """Stack arrays of one shape; the error names the first of another shape."""
    for array, position in zip(arrays, at, strict=True):
        check_shape(array.shape, arrays[0].shape, name, position, at[0])
    return np.stack(arrays)


def check_shape(
    shape: tuple[int, ...], expected: tuple[int, ...], name: str, position: int, first: int
) -> None:
    """Refuse an input that has another shape than the first one."""
    if shape != expected:
        raise ValueError(
            f"`{name}` must have inputs of one shape, got {expected} at position {first} and "
            f"{shape} at position {position}; resize, crop, or pad them first."
        )


def restored(original: Any, array: Array, before: Array) -> Any:
    """Return a changed input of a batch as the type that the original had.

    Where its values have another type than before, PIL images become channels-last arrays.
    """
    if isinstance(original, torch.Tensor):
        return in_place_of(original, array, before)
    if is_pil(original):
        last = array[0] if len(original.getbands()) == 1 else np.moveaxis(array, 0, -1)
        if array.dtype != before.dtype:
            return last
        from PIL import Image  # the original is one, so Pillow is there

        return Image.fromarray(np.ascontiguousarray(last), original.mode)
    return array[()] if isinstance(original, np.generic) else array


def is_pil(value: Any) -> bool:
    """Return whether a value is a PIL image; Pillow need not be installed."""
    return any(kind.__module__ == "PIL.Image" for kind in type(value).__mro__)
