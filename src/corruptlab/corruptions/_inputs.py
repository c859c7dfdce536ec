"""Corrupt inputs one by one or in batches, whatever type they have."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from corruptlab._types import Array
from corruptlab.corruptions._arrays import like, to_numpy

Change = Callable[[Array], Array]
"""Batch in, batch out, of one shape and type."""


def changed(inputs: Sequence[Any], change: Change) -> list[Any]:
    """Return inputs changed as one batch, each as the type it had.

    Args:
        inputs: Tensors, NumPy arrays, or PIL images, all of one shape and type.
        change: What to do with the batch.

    Returns:
        The changed inputs, in order.

    Raises:
        TypeError: If the inputs are of another type.
        ValueError: If they have different shapes.
    """
    batch = change(_as_batch([as_array(value) for value in inputs]))
    return [_restored(value, array) for value, array in zip(inputs, batch, strict=True)]


def as_array(value: Any) -> Array:
    """Return one input as an array; PIL images have the channels last."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return to_numpy(value)
    if _is_pil(value):
        if value.mode not in ("L", "LA", "RGB", "RGBA"):
            raise TypeError(
                f"`dataset` must have PIL images of mode L, LA, RGB, or RGBA, got {value.mode!r}; "
                "convert them with image.convert('RGB')."
            )
        return np.asarray(value)
    raise TypeError(
        "`dataset` must have inputs that are tensors, arrays, or PIL images, "
        f"got {type(value).__name__}."
    )


def channels_first(value: Any) -> Array:
    """Return one input as an array, PIL images with the channels first as PyTorch has them."""
    array = as_array(value)
    if not _is_pil(value):
        return array
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


def stacked(inputs: Sequence[Any]) -> Array:
    """Return inputs as one batch, PIL images with the channels first."""
    return _as_batch([channels_first(value) for value in inputs])


def _as_batch(arrays: Sequence[Array]) -> Array:
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(
            f"`dataset` must have inputs of one shape, got {sorted(shapes)}; "
            "resize or crop them first."
        )
    return np.stack(arrays)


def _is_pil(value: Any) -> bool:
    # By name, so that Pillow need not be installed, and is not imported, for other inputs.
    return any(kind.__module__ == "PIL.Image" for kind in type(value).__mro__)


def _restored(original: Any, array: Array) -> Any:
    if isinstance(original, torch.Tensor):
        return like(original, array)
    if isinstance(original, np.ndarray):
        return array
    from PIL import Image  # the original is one, so Pillow is there

    return Image.fromarray(np.ascontiguousarray(array), original.mode)
