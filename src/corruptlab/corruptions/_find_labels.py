"""Find the labels of a data set without decoding its images."""

from typing import Any

import numpy as np
import torch
from torch.utils.data import ConcatDataset, Subset

from corruptlab._types import Labels
from corruptlab.corruptions._arrays import to_numpy
from corruptlab.corruptions._fields import Fields, spots

LABEL_ATTRIBUTES = ("targets", "labels", "y")
"""Attributes looked for, in this order, after ``tensors`` and columns."""

_REMEDY = "turn soft or multi-label targets into classes first, for instance by argmax."


def find_labels(dataset: Any, fields: Fields) -> Labels:
    """Return the labels that a data set serves.

    Looked for in this order: ``dataset.tensors`` (as in `TensorDataset`); the column of the label
    (as in Hugging Face's ``datasets.Dataset``); an attribute ``targets``, ``labels``, or ``y``
    with one integer an example; and, if there is none of these, in the items themselves, each
    read once. What is found is compared with a few items.

    Args:
        dataset: Any map-style data set that is not a view of another.
        fields: Where its items keep the label.

    Returns:
        ``int64`` of shape ``(n,)``.

    Raises:
        TypeError: If a label is not one integer class.
        ValueError: If an attribute and an item disagree.
    """
    found = _from_attributes(dataset, fields)
    if found is None:
        served = [class_of(dataset[i][fields.label]) for i in range(len(dataset))]
        return np.array(served, np.int64)
    name, values = found
    labels = whole_labels(values, len(dataset))
    for i in spots(len(dataset)):
        label = class_of(dataset[i][fields.label])
        if label != labels[i]:
            raise ValueError(
                f"`dataset{name}` must agree with the items, got {labels[i]} for item {i}, "
                f"which has label {label}; pass the labels as served with `targets`."
            )
    return labels


def lists_labels(dataset: Any, fields: Fields) -> bool:
    """Return whether the labels can be had without reading every item."""
    if isinstance(dataset, Subset):
        return lists_labels(dataset.dataset, fields)
    if isinstance(dataset, ConcatDataset):
        return all(lists_labels(part, fields) for part in dataset.datasets)
    return hasattr(dataset, "lineage") or _from_attributes(dataset, fields) is not None


def find_num_classes(dataset: Any, fields: Fields, labels: Labels) -> int:
    """Return what a data set says of itself, or else the largest label plus 1.

    Asked in this order: ``dataset.num_classes``, ``dataset.classes``, and the feature of the
    label column (as in Hugging Face's ``datasets.Dataset``).
    """
    feature = (getattr(dataset, "features", None) or {}).get(fields.label)
    for known in (
        getattr(dataset, "num_classes", None),
        len(getattr(dataset, "classes", None) or ()),
        getattr(feature, "num_classes", None),
    ):
        if isinstance(known, int) and known > 0:
            return known
    return int(labels.max(initial=0)) + 1


def class_of(label: Any) -> int:
    """Return one label as an ``int``, or say what to do with labels that are not one class."""
    value = to_numpy(label)
    if value.size != 1 or value.dtype.kind not in "iu":
        raise TypeError(
            f"`dataset` must have labels that are one integer class, got {label!r}; {_REMEDY}"
        )
    return int(value.item())


def whole_labels(values: Any, n: int) -> Labels:
    """Return the labels of a whole data set as ``int64``, or say what is wrong with them."""
    try:
        labels = to_numpy(values)
    except ValueError:  # rows of different lengths
        raise TypeError(
            f"`targets` must be one integer class for each example, got a ragged list; {_REMEDY}"
        ) from None
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise TypeError(
            "`targets` must be one integer class for each example, "
            f"got {labels.dtype} of shape {labels.shape}; {_REMEDY}"
        )
    if len(labels) != n:
        raise ValueError(
            f"`targets` must have {n} labels, one for each example, got {len(labels)}."
        )
    return labels.astype(np.int64, copy=False)


def _from_attributes(dataset: Any, fields: Fields) -> tuple[str, Any] | None:
    tensors = getattr(dataset, "tensors", None)
    if isinstance(tensors, tuple) and isinstance(fields.label, int) and fields.label < len(tensors):
        return f".tensors[{fields.label}]", tensors[fields.label]
    if fields.label in (getattr(dataset, "column_names", None) or ()):
        return f"[{fields.label!r}]", list(dataset[fields.label])
    for name in LABEL_ATTRIBUTES:
        values = getattr(dataset, name, None)
        if isinstance(values, list | tuple | np.ndarray | torch.Tensor):
            return f".{name}", values
    return None
