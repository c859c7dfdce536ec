"""Labelled images in memory."""

import pickle
import re
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from corruptlab.datasets import Images

PIXELS = torch.arange(4 * 2 * 3 * 5).remainder(256).to(torch.uint8).reshape(4, 2, 3, 5)
LABELS = torch.tensor([2, 0, 1, 2])
CLASSES = ("a", "b", "c")


def small(**changes: Any) -> Images:
    parts: dict[str, Any] = {"images": PIXELS, "targets": LABELS, "classes": CLASSES, "name": "s"}
    return Images(**parts | changes)


def test_items_equal_those_of_a_tensor_dataset() -> None:
    images, plain = small(), TensorDataset(PIXELS, LABELS)
    assert len(images) == len(plain)
    for index in (0, 3, -1):
        image, label = images[index]
        assert image.equal(plain[index][0])
        assert label == plain[index][1]
        assert type(label) is int


def test_batches_equal_single_items() -> None:
    images, wanted = small(), [3, 0, 0, 2]
    for (image, label), index in zip(images.__getitems__(wanted), wanted, strict=True):
        assert image.equal(images[index][0])
        assert label == images[index][1]
        assert type(label) is int


def test_position_beyond_the_end_is_an_index_error() -> None:
    with pytest.raises(IndexError, match="index 4 is out of bounds"):
        small()[4]


def test_iteration_ends_by_itself() -> None:
    items: Any = small()  # data sets have no `__iter__`; Python counts up to the IndexError
    assert [label for _, label in items] == [2, 0, 1, 2]


def test_tensors_are_the_data_and_no_copy() -> None:
    images, targets = small().tensors
    assert images is PIXELS
    assert targets is LABELS


def test_data_loader_gives_bytes_and_labels_in_order() -> None:
    batches: list[tuple[Tensor, Tensor]] = list(DataLoader(small(), batch_size=3))
    assert [labels.tolist() for _, labels in batches] == [[2, 0, 1], [2]]
    assert torch.cat([pixels for pixels, _ in batches]).equal(PIXELS)


def test_images_survive_pickling() -> None:
    again = pickle.loads(pickle.dumps(small()))
    assert again.images.equal(PIXELS)
    assert again.targets.equal(LABELS)
    assert (again.classes, again.name) == (CLASSES, "s")


def test_repr_says_what_it_is() -> None:
    assert repr(small()) == "Images('s': 4 images of 2x3x5, 3 classes)"


def test_fields_cannot_be_reassigned() -> None:
    with pytest.raises(AttributeError, match="cannot assign to field 'name'"):
        small().name = "other"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"images": [[1]]}, TypeError, "`images` must be a tensor, got list."),
        (
            {"images": PIXELS.float()},
            TypeError,
            "`images` must be of type torch.uint8, got torch.float32.",
        ),
        (
            {"images": PIXELS[:, 0]},
            ValueError,
            "`images` must have shape (n, channels, height, width), got (4, 3, 5).",
        ),
        (
            {"targets": LABELS.int()},
            TypeError,
            "`targets` must be of type torch.int64, got torch.int32.",
        ),
        (
            {"targets": LABELS[None]},
            ValueError,
            "`targets` must have shape (n,), got (1, 4).",
        ),
        (
            {"targets": LABELS[:3]},
            ValueError,
            "`targets` must hold one label for each of the 4 images, got 3.",
        ),
        (
            {"classes": ("a", "b")},
            ValueError,
            "`targets` must lie in 0 .. 1, got 2 at position 0.",
        ),
        (
            {"targets": torch.tensor([2, 0, -1, 2])},
            ValueError,
            "`targets` must lie in 0 .. 2, got -1 at position 2.",
        ),
    ],
)
def test_wrong_parts_are_refused(changes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        small(**changes)
