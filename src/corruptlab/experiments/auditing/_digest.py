"""The content of an input as a few bytes, to tell whether two inputs are the same."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from corruptlab._data import channels_first
from corruptlab._types import Array

SIZE = 16
"""Bytes of a digest: among 2**32 different inputs two agree with probability 2**-65."""


def digest(value: Any) -> bytes:
    """Return a hash of type, shape, and values; equal contents have equal digests.

    Args:
        value: Tensor, NumPy array, PIL image, number, text, or a tuple, list, or dictionary of
            these. A tensor and an array of the same values are the same.

    Returns:
        `SIZE` bytes.

    Raises:
        TypeError: If the value, or one inside it, is of another type.
    """
    state = hashlib.blake2b(digest_size=SIZE)
    for piece in _pieces(value):
        state.update(piece)
    return state.digest()


def _pieces(value: Any) -> list[Any]:
    """Return what to hash; every piece says where it ends, so that no two values run together."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic):
        return [f"{type(value).__name__} {value!r} ".encode()]
    if isinstance(value, Mapping):
        return [b"mapping ", *_pieces([part for pair in value.items() for part in pair])]
    if isinstance(value, list | tuple):
        parts = [piece for part in value for piece in _pieces(part)]
        return [b"sequence %d " % len(value), *parts]
    array = _as_array(value)
    return [f"array {array.dtype.str} {array.shape} ".encode(), np.ascontiguousarray(array).data]


def _as_array(value: Any) -> Array:
    try:
        array = channels_first(value)
    except (TypeError, RuntimeError):  # not an array, or a tensor that NumPy cannot hold
        array = None
    if array is None or array.dtype.kind not in "biufc":
        kind = type(value).__name__
        raise TypeError(f"inputs of type {kind} cannot be compared by their content")
    return array
