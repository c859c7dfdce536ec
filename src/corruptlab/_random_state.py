"""Global random states, from which data sets with random transforms draw."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def preserve_rng_state() -> Iterator[None]:
    """Restore the global generators of Python, NumPy, and PyTorch (on the CPU) at the end."""
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
