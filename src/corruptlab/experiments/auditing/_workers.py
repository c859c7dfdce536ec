"""Whether worker processes serve the items that the main process serves."""

import multiprocessing
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

from torch.utils.data import DataLoader, Dataset

from corruptlab.experiments.auditing._main_script import no_start
from corruptlab.experiments.auditing._pickling import obstacle
from corruptlab.experiments.auditing._readings import Reading, compared, described, read
from corruptlab.experiments.auditing._report import Finding, Status
from corruptlab.experiments.auditing._subject import Subject

_PATIENCE = 300.0  # seconds for one batch, the start of a process included
_BATCHES = 4  # for each worker, so that all of them have work

_Method: TypeAlias = Literal["fork", "spawn"]


def check_workers(subjects: Sequence[Subject], workers: int) -> list[Finding]:
    """Read the samples in workers of a ``DataLoader``, forked and spawned ones.

    Args:
        subjects: The data sets; one start of the workers serves all of them.
        workers: How many workers; 0 skips both checks.

    Returns:
        Two findings for each data set.
    """
    if workers == 0:
        why = "no workers are asked for (workers=0)."
        return _all(subjects, "workers", "skipped", why) + _all(subjects, "spawn", "skipped", why)
    return _forked(subjects, workers) + _spawned(subjects, workers)


def _forked(subjects: Sequence[Subject], workers: int) -> list[Finding]:
    """Check workers that share this process's memory, open files, and generators."""
    if not _has_fork():
        why = "processes are not forked on this system; see spawn."
        return _all(subjects, "workers", "skipped", why)
    return _compared(subjects, workers, "fork", "workers")


def _spawned(subjects: Sequence[Subject], workers: int) -> list[Finding]:
    """Check new processes, to which the data sets are sent."""
    obstacles = [obstacle(subject.dataset) for subject in subjects]
    kept = [subject for subject, why in zip(subjects, obstacles, strict=True) if why]
    sent = [subject for subject, why in zip(subjects, obstacles, strict=True) if not why]
    count = 1 if _has_fork() else workers  # a start takes seconds, and two were compared there
    findings = _all(kept, "spawn", "skipped", "it cannot be sent to a new process; see pickling.")
    if sent and (why := no_start()):
        return findings + _all(sent, "spawn", "warning", why)
    return findings + _compared(sent, count, "spawn", "spawn")


class _Samples(Dataset[Reading]):
    """Reads item ``(k, i)``: item ``i`` of data set ``k``."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self.sources = [(subject.dataset, subject.fields) for subject in subjects]

    def __getitem__(self, at: tuple[int, int]) -> Reading:
        which, index = at
        return read(*self.sources[which], index)


def _compared(
    subjects: Sequence[Subject], workers: int, method: _Method, check: str
) -> list[Finding]:
    kind = "forked" if method == "fork" else "spawned"
    place = f"in {workers} {kind} worker{'s' * (workers != 1)}"
    try:
        again = _read_in_workers(subjects, workers, method) if subjects else []
    except Exception as error:
        why = f"items cannot be read {place}: {described(error)}"
        return _all(subjects, check, "error", why)
    return [
        Finding(f"{subject.name}: {check}", *compared(subject.readings, readings, place))
        for subject, readings in zip(subjects, again, strict=True)
    ]


def _read_in_workers(
    subjects: Sequence[Subject], workers: int, method: _Method
) -> list[list[Reading]]:
    at = [(k, r.index) for k, subject in enumerate(subjects) for r in subject.readings]
    with warnings.catch_warnings():
        # That there are few processors, or that this process has threads, is not the data's fault.
        warnings.simplefilter("ignore")
        loader: Any = DataLoader(
            _Samples(subjects),
            batch_size=-(-len(at) // (_BATCHES * workers)),
            sampler=at,
            num_workers=workers,
            collate_fn=list,
            timeout=_PATIENCE,
            multiprocessing_context=method,
        )
        readings = iter([reading for batch in loader for reading in batch])
    return [[next(readings) for _ in subject.readings] for subject in subjects]


def _has_fork() -> bool:
    return "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"


def _all(subjects: Iterable[Subject], check: str, status: Status, message: str) -> list[Finding]:
    return [Finding(f"{subject.name}: {check}", status, message) for subject in subjects]
