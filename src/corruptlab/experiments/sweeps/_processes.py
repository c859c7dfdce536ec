"""A pool of processes that ends with the sweep, however the sweep ends."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection


class Processes(ProcessPoolExecutor):
    """Worker processes of a sweep's own, started afresh (``spawn``), which share the cores.

    Each watches a pipe whose other end only the sweep holds. When that end closes, because the
    sweep was interrupted or killed, the worker ends too, in the middle of its trial.
    Ctrl-C in a terminal reaches workers as well; they leave it to the sweep.

    Args:
        number: How many.
    """

    def __init__(self, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        watched, self._lifeline = context.Pipe(duplex=False)
        threads = max(1, cores() // number)
        self._number = number
        super().__init__(
            number, mp_context=context, initializer=_begin, initargs=(watched, threads)
        )

    def again(self) -> "Processes":
        """Return a new pool of the same size."""
        return Processes(self._number)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the pool.

        Args:
            wait: Whether trials that have begun are still finished; otherwise they end now.
            cancel_futures: Whether those that have not are given up.
        """
        super().shutdown(wait=wait, cancel_futures=cancel_futures)
        self._lifeline.close()


def cores() -> int:
    """Return the number of CPU cores that this process may use, which may be fewer than it has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _begin(lifeline: "Connection[None, None]", threads: int) -> None:
    import torch

    if "OMP_NUM_THREADS" not in os.environ:  # otherwise the user has decided
        torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _end_with(lifeline: "Connection[None, None]") -> None:
    with suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(1)
