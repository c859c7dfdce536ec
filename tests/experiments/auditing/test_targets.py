"""Lists of labels beside the labels of the items."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from corruptlab.experiments import audit

from .cases import GOOD, Pictures, finding, tensors


class Listed(Pictures):
    """Lists of labels of the caller's choice."""

    def __init__(self, **lists: Any) -> None:
        super().__init__()
        vars(self).update(lists)


@pytest.mark.parametrize(
    ("lists", "names"),
    [
        ({"targets": GOOD}, "`targets`"),
        ({"targets": torch.tensor(GOOD), "labels": np.array(GOOD)}, "`targets` and `labels`"),
        ({"samples": [("a.png", y) for y in GOOD]}, "`samples`"),
    ],
)
def test_lists_that_agree_with_the_items_pass(lists: Any, names: str) -> None:
    found = finding("train: targets", Listed(**lists))
    assert found.status == "ok"
    assert found.message == f"{names} and the items agree on the labels of 60 sampled items."


WRONG = [*GOOD[:59], 0]


@pytest.mark.parametrize(
    ("lists", "name"),
    [
        ({"targets": WRONG}, "targets"),
        ({"targets": GOOD, "labels": np.array(WRONG)}, "labels"),
        ({"y": torch.tensor(WRONG)}, "y"),
        ({"imgs": [("a.png", y) for y in WRONG]}, "imgs"),
    ],
)
def test_list_that_disagrees_with_an_item_is_found(lists: Any, name: str) -> None:
    found = finding("train: targets", Listed(**lists))
    assert found.status == "error"
    assert f"`{name}` and the items disagree on 1 of 60 sampled items" in found.message
    assert f"for item 59 `{name}` says 0, and the item has 2" in found.message


def test_list_of_another_length_is_found() -> None:
    found = finding("train: targets", Listed(targets=GOOD[:10]))
    assert found.status == "error"
    assert "`targets` has 10 labels and the data set 60 items" in found.message


def test_list_of_names_is_a_warning() -> None:
    found = finding("train: targets", Listed(labels=["cat"] * 60))
    assert found.status == "warning"


def test_wrong_list_is_not_believed_by_the_other_checks() -> None:
    report = audit(Listed(targets=[7] * 60), workers=0)
    assert report["train: classes"].message == "3 classes with 20 examples each."


def test_noise_in_items_that_tensors_do_not_know_is_found() -> None:
    class Noisy(TensorDataset):
        def __getitem__(self, index: int) -> Any:
            images, labels = self.tensors
            return images[index], (labels[index] + (index == 7)) % 3

    found = finding("train: targets", Noisy(*tensors().tensors))
    assert found.status == "error"
    assert "for item 7 `tensors[1]` says 1, and the item has 2" in found.message


def test_column_of_labels_is_compared_with_the_items() -> None:
    class Table(Pictures):
        column_names = ("image", "label")

        def __getitem__(self, index: Any) -> Any:
            if index == "label":
                return WRONG
            image, label = super().__getitem__(index)
            return {"image": image, "label": label}

    found = finding("train: targets", Table())
    assert found.status == "error"
    assert "for item 59 `['label']` says 0, and the item has 2" in found.message
