"""Items that cannot be used, and every structure of those that can."""

from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Subset

from corruptlab import RandomLabels, corrupt
from corruptlab.experiments import audit

from . import cases
from .cases import GOOD, Pictures, finding, tensors

Pair = namedtuple("Pair", ["x", "y"])


@pytest.mark.parametrize("bad", [0, 17, 59])
def test_item_that_raises_is_named_with_its_error(bad: int) -> None:
    found = finding("train: items", cases.Unreadable(bad))
    assert found.status == "error"
    assert found.message == (
        f"1 of 60 items read cannot be used; item {bad}: OSError: image file is truncated"
    )


def test_item_that_raises_is_found_outside_the_sample_too() -> None:
    found = finding("train: items", cases.Unreadable(17), sample=2)
    assert found.status == "error"
    assert "1 of 60 items" in found.message
    assert "item 17: OSError" in found.message


def test_length_that_promises_too_much_is_found() -> None:
    class Long(Pictures):
        def __len__(self) -> int:
            return 61

    class LongAndRandom(Long, cases.Augmented):
        targets = (*GOOD, 0)

    for dataset in (Long(), LongAndRandom()):
        found = finding("train: items", dataset, sample=2)
        assert found.status == "error"
        assert "item 60: IndexError" in found.message


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (torch.zeros(3), "TypeError: `dataset` must have items that are tuples, lists, or"),
        ({"a": 1}, "ValueError: `label_key` must name a field of the items, got None; the fields"),
    ],
)
def test_items_without_input_and_label_are_an_error(item: Any, error: str) -> None:
    report = audit([item] * 4, tensors(), workers=0)
    assert report["train: items"].status == "error"
    assert f"none of 4 items read can be used; item 0: {error}" in report["train: items"].message
    assert report["both: overlap"].message == "one set has no usable items."
    assert report["test: items"].status == "ok"


@pytest.mark.parametrize("label", [torch.tensor([0.5, 0.5]), 0.5, "cat"])
def test_labels_that_are_not_one_class_are_an_error(label: Any) -> None:
    found = finding("train: items", [(torch.zeros(3), label)] * 3)
    assert found.status == "error"
    assert "item 0: TypeError: " in found.message


@pytest.mark.parametrize(
    "make",
    [
        lambda x, y: (x, y),
        lambda x, y: [x, np.int32(y), "name"],
        lambda x, y: Pair(x, torch.tensor(y)),
        lambda x, y: {"img": x, "label": y},
        lambda x, y: ({"pixels": x.tolist(), "name": "a"}, y),
        lambda x, y: (Image.fromarray(x.to(torch.uint8).numpy()[0]), y),
    ],
    ids=["tuple", "list", "named tuple", "dict", "nested", "PIL"],
)
def test_every_structure_of_items_can_be_audited(make: Any) -> None:
    items = [make(x, int(y)) for x, y in zip(*tensors(12).tensors, strict=True)]
    report = audit(items, workers=0)
    assert report.ok
    assert report["train: duplicates"].message == "all 12 inputs are different."


def test_fields_can_be_named() -> None:
    items = list(zip(*reversed(tensors(12).tensors), strict=True))
    assert not audit(items, workers=0).ok
    report = audit(items, workers=0, input_key=1, label_key=0)
    assert report.ok
    assert report["train: classes"].message == "3 classes with 4 examples each."
    told = corrupt(items, RandomLabels(), input_key=1, label_key=0)
    assert audit(Subset(told, range(12)), workers=0)["train: items"].status == "ok"
