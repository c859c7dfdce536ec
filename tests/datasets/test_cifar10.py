"""The binary version of CIFAR-10."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy.testing import assert_array_equal

from corruptlab.datasets import DataFileError, Images, cifar10
from tests.datasets.trees import CIFAR_RECORD, CIFAR_RECORDS, cifar10_planes, write_cifar10


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cifar")
    write_cifar10(root / "cifar-10-batches-bin")
    return root


def naive_item(files: list[Path], index: int) -> tuple[list[list[list[int]]], int]:
    """Read one record by the published description, byte by byte."""
    with files[index // CIFAR_RECORDS].open("rb") as file:
        file.seek(index % CIFAR_RECORDS * CIFAR_RECORD)
        record = file.read(CIFAR_RECORD)
    planes = [
        [[record[1 + c * 1024 + y * 32 + x] for x in range(32)] for y in range(32)]
        for c in range(3)
    ]
    return planes, record[0]


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "test"])
def test_cifar10_agrees_with_a_naive_reader(tree: Path, split: Any) -> None:
    home = tree / "cifar-10-batches-bin"
    files = [home / f"data_batch_{number}.bin" for number in range(1, 6)]
    files = files if split == "train" else [home / "test_batch.bin"]
    images = cifar10(tree, split=split)
    assert len(images) == CIFAR_RECORDS * len(files)
    for first in range(0, len(images), CIFAR_RECORDS):
        for index in (first, first + 1, first + CIFAR_RECORDS - 1):
            planes, label = naive_item(files, index)
            assert_array_equal(images.images[index], planes)
            assert images[index][1] == label


def test_cifar10_puts_every_record_where_the_tree_has_it(tree: Path) -> None:
    test = cifar10(tree, split="test")
    assert bytes(test.images[1].flatten().tolist()) == cifar10_planes(5, 1)
    assert torch.bincount(test.targets).tolist() == [9_998, 0, 0, 0, 0, 0, 0, 2]
    assert test.images.shape == (10_000, 3, 32, 32)
    assert test.images.is_contiguous()
    names = "airplane automobile bird cat deer dog frog horse ship truck"
    assert test.classes == tuple(names.split())
    assert repr(test) == "Images('CIFAR-10': 10000 images of 3x32x32, 10 classes)"


def test_cifar10_takes_the_folder_or_the_one_that_holds_it(tree: Path) -> None:
    outside = cifar10(tree, split="test")
    inside = cifar10(tree / "cifar-10-batches-bin", split="test")
    assert outside.images.equal(inside.images)
    assert outside.targets.equal(inside.targets)


def refusal(folder: Path, split: Any = "test") -> str:
    with pytest.raises(DataFileError) as caught:
        cifar10(folder, split=split)
    return str(caught.value)


def test_unknown_split_is_refused(tree: Path) -> None:
    with pytest.raises(ValueError, match=r"^`split` must be 'train' or 'test', got 'val'\.$"):
        cifar10(tree, split="val")  # type: ignore[arg-type]  # that is the point


def test_missing_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    assert refusal(folder, "train") == (
        f"{folder}: expected data_batch_1.bin, or a folder cifar-10-batches-bin with it, "
        "found no such folder."
    )


def test_python_version_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    assert refusal(tmp_path) == (
        f"{tmp_path}: expected test_batch.bin, or a folder cifar-10-batches-bin with it, "
        "found only cifar-10-batches-py."
    )


def test_missing_batch_is_named(tmp_path: Path) -> None:
    write_cifar10(tmp_path, ["data_batch_1.bin", "data_batch_2.bin"])
    assert refusal(tmp_path, "train") == (
        f"{tmp_path}: expected data_batch_3.bin, or a folder cifar-10-batches-bin with it, "
        "found only data_batch_1.bin, data_batch_2.bin."
    )


@pytest.mark.parametrize("size", [0, 30_729_999, 30_726_927, 30_730_001])
def test_file_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    path = write_cifar10(tmp_path, ["test_batch.bin"]) / "test_batch.bin"
    os.truncate(path, size)
    assert refusal(tmp_path) == (
        f"{path}: expected 30,730,000 bytes (10,000 images), found {size:,}."
    )


def test_label_out_of_range_is_named_with_its_record(tmp_path: Path) -> None:
    path = write_cifar10(tmp_path, ["test_batch.bin"]) / "test_batch.bin"
    with path.open("r+b") as file:
        file.seek(4_321 * CIFAR_RECORD)
        file.write(b"\x0a")
    assert refusal(tmp_path) == f"{path}: expected labels 0 .. 9, found 10 in record 4321."


def test_items_are_bytes_and_int(tree: Path) -> None:
    images: Images = cifar10(tree, split="test")
    image, label = images[1]
    assert image.dtype == torch.uint8
    assert type(label) is int
