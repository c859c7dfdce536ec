"""Seconds of each phase of some work."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Sums up the seconds spent in named phases on one device.

    Args:
        device: The device, which is waited for at both ends of a phase.

    Attributes:
        seconds: Name of a phase to its seconds, in the order in which they began.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what is done inside, also where it ends in an error.

        Args:
            name: Name of the phase; a second time adds to the first.

        Yields:
            Nothing.
        """
        self._wait()
        start = time.perf_counter()
        self.seconds.setdefault(name, 0.0)
        try:
            yield
        finally:
            self._wait()
            self.seconds[name] += time.perf_counter() - start

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
