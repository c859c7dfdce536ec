"""Labels: one class or many, as items carry them or as lists have them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from corruptlab._arrays import check_dense, to_numpy, without_values
from corruptlab._data._encoding import (
    BOOLEANS,
    NAMES,
    SIGNS,
    LabelEncoding,
    encoded_categories,
    encoded_names,
    holds_names,
    is_categorical,
    is_signs,
)
from corruptlab._types import Array, Labels

_SOFT = "turn soft or multi-label targets into classes first, for instance by argmax"
_ONE_TYPE = "give all labels one type: all integers, all names, or all booleans"
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


def classes_of(
    labels: Sequence[Any], name: str, at: Sequence[int], encoding: LabelEncoding | None = None
) -> Labels:
    """Return some labels as ``int64``; `at` are the positions that errors name."""
    pairs = zip(labels, at, strict=True)
    return np.array([number_of(label, encoding, name, i) for label, i in pairs], np.int64)


def named_kind(label: Any) -> type | None:
    """Return ``str``, ``bytes``, or ``bool`` for a label of this type; None for any other."""
    value = plain(label)
    return type(value) if isinstance(value, (*NAMES, bool)) else None


def number_of(label: Any, encoding: LabelEncoding | None, name: str, position: int) -> int:
    """Return the number of one label's class."""
    if encoding is None:
        return class_of(label, name, position)
    value = plain(label)
    if value in encoding:
        return encoding.number_of(value)
    raise (TypeError if type(value) is not type(encoding.classes[0]) else ValueError)(
        f"`{name}` must have labels that are one of the classes {_shown(encoding.classes)}, "
        f"got {label!r} at position {position}."
    )


def _shown(classes: Sequence[Any]) -> str:
    some = ", ".join(map(repr, classes[:5]))
    return some if len(classes) <= 5 else f"{some}, ... ({len(classes)} in all)"


def plain(label: Any) -> Any:
    """Return a label as Python's own type, if it is one value."""
    if type(label) in (int, str, bool, bytes):
        return label
    value = _array(label)
    return value.item() if value is not None and value.size == 1 else label


def listed_values(labels: Any) -> Any:
    """Return a list of labels of any kind as an array, tensor, list, or pandas' own array."""
    if isinstance(labels, torch.Tensor | np.ndarray | list | tuple) or is_categorical(labels):
        return labels
    if not hasattr(type(labels), "to_numpy"):  # of pandas and the like
        return labels
    inner = getattr(labels, "array", labels)
    if is_categorical(inner):
        return inner
    kind = getattr(labels.dtype, "kind", "O")
    if kind in "biu" and not isinstance(labels.dtype, np.dtype):  # "Int64", "boolean"
        has_gaps = bool(labels.isna().any())
        return labels.to_numpy(dtype=object if has_gaps else labels.dtype.numpy_dtype)
    is_text = kind == "O" and not isinstance(labels.dtype, np.dtype)
    return inner if is_text and hasattr(type(inner), "factorize") else labels.to_numpy()


def encoded(values: Any, n: int) -> tuple[Labels, LabelEncoding | None] | None:
    """Return a list of labels as numbers from 0, and what they stand for; None if it is none."""
    values = listed_values(values)
    if is_categorical(values):
        labels, categories = encoded_categories(values)
        return (labels, categories) if len(labels) == n > 0 and labels.min() >= 0 else None
    if holds_names(values):
        if len(values) != n:
            return None
        if (names := encoded_names(values)) is not None:
            return names
        values = _without_objects(values)
    found = integer_labels(values, n)
    if found is None:
        array = _array(values)
        if array is None or array.dtype.kind != "b" or array.shape not in ((n,), (n, 1)):
            return None
        return array.reshape(n).astype(np.int64), BOOLEANS
    return (((found + 1) // 2), SIGNS) if is_signs(found) else (found.copy(), None)


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


def encoding_of(classes: Sequence[Any]) -> LabelEncoding:
    """Return the classes that the user lists, or say what is wrong with them."""
    values = [plain(value) for value in classes]
    kinds = {type(value) for value in values}
    if len(kinds) != 1 or not kinds <= {int, str, bytes, bool}:
        raise TypeError(
            f"`classes` must list names, booleans, or integers, all of one type, got {classes!r}."
        )
    if len(set(values)) != len(values):
        raise ValueError(f"`classes` must list every class once, got {classes!r}.")
    return LabelEncoding(tuple(values))


def encoded_as(
    classes: LabelEncoding, labels: Labels, encoding: LabelEncoding | None, name: str
) -> Labels:
    """Return labels numbered as the user says, or name one that is none of these classes."""
    old = np.unique(labels)
    values = old.tolist() if encoding is None else encoding.decode(old).tolist()
    for number, value in zip(old.tolist(), values, strict=True):
        if value not in classes:
            raise ValueError(
                f"`classes` must hold every label of `{name}`, got {_shown(classes.classes)}, and "
                f"label {value!r} at position {int(np.argmax(labels == number))}."
            )
    table = np.array([classes.number_of(value) for value in values], np.int64)
    return table[np.searchsorted(old, labels)]


def _without_objects(values: Any) -> Any:
    """Return an array of integer or boolean objects as one of their type."""
    if isinstance(values, np.ndarray) and values.dtype == object:
        listed = values.tolist()
        if set(map(type, listed)) in ({int}, {bool}):
            return np.array(listed)
    return values


def given_labels(values: Any, n: int, name: str = "targets") -> tuple[Labels, LabelEncoding | None]:
    """Return the labels that the user gives, or say what is wrong with them."""
    check_dense(values, name)
    values = listed_values(values)
    found = encoded(values, n)
    if found is not None:
        return found
    array = _array(values)
    if array is None:
        raise TypeError(f"`{name}` must be one class for each example, got a ragged list; {_SOFT}.")
    if array.ndim == 0 or len(array) != n:
        got = "a single value" if array.ndim == 0 else len(array)
        raise ValueError(f"`{name}` must have {n} labels, one for each example, got {got}.")
    one = array.reshape(n, -1)
    if one.shape[1] == 1:
        listed = values if isinstance(values, list | tuple) else one[:, 0].tolist()
        for position, label in enumerate(listed):
            if _is_wrong(label, listed[0]):
                other = named_kind(listed[0]) is not None and not _is_missing(label)
                remedy = _ONE_TYPE if other else _remedy(label, _array(label))
                raise TypeError(
                    f"`{name}` must be one class for each example, got {label!r} at "
                    f"position {position}; {remedy}."
                )
    raise TypeError(
        f"`{name}` must be one class for each example, "
        f"got {array.dtype} of shape {array.shape}; {_SOFT}."
    )


def _is_wrong(label: Any, first: Any) -> bool:
    if named_kind(first) is not None:
        return named_kind(label) is not named_kind(first)
    return not isinstance(label, int) or isinstance(label, bool) or abs(label) > _LARGEST


def relabelled(original: Any, label: Any) -> Any:
    """Return a class as the type that the original label had."""
    if type(original) is int:
        return label
    if isinstance(label, str | bytes | bool):
        return _with_name(original, label)
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


def _with_name(original: Any, label: Any) -> Any:
    if isinstance(original, torch.Tensor):  # of booleans
        return torch.full(original.shape, label, device=original.device)
    if isinstance(original, np.ndarray):
        return np.full(original.shape, label)
    if isinstance(original, np.generic):
        return np.array(label)[()]
    if type(original) in (list, tuple) and len(original) == 1:
        return type(original)([_with_name(original[0], label)])
    return label


def all_relabelled(originals: Sequence[Any], labels: Array) -> Sequence[Any]:
    """Return classes as the types that the original labels had."""
    of_tensors = all(type(old) is torch.Tensor and _is_plain(old) for old in originals)
    if of_tensors and labels.dtype == np.int64:
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


def _is_missing(label: Any) -> bool:
    is_nan = isinstance(label, float) and label != label
    return label is None or is_nan or type(label).__name__ == "NAType"


def _remedy(label: Any, value: Array | None) -> str:
    if _is_missing(label):
        return "leave out what has no label"
    if without_values(label):
        return "labels must be dense tensors with values"
    if value is not None and value.size == 1:
        kind = value.dtype.kind
        if kind in "USb":
            return _ONE_TYPE
        if kind == "f":
            return "map them first, for instance with int(label)"
        return "number the classes from 0 first"
    return _SOFT
