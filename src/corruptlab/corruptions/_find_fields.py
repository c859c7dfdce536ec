"""Find where the items of a data set keep their input and their label."""

from collections.abc import Sequence
from typing import Any

from torch.utils.data import ConcatDataset, Subset

from corruptlab.corruptions._fields import Fields, Key


def fields_of(
    dataset: Any, item: Any, input_key: Key | None = None, label_key: Key | None = None
) -> Fields:
    """Return where an item keeps its input and its label; a corrupted data set was told already.

    What is cut or joined from corrupted data sets keeps the fields that they were told, so that
    they are named once, to `corrupt`.

    Args:
        dataset: Any map-style data set.
        item: One of its items.
        input_key: Position or name of the input, if the user says it.
        label_key: Position or name of the label, likewise.

    Returns:
        The fields.

    Raises:
        TypeError: If the item is no tuple, list, or dictionary.
        ValueError: If it has no such field, joined parts keep theirs in different ones, or
            a corrupted data set was told others.
    """
    told = _told(dataset, input_key, label_key)
    if told is None:
        return Fields.of(item, input_key, label_key)
    input_key = told.input if input_key is None else input_key
    label_key = told.label if label_key is None else label_key
    given = Fields.of(item, input_key, label_key)
    if given != told:
        raise ValueError(
            "`input_key` and `label_key` must name the fields that the data set was corrupted "
            f"with, {told}, got {given}."
        )
    return told


def _told(dataset: Any, input_key: Key | None, label_key: Key | None) -> Fields | None:
    """Return the fields that `corrupt` was told or found, if there is a corruption beneath."""
    known = getattr(dataset, "_fields", None)
    if isinstance(known, Fields):
        return known
    if isinstance(dataset, Subset):
        return _told(dataset.dataset, input_key, label_key)
    if isinstance(dataset, ConcatDataset):
        joined: Sequence[Any] = dataset.datasets
        parts = [part for part in joined if len(part) > 0]
        return _shared(parts, input_key, label_key)
    return None


def _shared(parts: Sequence[Any], input_key: Key | None, label_key: Key | None) -> Fields | None:
    told = [_told(part, input_key, label_key) for part in parts]
    if all(fields is None for fields in told):
        return None
    found = [
        Fields.of(part[0], input_key, label_key) if fields is None else fields
        for part, fields in zip(parts, told, strict=True)
    ]
    for fields in found:
        if fields != found[0]:
            raise ValueError(
                "`dataset` must join parts that keep input and label in the same fields, got "
                f"{found[0]} and {fields}; wrap each part with corrupt(part, input_key=..., "
                "label_key=...)."
            )
    return found[0]
