"""Whether items can be read, and come out the same however they are read."""

from typing import Any

from corruptlab.experiments.auditing._readings import (
    Reading,
    compared,
    described,
    read,
    taken_apart,
)
from corruptlab.experiments.auditing._report import Status
from corruptlab.experiments.auditing._subject import Subject

_BATCH = 32


def check_items(subject: Subject) -> tuple[Status, str]:
    """Say whether items can be read: the sample, and all where all were read."""
    n, of_all = len(subject.readings), len(subject.dataset)
    failed = n - len(subject.good)
    first = next((reading for reading in subject.readings if reading.error), None)
    census = subject.census
    if census is not None and (census_failed := int((~census.readable).sum())) > failed:
        n, failed, first = of_all, census_failed, census.first_failure
    if first is not None:
        return "error", (
            f"{failed:,} of {n:,} items read cannot be used; item {first.index}: {first.error}"
        )
    return "ok", f"{n:,} of {of_all:,} items were read, each with an input and one integer label."


def second_pass(subject: Subject) -> list[Reading]:
    """Read the sample again, from the last item to the first."""
    backwards = [r.index for r in reversed(subject.readings)]
    return [read(subject.dataset, subject.fields, i) for i in backwards][::-1]


def check_batches(subject: Subject) -> tuple[Status, str]:
    """Compare items fetched as batches, as a ``DataLoader`` does it, with single ones."""
    fetch = getattr(subject.dataset, "__getitems__", None)
    if fetch is None:
        return "skipped", f"{type(subject.dataset).__name__} has no __getitems__."
    good = subject.good
    again: list[Reading] = []
    for start in range(0, len(good), _BATCH):
        again += _fetched(subject, fetch, [r.index for r in good[start : start + _BATCH]])
    return compared(good, again, "in batches fetched with __getitems__")


def _fetched(subject: Subject, fetch: Any, at: list[int]) -> list[Reading]:
    try:
        items = list(fetch(list(at)))
        return [taken_apart(x, subject.fields, i) for x, i in zip(items, at, strict=True)]
    except Exception as error:
        return [Reading(i, error=described(error)) for i in at]
