"""The global generators that data sets with random transforms draw from."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def generators_kept() -> Iterator[None]:
    """Put the global generators of Python, NumPy, and PyTorch back at the end.

    Random transforms of a data set move them; whoever reads it in passing shall leave no trace.
    """
    python, numpy, pytorch = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002  # users' transforms draw from it
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002  # likewise
        torch.set_rng_state(pytorch)


@contextmanager
def seeded_generators(word: int) -> Iterator[None]:
    """Seed the global generators for a while, then put them back.

    What is read under it depends on ``word`` only: neither on what was drawn before nor on who
    reads it, a worker process or this one. It costs about a tenth of a millisecond.

    Args:
        word: The seed, in ``[0, 2**32)``.
    """
    with generators_kept():
        random.seed(word)
        np.random.seed(word)  # noqa: NPY002  # users' transforms draw from it
        torch.default_generator.manual_seed(word)
        yield
