"""Labels outside 0 .. K-1, and classes that are empty or small."""

from typing import Any

import pytest

from .cases import GOOD, Pictures, finding, tensors


@pytest.mark.parametrize(
    ("labels", "status", "words"),
    [
        (GOOD, "ok", "3 classes with 20 examples each."),
        ([0] * 21 + GOOD[21:], "ok", "3 classes with 13 to 34 examples each."),
        ([0] * 50 + [1] * 5 + [2] * 5, "warning", "5 to 50 examples each (classes 1 and 0)"),
        ([y + 1 for y in GOOD], "warning", "labels seem to start at 1"),
        (
            [y * 2 for y in GOOD],
            "warning",
            "2 of 5 classes have no example, first 1, 3: is this part",
        ),
        ([-1, *GOOD[1:]], "error", "1 labels lie outside 0 .. 2; item 0 has -1."),
    ],
)
def test_classes_are_counted(labels: Any, status: str, words: str) -> None:
    found = finding("train: classes", tensors(labels=labels))
    assert found.status == status
    assert words in found.message


def test_labels_outside_the_named_classes_are_an_error() -> None:
    class Named(Pictures):
        def label(self, index: int) -> int:
            return 3 if index == 44 else index % 3

    found = finding("train: classes", Named())
    assert found.status == "error"
    assert "1 labels lie outside 0 .. 2; item 44 has 3." in found.message


def test_test_labels_have_to_be_classes_of_the_training_set() -> None:
    found = finding("test: classes", tensors(), tensors(labels=[5, *GOOD[1:]]))
    assert found.status == "error"
    assert "item 0 has 5" in found.message


def test_huge_label_does_not_need_huge_memory() -> None:
    found = finding("train: classes", tensors(labels=[10**15, *GOOD[1:]]))
    assert found.status == "warning"
    assert "have no example" in found.message
