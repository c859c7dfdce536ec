"""What a trial that runs in this process knows besides its settings: it changes no result."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corruptlab.experiments.sweeps._encoding import encode
from corruptlab.experiments.sweeps._files import digest


@dataclass(frozen=True)
class Surroundings:
    """What is so for all trials of a run.

    Args:
        show: Whether they show how far they are.
        checkpoints: Folder for the checkpoints of those that are not finished; None for none.
    """

    show: bool = False
    checkpoints: Path | None = None

    def checkpoint(self, settings: Mapping[str, Any]) -> Path | None:
        """Return the folder for the checkpoints of one trial, or None.

        Args:
            settings: What it gets.
        """
        if self.checkpoints is None:
            return None
        return self.checkpoints / digest(encode(settings, "settings"))


_HERE: ContextVar[Surroundings | None] = ContextVar("surroundings", default=None)


def surroundings() -> Surroundings:
    """Return what is so here; in other processes, that nothing is shown and nothing kept."""
    return _HERE.get() or Surroundings()


@contextmanager
def surrounded(here: Surroundings) -> Iterator[None]:
    """Run trials in some surroundings.

    Args:
        here: What is so meanwhile.

    Yields:
        Nothing.
    """
    token = _HERE.set(here)
    try:
        yield
    finally:
        _HERE.reset(token)
