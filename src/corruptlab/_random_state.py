"""Global random states, from which data sets with random transforms draw."""

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_turns = threading.RLock()


def _renew() -> None:
    """Let a forked process start with a lock that no thread of its parent holds."""
    global _turns
    _turns = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing is forked
    os.register_at_fork(after_in_child=_renew)


@contextmanager
def exclusive_generators() -> Iterator[None]:
    """Let other threads wait that would seed or restore the generators, which all threads share."""
    with _turns:
        yield


@contextmanager
def preserve_rng_state() -> Iterator[None]:
    """Restore the global generators of Python, NumPy, and PyTorch (on the CPU) at the end."""
    with _turns:
        python, numpy, pytorch = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002  # users' transforms draw from it
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002  # likewise
            torch.set_rng_state(pytorch)


@contextmanager
def seeded_generators(seed: int) -> Iterator[None]:
    """Seed the global generators with ``seed`` in ``[0, 2**32)``, and restore them at the end."""
    # It costs about a tenth of a millisecond, so that it can be done for each item.
    with preserve_rng_state():
        seed_generators(seed)
        yield


def seed_generators(seed: int) -> None:
    """Seed the global generators with ``seed`` in ``[0, 2**32)``."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # users' transforms draw from it
    torch.default_generator.manual_seed(seed)
