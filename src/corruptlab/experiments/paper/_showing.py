"""Whether a trial that runs in this process shows how far it is; it is no setting of the trial."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SHOWING = ContextVar("showing", default=False)


def showing() -> bool:
    """Return whether to show progress."""
    return _SHOWING.get()


@contextmanager
def shown(show: bool) -> Iterator[None]:
    """Let trials show progress, or not.

    Args:
        show: Whether.

    Yields:
        Nothing.
    """
    token = _SHOWING.set(show)
    try:
        yield
    finally:
        _SHOWING.reset(token)
