"""Inputs and labels side by side, `(X, y)`, as scikit-learn's users hold them."""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from numbers import Integral, Number
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from corruptlab._data._encoding import is_categorical
from corruptlab._data._labels import listed_values
from corruptlab._structured import StructuredInputs


@dataclass(frozen=True, eq=False)
class Pair(Dataset[tuple[Any, Any]]):
    """A data set of the rows of two arrays or lists of one length."""

    inputs: Any
    labels: Any

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if isinstance(self.inputs, StructuredInputs):
            return self.inputs.row(index), self.labels[index]
        return self.inputs[index], self.labels[index]

    def __repr__(self) -> str:
        return f"Pair({len(self)} examples)"


def paired(dataset: Any, name: str) -> Any:
    """Return a pair (X, y) as a data set of its rows, and anything else as it is."""
    if not isinstance(dataset, tuple | list) or len(dataset) != 2:
        return dataset
    inputs, labels = _as_rows(dataset[0]), _as_rows(dataset[1], are_labels=True)
    if isinstance(dataset[0], Mapping) and labels is not None:
        return Pair(columns(dataset[0], len(labels), name), labels)
    arrays = [_is_array(part) for part in (inputs, labels)]
    if isinstance(dataset, list) and not all(arrays):
        return dataset  # items, as a list says
    if inputs is None or labels is None or not (arrays[1] or _is_classes(labels)):
        return dataset  # two items
    if len(inputs) != len(labels) and not any(arrays):
        return dataset
    if not any(arrays) and _are_items(dataset):
        raise ValueError(
            f"`{name}` must be either two items or a pair (X, y), and this tuple could be both; "
            "pass the items as a list, or X and y as arrays."
        )
    return _checked_pair(inputs if arrays[0] else _as_array(inputs), labels, name)


def check_labels_inside(dataset: object, call: str) -> None:
    """Reject labels where a data set belongs; ``call`` shows how to pass them with their inputs."""
    if are_labels(dataset):
        raise TypeError(
            f"`train` must be a pair (X, y), as in {call}, got labels as an argument of their "
            f"own, {type(dataset).__name__}."
        )


def are_labels(values: Any) -> bool:
    """Return whether a list or array holds single values, and no items of a data set."""
    if getattr(values, "ndim", 0) == 2 and values.shape[1] == 1 and len(values) > 0:
        return True  # a column of them
    is_series = hasattr(type(values), "to_numpy") and not is_frame(values)
    if is_series or is_categorical(values):
        return True
    return isinstance(values, torch.Tensor | np.ndarray | list | tuple) and _is_single(values)


def is_pair_of_arrays(inputs: Any) -> bool:
    """Return whether a tuple is surely (X, y), and not two inputs."""
    return (
        isinstance(inputs, tuple)
        and len(inputs) == 2
        and are_labels(inputs[1])
        and not are_labels(inputs[0])
    )


def _is_single(values: Any) -> bool:
    """Return whether the first value is a number, a name, or None."""
    if getattr(values, "ndim", 1) != 1 or len(values) == 0:
        return False
    first = values[0]
    if isinstance(first, torch.Tensor | np.ndarray):
        return first.ndim == 0
    return first is None or isinstance(first, str | bytes | Number | np.generic)


def _checked_pair(inputs: Any, labels: Any, name: str) -> Pair:
    n = inputs.shape[0] if hasattr(inputs, "shape") else len(inputs)
    if n != len(labels):
        raise ValueError(
            f"`{name}` must have one label for each input where it is a pair (X, y), "
            f"got {n} inputs and {len(labels)} labels."
        )
    return Pair(inputs, labels)


def columns(fields: Mapping[str, Any] | Sequence[Any], n: int, name: str) -> StructuredInputs:
    """Return fields of inputs side by side, each an array or tensor with one row an example."""
    given = dict(fields) if isinstance(fields, Mapping) else tuple(fields)
    found = StructuredInputs(given, n)
    if not given:
        raise ValueError(f"`{name}` must have inputs with at least one field, got none.")
    for path, rows in found.leaves():
        if not _is_array(rows) or not rows.ndim:
            raise TypeError(
                f"`{name}` must have fields that are arrays or tensors with one row for each "
                f"example, got {type(rows).__name__} for {path}."
            )
        if len(rows) != n:
            raise ValueError(
                f"`{name}` must have fields of one length, one row for each of {n} labels, "
                f"got {len(rows)} rows for {path}."
            )
    return found


def is_frame(dataset: Any) -> bool:
    """Return whether a data set is a table of pandas or the like."""
    return hasattr(type(dataset), "to_numpy") and hasattr(type(dataset), "columns")


def holds_inputs_alone(dataset: Any) -> bool:
    """Return whether something is an array, a tensor, a table, or a sparse matrix of inputs."""
    return is_frame(dataset) or (
        hasattr(dataset, "shape") and hasattr(dataset, "dtype") and len(dataset.shape) > 0
    )


def with_labels(inputs: Any, targets: Any, name: str) -> Pair:
    """Return inputs and labels side by side."""
    rows = inputs.to_numpy() if hasattr(type(inputs), "to_numpy") else inputs
    return _checked_pair(rows, listed_values(targets), name)


def from_columns(frame: Any, name: str, input_key: Any, label_key: Any) -> Pair:
    """Return the rows of a table, with one column as the label and others as the input."""
    columns = list(frame.columns)
    if label_key not in columns:
        raise ValueError(
            f"`label_key` must name the column of `{name}` that is the label, got {label_key!r}; "
            f"the columns are {columns}."
        )
    if input_key is None:
        chosen = [column for column in columns if column != label_key]
    else:
        chosen = list(input_key) if isinstance(input_key, list | tuple) else [input_key]
    if unknown := [column for column in chosen if column not in columns]:
        raise ValueError(
            f"`input_key` must name columns of `{name}`, got {unknown[0]!r}; "
            f"the columns are {columns}."
        )
    return Pair(frame[chosen].to_numpy(), listed_values(frame[label_key]))


def _as_rows(part: Any, *, are_labels: bool = False) -> Any:
    """Return something with rows as an array, tensor, list, or tuple; None if it is none."""
    if isinstance(part, torch.Tensor | np.ndarray):
        return part if part.ndim else None
    if isinstance(part, list) or type(part) is tuple:
        return part
    if isinstance(part, Sized) and hasattr(type(part), "to_numpy"):  # of pandas and the like
        return listed_values(part) if are_labels else part.to_numpy()  # type: ignore[attr-defined]
    return part if are_labels and is_categorical(part) else None


def _is_array(part: Any) -> bool:
    return isinstance(part, torch.Tensor | np.ndarray) or hasattr(type(part), "factorize")


def _is_classes(labels: Any) -> bool:
    """Return whether a list could be labels: plain numbers or names, no items."""
    return len(labels) > 0 and all(
        isinstance(label, Integral | str | np.generic)
        or (isinstance(label, torch.Tensor) and label.ndim == 0)
        for label in labels
    )


def _are_items(parts: Sequence[Any]) -> bool:
    """Return whether two lists could be two items with an input and a label each."""
    as_short = all(len(part) == 2 or isinstance(part, tuple) for part in parts)
    return as_short and all(
        len(part) > 1 and isinstance(part[1], Integral | np.integer) for part in parts
    )


def _as_array(inputs: Any) -> Any:
    """Return a list of numbers, or of lists of numbers, as an array."""
    if not isinstance(inputs[0], int | float | list | tuple | np.generic):
        return inputs
    try:
        array = np.asarray(inputs)
    except (TypeError, ValueError):  # rows of different lengths
        return inputs
    return array if array.dtype.kind in "biuf" else inputs
