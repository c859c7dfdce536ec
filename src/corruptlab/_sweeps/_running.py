"""Trials whose results are wanted in order: in this process, or as sweeps on one executor."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from corruptlab._json import decode
from corruptlab._learners import Executes, kept_in
from corruptlab._progress import Progress
from corruptlab._sweeps._executors import Processes
from corruptlab._sweeps._grid import Function
from corruptlab._sweeps._report import SweepReport
from corruptlab._sweeps._store import Store
from corruptlab._sweeps._sweep import sweep


class Runner:
    """Runs trials on one executor, and returns their results in the order of the grid."""

    def __init__(
        self,
        executor: Executor | None,
        folder: str | os.PathLike[str] | None,
        *,
        label: str,
        each: str,
        progress: bool,
    ) -> None:
        self._executor, self._folder = executor, folder
        self._label, self._each, self._progress = label, each, progress
        self._tried = False

    @property
    def in_process(self) -> bool:
        """Whether trials are called here, and nothing is kept."""
        return self._folder is None

    def __call__(
        self, trial: Function, grid: Sequence[Mapping[str, Any]]
    ) -> tuple[list[dict[str, Any]], bool]:
        """Return results up to the first that is not finished, and whether Ctrl-C ended it."""
        if self._folder is None:
            return self._here(trial, grid)
        if not self._tried:
            # The first one alone: what is wrong with a learner is wrong with it every time. A pool
            # of our own processes is not started for it.
            own = isinstance(self._executor, Processes)
            first = None if own else self._executor
            head = sweep(grid[:1], trial, first, out=self._folder, retries=0)
            if head.failures:
                trial(**grid[0])  # raises the error itself
            if head.interrupted:
                return _finished(head), True
            self._tried = True
        report = sweep(grid, trial, self._executor, out=self._folder, progress=self._progress)
        if report.failures:
            raise RuntimeError(
                f"`model` must train on every {self._each}, got {report.failed} that failed, "
                f"such as {report.failures[0]}; the others are kept where `out` is given."
            )
        return _finished(report), report.interrupted

    def _here(
        self, trial: Function, grid: Sequence[Mapping[str, Any]]
    ) -> tuple[list[dict[str, Any]], bool]:
        found: list[dict[str, Any]] = []
        with Progress(len(grid), self._label, show=self._progress) as line:
            try:
                for settings in grid:
                    found.append(dict(trial(**settings)))
                    line.update(len(found))
            except KeyboardInterrupt:
                return found, True
        return found, False


@contextmanager
def running(
    executor: Executes,
    out: str | os.PathLike[str] | None,
    *,
    label: str,
    each: str,
    progress: bool,
) -> Iterator[Runner]:
    """Yield what runs the trials of one learner; processes of its own live as long."""
    with kept_in(executor, out) as folder:
        if executor is None or isinstance(executor, Executor):
            yield Runner(executor, folder, label=label, each=each, progress=progress)
            return
        pool = Processes(int(executor))
        try:
            yield Runner(pool, folder, label=label, each=each, progress=progress)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _finished(report: SweepReport) -> list[dict[str, Any]]:
    store, found = Store.of(report.out), []
    for trial in report.ids:
        if not store.path(trial).exists():
            break
        found.append(decode(store.result(trial)["result"]))
    return found
