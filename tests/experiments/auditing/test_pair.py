"""A training and a test set that do not go together: noisy test labels, other shuffles."""

from typing import Any

import pytest
import torch
from torch.utils.data import Subset, TensorDataset

from corruptlab import RandomPixels, ShuffledPixels, corrupt

from .cases import HALF, finding, tensors


def test_corrupted_test_labels_are_an_error() -> None:
    train = corrupt(tensors(), HALF)
    assert finding("test: clean labels", train, corrupt(tensors(), RandomPixels())).status == "ok"
    noisy = corrupt(tensors(), HALF)
    found = finding("test: clean labels", train, Subset(noisy, range(60)))
    assert found.status == "error"
    assert found.message.startswith(f"{noisy.is_corrupted.sum()} of 60 labels changed (")
    assert finding("test: clean labels", train, tensors()).status == "skipped"


@pytest.mark.parametrize(
    ("train", "test", "status", "words"),
    [
        (ShuffledPixels(), ShuffledPixels(), "ok", "same permutation of the pixels"),
        (ShuffledPixels(), ShuffledPixels(channel_axis=0), "ok", "same permutation of the pixels"),
        (ShuffledPixels(), ShuffledPixels(move="values"), "error", "move='values') with seed 0."),
        (ShuffledPixels(keep=(0,)), ShuffledPixels(keep=(0,)), "ok", "same permut"),
        (ShuffledPixels(keep=(0,)), ShuffledPixels(), "error", "ShuffledPixels(keep=(0,)) with s"),
        (ShuffledPixels(), RandomPixels(), "warning", "the training inputs have shuffled pixels"),
        (RandomPixels(), ShuffledPixels(), "warning", "the test inputs have shuffled pixels and"),
        (RandomPixels(), RandomPixels(), "skipped", "neither set has shuffled pixels."),
    ],
    ids=str,
)
def test_shuffles_of_both_sets_are_compared(train: Any, test: Any, status: str, words: str) -> None:
    found = finding("both: shuffled pixels", corrupt(tensors(), train), corrupt(tensors(), test))
    assert found.status == status
    assert words in found.message


def test_shuffles_of_two_seeds_are_found() -> None:
    train, test = (corrupt(tensors(), ShuffledPixels(), seed=seed) for seed in (1, 2))
    found = finding("both: shuffled pixels", train, Subset(test, range(60)))
    assert found.status == "error"
    assert "ShuffledPixels() with seed 1 and ShuffledPixels() with seed 2" in found.message


def test_shuffles_of_two_shapes_are_found() -> None:
    other = TensorDataset(torch.arange(54.0).reshape(3, 2, 3, 3)[..., :1], torch.arange(3))
    shuffled = [corrupt(data, ShuffledPixels()) for data in (tensors(), other)]
    found = finding("both: shuffled pixels", *shuffled)
    assert found.status == "error"
    assert "inputs have shape (2, 3, 3) and test inputs (2, 3, 1)" in found.message


def test_plain_test_set_beside_a_shuffled_training_set_is_a_warning() -> None:
    found = finding("both: shuffled pixels", corrupt(tensors(), ShuffledPixels()), tensors())
    assert found.status == "warning"
