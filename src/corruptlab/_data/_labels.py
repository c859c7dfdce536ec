"""Labels: one class or many, as items carry them or as lists have them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from corruptlab._arrays import to_numpy, without_values
from corruptlab._types import Array, Labels

_SOFT = "turn soft or multi-label targets into classes first, for instance by argmax"
_LARGEST = np.iinfo(np.int64).max


def class_of(label: Any, name: str = "dataset", position: int | None = None) -> int:
    """Return one label as an ``int``, or say what to do with a label that is not one class."""
    if type(label) is int and -_LARGEST <= label <= _LARGEST:
        return label  # the common case, at once
    value = _array(label)
    if value is not None and value.size == 1 and value.dtype.kind in "iu":
        number = int(value.item())
        if number <= _LARGEST:
            return number
    where = "" if position is None else f" at position {position}"
    raise TypeError(
        f"`{name}` must have labels that are one integer class, got {label!r}{where}; "
        f"{_remedy(label, value)}."
    )


def classes_of(labels: Sequence[Any], name: str, at: Sequence[int]) -> Labels:
    """Return some labels as ``int64``; `at` are the positions that errors name."""
    found = [class_of(label, name, i) for label, i in zip(labels, at, strict=True)]
    return np.array(found, np.int64)


def integer_labels(values: Any, n: int) -> Labels | None:
    """Return a list of labels as ``int64``, shape ``(n,)``; None if it is not one class each."""
    labels = _array(values)
    if labels is not None and labels.shape == (n, 1):
        labels = labels[:, 0]
    if labels is None or labels.shape != (n,) or labels.dtype.kind not in "iu":
        return None
    if labels.dtype.kind == "u" and labels.max(initial=0) > _LARGEST:
        return None
    return labels.astype(np.int64, copy=False)


def given_labels(values: Any, n: int, name: str = "targets") -> Labels:
    """Return the labels that the user gives, or say what is wrong with them."""
    labels = integer_labels(values, n)
    if labels is not None:
        return labels
    array = _array(values)
    if array is None:
        raise TypeError(
            f"`{name}` must be one integer class for each example, got a ragged list; {_SOFT}."
        )
    if array.ndim == 0 or len(array) != n:
        got = "a single value" if array.ndim == 0 else len(array)
        raise ValueError(f"`{name}` must have {n} labels, one for each example, got {got}.")
    one = array.reshape(n, -1)
    if one.shape[1] == 1:
        for position, label in enumerate(one[:, 0].tolist()):
            if not isinstance(label, int) or isinstance(label, bool) or abs(label) > _LARGEST:
                raise TypeError(
                    f"`{name}` must be one integer class for each example, got {label!r} at "
                    f"position {position}; {_remedy(label, np.asarray(label))}."
                )
    raise TypeError(
        f"`{name}` must be one integer class for each example, "
        f"got {array.dtype} of shape {array.shape}; {_SOFT}."
    )


def relabelled(original: Any, label: int) -> Any:
    """Return a class as the type that the original label had."""
    if type(original) is int:
        return label
    if isinstance(original, torch.Tensor):
        if _is_plain(original):
            return torch.from_numpy(np.array(label))  # ten times as fast as `torch.tensor`
        dtype = original.dtype if _can_hold(original.dtype, label) else torch.int64
        return torch.full(original.shape, label, dtype=dtype, device=original.device)
    if isinstance(original, np.ndarray):
        return np.full(original.shape, label, _dtype(original.dtype, label))
    if isinstance(original, np.integer):
        return _dtype(original.dtype, label).type(label)
    if type(original) in (list, tuple) and len(original) == 1:
        return type(original)([relabelled(original[0], label)])
    return label


def all_relabelled(originals: Sequence[Any], labels: Labels) -> Sequence[Any]:
    """Return classes as the types that the original labels had."""
    if all(type(old) is torch.Tensor and _is_plain(old) for old in originals):
        return torch.from_numpy(labels).unbind()
    return [relabelled(old, new) for old, new in zip(originals, labels.tolist(), strict=True)]


def _is_plain(label: torch.Tensor) -> bool:
    return label.dtype is torch.int64 and label.ndim == 0 and label.is_cpu


def _can_hold(dtype: torch.dtype, label: int) -> bool:
    if dtype.is_floating_point or dtype.is_complex or dtype is torch.bool:
        return False
    return torch.iinfo(dtype).min <= label <= torch.iinfo(dtype).max


def _dtype(dtype: np.dtype[Any], label: int) -> np.dtype[Any]:
    fits = dtype.kind in "iu" and np.iinfo(dtype).min <= label <= np.iinfo(dtype).max
    return dtype if fits else np.dtype(np.int64)


def _array(values: Any) -> Array | None:
    """Return anything as an array; None if it makes none."""
    try:
        return to_numpy(values)
    except Exception:  # rows of different lengths, sparse or meta tensors, foreign types
        return None


def _remedy(label: Any, value: Array | None) -> str:
    if label is None:
        return "leave out what has no label, or pass all labels with `targets`"
    if without_values(label):
        return "labels must be dense tensors with values"
    if value is not None and value.size == 1:
        kind = value.dtype.kind
        if kind in "US":
            return (
                "map names to classes first, for instance with "
                "{name: k for k, name in enumerate(sorted(set(names)))}"
            )
        if kind in "bf":
            return "map them first, for instance with int(label)"
        return "number the classes from 0 first"
    return _SOFT
