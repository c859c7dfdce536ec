"""What is known of the noise beneath a data set whose class is not known."""

from typing import Any

import numpy as np

from corruptlab._data._encoding import LabelEncoding
from corruptlab._data._kinds import is_joined, is_subset, own_attributes
from corruptlab._data._provenance import Provenance, is_traced
from corruptlab._types import Labels

_DEEPEST_WRAPPING = 4


def serves(known: Provenance, labels: Labels, encoding: LabelEncoding | None) -> bool:
    """Return whether a corrupted data set serves these labels."""
    if encoding is None or known.encoding is None:
        return encoding is known.encoding and np.array_equal(known.targets, labels)
    same = encoding.translate(labels, known.encoding)
    return same is not None and np.array_equal(known.targets, same)


def traced_within(dataset: Any, n: int, depth: int = _DEEPEST_WRAPPING) -> list[Provenance]:
    """Return what corrupted data sets know that a foreign one of the same length holds."""
    found: list[Provenance] = []
    for held in own_attributes(dataset) if depth else []:
        kind = type(held)
        if not hasattr(kind, "__getitem__") or not hasattr(kind, "__len__"):
            continue
        if is_traced(held) or is_subset(held) or is_joined(held):
            known = _known_provenance(held)
            found += [] if known is None or len(known.targets) != n else [known]
        else:
            found += traced_within(held, n, depth - 1)
    return found


def _known_provenance(dataset: Any) -> Provenance | None:
    """Return what is known of examples that are all corrupted ones, cut or joined."""
    if is_traced(dataset):
        known: Provenance = dataset.provenance
        return known
    if is_subset(dataset):
        whole = _known_provenance(dataset.dataset)
        return None if whole is None else whole.cut(dataset.indices)
    if is_joined(dataset):
        parts = [_known_provenance(part) for part in dataset.datasets]
        known_parts = [part for part in parts if part is not None]
        return Provenance.joined(known_parts) if len(known_parts) == len(parts) else None
    return None


def noise_beneath(dataset: Any, depth: int = _DEEPEST_WRAPPING) -> bool:
    """Return whether there is a corrupted data set with other labels than clean ones beneath."""
    if is_traced(dataset):
        known: Provenance = dataset.provenance
        return not np.array_equal(known.targets, known.clean_targets)
    if not depth or not hasattr(type(dataset), "__getitem__"):
        return False
    parts = dataset.datasets if is_joined(dataset) else own_attributes(dataset)
    return any(noise_beneath(part, depth - 1) for part in parts)
