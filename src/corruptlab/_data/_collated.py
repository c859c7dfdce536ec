"""Inputs and labels in a batch that a collate function of the user made of items."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from corruptlab._data._encoding import LabelEncoding
from corruptlab._data._fields import LABEL_NAMES, Fields
from corruptlab._data._labels import classes_of, integer_labels
from corruptlab._structured import Inputs, StructuredInputs, is_sequence
from corruptlab._types import Labels

_EXPECTED = "`collate` must return a pair (inputs, labels), or a batch with the fields of an item"


def split_batch(
    batch: Any, item: Any, n: int, fields: Fields, encoding: LabelEncoding | None
) -> tuple[Inputs, torch.Tensor]:
    """Return inputs and labels, ``(n,)``, of what a collate function made of items like this."""
    if isinstance(batch, Mapping):
        label = _label_in(batch, fields)
        named = fields.input is not None and isinstance(item, Mapping)
        inputs = _inputs_in(batch, fields) if named else {k: batch[k] for k in batch if k != label}
        labels = batch[label]
    elif is_sequence(batch) and not isinstance(item, Mapping) and len(batch) == len(item):
        inputs, labels = fields.input_of(batch, "collate", 0), fields.label_of(batch, "collate", 0)
    elif is_sequence(batch) and len(batch) == 2:
        inputs, labels = batch
    else:
        kind = type(batch).__name__
        got = f"a {kind} of length {len(batch)}" if is_sequence(batch) else kind
        raise TypeError(f"{_EXPECTED}, got {got}.")
    return _as_inputs(inputs, n), torch.from_numpy(_labels(labels, n, encoding))


def _label_in(batch: Mapping[Any, Any], fields: Fields) -> Any:
    """Return the label field of the items, or the one that a collator of transformers makes."""
    found = [name for name in (fields.label, *LABEL_NAMES) if name in batch]
    if not found:
        raise ValueError(
            f"{_EXPECTED}, got no field {fields.label!r}; the fields are {_shown(batch)}."
        )
    return found[0]


def _inputs_in(batch: Mapping[Any, Any], fields: Fields) -> Any:
    keys = fields.input if isinstance(fields.input, tuple) else (fields.input,)
    if missing := [key for key in keys if key not in batch]:
        raise ValueError(
            f"{_EXPECTED}, got no field {missing[0]!r}; the fields are {_shown(batch)}."
        )
    return fields.input_of(batch, "collate", 0)


def _shown(batch: Mapping[Any, Any]) -> list[str]:
    return sorted(map(str, batch))


def _as_inputs(value: Any, n: int) -> Inputs:
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    if not isinstance(value, torch.Tensor):
        structured = StructuredInputs(value, n)
        return structured.map(torch.from_numpy, kinds=np.ndarray)
    if len(value) != n:
        raise ValueError(f"`collate` must return one input for each item, got {len(value)} of {n}.")
    return value


def _labels(values: Any, n: int, encoding: LabelEncoding | None) -> Labels:
    listed: Sequence[Any] = values
    try:
        length = len(values)
    except TypeError:
        length = -1
    if length != n:
        got = type(values).__name__ if length < 0 else length
        raise ValueError(f"`collate` must return one label for each of {n} items, got {got}.")
    labels = integer_labels(values, n) if encoding is None else None
    return classes_of(list(listed), "collate", range(n), encoding) if labels is None else labels
