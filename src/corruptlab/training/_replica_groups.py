"""Groups of replicas, trained one after the other or some at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from threading import Condition, Event

from torch import nn

from corruptlab._threads import using_threads
from corruptlab.training._replica_plan import ReplicaPlan, program_for
from corruptlab.training._replicas_run import Outcome, Problem, Run, state_of

_SECONDS_OF_A_WAIT = 0.5


class Groups:
    """All replicas, in groups of as many as the plan says.

    Several groups at a time are several threads of Python, each with PyTorch's products to itself:
    nobody waits for another in every product, which takes most of the time where products are
    small, and many times as long where other programs use the cores.
    """

    def __init__(
        self,
        plan: ReplicaPlan,
        networks: Sequence[nn.Module],
        problem: Problem,
        on_progress: Callable[[int], None],
    ) -> None:
        self._plan, self._networks, self._problem = plan, networks, problem
        self._on_progress = on_progress
        self._runs: dict[int, Run] = {}
        self._done: dict[int, int] = {}  # epochs of each group
        self._ended, self._changed = Event(), Condition()
        self._active: set[int] = set()  # groups under way in threads

    def train(self) -> list[Outcome]:
        """Train all, until Ctrl-C at the latest; return what became of them."""
        firsts = range(0, len(self._networks), self._plan.group)
        with suppress(KeyboardInterrupt), using_threads(self._plan.product_threads):
            if self._plan.threads == 1:
                for first in firsts:
                    self._train(first)
            else:
                self._train_together(firsts)
        return [outcome for first in firsts for outcome in self._outcomes(first)]

    def _train_together(self, firsts: Sequence[int]) -> None:
        try:
            with ThreadPoolExecutor(self._plan.threads) as pool:
                try:
                    trained = [pool.submit(self._begin, first) for first in firsts]
                    left = set(trained)
                    while left and not self._ended.is_set():
                        # Again and again: a signal just before a wait does not end it.
                        left = wait(left, _SECONDS_OF_A_WAIT, FIRST_EXCEPTION).not_done
                finally:
                    self._ended.set()
        finally:  # the pool does not know of a thread whose start Ctrl-C cut short
            with self._changed:
                self._changed.wait_for(lambda: not self._active)
        errors = [error for each in trained if (error := each.exception()) is not None]
        for error in sorted(errors, key=lambda each: isinstance(each, KeyboardInterrupt)):
            raise error

    def _begin(self, first: int) -> None:
        """Train a group in a thread of its own, unless all were ended meanwhile."""
        with self._changed:
            if self._ended.is_set():
                return
            self._active.add(first)
        try:
            self._train(first)
        except BaseException:
            self._ended.set()  # at once, or this thread begins another group
            raise
        finally:
            with self._changed:
                self._active.remove(first)
                self._changed.notify_all()

    def _train(self, first: int) -> None:
        some = slice(first, first + self._plan.group)
        own = replace(self._problem.of(some), first=first)
        program = program_for(self._plan.strategy, self._networks[some])
        self._runs[first] = run = Run(program, own, self._ended.is_set)
        run.train(lambda done: self._note(first, done))

    def _note(self, first: int, done: int) -> None:
        with self._changed:
            self._done[first] = done
            self._on_progress(sum(self._done.values()))

    def _outcomes(self, first: int) -> list[Outcome]:
        if first in self._runs:
            return self._runs[first].outcomes
        some = self._networks[first : first + self._plan.group]
        return [Outcome(state_of(network)) for network in some]
