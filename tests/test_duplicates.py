"""Equal examples: exactly those that the dictionary everybody would write finds."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from corruptlab import _duplicates
from corruptlab._duplicates import Duplicates, find_duplicates


def naive_duplicates(inputs: Tensor, targets: Tensor) -> Duplicates:
    """The dictionary everybody would write; 0.0 and -0.0 are one key of it."""
    groups: dict[Any, list[int]] = {}
    for row, label in zip(inputs.reshape(len(inputs), -1).tolist(), targets.tolist(), strict=True):
        groups.setdefault(tuple(row), []).append(label)
    return Duplicates(
        n=len(inputs),
        copies=sum(len(labels) for labels in groups.values() if len(labels) > 1),
        conflicting=sum(len(labels) for labels in groups.values() if len(set(labels)) > 1),
        attainable=sum(max(map(labels.count, labels)) for labels in groups.values()),
    )


def few_values(shape: tuple[int, ...], dtype: torch.dtype, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = torch.tensor([0.0, -0.0, 1.0, 3.0]).to(dtype)
    inputs = values[torch.randint(4, shape, generator=generator)]
    return inputs, torch.randint(3, shape[:1], generator=generator)


FLOATS = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
DTYPES = [*FLOATS, torch.uint8, torch.int64, torch.bool]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(200,), (200, 3), (200, 1, 2, 2), (50, 5), (1, 4)])
@pytest.mark.parametrize("at_once", [1, 64, 1 << 20])
def test_duplicates_equal_the_naive_dictionary(
    dtype: torch.dtype, shape: tuple[int, ...], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_duplicates, "_BYTES_AT_ONCE", at_once)
    inputs, targets = few_values(shape, dtype)
    found = find_duplicates(inputs, targets)
    assert found == naive_duplicates(inputs, targets)
    assert (found.copies > 0) == (len(inputs) > 1)


@pytest.mark.parametrize("modulus", [1, 2, 5])
def test_duplicates_are_exact_even_if_different_inputs_share_a_key(
    modulus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = _duplicates._keys
    monkeypatch.setattr(_duplicates, "_keys", lambda *part: keys(*part) % modulus)
    for seed in range(5):
        inputs, targets = few_values((120, 3), torch.float32, seed)
        assert find_duplicates(inputs, targets) == naive_duplicates(inputs, targets)


def test_duplicates_do_not_depend_on_order_or_memory_layout() -> None:
    inputs, targets = few_values((200, 2, 2, 2), torch.float32)
    found = find_duplicates(inputs, targets)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(1))
    assert find_duplicates(inputs[order], targets[order]) == found
    last = inputs.contiguous(memory_format=torch.channels_last)
    assert find_duplicates(last, targets) == found
    assert find_duplicates(inputs.transpose(1, 3), targets) == found


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_inputs_that_agree_in_the_middle_are_compared_as_a_whole(dtype: torch.dtype) -> None:
    few, targets = few_values((200, 3), dtype)
    inputs = torch.zeros(200, 41, dtype=dtype)
    inputs[:, [0, 20, 40]] = few
    found = find_duplicates(inputs, targets)
    assert found == naive_duplicates(inputs, targets)
    assert found.copies > 0


def test_inputs_that_differ_in_one_place_have_no_copies_wherever_it_is() -> None:
    for place in range(41):
        inputs = torch.zeros(200, 41)
        inputs[:, place] = torch.arange(200)
        assert find_duplicates(inputs, torch.arange(200) % 3) == Duplicates(200, 0, 0, 200)


def test_one_bit_makes_a_difference() -> None:
    inputs = torch.rand(1, 2352, generator=torch.Generator().manual_seed(0)).repeat(3, 1)
    assert find_duplicates(inputs, torch.tensor([0, 0, 1])) == Duplicates(3, 3, 3, 2)
    inputs[1, 2351] = torch.nextafter(inputs[1, 2351], torch.tensor(2.0))
    assert find_duplicates(inputs, torch.tensor([0, 0, 1])) == Duplicates(3, 2, 2, 2)
    assert find_duplicates(inputs, torch.tensor([0, 1, 0])) == Duplicates(3, 2, 0, 3)


def test_keys_of_different_images_differ() -> None:
    """Among images of zeros and ones, whose bits have the fewest places to differ in."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(2, (5_000, 28 * 28), generator=generator).float()
    assert len(np.unique(_duplicates._keys(images))) == 5_000


def test_nothing_has_no_duplicates() -> None:
    none = torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)
    assert find_duplicates(*none) == Duplicates(0, 0, 0, 0)
    for dtype in DTYPES:
        empty = torch.zeros(4, 0, dtype=dtype), torch.tensor([0, 0, 0, 1])
        assert find_duplicates(*empty) == Duplicates(4, 4, 4, 3)
