"""Run trials over a grid, once each, and keep what they return."""

import os
import time
import warnings
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from corruptlab._checks import natural
from corruptlab._environment import Environment
from corruptlab._json import identity_of
from corruptlab._progress import Progress
from corruptlab._sweeps._executors import (
    ExecutorLike,
    Outcome,
    TrialExecutor,
    attempt,
    described,
)
from corruptlab._sweeps._grid import Function, Grid, Trial, trials_of
from corruptlab._sweeps._report import SweepReport, failures_in
from corruptlab._sweeps._store import Claims, Store

_SECONDS_BETWEEN_LOOKS = 0.25
_MOST_LOSSES = 5
"""How often the worker of one trial may vanish before the trial counts as failed."""


def sweep(
    grid: Grid,
    trial: Function,
    executor: ExecutorLike = None,
    *,
    out: str | os.PathLike[str],
    retries: int = 1,
    progress: bool = False,
) -> SweepReport:
    """Call ``trial(**settings)`` for all settings of a grid, and save each result in a file.

    A trial is identified by the hash of its full specification: the function and all settings. Its
    file is written atomically when it is finished. After ``kill -9`` or a power failure, the same
    call therefore runs only the missing trials, and a larger grid runs only the new ones. Several
    sweeps, on one machine or on several with a shared folder, divide the work: each runs trials
    that no other sweep is running, and returns when all are finished.

    The hash does not depend on the code *inside* the function: after changing it, use a new folder,
    or add a version to the settings.

    A trial that raises an error is retried ``retries`` times, after the others. Then it counts as
    failed, its tracebacks are saved in a file, and the sweep continues. A later call retries it.
    Every attempt gets a copy of the settings.

    If a worker dies, a new pool runs the interrupted trials again, one at a time; a trial whose
    worker dies five times counts as failed. Ctrl-C ends the sweep and returns the report so far.

    Args:
        grid: Names of settings to their values, for every combination; or a sequence of settings,
            each a mapping. Values are JSON values, arrays, dataclasses such as corruptions and
            recipes, and objects with ``to_dict``. Numbers are compared by value (``1`` equals
            ``1.0``, also of NumPy), and tuples equal lists; ``1``, ``True``, and ``"1"`` differ.
        trial: A module-level function, a ``functools.partial`` of one, or an instance of a class
            with ``to_dict``. It returns a mapping of names, which must differ from those of
            the settings, to values of the same kinds, or raises an error.
        executor: None to run the trials one by one in this process; a number of worker processes,
            which end with the sweep; or any ``concurrent.futures.Executor``, such as
            `RayExecutor`, which remains open. With any executor, ``trial`` must be picklable.
        out: Folder for this sweep only; it is created if necessary.
        retries: Number of retries of a trial that raised an error, >= 0.
        progress: Whether to show progress on standard error.

    Returns:
        Counts, failures, `SweepReport.table`, and `SweepReport.plot`.

    Raises:
        TypeError: If an argument has the wrong type, or ``trial`` is not picklable, does not accept
            the settings, or is defined in an interactive session and workers cannot import it.
        ValueError: If the grid is empty or contains a trial twice, a number is out of range, or
            ``out`` contains the sweep of another function or other files. These errors are
            raised before the first trial.
        DataFileError: If the header of the folder is damaged.
        OSError: If the folder is not writable and trials are missing, or the disk is full; finished
            trials are kept.
        MissingExtraError: If the executor requires an extra that is not installed.
        RuntimeError: If an executor that cannot be replaced breaks, or its workers die with every
            trial; finished trials are kept.

    Example:
        >>> import tempfile
        >>> import corruptlab as cl
        >>> grid = {"p": [0.0, 1.0], "seed": [0, 1], "n": [60], "model": ["mlp-1x64"]}
        >>> with tempfile.TemporaryDirectory() as out:
        ...     report = cl.sweep(grid, cl.sweeps.partial_labels, out=out)
        ...     table = report.table()
        >>> report
        SweepReport(4 of 4 trials: 4 done, 0 cached, 0 failed)
        >>> table["labels_changed"] > 0.5
        array([False, False,  True,  True])
    """
    retries = natural("retries", retries)
    trials = trials_of(grid, trial)
    workers = TrialExecutor(executor)
    start, interrupted = time.perf_counter(), False
    try:
        workers.check(identity_of(trial))
        store = Store.opened(out, trial)
        with Claims(store.claims) as claims, Progress(len(trials), "sweep", show=progress) as line:
            loop = Loop(store, claims, workers, trial, retries=retries)
            loop.begin(trials)
            try:
                loop.run(line)
            except KeyboardInterrupt:
                interrupted = True
    except BaseException:
        workers.close(interrupted=True)
        raise
    workers.close(interrupted=interrupted)
    return SweepReport(
        out=store.folder,
        total=len(trials),
        done=len(loop.done),
        cached=len(loop.cached),
        failures=tuple(failures_in(store, loop.failed)),
        interrupted=interrupted,
        seconds=time.perf_counter() - start,
        environment=Environment.here(),
        ids=tuple(each.id for each in trials),
    )


@dataclass
class _Task:
    """A trial that is not finished."""

    trial: Trial
    attempts: list[dict[str, Any]] = field(default_factory=list)
    losses: int = 0
    failed_before: int | None = None


class Loop:
    """Runs the trials of one sweep."""

    def __init__(
        self,
        store: Store,
        claims: Claims,
        executor: TrialExecutor,
        function: Function,
        *,
        retries: int,
    ) -> None:
        self._store, self._claims, self._executor = store, claims, executor
        self._function, self._retries = function, retries
        self.cached: list[str] = []
        self.done: list[str] = []
        self.failed: list[str] = []
        self._waiting: deque[_Task] = deque()
        self._suspects: deque[_Task] = deque()
        self._running: dict[Future[Outcome], _Task] = {}
        self._lives = False  # whether any worker has returned an outcome

    def begin(self, trials: Sequence[Trial]) -> None:
        """Find what is finished already, and put aside what is damaged."""
        there = set(self._store.ids())
        for trial in trials:
            if trial.id in there:
                if (error := self._store.put_aside_damaged(trial.id)) is None:
                    self._found(trial)
                    continue
                warnings.warn(f"{error} The trial is run again.", stacklevel=3)
            self._waiting.append(_Task(trial, failed_before=self._store.failed_at(trial.id)))

    def run(self, progress: Progress) -> None:
        """Run the trials that are left."""
        if self._waiting:
            self._store.prepare()
        if self._executor.serial:  # otherwise after processes are forked, which threads disturb
            self._claims.keep_alive()
        self._tell(progress)
        try:
            while self._waiting or self._suspects or self._running:
                self._fill()
                self._claims.keep_alive()
                self._collect()
                self._tell(progress)
        finally:
            for future in self._running:
                future.cancel()
            self._keep_what_is_done()

    def _tell(self, progress: Progress) -> None:
        done = len(self.cached) + len(self.done) + len(self.failed)
        progress.update(done, f"{len(self.failed)} failed" if self.failed else "")

    def _fill(self) -> None:
        """Hand trials over while there is room."""
        if self._suspects:
            if not self._running:
                self._hand_over(self._suspects.popleft())
            return
        for _ in range(len(self._waiting)):
            if len(self._running) >= self._executor.slots:
                return
            task = self._waiting.popleft()
            if self._settled_elsewhere(task):
                continue
            if not self._claims.take(task.trial.id):
                self._waiting.append(task)
            elif self._settled_elsewhere(task):  # between the look and the claim
                self._claims.release(task.trial.id)  # if it failed there, it is still ours
            else:
                self._hand_over(task)

    def _hand_over(self, task: _Task) -> None:
        try:
            future = self._executor.submit(attempt, self._function, task.trial.settings)
        except BrokenExecutor as error:  # it broke since the last look
            self._executor.rebuild(error)
            future = self._executor.submit(attempt, self._function, task.trial.settings)
        self._running[future] = task

    def _settled_elsewhere(self, task: _Task) -> bool:
        """Whether another sweep has finished a trial, or has given it up, since this one began."""
        if self._store.path(task.trial.id).exists():
            self._found(task.trial)
            return True
        failed = self._store.failed_at(task.trial.id)
        if failed is None or failed == task.failed_before:
            return False
        self.failed.append(task.trial.id)
        return True

    def _found(self, trial: Trial) -> None:
        with suppress(OSError):  # a read-only folder
            self._claims.release(trial.id)  # its owner may have been killed before
            self._store.forget_failure(trial.id)  # likewise
        self.cached.append(trial.id)

    def _collect(self) -> None:
        """Wait for an attempt to end, and settle it."""
        if not self._running:
            if self._waiting:  # others are at work on all that is left
                time.sleep(_SECONDS_BETWEEN_LOOKS)
            return
        patience = _SECONDS_BETWEEN_LOOKS if self._waiting else None
        finished, _ = wait(self._running, timeout=patience, return_when=FIRST_COMPLETED)
        lost = {future: error for future in finished if (error := _error(future)) is not None}
        for future in finished - lost.keys():
            self._settle(self._running[future], future.result())
            del self._running[future]  # not before: Ctrl-C may come while the file is written
        broken = [error for error in lost.values() if isinstance(error, BrokenExecutor)]
        if broken:
            self._executor.rebuild(broken[0])
        for future, error in lost.items():
            self._lost(self._running.pop(future), error)

    def _lost(self, task: _Task, error: BaseException) -> None:
        """Queue a trial again whose worker died, up to a limit."""
        task.losses += 1
        if task.losses < _MOST_LOSSES:
            # Any trial of a pool that broke may be why: each then runs by itself once.
            queue = self._suspects if isinstance(error, BrokenExecutor) else self._waiting
            queue.append(task)
            return
        if self.failed and not self._lives:
            raise RuntimeError(
                "Worker processes kept crashing: `executor` must have workers that live and can "
                f"import the trial, got {2 * _MOST_LOSSES} deaths at two trials and no result "
                f"({error})."
            ) from error
        task.attempts.append({"error": described(error), "execution": {}})
        self._give_up(task)

    def _settle(self, task: _Task, outcome: Outcome) -> None:
        """Keep a result; try again after an error, or give up."""
        self._lives = True
        if outcome.error is None:
            attempts = len(task.attempts) + task.losses + 1
            execution = {**outcome.execution, "attempts": attempts}
            first = self._store.finish(task.trial, outcome.result, execution)
            (self.done if first else self.cached).append(task.trial.id)
            self._claims.release(task.trial.id)
            return
        task.attempts.append({"error": outcome.error, "execution": outcome.execution})
        if len(task.attempts) > self._retries:
            self._give_up(task)
        else:
            self._waiting.append(task)

    def _give_up(self, task: _Task) -> None:
        self._store.fail(task.trial, task.attempts)
        self.failed.append(task.trial.id)
        self._claims.release(task.trial.id)

    def _keep_what_is_done(self) -> None:
        """Keep results that arrived, or were being written, while the sweep was stopped."""
        kept = {*self.done, *self.cached}
        for future, task in self._running.items():
            if future.done() and _error(future) is None and task.trial.id not in kept:
                outcome = future.result()
                if outcome.error is None:
                    self._settle(task, outcome)
        self._running.clear()


def _error(future: "Future[Outcome]") -> BaseException | None:
    if future.cancelled():  # by whoever owns the executor
        return CancelledError("the executor cancelled the trial")
    return future.exception() if future.done() else None
