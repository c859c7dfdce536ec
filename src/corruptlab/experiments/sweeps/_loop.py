"""The loop of a sweep: claim, hand over, collect, try again, keep."""

import time
import warnings
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, field
from typing import Any

from corruptlab._progress import Progress
from corruptlab.experiments.sweeps._attempt import Outcome, attempt, described
from corruptlab.experiments.sweeps._claims import Claims
from corruptlab.experiments.sweeps._lanes import Lane
from corruptlab.experiments.sweeps._store import Store
from corruptlab.experiments.sweeps._trials import Function, Trial

_SECONDS_BETWEEN_LOOKS = 0.25
_MOST_LOSSES = 5
"""How often the worker of one trial may vanish before the trial counts as failed."""


@dataclass
class _Task:
    """A trial that is not finished."""

    trial: Trial
    attempts: list[dict[str, Any]] = field(default_factory=list)
    losses: int = 0
    failed_before: int | None = None


class Loop:
    """Runs the trials of one sweep.

    Attributes:
        cached: Trials that were finished before, or by another sweep meanwhile.
        done: Trials that this sweep finished.
        failed: Trials that failed too often.

    Args:
        store: Where results are kept.
        claims: Who is at work on what.
        lane: Where attempts are made.
        function: What is tried.
        retries: How often a trial that raised an error is tried again.
    """

    def __init__(
        self, store: Store, claims: Claims, lane: Lane, function: Function, *, retries: int
    ) -> None:
        self._store, self._claims, self._lane = store, claims, lane
        self._function, self._retries = function, retries
        self.cached: list[str] = []
        self.done: list[str] = []
        self.failed: list[str] = []
        self._waiting: deque[_Task] = deque()
        self._suspects: deque[_Task] = deque()
        self._running: dict[Future[Outcome], _Task] = {}
        self._lives = False  # whether a worker ever came back with an outcome

    def begin(self, trials: Sequence[Trial]) -> None:
        """Look at what is finished already, and put aside what is damaged.

        Args:
            trials: The trials.
        """
        there = set(self._store.ids())
        for trial in trials:
            if trial.id in there:
                if (error := self._store.put_aside_damaged(trial.id)) is None:
                    self._found(trial)
                    continue
                warnings.warn(f"{error} The trial is run again.", stacklevel=3)
            self._waiting.append(_Task(trial, failed_before=self._store.failed_at(trial.id)))

    def run(self, progress: Progress) -> None:
        """Run to the end.

        Args:
            progress: Is told after every trial.
        """
        if self._lane.here:  # otherwise only after processes have been forked, without threads
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
            if len(self._running) >= self._lane.slots:
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
            future = self._lane.submit(attempt, self._function, task.trial.settings)
        except BrokenExecutor as error:  # it broke since the last look
            self._lane.mend(error)
            future = self._lane.submit(attempt, self._function, task.trial.settings)
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
        self._claims.release(trial.id)  # whoever was killed before doing so
        self._store.forget_failure(trial.id)  # likewise
        self.cached.append(trial.id)

    def _collect(self) -> None:
        """Wait for something to happen, and deal with it."""
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
            self._lane.mend(broken[0])
        for future, error in lost.items():
            self._lost(self._running.pop(future), error)

    def _lost(self, task: _Task, error: BaseException) -> None:
        """Note that a worker came to grief.

        When a pool breaks, any of its trials may be why: each is then run by itself once.

        Raises:
            RuntimeError: If workers die whatever they are given.
        """
        task.losses += 1
        if task.losses < _MOST_LOSSES:
            queue = self._suspects if isinstance(error, BrokenExecutor) else self._waiting
            queue.append(task)
            return
        if self.failed and not self._lives:
            raise RuntimeError(
                "`executor` must have workers that live and can import the trial, got "
                f"{2 * _MOST_LOSSES} that died at two trials, and not one result ({error})."
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
        """Keep results that came in, or were being written, while the sweep was stopped."""
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
