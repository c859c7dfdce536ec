"""What draws from the global generators is seeded or forgotten, and never leaves a trace."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
import torch

from corruptlab import GaussianPixels, RandomLabels, corrupt
from corruptlab._random_state import preserve_rng_state, seeded_generators

Keeping = Callable[[], AbstractContextManager[None]]


def states() -> Any:
    numpy = np.random.get_state()[1].tolist()  # type: ignore[index,union-attr,unused-ignore]  # noqa: NPY002
    return random.getstate(), numpy, torch.get_rng_state().tolist()


def drawn() -> tuple[float, float, float]:
    return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: NPY002


keeping = pytest.mark.parametrize("keep", [preserve_rng_state, lambda: seeded_generators(7)])


@keeping
def test_the_generators_are_put_back(keep: Keeping) -> None:
    before = states()
    with keep():
        drawn()
    assert states() == before


@keeping
def test_the_generators_are_put_back_after_an_error(keep: Keeping) -> None:
    before = states()

    def fail() -> None:
        with keep():
            drawn()
            raise OSError("file is truncated")

    with pytest.raises(OSError, match=r"^file is truncated$"):
        fail()
    assert states() == before


def test_preserved_generators_go_on_where_they_were() -> None:
    with preserve_rng_state():
        first = drawn()
    assert drawn() == first


def test_the_seed_alone_decides_what_is_drawn() -> None:
    with seeded_generators(7):
        first = drawn()
    with seeded_generators(8):
        other = drawn()
    drawn()
    with seeded_generators(7):
        assert drawn() == first
    assert all(a != b for a, b in zip(first, other, strict=True))


class Augmented:
    """Items that draw from all global generators, and labels that are found in them only."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.tensor(drawn()) + index, index % 3


def test_corrupting_a_data_set_leaves_the_generators_where_they_were() -> None:
    before = states()
    noisy = corrupt(Augmented(), RandomLabels(), GaussianPixels())
    assert states() == before
    noisy[0]  # what is served draws as the data set likes
    assert states() != before


def test_what_is_estimated_from_random_inputs_depends_on_the_seed_alone() -> None:
    first = corrupt(Augmented(), GaussianPixels(), seed=3)
    drawn()
    assert corrupt(Augmented(), GaussianPixels(), seed=3).corruptions == first.corruptions
    assert corrupt(Augmented(), GaussianPixels(), seed=4).corruptions != first.corruptions
