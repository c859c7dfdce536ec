"""Copies of an input: in one data set, and in both."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from corruptlab import GaussianPixels, RandomLabels, UniformLabels, corrupt
from corruptlab.experiments import audit

from .cases import GOOD, finding, tensors


def copied(*, labels: Any) -> TensorDataset:
    """Return 60 inputs, of which 3, 40 and 59 are the same."""
    images, _ = tensors().tensors
    images[[40, 59]] = images[3].clone()
    return TensorDataset(images, torch.tensor(labels))


def test_copies_with_equal_labels_pass() -> None:
    labels = list(GOOD)
    labels[40] = labels[59] = labels[3]
    found = finding("train: duplicates", copied(labels=labels))
    assert found.status == "ok"
    assert found.message == "3 of 60 inputs are copies of one another; copies have equal labels."


def test_copies_with_conflicting_labels_are_shown() -> None:
    labels = list(GOOD)
    labels[3], labels[40], labels[59] = 0, 0, 2
    found = finding("train: duplicates", copied(labels=labels))
    assert found.status == "warning"
    assert found.message == (
        "3 of 60 inputs are copies of one another, and of these 3 have conflicting labels, as "
        "items 3 (label 0) and 59 (label 2); no network can fit more than 98.33% of all labels."
    )


@pytest.mark.parametrize(
    "items",
    [
        lambda data: [(x.numpy(), int(y)) for x, y in data],
        lambda data: [(f"text {x.sum()}", int(y)) for x, y in data],
        lambda data: ConcatDataset([Subset(data, range(30)), Subset(data, range(30, 60))]),
        lambda data: corrupt(data, UniformLabels(p=0)),
    ],
    ids=["arrays", "texts", "joined", "corrupted"],
)
def test_copies_are_found_in_every_kind_of_data_set(items: Any) -> None:
    found = finding("train: duplicates", items(copied(labels=GOOD)))
    assert "and of these 3 have conflicting labels, as items 3 (label 0)" in found.message


def test_noise_on_copies_conflicts_as_random_labels_do() -> None:
    data = TensorDataset(torch.zeros(60, 2), torch.zeros(60, dtype=torch.int64))
    assert finding("train: duplicates", data).status == "ok"
    noisy = corrupt(data, RandomLabels(), num_classes=3)
    most = np.bincount(noisy.targets).max() / 60
    found = finding("train: duplicates", noisy)
    assert found.status == "warning"
    assert f"no network can fit more than {most:.2%}" in found.message


def test_inputs_of_several_shapes_are_compared_too() -> None:
    items = [(torch.zeros(n), 0) for n in (1, 2, 3, 3)]
    found = finding("train: duplicates", items)
    assert found.message.startswith("2 of 4 inputs are copies")


def test_inputs_of_unknown_types_are_skipped() -> None:
    found = finding("train: duplicates", [(object(), i % 2) for i in range(4)])
    assert found.status == "skipped"
    assert "of a type that cannot be compared" in found.message
    report = audit([(object(), i % 2) for i in range(4)], workers=0)
    assert report["train: passes"].status == "ok"
    assert "inputs of their type cannot be compared" in report["train: passes"].message


def test_inputs_that_differ_in_one_value_are_no_copies() -> None:
    images = torch.zeros(60, 2, 3, 3)
    images[:, -1, -1, -1] = torch.arange(60)
    data = TensorDataset(images, torch.tensor(GOOD))
    assert finding("train: duplicates", data).message == "all 60 inputs are different."


@pytest.mark.parametrize(("leaked", "status"), [(0, "ok"), (1, "warning"), (2, "error")])
def test_training_inputs_in_the_test_set_are_counted(leaked: int, status: str) -> None:
    train = tensors(200)
    images = train.tensors[0][100:].clone() + 10_000
    images[50 : 50 + leaked] = train.tensors[0][:leaked]
    test = TensorDataset(images, train.tensors[1][100:])
    found = finding("both: overlap", train, test)
    assert found.status == status
    if leaked:
        assert found.message.startswith(f"{leaked} of 100 test inputs ({leaked}.00%) are also ")
        assert f"first test items {', '.join(map(str, range(50, 50 + leaked)))}:" in found.message


def test_gaussian_test_inputs_that_are_the_training_draws_are_found() -> None:
    noise = GaussianPixels(mean=0.0, std=1.0)
    train = corrupt(tensors(), noise)
    assert finding("both: overlap", train, corrupt(tensors(), noise)).status == "error"
    own = corrupt(tensors(), noise, ids=np.arange(60, 120))
    assert finding("both: overlap", train, own).status == "ok"


def contents(*values: Any) -> str:
    """Return what an audit says about copies among some inputs, with equal labels."""
    return finding("train: duplicates", [(value, 0) for value in values]).message


def test_copies_have_equal_contents_whatever_holds_them() -> None:
    x = torch.arange(6, dtype=torch.float32)
    assert contents(x, x.numpy(), x.clone(), torch.arange(12.0)[::2] / 2) == (
        "4 of 4 inputs are copies of one another; copies have equal labels."
    )
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    assert contents(image, np.moveaxis(np.asarray(image), -1, 0)).startswith("2 of 2 inputs are ")


def test_different_contents_are_told_apart() -> None:
    x = torch.arange(6, dtype=torch.float32)
    arrays = [x, x.reshape(2, 3), x.double(), torch.zeros(2), torch.zeros(2).int(), x.flip(0)]
    values = [[x], "a", b"a", 1, 1.0, True, None]
    nested = [["ab", "c"], ["a", "bc"], [["a"], "bc"], {"a": "bc"}, []]
    assert contents(*arrays, *values, *nested) == "all 18 inputs are different."
