"""Where trials run: attempts, and the executors that make them."""

import copy
import multiprocessing
import os
import signal
import socket
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.sharedctypes import Synchronized
from types import FrameType
from typing import Any, TypeAlias

import torch

from corruptlab._checks import whole
from corruptlab._environment import Environment, become_worker
from corruptlab._json import Json, canonical, encode
from corruptlab._sweeps._grid import Function

ExecutorLike: TypeAlias = "Executor | int | None"
"""None for this process, a number of processes of the sweep's own, or any executor."""

_SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Outcome:
    """What an attempt returned, or the error it raised; it travels from worker to sweep."""

    result: Json
    error: dict[str, str] | None
    execution: dict[str, Any]


def attempt(function: Function, settings: Mapping[str, Any]) -> Outcome:
    """Try once; only Ctrl-C raises, for no result is whole after it."""
    start, result, error = time.perf_counter(), None, None
    before = _allocations()
    with seen_interrupts() as interrupts:
        try:
            own = copy.deepcopy(dict(settings))  # a trial that changes them changes its own copy
            result = _check_result(function(**own), settings)
        except (Exception, SystemExit) as caught:  # a trial that calls `exit` ends itself alone
            error = described(caught)
    if interrupts:
        raise KeyboardInterrupt
    seconds = time.perf_counter() - start
    return Outcome(result, error, _execution(seconds, _device_used(before)))


def described(error: BaseException) -> dict[str, str]:
    """Return kind, message, and traceback of an error, without this module's own lines."""
    below = error.__traceback__.tb_next if error.__traceback__ is not None else None
    lines = traceback.format_exception(type(error), error, below)
    try:
        message = str(error)
    except Exception:  # an error's own `__str__` may raise one
        message = "(it cannot be shown)"
    return {"kind": type(error).__name__, "message": message, "traceback": "".join(lines)}


@contextmanager
def seen_interrupts() -> Iterator[list[int]]:
    """Note every Ctrl-C that raises an error in this block, even if the block makes light of it."""
    # `corruptlab.fit`, for one, ends at Ctrl-C and returns the network as it stands: right for its
    # caller, and wrong for the result of a trial.
    seen: list[int] = []
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield seen  # threads other than the main one get no signals
        return

    def handler(number: int, frame: FrameType | None) -> None:
        try:
            usual(number, frame)
        except BaseException:
            seen.append(number)
            raise

    signal.signal(signal.SIGINT, handler)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, usual)


def _check_result(result: Any, settings: Mapping[str, Any]) -> Json:
    if not isinstance(result, Mapping):
        raise TypeError(
            f"`trial` must return a mapping of names to values, got {type(result).__name__}."
        )
    for name in result:
        if name in settings:
            raise ValueError(f"`trial` must return names that no setting has, got {name!r}.")
    return encode(result, "trial's result")


def _allocations() -> Counter[int]:
    """Return how often memory of each GPU was asked for so far, by its number."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # PyTorch's
        return Counter()
    numbers = range(torch.cuda.device_count())
    name = "allocation.all.allocated"
    return Counter({number: torch.cuda.memory_stats(number).get(name, 0) for number in numbers})


def _device_used(before: Counter[int]) -> torch.device:
    """Return the GPU that was used most since then; the CPU if none was."""
    used = _allocations() - before  # those that are positive
    return torch.device("cuda", used.most_common(1)[0][0]) if used else torch.device("cpu")


def _execution(seconds: float, device: torch.device) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "environment": Environment.here(device).to_dict(),
    }


# -------------------------------------------------------------------------------------- executors


class SerialExecutor(Executor):
    """Makes each attempt in the call of ``submit`` itself."""

    max_workers = 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call a function; its future is done."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))  # attempts raise nothing but Ctrl-C
        return future


class Processes(ProcessPoolExecutor):
    """Worker processes of a sweep's own, started afresh (``spawn``), which share cores and GPUs.

    Each watches a pipe whose other end the sweep holds, and who its parent is. When the sweep says
    so, closes its end, or is killed, the worker ends too, in the middle of its trial.
    """

    def __init__(self, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        watched, self._lifeline = context.Pipe(duplex=False)
        threads = max(1, cores() // number)
        self._number = number
        super().__init__(
            number,
            mp_context=context,
            initializer=_start_worker,
            initargs=(watched, os.getpid(), threads, _begun(context)),
        )

    def again(self) -> "Processes":
        """Return a new pool of the same size."""
        return Processes(self._number)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a call over; Ctrl-C waits until a worker that is being started has all it needs."""
        with _deferred_interrupts():
            return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish the trials that have begun if ``wait``, and end them now otherwise."""
        super().shutdown(wait=wait, cancel_futures=cancel_futures)
        if not self._lifeline.closed:
            with suppress(OSError):  # a process that was forked meanwhile may hold this end as well
                self._lifeline.send_bytes(b"end")
            self._lifeline.close()


@cache
def _begun(context: BaseContext) -> "Synchronized[int]":
    """Return the number of workers that have begun in any sweep of this process.

    It lives as long as the process does: a worker that starts late still finds its lock.
    """
    return context.Value("i", 0)


@contextmanager
def _deferred_interrupts() -> Iterator[None]:
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return
    pending: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: pending.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if pending:
            usual(*pending[0])


def cores() -> int:
    """Return the number of CPU cores that this process may use, which may be fewer than it has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _start_worker(
    lifeline: "Connection[bytes, bytes]", sweep: int, threads: int, begun: "Synchronized[int]"
) -> None:
    with begun.get_lock():
        become_worker(begun.value)
        begun.value += 1
    if "OMP_NUM_THREADS" not in os.environ:  # otherwise the user has decided
        torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the sweep's business
    threading.Thread(target=_end_with, args=(lifeline, sweep), daemon=True).start()


def _end_with(lifeline: "Connection[bytes, bytes]", sweep: int) -> None:
    with suppress(OSError):  # nobody reads what is sent, so that all workers see it
        while not lifeline.poll(_SECONDS_BETWEEN_LOOKS) and os.getppid() == sweep:
            pass
    os._exit(1)


class TrialExecutor:
    """The executor of a sweep, how many trials it takes at a time, and its replacement."""

    def __init__(self, executor: ExecutorLike) -> None:
        self._own = not isinstance(executor, Executor)
        self._executor = _make_executor(executor)
        self.slots  # noqa: B018  # names a missing extra before any work

    @property
    def serial(self) -> bool:
        """Whether ``submit`` itself does the work."""
        return isinstance(self._executor, SerialExecutor)

    @property
    def slots(self) -> int:
        """How many trials are handed over at a time."""
        for name in ("max_workers", "_max_workers"):  # ours, and that of the standard library
            if isinstance(known := getattr(self._executor, name, None), int):
                return max(1, known)
        return cores()

    def check(self, identity: Json) -> None:
        """Refuse a trial that no worker could import."""
        typed = b'"__main__.' in canonical(identity)  # a script's bears the script's name
        pool = self._executor
        afresh: Any = pool._mp_context if isinstance(pool, ProcessPoolExecutor) else None
        if typed and afresh is not None and afresh.get_start_method() != "fork":
            raise TypeError(
                "`trial` must stand in a file, from which worker processes can import it, "
                f"got {canonical(identity).decode()} of an interactive session."
            )

    def submit(self, function: Callable[..., Outcome], *args: Any) -> "Future[Outcome]":
        """Hand an attempt over."""
        return self._executor.submit(function, *args)

    def rebuild(self, error: BaseException) -> None:
        """Replace a broken pool of processes by a new one."""
        old = self._executor
        if type(old) not in (ProcessPoolExecutor, Processes):
            raise RuntimeError(
                f"`executor` must be able to go on, got a broken {type(old).__name__}; what is "
                "finished is kept, and the same call with a new executor goes on from there."
            ) from error
        self._executor = old.again() if isinstance(old, Processes) else _rebuild_pool(old)
        if self._own:
            old.shutdown(wait=False)
        self._own = True

    def close(self, *, interrupted: bool) -> None:
        """Close the executor if the sweep made it; give up what still runs if interrupted."""
        if self._own:
            self._executor.shutdown(wait=not interrupted, cancel_futures=True)


def _make_executor(executor: ExecutorLike) -> Executor:
    if executor is None:
        return SerialExecutor()
    if isinstance(executor, Executor):
        return executor
    if isinstance(executor, bool) or not hasattr(executor, "__index__"):
        raise TypeError(
            "`executor` must be None, a number of processes, or a concurrent.futures.Executor, "
            f"got {executor!r}."
        )
    if (number := whole("executor", executor)) < 1:
        raise ValueError(f"`executor` must be at least 1 process, got {number}.")
    return Processes(number)


def _rebuild_pool(old: Any) -> ProcessPoolExecutor:
    """Return a pool like one that broke, which does not say publicly how it was made."""
    known = {
        "max_workers": old._max_workers,
        "mp_context": old._mp_context,
        "initializer": old._initializer,
        "initargs": old._initargs,
    }
    if getattr(old, "_max_tasks_per_child", None) is not None:  # from Python 3.11 on
        known["max_tasks_per_child"] = old._max_tasks_per_child
    return ProcessPoolExecutor(**known)
