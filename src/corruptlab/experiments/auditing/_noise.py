"""Whether label noise is what its definition says, by exact tests, and off the test set."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc

from corruptlab._data import History, Provenance
from corruptlab.corruptions import is_label_corruption
from corruptlab.experiments.auditing._report import Status
from corruptlab.experiments.auditing._stages import class_counts, nominal_matrix
from corruptlab.experiments.auditing._subject import Subject

THRESHOLD = 1e-4
"""Noise as defined is called wrong with at most this probability."""

_MOST_CLASSES = 4096  # a matrix of 128 MiB

_UNTRACED = "corruptlab did not make it, so its clean labels are not known."


def check_rate(subject: Subject) -> tuple[Status, str]:
    """Test the share of changed labels: one binomial law, or one for each class."""
    if subject.lineage is None or not subject.is_traced:
        return "skipped", _UNTRACED
    told, stages = _told(subject.lineage), subject.stages
    if stages is not None and not any(is_label_corruption(c) for c, _ in stages):
        return "skipped", f"nothing was done to its labels; {told}."
    matrix = _matrix(subject)
    if matrix is None:
        return "ok", f"{told}; there is no nominal rate to compare this with."
    counts = _counts(subject.lineage)
    changed, sizes = counts.sum(1) - np.diag(counts), counts.sum(1)
    rates = np.clip(1 - np.diag(matrix), 0, 1)
    expected = f"{told}, {sizes @ rates / sizes.sum():.2%} expected"
    there = sizes > 0
    if np.ptp(rates[there]) < 1e-12:
        p = float(two_sided(changed.sum(), sizes.sum(), rates[there].mean()))
        return _verdict(p, expected, "exact binomial test")
    p_values = two_sided(changed[there], sizes[there], rates[there])
    worst = np.flatnonzero(there)[p_values.argmin()]
    seen = (
        f"{expected}; least likely is class {worst} with {changed[worst]:,} of {sizes[worst]:,}, "
        f"{rates[worst]:.2%} expected"
    )
    p = min(1.0, float(p_values.min()) * len(p_values))
    return _verdict(p, seen, f"{len(p_values)} exact binomial tests, one a class, p adjusted")


def check_by_class(subject: Subject) -> tuple[Status, str]:
    """Test each entry of the transition matrix: where the labels of each class go."""
    if subject.lineage is None or not subject.is_traced:
        return "skipped", _UNTRACED
    matrix = _matrix(subject)
    if matrix is None:
        return "skipped", "there is no nominal transition matrix to compare with."
    if np.array_equal(matrix, np.eye(len(matrix))):
        return "skipped", "no label is meant to change."
    counts = _counts(subject.lineage)
    sizes = counts.sum(1, keepdims=True)
    p_values = two_sided(counts, sizes, np.clip(matrix, 0, 1))
    old, new = np.unravel_index(p_values.argmin(), p_values.shape)
    seen = (
        f"least likely: {counts[old, new]:,} of {sizes[old, 0]:,} labels of class {old} became "
        f"{new}, {matrix[old, new]:.2%} expected"
    )
    p = min(1.0, float(p_values.min()) * p_values.size)
    return _verdict(p, seen, f"{p_values.size} exact binomial tests, one a pair, p adjusted")


def check_clean(subject: Subject) -> tuple[Status, str]:
    """Say whether labels that are tested on are the clean ones."""
    if subject.lineage is None or not subject.is_traced:
        return "skipped", _UNTRACED
    told = _told(subject.lineage)
    if (subject.lineage.targets == subject.lineage.clean_targets).all():
        return "ok", f"{told}: they are clean."
    return "error", (
        f"{told}: test accuracy would count right answers as wrong. Corrupt the labels of the "
        "training set alone."
    )


def two_sided(
    k: NDArray[np.int64] | np.int64, n: NDArray[np.int64] | np.int64, p: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Return twice the smaller exact tail of the binomial law, at most 1.

    Args:
        k: Counts seen, in ``0 .. n``.
        n: Numbers of trials.
        p: Probabilities, in ``[0, 1]``.

    Returns:
        The p-values, in the common shape of the arguments.
    """
    k, n, p = np.broadcast_arrays(k, n, p)
    low, high = bdtr(k, n, p), bdtrc(k - 1, n, p)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(low, high)), np.float64)


def _matrix(subject: Subject) -> NDArray[np.float64] | None:
    stages, lineage = subject.stages, subject.lineage
    if stages is None or lineage is None or lineage.num_classes > _MOST_CLASSES:
        return None
    if class_counts(subject.dataset) != {lineage.num_classes}:
        return None  # the matrices of the parts do not fit one another
    # A foreign wrapper in between passes on what was done, and hides how.
    if History((c.stream, draws.seed) for c, draws in stages) != lineage.history:
        return None
    return nominal_matrix(stages, lineage.num_classes)


def _counts(lineage: Provenance) -> NDArray[np.int64]:
    """Count pairs of clean and served label; an example that is there twice was drawn once."""
    _, once = np.unique(lineage.ids, return_index=True)
    k = lineage.num_classes
    pairs = lineage.clean_targets[once] * k + lineage.targets[once]
    return np.bincount(pairs, minlength=k * k).reshape(k, k)


def _told(lineage: Provenance) -> str:
    changed, n = int((lineage.targets != lineage.clean_targets).sum()), len(lineage.targets)
    return f"{changed:,} of {n:,} labels changed ({changed / n:.2%})"


def _verdict(p: float, seen: str, test: str) -> tuple[Status, str]:
    if p >= THRESHOLD:
        return "ok", f"{seen} ({test}: p = {p:.2g}, wrong below {THRESHOLD:g})."
    return "error", (
        f"{seen}: not the noise that its definition says ({test}: p = {p:.2g}, wrong below "
        f"{THRESHOLD:g}). Report the realized rate, or find out what changed the labels, or chose "
        "the examples."
    )
