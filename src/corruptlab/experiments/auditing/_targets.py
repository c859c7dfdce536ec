"""Where data sets list their labels, and whether they list the labels that they serve."""

from collections.abc import Sequence
from typing import Any

from corruptlab._data import LABEL_ATTRIBUTES, Fields, given_labels
from corruptlab.experiments.auditing._readings import Reading
from corruptlab.experiments.auditing._report import Status

_PAIRS = ("samples", "imgs")
"""Attributes of torchvision's folders: a list of pairs (path, label)."""


def listed(dataset: Any, fields: Fields) -> dict[str, Any]:
    """Return the lists of labels that a data set has, by the name of the attribute."""
    found = {}
    tensors = getattr(dataset, "tensors", None)
    if isinstance(tensors, tuple) and isinstance(fields.label, int) and fields.label < len(tensors):
        found[f"tensors[{fields.label}]"] = tensors[fields.label]
    if fields.label in (getattr(dataset, "column_names", None) or ()):  # Hugging Face
        found[f"[{fields.label!r}]"] = list(dataset[fields.label])
    for name in LABEL_ATTRIBUTES:
        values = getattr(dataset, name, None)
        if hasattr(values, "__len__") and not isinstance(values, str | dict):
            found[name] = values
    for name in _PAIRS:
        values = getattr(dataset, name, None)
        if isinstance(values, list) and all(_is_pair(value) for value in values):
            found[name] = [label for _, label in values]
    return found


def check_targets(dataset: Any, fields: Fields, good: Sequence[Reading]) -> tuple[Status, str]:
    """Compare every list of labels with the sampled items that could be read."""
    lists = listed(dataset, fields)
    if not lists:
        kind = type(dataset).__name__
        return "skipped", f"{kind} has no list of its labels (targets, labels, y, ...)."
    for name, values in lists.items():
        if len(values) != len(dataset):
            return "error", (
                f"`{name}` has {len(values):,} labels and the data set {len(dataset):,} items: "
                f"what reads `{name}` and what reads items see different data."
            )
        try:
            labels = given_labels(values, len(dataset))
        except TypeError:
            return "warning", (
                f"`{name}` does not hold one integer class for each item; code that looks for "
                "labels there will stumble."
            )
        if wrong := [reading for reading in good if reading.label != labels[reading.index]]:
            first = wrong[0]
            return "error", (
                f"`{name}` and the items disagree on {len(wrong):,} of {len(good):,} sampled "
                f"items; for item {first.index} `{name}` says {labels[first.index]}, and "
                f"the item has {first.label}. What reads `{name}` (samplers, tables, corruptlab) "
                "sees other labels than the network."
            )
    names = " and ".join(f"`{name}`" for name in lists)
    return "ok", f"{names} and the items agree on the labels of {len(good):,} sampled items."


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], int)
