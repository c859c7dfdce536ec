"""All checks of an audit, in order."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from corruptlab._data import Key, fields_of
from corruptlab._draws import Draws
from corruptlab.experiments.auditing import _noise as noise
from corruptlab.experiments.auditing._classes import check_classes
from corruptlab.experiments.auditing._duplicates import check_duplicates, check_overlap
from corruptlab.experiments.auditing._items import check_batches, check_items, second_pass
from corruptlab.experiments.auditing._pickling import check_pickling
from corruptlab.experiments.auditing._readings import compared, described
from corruptlab.experiments.auditing._report import Finding, Status
from corruptlab.experiments.auditing._shuffles import check_shuffles
from corruptlab.experiments.auditing._subject import Subject
from corruptlab.experiments.auditing._targets import check_targets
from corruptlab.experiments.auditing._workers import check_workers


def looked_at(
    name: str,
    dataset: Any,
    sample: int,
    draws: Draws,
    input_key: Key | None,
    label_key: Key | None,
) -> Subject | Finding:
    """Read a sample of a data set for the first time, or say why that cannot be.

    Args:
        name: ``"train"`` or ``"test"``.
        dataset: Any map-style data set.
        sample: How many items to read; first of all the first and the last, where lengths go wrong.
        draws: What chooses them.
        input_key: Where an item keeps its input, if that is not to be found out.
        label_key: Where it keeps its label, likewise.

    Returns:
        The data set with what is known of it, or a finding if no item is of any use.
    """
    n = len(dataset)
    order = [0, n - 1, *draws.permutations("audit/sample", [0], n)[0][:sample].tolist()]
    at = sorted(list(dict.fromkeys(order))[:sample])
    why = ""
    for i in at:
        try:
            fields = fields_of(dataset, dataset[i], input_key, label_key)
        except Exception as error:
            why = why or f"none of {len(at):,} items read can be used; item {i}: {described(error)}"
        else:
            return Subject.of(name, dataset, at, fields)
    return Finding(f"{name}: items", "error", why)


def all_findings(
    looks: Sequence[Subject | Finding], *, workers: int, tell: Callable[[int], None]
) -> tuple[Finding, ...]:
    """Make all checks.

    Args:
        looks: Training set and, if there is one, test set.
        workers: How many worker processes to use.
        tell: Is called with the number of items read so far in the passes over everything.

    Returns:
        The findings: on the training set, on the test set, on both together.
    """
    findings = [look for look in looks if isinstance(look, Finding)]
    subjects: list[Subject] = []
    done = 0
    for look in looks:
        if isinstance(look, Subject):
            subject, passes = _read_through(look, partial(_after, tell, done))
            subjects.append(subject)
            findings += [*_alone(subject, subjects[0].num_classes), passes]
            done += len(subject.dataset)
    findings += check_workers(subjects, workers)
    findings += _together(subjects, len(looks))
    return tuple(sorted(findings, key=_place))


_ORDER = (
    "items",
    "targets",
    "passes",
    "batches",
    "pickling",
    "workers",
    "spawn",
    "classes",
    "duplicates",
    "noise rate",
    "noise by class",
    "clean labels",
    "overlap",
    "shuffled pixels",
)


def _place(finding: Finding) -> tuple[int, int]:
    where, what = finding.check.split(": ")
    return ("train", "test", "both").index(where), _ORDER.index(what)


def _after(tell: Callable[[int], None], before: int, n: int) -> None:
    tell(before + n)


def _read_through(subject: Subject, tell: Callable[[int], None]) -> tuple[Subject, Finding]:
    """Read the sample again, and everything if its inputs stay the same or its labels need it."""
    again = second_pass(subject)
    passes = _finding(subject, "passes", compared(subject.readings, again, "in a second pass"))
    steady = all(a.content == b.content for a, b in zip(subject.readings, again, strict=True))
    subject = replace(subject, is_steady=steady)
    if steady or subject.lineage is None:
        subject = subject.counted(tell)
    return subject, passes


def _alone(subject: Subject, num_classes: int) -> list[Finding]:
    """Make the checks that need one data set and this process."""
    dataset, fields = subject.dataset, subject.fields
    checks: dict[str, Callable[[], tuple[Status, str]]] = {
        "items": lambda: check_items(subject),
        "targets": lambda: check_targets(dataset, fields, subject.good),
        "batches": lambda: check_batches(subject),
        "pickling": lambda: check_pickling(dataset),
        "classes": lambda: check_classes(subject, num_classes),
        "duplicates": lambda: check_duplicates(subject),
    }
    if subject.name == "train":
        checks["noise rate"] = lambda: noise.check_rate(subject)
        checks["noise by class"] = lambda: noise.check_by_class(subject)
    else:
        checks["clean labels"] = lambda: noise.check_clean(subject)
    return [_finding(subject, check, _made(act)) for check, act in checks.items()]


def _together(subjects: Sequence[Subject], asked: int) -> list[Finding]:
    """Make the checks that need both data sets."""
    checks = {"overlap": check_overlap, "shuffled pixels": check_shuffles}
    findings = []
    for check, act in checks.items():
        if len(subjects) == 2:
            verdict = _made(partial(act, *subjects))
        else:
            missing = "there is no test set." if asked == 1 else "one set has no usable items."
            verdict = "skipped", missing
        findings.append(Finding(f"both: {check}", *verdict))
    return findings


def _made(check: Callable[[], tuple[Status, str]]) -> tuple[Status, str]:
    """Make a check; what a data set raises during it is what it found."""
    try:
        return check()
    except Exception as error:
        return "error", f"the data set made this check fail: {described(error)}"


def _finding(subject: Subject, check: str, verdict: tuple[Status, str]) -> Finding:
    return Finding(f"{subject.name}: {check}", *verdict)
