"""Items as they come out of a data set, small enough to be kept and sent between processes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from corruptlab._data import Fields, class_of
from corruptlab.experiments.auditing._digest import digest
from corruptlab.experiments.auditing._report import Status


@dataclass(frozen=True)
class Reading:
    """One item as it came out once.

    Args:
        index: Its position.
        label: Its label; None if there is none to be had.
        content: Digest of its input; None if inputs of this type cannot be compared.
        error: What went wrong; empty if nothing did.
    """

    index: int
    label: int | None = None
    content: bytes | None = None
    error: str = ""


def read(dataset: Any, fields: Fields, index: int) -> Reading:
    """Read one item; what it raises is part of the reading."""
    try:
        return taken_apart(dataset[index], fields, index)
    except Exception as error:
        return Reading(index, error=described(error))


def taken_apart(item: Any, fields: Fields, index: int) -> Reading:
    """Return an item as a reading."""
    label = class_of(item[fields.label])
    try:
        content = digest(fields.input_of(item, "dataset", index))
    except TypeError:
        content = None
    return Reading(index, label, content)


def described(error: BaseException) -> str:
    """Return kind and text of an error on one line, without what a worker adds to it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines) if len(lines) < 4 else f"{lines[0]} ... {lines[-1]}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def compared(first: Sequence[Reading], again: Iterable[Reading], place: str) -> tuple[Status, str]:
    """Compare a second reading of some items with the first.

    Args:
        first: The items as first read.
        again: The same items in the same order, read otherwise.
        place: Where or how the second reading was made, such as ``"in a second pass"``.

    Returns:
        A status and a message: different labels are an error, different inputs a warning.
    """
    pairs = [(a, b) for a, b in zip(first, again, strict=True) if not a.error]
    if not pairs:
        return "skipped", "none of the sampled items could be read."
    n = len(pairs)
    if failed := [b for _, b in pairs if b.error]:
        return "error", (
            f"{len(failed):,} of {n:,} sampled items that can be read cannot be read {place}; "
            f"item {failed[0].index}: {failed[0].error}"
        )
    if moved := [(a, b) for a, b in pairs if a.label != b.label]:
        a, b = moved[0]
        return "error", (
            f"{len(moved):,} of {n:,} sampled items have another label {place}; item {a.index} has "
            f"{b.label} there, and had {a.label} at first. Make the label depend on the example "
            "alone: not on chance, on the worker, or on the order of access."
        )
    if any(a.content is None for a, _ in pairs):
        return "ok", f"{n:,} sampled items have the same labels {place}; inputs of their type " + (
            "cannot be compared."
        )
    if changed := sum(a.content != b.content for a, b in pairs):
        return "warning", (
            f"{changed:,} of {n:,} sampled items have another input {place}, with the same label: "
            "random transforms do this, which is no fault where it is meant (random labels are "
            "fitted without augmentation)."
        )
    return "ok", f"{n:,} sampled items have the same labels and inputs {place}."
