"""Items that cannot be used, and every structure of those that can."""

from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Subset

from corruptlab import RandomLabels, corrupt
from corruptlab.experiments import Finding, audit

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


@pytest.mark.parametrize("label", [torch.tensor([0.5, 0.5]), 0.5, None])
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


def images(
    *, modes: tuple[str, ...] = ("RGB",), widths: tuple[int, ...] = (8,), n: int = 12
) -> Any:
    """Return images of these modes and widths in turn."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (n, 8, 9, 3), dtype=np.uint8)
    return [
        (
            Image.fromarray(each[:, : widths[i % len(widths)]]).convert(modes[i % len(modes)]),
            i % 3,
        )
        for i, each in enumerate(pixels)
    ]


@pytest.mark.parametrize(
    ("differ", "words"),
    [
        (
            {"widths": (8, 9)},
            "with 2 forms: 6 with the form image RGB of 8 x 8, first item 0; 6 with the form image "
            "RGB of 9 x 8, first item 1. Batches require one form",
        ),
        (
            {"modes": ("RGB", "L")},
            "image RGB of 8 x 8, first item 0; 6 with the form image L of 8 x",
        ),
        (
            {"modes": ("L", "L", "P")},
            "8 with the form image L of 8 x 8, first item 0; 4 with the form",
        ),
    ],
    ids=["size", "channels", "mode"],
)
def test_images_that_differ_are_found(differ: Any, words: str) -> None:
    report = audit(images(**differ), workers=0)
    assert not report.ok
    assert report["train: shapes"].status == "error"
    assert words in report["train: shapes"].message
    told = finding("train: shapes", corrupt(images(**differ), RandomLabels()))
    assert words in told.message  # with labels that are known, too


def test_images_of_one_size_and_mode_pass() -> None:
    found = finding("train: shapes", images())
    assert found == Finding(
        "train: shapes", "ok", "12 inputs read have the same form: image RGB of 8 x 8."
    )
    found = finding("train: shapes", tensors(), sample=2)
    assert found.message == "60 inputs read have the same form: float32 of shape (2, 3, 3)."


@pytest.mark.parametrize("odd", [torch.zeros(2, 3, 4), torch.zeros(2, 3, 3).double()])
def test_one_array_that_differs_is_found_outside_the_sample_too(odd: torch.Tensor) -> None:
    items = [(x, int(y)) for x, y in zip(*tensors().tensors, strict=True)]
    items[17] = odd, 2
    found = finding("train: shapes", items, sample=2)
    assert found.status == "error"
    assert (
        "59 with the form float32 of shape (2, 3, 3), first item 0; 1 with the form "
        in found.message
    )
    assert ", first item 17." in found.message


def test_random_inputs_are_compared_as_far_as_the_sample_goes() -> None:
    class Cropped(cases.Augmented):
        targets = GOOD

        def image(self, index: int) -> torch.Tensor:
            return super().image(index)[:, : 1 + index % 2]

    found = finding("train: shapes", Cropped(), sample=10)
    assert found.status == "error"
    assert "with 2 forms" in found.message


def test_texts_have_no_shape() -> None:
    found = finding("train: shapes", [(f"text {i}", i % 2) for i in range(4)])
    assert found.status == "skipped"
