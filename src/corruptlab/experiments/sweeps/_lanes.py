"""Where attempts are made: here, or by way of an executor."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any, TypeAlias

from corruptlab._checks import whole
from corruptlab.experiments.sweeps._attempt import Outcome
from corruptlab.experiments.sweeps._encoding import Json, canonical
from corruptlab.experiments.sweeps._processes import Processes, cores

ExecutorLike: TypeAlias = "Executor | int | None"
"""None for this process, a number of processes of the sweep's own, or any executor."""


class Here(Executor):
    """Makes each attempt in the call of ``submit`` itself."""

    max_workers = 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call a function; its future is done.

        Args:
            fn: The function.
            args: Its arguments.
            kwargs: Likewise.

        Returns:
            The future.
        """
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))  # attempts raise nothing but Ctrl-C
        return future


class Lane:
    """An executor, how many trials it takes at a time, and its replacement if it breaks.

    Args:
        executor: What the user gave.

    Raises:
        TypeError: If it is no executor.
        ValueError: If it is a number below 1.
    """

    def __init__(self, executor: ExecutorLike) -> None:
        self._own = not isinstance(executor, Executor)
        self._executor = _made(executor)
        self.slots  # noqa: B018  # an extra that is missing is said before any work

    @property
    def here(self) -> bool:
        """Whether ``submit`` itself does the work."""
        return isinstance(self._executor, Here)

    @property
    def slots(self) -> int:
        """How many trials are handed over at a time."""
        for name in ("max_workers", "_max_workers"):  # ours, and that of the standard library
            if isinstance(known := getattr(self._executor, name, None), int):
                return max(1, known)
        return cores()

    def check(self, identity: Json) -> None:
        """Refuse a trial that no worker could import.

        Args:
            identity: Identity of the trial.

        Raises:
            TypeError: If it was typed in, and processes are started afresh.
        """
        typed = b'"__main__.' in canonical(identity)  # a script's would bear the script's name
        pool = self._executor
        afresh: Any = pool._mp_context if isinstance(pool, ProcessPoolExecutor) else None
        if typed and afresh is not None and afresh.get_start_method() != "fork":
            raise TypeError(
                "`trial` must stand in a file, from which worker processes can import it, "
                f"got {canonical(identity).decode()} of an interactive session."
            )

    def submit(self, function: Callable[..., Outcome], *args: Any) -> "Future[Outcome]":
        """Hand an attempt over.

        Args:
            function: The function to call.
            args: Its arguments.

        Returns:
            The future of its outcome.
        """
        return self._executor.submit(function, *args)

    def mend(self, error: BaseException) -> None:
        """Put a new pool of processes in the place of a broken one.

        Args:
            error: What broke it.

        Raises:
            RuntimeError: If it is an executor that cannot be replaced.
        """
        old = self._executor
        if type(old) not in (ProcessPoolExecutor, Processes):
            raise RuntimeError(
                f"`executor` must be able to go on, got a broken {type(old).__name__}; what is "
                "finished is kept, and the same call with a new executor goes on from there."
            ) from error
        self._executor = old.again() if isinstance(old, Processes) else _again(old)
        if self._own:
            old.shutdown(wait=False)
        self._own = True

    def close(self, *, interrupted: bool) -> None:
        """Close the executor if the sweep made it.

        Args:
            interrupted: Whether work may still be going on, which is then given up.
        """
        if self._own:
            self._executor.shutdown(wait=not interrupted, cancel_futures=True)


def _made(executor: ExecutorLike) -> Executor:
    if executor is None:
        return Here()
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


def _again(old: Any) -> ProcessPoolExecutor:
    """Make a pool like one that broke, which does not say publicly how it was made."""
    known = {
        "max_workers": old._max_workers,
        "mp_context": old._mp_context,
        "initializer": old._initializer,
        "initargs": old._initargs,
    }
    if getattr(old, "_max_tasks_per_child", None) is not None:  # from Python 3.11 on
        known["max_tasks_per_child"] = old._max_tasks_per_child
    return ProcessPoolExecutor(**known)
