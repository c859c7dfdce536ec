"""Checks of loading: items are the same in a second pass, in batches, and in other processes."""

import multiprocessing
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

from torch.utils import data as torch_data
from torch.utils.data import Dataset

from corruptlab import _new_processes
from corruptlab.experiments.auditing._dataset import (
    AuditedData,
    ItemRecord,
    compared,
    count_forms,
    described,
    read,
    taken_apart,
)
from corruptlab.experiments.auditing._report import Finding, Status

_BATCH = 32
_SHOWN = 3  # forms of inputs
_PATIENCE = 300.0  # seconds for one batch, the start of a process included
_BATCHES = 4  # for each worker, so that all of them have work

_Method: TypeAlias = Literal["fork", "spawn"]


def check_items(data: AuditedData) -> tuple[Status, str]:
    """Check that items can be read: the sample, and all items if they were scanned."""
    n, of_all = len(data.records), len(data.dataset)
    failed = n - len(data.good)
    first = next((record for record in data.records if record.error), None)
    scan = data.scan
    if scan is not None and (all_failed := int((~scan.readable).sum())) > failed:
        n, failed, first = of_all, all_failed, scan.first_failure
    if first is not None:
        return "error", (
            f"{failed:,} of {n:,} items read cannot be used; item {first.index}: {first.error}"
        )
    return "ok", f"{n:,} of {of_all:,} items were read, each with an input and one label."


def check_shapes(data: AuditedData) -> tuple[Status, str]:
    """Check that inputs have one shape and one type, so that they can be read in batches."""
    forms = count_forms(data.records) if data.scan is None else data.scan.forms
    if not forms:
        return "skipped", "its inputs are not images, tensors, or arrays."
    if len(forms) == 1:
        ((form, (_, count)),) = forms.items()
        return "ok", f"{count:,} inputs read have the same form: {form}."
    told = "; ".join(
        f"{count:,} with the form {form}, first item {first}"
        for form, (first, count) in list(forms.items())[:_SHOWN]
    )
    return "error", (
        f"inputs differ in size or type, with {len(forms):,} forms: {told}. Batches require one "
        "form: `materialize`, `fit`, and a DataLoader cannot read these. Resize, crop, or convert "
        "them (of an image `convert('RGB')`) in a transform."
    )


def second_pass(data: AuditedData) -> list[ItemRecord]:
    """Read the sample again, from the last item to the first."""
    backwards = [r.index for r in reversed(data.records)]
    return [read(data.dataset, data.fields, i) for i in backwards][::-1]


def check_batches(data: AuditedData) -> tuple[Status, str]:
    """Compare items fetched in batches, as by a ``DataLoader``, with single ones."""
    fetch = getattr(data.dataset, "__getitems__", None)
    if fetch is None:
        return "skipped", f"{type(data.dataset).__name__} has no __getitems__."
    good = data.good
    again: list[ItemRecord] = []
    for start in range(0, len(good), _BATCH):
        again += _fetch_records(data, fetch, [r.index for r in good[start : start + _BATCH]])
    return compared(good, again, "in batches fetched with __getitems__")


def _fetch_records(data: AuditedData, fetch: Any, at: list[int]) -> list[ItemRecord]:
    try:
        items = list(fetch(list(at)))
        return [taken_apart(x, data.fields, i) for x, i in zip(items, at, strict=True)]
    except Exception as error:
        return [ItemRecord(i, error=described(error)) for i in at]


def check_workers(datasets: Sequence[AuditedData], workers: int) -> list[Finding]:
    """Read the samples in forked and in spawned workers of a ``DataLoader``."""
    if workers == 0:
        why = "no workers were requested (workers=0)."
        return _same_finding(datasets, "workers", "skipped", why) + _same_finding(
            datasets, "spawn", "skipped", why
        )
    return _check_forked_workers(datasets, workers) + _check_spawned_workers(datasets, workers)


def _check_forked_workers(datasets: Sequence[AuditedData], workers: int) -> list[Finding]:
    """Check workers that share memory, open files, and generators with this process."""
    if not _has_fork():
        why = "processes are not forked on this system; see the check spawn."
        return _same_finding(datasets, "workers", "skipped", why)
    return _check_workers(datasets, workers, "fork", "workers")


def _check_spawned_workers(datasets: Sequence[AuditedData], workers: int) -> list[Finding]:
    """Check new processes, to which the data sets are sent."""
    obstacles = [_obstacle(data.dataset) for data in datasets]
    kept = [data for data, why in zip(datasets, obstacles, strict=True) if why]
    sent = [data for data, why in zip(datasets, obstacles, strict=True) if not why]
    count = 1 if _has_fork() else workers  # a start takes seconds, and two were compared there
    findings = _same_finding(
        kept, "spawn", "skipped", "it cannot be sent to a new process; see the check of pickling."
    )
    if sent and (why := _no_start()):
        return findings + _same_finding(sent, "spawn", "warning", why)
    return findings + _check_workers(sent, count, "spawn", "spawn")


class _Samples(Dataset[ItemRecord]):
    """Item ``(k, i)`` is item ``i`` of data set ``k``."""

    def __init__(self, datasets: Sequence[AuditedData]) -> None:
        self.sources = [(data.dataset, data.fields) for data in datasets]

    def __getitem__(self, at: tuple[int, int]) -> ItemRecord:
        which, index = at
        return read(*self.sources[which], index)


def _check_workers(
    datasets: Sequence[AuditedData], workers: int, method: _Method, check: str
) -> list[Finding]:
    kind = "forked" if method == "fork" else "spawned"
    where = f"in {workers} {kind} worker{'s' * (workers != 1)}"
    try:
        again = _read_in_workers(datasets, workers, method) if datasets else []
    except Exception as error:
        why = f"items cannot be read {where}: {described(error)}"
        return _same_finding(datasets, check, "error", why)
    return [
        Finding(f"{data.name}: {check}", *compared(data.records, records, where))
        for data, records in zip(datasets, again, strict=True)
    ]


def _read_in_workers(
    datasets: Sequence[AuditedData], workers: int, method: _Method
) -> list[list[ItemRecord]]:
    at = [(k, r.index) for k, data in enumerate(datasets) for r in data.records]
    with warnings.catch_warnings():
        # That there are few processors, or that this process has threads, is not the data's fault.
        warnings.simplefilter("ignore")
        loader: Any = torch_data.DataLoader(
            _Samples(datasets),
            batch_size=-(-len(at) // (_BATCHES * workers)),
            sampler=at,
            num_workers=workers,
            collate_fn=list,
            timeout=_PATIENCE,
            multiprocessing_context=method,
        )
        records = iter([record for batch in loader for record in batch])
    return [[next(records) for _ in data.records] for data in datasets]


def _has_fork() -> bool:
    return "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"


def _same_finding(
    datasets: Iterable[AuditedData], check: str, status: Status, message: str
) -> list[Finding]:
    return [Finding(f"{data.name}: {check}", status, message) for data in datasets]


def check_pickling(dataset: Any) -> tuple[Status, str]:
    """Check that a data set can be sent to a process that is not forked."""
    found = _obstacle(dataset)
    if not found:
        return "ok", "the data set can be pickled, and a new process can import its classes."
    if multiprocessing.get_all_start_methods()[0] != "fork":
        return "error", found
    return (
        "warning",
        f"{found} Forked workers, the default here, do not need this; other workers do.",
    )


def _obstacle(dataset: Any) -> str:
    """Return why a data set cannot be sent to a new process; empty if it can."""
    trial = _new_processes.PickleTrial(dataset)
    if trial.error is not None:
        culprit = _new_processes.unpicklable_part(dataset, type(dataset).__name__)
        return (
            f"it cannot be pickled: {culprit} ({described(trial.error)}). Use functions and "
            "classes that a module defines at its top level, and open files when the first item "
            "is read."
        )
    if trial.names_in_main and not _new_processes.main_can_be_imported():
        names = " and ".join(f"`{name}`" for name in sorted(trial.names_in_main))
        return (
            f"it needs {names}, defined in a notebook or an interactive session, where a new "
            "process cannot find it: move it to a module and import it."
        )
    return ""


def _no_start() -> str:
    """Return why no process can be spawned from here; empty if one can."""
    if _new_processes.main_is_missing():
        return (
            "not tried: Python cannot spawn processes from a script that is not a file, such as "
            "one on standard input."
        )
    if _new_processes.main_would_run_again():
        return (
            "not tried: a spawned process would run your script again from the start. Put "
            "its code under `if __name__ == '__main__':`, which macOS and Windows require for "
            "every DataLoader with workers."
        )
    return ""
