"""Inputs that are there more than once: within one data set, and in both."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptlab._duplicates import majorities
from corruptlab._types import Ids, Labels
from corruptlab.experiments.auditing._report import Status
from corruptlab.experiments.auditing._subject import Subject

_SHOWN = 3  # pairs, or items
_MUCH = 0.01  # of the test set; more than this moves test accuracy by what papers report


def check_duplicates(subject: Subject) -> tuple[Status, str]:
    """Look for equal inputs, and whether their labels agree."""
    found = _contents(subject)
    if isinstance(found, str):
        return "skipped", found
    order, groups = _grouped(found.keys)
    positions, labels = found.positions[order], found.labels[order]
    sizes = np.bincount(groups)
    copies = int(sizes[sizes > 1].sum())
    if copies == 0:
        return "ok", f"all {len(order):,} inputs are different."
    most = majorities(groups, labels)
    conflicting = most < sizes
    told = f"{copies:,} of {len(order):,} inputs are copies of one another"
    if not conflicting.any():
        return "ok", f"{told}; copies have equal labels."
    pairs = _pairs(groups, positions, labels, conflicting)
    best = min(int(most.sum()) / len(order), 0.9999)  # never 100.00%: something is missing
    return "warning", (
        f"{told}, and of these {int(sizes[conflicting].sum()):,} have conflicting labels, "
        f"as {pairs}; no network gets more than {best:.2%} of these labels right."
    )


def check_overlap(train: Subject, test: Subject) -> tuple[Status, str]:
    """Look for test inputs that are training inputs too."""
    a, b = _contents(train), _contents(test)
    for found in (a, b):
        if isinstance(found, str):
            return "skipped", found
    assert not isinstance(a, str)
    assert not isinstance(b, str)
    keys = np.concatenate([a.keys, b.keys])
    order, groups = _grouped(keys)
    of = np.empty(len(keys), np.int64)
    of[order] = groups
    in_train = np.zeros(groups[-1] + 1, np.bool_)
    in_train[of[: len(a.keys)]] = True
    leaked = b.positions[in_train[of[len(a.keys) :]]]
    if len(leaked) == 0:
        return "ok", f"none of {len(b.keys):,} test inputs is a training input."
    some = ", ".join(map(str, leaked[:_SHOWN].tolist()))
    share = len(leaked) / len(b.keys)
    return "error" if share > _MUCH else "warning", (
        f"{len(leaked):,} of {len(b.keys):,} test inputs ({share:.2%}) are training inputs too, "
        f"first test items {some}: they measure memory, not generalization."
    )


@dataclass(frozen=True)
class _Contents:
    positions: Ids
    keys: NDArray[np.uint64]  # (n, 2)
    labels: Labels


def _contents(subject: Subject) -> _Contents | str:
    """Return what there is to compare, or why there is nothing."""
    census, labels = subject.census, subject.labels
    if census is None or labels is None or not subject.is_steady:
        return (
            f"inputs of {subject.title} differ from pass to pass, so that copies cannot be told; "
            "audit it without its random transforms."
        )
    at = np.flatnonzero(census.comparable & census.readable)
    if len(at) == 0:
        return (
            f"inputs of {subject.title} cannot be read, or are of a type that cannot be compared."
        )
    return _Contents(at, census.contents[at], labels[at])


def _grouped(keys: NDArray[np.uint64]) -> tuple[Ids, Ids]:
    """Return an order that brings equal keys together, and the group of each in that order."""
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    new = (keys[order][1:] != keys[order][:-1]).any(axis=1)
    return order, np.concatenate([[0], np.cumsum(new)])


def _pairs(groups: Ids, positions: Ids, labels: Labels, conflicting: Any) -> str:
    shown = []
    for group in np.flatnonzero(conflicting)[:_SHOWN]:
        at = np.flatnonzero(groups == group)
        first = at[0]
        other = at[labels[at] != labels[first]][0]
        (i, a), (j, b) = sorted((positions[k], labels[k]) for k in (first, other))
        shown.append(f"items {i} (label {a}) and {j} (label {b})")
    return ", ".join(shown)
