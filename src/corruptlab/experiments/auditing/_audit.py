"""Audit of data sets for common problems, in one call."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from corruptlab._by_name import describe
from corruptlab._checks import at_least, natural
from corruptlab._data import Key, check_labels_inside, checked_length, paired
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._progress import Progress
from corruptlab._random_state import preserve_rng_state
from corruptlab._types import MapDataset
from corruptlab.experiments.auditing import _labels as labels
from corruptlab.experiments.auditing import _loading as loading
from corruptlab.experiments.auditing._dataset import AuditedData, check_targets, compared, described
from corruptlab.experiments.auditing._report import AuditReport, Finding, Status

_ORDER = (
    "items",
    "shapes",
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


def audit(
    train: MapDataset[Any],
    test: MapDataset[Any] | None = None,
    *,
    sample: int = 256,
    seed: int = 0,
    workers: int = 2,
    input_key: Key | None = None,
    label_key: Key | None = None,
    progress: bool = False,
) -> AuditReport:
    """Check a data set, corrupted or not, for problems that would invalidate an experiment.

    The checks: label noise has the rate and the transitions of its definition, by exact binomial
    tests at level 1e-4 (an exact ``drawing`` has a smaller variance and passes more easily); label
    attributes agree with the items; inputs have one shape and type; a second pass, batches, forked
    workers, and spawned processes return the same items; labels lie in 0 .. K-1; copies of an input
    have equal labels (random labels on copies cannot be fitted); test labels are clean, no test
    input is a training input, and the pixels of both sets have the same permutation. Checks that do
    not apply, such as the noise of a data set that corruptlab did not corrupt, are listed as
    skipped.

    Problems of the data do not raise errors: they are findings that name the first item concerned.
    All inputs are read once, and a hash of 16 bytes is stored for each; the sample is read several
    times. A spawned process gets a copy of the data sets, as in training. No process is spawned
    from a script without ``if __name__ == "__main__":``, because it would run the script again. The
    state of the global generators is restored.

    Args:
        train: Any map-style data set of (input, label) items, or a pair of arrays ``(X, y)``.
        test: Test set in the same form, or None.
        sample: Maximum number of items of each set that are read repeatedly, >= 1.
        seed: Seed of the sample; an integer >= 0.
        workers: Number of worker processes that read the sample; 0 skips the checks with workers.
        input_key: Position or name of the input in an item, as in `corrupt`. By default that of a
            corrupted data set.
        label_key: Position or name of the label in an item, likewise.
        progress: Whether to show progress on standard error.

    Returns:
        The findings; ``print(report)`` shows them.

    Raises:
        TypeError: If a data set is not map-style, or a number is not an integer.
        ValueError: If a data set is empty, ``X`` and ``y`` of a pair have different lengths, or a
            number is out of range.

    Example:
        >>> import corruptlab as cl
        >>> train, test = cl.datasets.load("fashion-mnist-mini")
        >>> noisy = cl.corrupt(train, cl.UniformLabels(p=0.5), seed=0)
        >>> report = cl.experiments.audit(noisy, test, workers=0)
        >>> report.ok
        True
        >>> print(report["train: noise rate"].message)
        1,792 of 4,000 labels changed (44.80%), 45.00% expected
        (exact binomial test: p = 0.81, error below 0.0001).

    Source: Zhang et al. 2017, §2.1, for the corruptions of the paper; the docstrings of the other
    corruptions name their sources.
    """
    check_labels_inside(test, "audit((X, y), ...)")
    sample = at_least(1, "sample", sample)
    workers = natural("workers", workers)
    draws = Draws(seed)
    keys = {"input_key": input_key, "label_key": label_key}
    both = {"train": train} if test is None else {"train": train, "test": test}
    given = {name: paired(dataset, name) for name, dataset in both.items()}
    sizes = {name: checked_length(dataset, name) for name, dataset in given.items()}
    with preserve_rng_state(), Progress(sum(sizes.values()), "audit", show=progress) as line:
        looks = [
            AuditedData.of(name, dataset, sample, draws, keys) for name, dataset in given.items()
        ]
        findings = _all_findings(looks, workers=workers, on_progress=line.update)
    findings += tuple(_changed_lengths(given, sizes))
    return AuditReport(
        findings=findings,
        train=describe(given["train"]),
        test="" if test is None else describe(given["test"]),
        n_train=sizes["train"],
        n_test=sizes.get("test", 0),
        sample=sample,
        seed=draws.seed,
        workers=workers,
        environment=Environment.here(),
    )


def _changed_lengths(given: Mapping[str, Any], sizes: Mapping[str, int]) -> Iterator[Finding]:
    for name, dataset in given.items():
        if (now := len(dataset)) != sizes[name]:
            told = f"__len__ gives {sizes[name]:,} at first and {now:,} later"
            yield Finding(f"{name}: length", "error", told)


def _all_findings(
    looks: Sequence[AuditedData | Finding], *, workers: int, on_progress: Callable[[int], None]
) -> tuple[Finding, ...]:
    """Make all checks: of the training set, of the test set, of both together."""
    findings = [look for look in looks if isinstance(look, Finding)]
    datasets: list[AuditedData] = []
    done = 0
    for look in looks:
        if isinstance(look, AuditedData):
            data, passes = _read_through(look, partial(_report_progress, on_progress, done))
            datasets.append(data)
            findings += [*_check_one(data, datasets[0].num_classes), passes]
            done += len(data.dataset)
    findings += loading.check_workers(datasets, workers)
    findings += _check_both(datasets, len(looks))
    return tuple(sorted(findings, key=_report_order))


def _report_order(finding: Finding) -> tuple[int, int]:
    where, what = finding.check.split(": ")
    return ("train", "test", "both").index(where), _ORDER.index(what)


def _report_progress(on_progress: Callable[[int], None], before: int, n: int) -> None:
    on_progress(before + n)


def _read_through(
    data: AuditedData, on_progress: Callable[[int], None]
) -> tuple[AuditedData, Finding]:
    """Read the sample again, and all items if inputs are steady or labels are unknown."""
    again = loading.second_pass(data)
    passes = _finding(data, "passes", compared(data.records, again, "in a second pass"))
    steady = all(a.content == b.content for a, b in zip(data.records, again, strict=True))
    data = replace(data, is_steady=steady)
    if steady or data.provenance is None:
        data = data.scanned(on_progress)
    return data, passes


def _check_one(data: AuditedData, num_classes: int) -> list[Finding]:
    """Make the checks of one data set in this process."""
    dataset, fields = data.dataset, data.fields
    checks: dict[str, Callable[[], tuple[Status, str]]] = {
        "items": lambda: loading.check_items(data),
        "shapes": lambda: loading.check_shapes(data),
        "targets": lambda: check_targets(dataset, fields, data.good),
        "batches": lambda: loading.check_batches(data),
        "pickling": lambda: loading.check_pickling(dataset),
        "classes": lambda: labels.check_classes(data, num_classes),
        "duplicates": lambda: labels.check_duplicates(data),
    }
    if data.name == "train":
        checks["noise rate"] = lambda: labels.check_rate(data)
        checks["noise by class"] = lambda: labels.check_by_class(data)
    else:
        checks["clean labels"] = lambda: labels.check_clean(data)
    return [_finding(data, check, _verdict_of(act)) for check, act in checks.items()]


def _check_both(datasets: Sequence[AuditedData], asked: int) -> list[Finding]:
    """Make the checks of both data sets together."""
    checks = {"overlap": labels.check_overlap, "shuffled pixels": labels.check_shuffles}
    findings = []
    for check, act in checks.items():
        if len(datasets) == 2:
            verdict = _verdict_of(partial(act, *datasets))
        else:
            missing = "there is no test set." if asked == 1 else "one set has no usable items."
            verdict = "skipped", missing
        findings.append(Finding(f"both: {check}", *verdict))
    return findings


def _verdict_of(check: Callable[[], tuple[Status, str]]) -> tuple[Status, str]:
    """Make a check; an exception of the data set is its finding."""
    try:
        return check()
    except Exception as error:
        return "error", f"this check raised an error in the data set: {described(error)}"


def _finding(data: AuditedData, check: str, verdict: tuple[Status, str]) -> Finding:
    return Finding(f"{data.name}: {check}", *verdict)
