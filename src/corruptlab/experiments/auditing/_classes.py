"""Whether labels lie in 0 .. K-1, and how the classes are filled."""

from itertools import count, islice

import numpy as np

from corruptlab.experiments.auditing._report import Status
from corruptlab.experiments.auditing._subject import Subject

_LONG_TAIL = 10  # times as many examples in the largest class as in the smallest


def check_classes(subject: Subject, num_classes: int) -> tuple[Status, str]:
    """Check labels against the number of classes, and count them.

    Args:
        subject: The data set.
        num_classes: Number of classes ``K`` of the training set.

    Returns:
        A status and a message.
    """
    labels = subject.labels
    if labels is None:
        return "skipped", "its labels cannot be read."
    at = np.arange(len(labels))
    if subject.census is not None:
        at = at[subject.census.readable]
    wrong = at[(labels[at] < 0) | (labels[at] >= num_classes)]
    if len(wrong):
        return "error", (
            f"{len(wrong):,} labels lie outside 0 .. {num_classes - 1}; item {wrong[0]} has "
            f"{labels[wrong[0]]}. A network with {num_classes:,} outputs cannot learn them."
        )
    there, counts = np.unique(labels[at], return_counts=True)
    if len(there) < num_classes:
        return "warning", _empty(set(there.tolist()), num_classes)
    least, most = counts.argmin(), counts.argmax()
    sizes = f"{counts[least]:,}"
    if counts[most] > counts[least]:
        sizes += f" to {counts[most]:,}"
    told = f"{num_classes:,} classes with {sizes} examples each"
    if counts[most] >= _LONG_TAIL * counts[least]:
        return "warning", (
            f"{told} (classes {there[least]} and {there[most]}): say so next to an accuracy, or "
            "give the accuracy of each class."
        )
    return "ok", f"{told}."


def _empty(there: set[int], num_classes: int) -> str:
    missing = num_classes - len(there)
    first = ", ".join(map(str, islice((c for c in count() if c not in there), min(missing, 3))))
    told = f"{missing:,} of {num_classes:,} classes have no example, first {first}"
    if missing == 1 and 0 not in there:
        return f"{told}: labels seem to begin at 1; they have to be 0 .. K-1 for K outputs."
    return f"{told}: a cut of a larger data set, or labels with gaps?"
