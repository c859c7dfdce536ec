"""Checks of labels and inputs: classes, copies, noise beside its definition, shuffled pixels."""

from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from corruptlab._data import History, Provenance
from corruptlab._duplicates import majorities
from corruptlab._text import counted
from corruptlab._types import Array, Ids, Labels
from corruptlab.corruptions import ShuffledPixels, is_label_corruption
from corruptlab.experiments.auditing._dataset import AuditedData, Stages
from corruptlab.experiments.auditing._report import Status

_LONG_TAIL = 10  # times as many examples in the largest class as in the smallest
_SHOWN = 3  # pairs, or items
_MUCH = 0.01  # of the test set; more than this moves test accuracy by what papers report
_THRESHOLD = 1e-4  # probability that noise as defined is called wrong
_MOST_CLASSES = 4096  # a matrix of 128 MiB
_UNTRACED = "its clean labels are unknown, because it is not a Corrupted data set."


def check_classes(data: AuditedData, num_classes: int) -> tuple[Status, str]:
    """Check that labels lie in ``0 .. num_classes - 1``, and count the classes."""
    labels = data.labels
    at = np.arange(0 if labels is None else len(labels))
    if data.scan is not None:
        at = at[data.scan.readable]
    if labels is None or not len(at):
        return "skipped", "its labels cannot be read."
    wrong = at[(labels[at] < 0) | (labels[at] >= num_classes)]
    if len(wrong):
        return "error", (
            f"{len(wrong):,} labels lie outside 0 .. {num_classes - 1}; item {wrong[0]} has "
            f"{labels[wrong[0]]}. A network with {num_classes:,} outputs cannot learn them."
        )
    there, counts = np.unique(labels[at], return_counts=True)
    if len(there) < num_classes:
        return "warning", _describe_empty_classes(set(there.tolist()), num_classes)
    least, most = counts.argmin(), counts.argmax()
    sizes = counted(int(counts[most]), "example")
    if counts[most] > counts[least]:
        sizes = f"{counts[least]:,} to {sizes}"
    told = f"{counted(num_classes, 'class', 'classes')} with {sizes} each"
    if counts[most] >= _LONG_TAIL * counts[least]:
        return "warning", (
            f"{told} (classes {there[least]} and {there[most]}): report this with accuracies, or "
            "report the accuracy of each class."
        )
    return "ok", f"{told}."


def _describe_empty_classes(there: set[int], num_classes: int) -> str:
    missing = num_classes - len(there)
    first = ", ".join(map(str, islice((c for c in count() if c not in there), min(missing, 3))))
    told = f"{missing:,} of {num_classes:,} classes have no example, first {first}"
    if missing == 1 and 0 not in there:
        return f"{told}: labels seem to start at 1; they must be 0 .. K-1 for K outputs."
    return f"{told}: is this part of a larger data set, or do the labels have gaps?"


def check_duplicates(data: AuditedData) -> tuple[Status, str]:
    """Look for equal inputs, and check that their labels agree."""
    found = _contents(data)
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
    pairs = _describe_conflicts(groups, positions, labels, conflicting)
    best = min(int(most.sum()) / len(order), 0.9999)  # never 100.00%: something is missing
    return "warning", (
        f"{told}, and of these {int(sizes[conflicting].sum()):,} have conflicting labels, "
        f"as {pairs}; no network can fit more than {best:.2%} of all labels."
    )


def check_overlap(train: AuditedData, test: AuditedData) -> tuple[Status, str]:
    """Look for test inputs that are training inputs."""
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
        f"{len(leaked):,} of {len(b.keys):,} test inputs ({share:.2%}) are also training inputs, "
        f"first test items {some}: they measure memorization, not generalization."
    )


@dataclass(frozen=True)
class _Contents:
    positions: Ids
    keys: NDArray[np.uint64]  # (n, 2)
    labels: Labels


def _contents(data: AuditedData) -> _Contents | str:
    """Return what can be compared, or why nothing can."""
    scan, labels = data.scan, data.labels
    if scan is None or labels is None or not data.is_steady:
        return (
            f"inputs of {data.title} differ between passes, so copies cannot be found; "
            "audit it without random transforms."
        )
    at = np.flatnonzero(scan.comparable & scan.readable)
    if len(at) == 0:
        return f"inputs of {data.title} cannot be read, or are of a type that cannot be compared."
    return _Contents(at, scan.contents[at], labels[at])


def _grouped(keys: NDArray[np.uint64]) -> tuple[Ids, Ids]:
    """Sort keys, and return the order and the group of each key in it."""
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    new = (keys[order][1:] != keys[order][:-1]).any(axis=1)
    return order, np.concatenate([[0], np.cumsum(new)])


def _describe_conflicts(groups: Ids, positions: Ids, labels: Labels, conflicting: Any) -> str:
    shown = []
    for group in np.flatnonzero(conflicting)[:_SHOWN]:
        at = np.flatnonzero(groups == group)
        first = at[0]
        other = at[labels[at] != labels[first]][0]
        (i, a), (j, b) = sorted((positions[k], labels[k]) for k in (first, other))
        shown.append(f"items {i} (label {a}) and {j} (label {b})")
    return ", ".join(shown)


def check_rate(data: AuditedData) -> tuple[Status, str]:
    """Test the share of changed labels, by class where the rates differ."""
    if data.provenance is None or not data.is_traced:
        return "skipped", _UNTRACED
    told, stages = _describe_noise(data.provenance), data.stages
    if stages is not None and not any(is_label_corruption(c) for c, _ in stages):
        return "skipped", f"its labels were not corrupted; {told}."
    matrix = _matrix(data)
    if matrix is None:
        return "ok", f"{told}; there is no nominal rate for comparison."
    counts = _counts(data.provenance)
    changed, sizes = counts.sum(1) - np.diag(counts), counts.sum(1)
    rates = np.clip(1 - np.diag(matrix), 0, 1)
    expected = f"{told}, {sizes @ rates / sizes.sum():.2%} expected"
    there = sizes > 0
    if np.ptp(rates[there]) < 1e-12:
        p = float(_two_sided(changed.sum(), sizes.sum(), rates[there].mean()))
        return _verdict(p, expected, "exact binomial test")
    p_values = _two_sided(changed[there], sizes[there], rates[there])
    worst = np.flatnonzero(there)[p_values.argmin()]
    seen = (
        f"{expected}; least likely is class {worst} with {changed[worst]:,} of {sizes[worst]:,}, "
        f"{rates[worst]:.2%} expected"
    )
    p = min(1.0, float(p_values.min()) * len(p_values))
    return _verdict(p, seen, f"{len(p_values)} exact binomial tests, one per class, adjusted p")


def check_by_class(data: AuditedData) -> tuple[Status, str]:
    """Test each entry of the transition matrix."""
    if data.provenance is None or not data.is_traced:
        return "skipped", _UNTRACED
    matrix = _matrix(data)
    if matrix is None:
        return "skipped", "there is no nominal transition matrix for comparison."
    if np.array_equal(matrix, np.eye(len(matrix))):
        return "skipped", "the nominal noise rate is 0."
    counts = _counts(data.provenance)
    sizes = counts.sum(1, keepdims=True)
    p_values = _two_sided(counts, sizes, np.clip(matrix, 0, 1))
    old, new = np.unravel_index(p_values.argmin(), p_values.shape)
    seen = (
        f"least likely: {counts[old, new]:,} of {sizes[old, 0]:,} labels of class {old} became "
        f"{new}, {matrix[old, new]:.2%} expected"
    )
    p = min(1.0, float(p_values.min()) * p_values.size)
    return _verdict(p, seen, f"{p_values.size} exact binomial tests, one per pair, adjusted p")


def check_clean(data: AuditedData) -> tuple[Status, str]:
    """Check that test labels are clean."""
    if data.provenance is None or not data.is_traced:
        return "skipped", _UNTRACED
    told = _describe_noise(data.provenance)
    if (data.provenance.targets == data.provenance.clean_targets).all():
        return "ok", f"{told}: they are clean."
    return "error", (
        f"{told}: test accuracy would count correct predictions as errors. Corrupt only the "
        "labels of the training set."
    )


def _two_sided(
    k: NDArray[np.int64] | np.int64, n: NDArray[np.int64] | np.int64, p: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Return p-values of counts k of n: twice the smaller exact binomial tail, at most 1."""
    k, n, p = np.broadcast_arrays(k, n, p)
    low, high = scipy.special.bdtr(k, n, p), scipy.special.bdtrc(k - 1, n, p)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(low, high)), np.float64)


def _matrix(data: AuditedData) -> NDArray[np.float64] | None:
    stages, provenance = data.stages, data.provenance
    if stages is None or provenance is None or provenance.num_classes > _MOST_CLASSES:
        return None
    if data.class_counts != {provenance.num_classes}:
        return None  # the parts have matrices of different sizes
    # A foreign wrapper in between passes on what was done, and hides how.
    if History((c.stream, draws.seed) for c, draws in stages) != provenance.history:
        return None
    return data.nominal_matrix


def _counts(provenance: Provenance) -> NDArray[np.int64]:
    """Count pairs of clean and served label, each example once."""
    _, once = np.unique(provenance.ids, return_index=True)
    k = provenance.num_classes
    pairs = provenance.clean_targets[once] * k + provenance.targets[once]
    return np.bincount(pairs, minlength=k * k).reshape(k, k)


def _describe_noise(provenance: Provenance) -> str:
    n = len(provenance.targets)
    changed = int((provenance.targets != provenance.clean_targets).sum())
    return f"{changed:,} of {n:,} labels changed ({changed / n:.2%})"


def _verdict(p: float, seen: str, test: str) -> tuple[Status, str]:
    if p >= _THRESHOLD:
        return "ok", f"{seen} ({test}: p = {p:.2g}, error below {_THRESHOLD:g})."
    return "error", (
        f"{seen}: this contradicts the definition of the noise ({test}: p = {p:.2g}, error below "
        f"{_THRESHOLD:g}). Report the realized rate, or find out what changed the labels or "
        "selected the examples."
    )


def check_shuffles(train: AuditedData, test: AuditedData) -> tuple[Status, str]:
    """Shuffle a numbered image as each set does, and compare."""
    a, b = _shuffles(train), _shuffles(test)
    if not a and not b:
        return "skipped", "neither set has shuffled pixels."
    if not (a and b):
        have, lack = ("training", "test") if a else ("test", "training")
        return "warning", (
            f"the {have} inputs have shuffled pixels and the {lack} inputs, as far as "
            "is known, do not: corrupt both with the same seed to measure generalization."
        )
    if train.shape != test.shape:
        return "error", (
            f"training inputs have shape {train.shape} and test inputs {test.shape}, so "
            "their pixels have different permutations."
        )
    alike = np.array_equal(_permuted_positions(a, train.shape), _permuted_positions(b, test.shape))
    if alike and _masks_of(a) == _masks_of(b):
        return (
            "ok",
            f"both sets have the same permutation of the pixels ({_describe_shuffles(a)}).",
        )
    return "error", (
        "training and test inputs have different permutations of the pixels: "
        f"{_describe_shuffles(a)} and {_describe_shuffles(b)}. Use the same seed and definition "
        "for both."
    )


def _shuffles(data: AuditedData) -> Stages:
    return tuple(each for each in data.stages or () if isinstance(each[0], ShuffledPixels))


def _permuted_positions(stages: Stages, shape: tuple[int, ...]) -> Array:
    numbered: Array = np.arange(int(np.prod(shape))).reshape(1, *shape)
    for corruption, draws in stages:
        assert isinstance(corruption, ShuffledPixels)
        bare = replace(corruption, where=None, keep=())
        numbered = bare.inputs(numbered, draws=draws, ids=[0])
    return numbered


def _masks_of(stages: Stages) -> list[Any]:
    """Return what stays in place, where some positions do."""
    return [(c.where, c.keep) for c, _ in stages if isinstance(c, ShuffledPixels)]


def _describe_shuffles(stages: Stages) -> str:
    return ", ".join(f"{corruption!r} with seed {draws.seed}" for corruption, draws in stages)
