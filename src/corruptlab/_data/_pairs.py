"""Inputs and labels side by side, `(X, y)`, as scikit-learn's users hold them."""

from collections.abc import Sequence, Sized
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset


@dataclass(frozen=True, eq=False)
class Pair(Dataset[tuple[Any, Any]]):
    """A data set of the rows of two arrays or lists of one length."""

    inputs: Any
    labels: Any

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.inputs[index], self.labels[index]

    def __repr__(self) -> str:
        return f"Pair({len(self)} examples)"


def paired(dataset: Any, name: str) -> Any:
    """Return a pair (X, y) as a data set of its rows, and anything else as it is."""
    if not isinstance(dataset, tuple | list) or len(dataset) != 2:
        return dataset
    inputs, labels = (_as_rows(part) for part in dataset)
    arrays = [_is_array(part) for part in (inputs, labels)]
    if isinstance(dataset, list) and not all(arrays):
        return dataset  # items, as a list says
    if inputs is None or labels is None or not (arrays[1] or _is_classes(labels)):
        return dataset  # two items
    if len(inputs) != len(labels):
        if not any(arrays):
            return dataset
        raise ValueError(
            f"`{name}` must have one label for each input where it is a pair (X, y), "
            f"got {len(inputs)} inputs and {len(labels)} labels."
        )
    if not any(arrays) and _are_items(dataset):
        raise ValueError(
            f"`{name}` must be either two items or a pair (X, y), and this tuple could be both; "
            "pass the items as a list, or X and y as arrays."
        )
    return Pair(inputs if arrays[0] else _as_array(inputs), labels)


def _as_rows(part: Any) -> Any:
    """Return something with rows as an array, tensor, list, or tuple; None if it is none."""
    if isinstance(part, torch.Tensor | np.ndarray):
        return part if part.ndim else None
    if isinstance(part, list) or type(part) is tuple:
        return part
    if isinstance(part, Sized) and hasattr(type(part), "to_numpy"):  # of pandas and the like
        return part.to_numpy()  # type: ignore[attr-defined]
    return None


def _is_array(part: Any) -> bool:
    return isinstance(part, torch.Tensor | np.ndarray)


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
