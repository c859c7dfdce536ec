"""See Ctrl-C even where the interrupted code makes light of it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def seen_interrupts() -> Iterator[list[int]]:
    """Note every Ctrl-C in this block, beside what happens at it anyway.

    `corruptlab.fit`, for one, ends at Ctrl-C and returns the network as it stands: the right thing
    for its caller, and the wrong thing to keep as the result of a trial.

    Yields:
        A list that grows by one with every signal; it stays empty in threads other than the main
        one, which get no signals.
    """
    seen: list[int] = []
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield seen
        return

    def handler(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        usual(number, frame)

    signal.signal(signal.SIGINT, handler)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, usual)
