"""What is found once for all processes of a test run, in a folder that they share."""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def folder_of(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], object]) -> Path:
    """Return a folder that the first process to ask has filled; the others wait for it."""
    own = factory.getbasetemp()
    # With pytest-xdist every process has a folder of its own inside the run's.
    shared = own.parent if own.name.startswith("popen-") else own
    folder, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one that has failed
            folder.mkdir()
            fill(folder)
            done.touch()
    return folder
