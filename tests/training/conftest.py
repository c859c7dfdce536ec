"""What tests of training share: a clock that stands still, and a memory of a given size."""

import sys
import threading
import time
from collections.abc import Callable

import pytest
import torch

import corruptlab.training._loading as loading_module

from .clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of this process, which only runs when it is told to."""
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


@pytest.fixture
def always_looking(clock: Clock) -> None:
    """Let a fit look at its losses, and make a checkpoint if one is due, after every step."""
    clock.tick = 0.5


@pytest.fixture
def no_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process seem to have no threads, whatever runs the tests."""
    if sys.version_info >= (3, 12):
        pytest.skip("Python 3.12 and later count threads of libraries too")
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.current_thread()])


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the memory seem to have room for some bytes of data."""

    def leave(room: int) -> None:
        free = -(-room * 10 // 8)  # a fifth is for the network
        monkeypatch.setattr(loading_module, "free_memory", lambda device: free)
        monkeypatch.setattr(loading_module, "_NEVER_ASKED", 0)

    return leave


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """Return the devices whose free memory is asked for, which nobody knows."""
    devices = list[torch.device]()
    monkeypatch.setattr(loading_module, "free_memory", devices.append)
    return devices
