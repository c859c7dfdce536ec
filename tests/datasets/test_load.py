"""Specifications of data sets."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from corruptlab.datasets import DataFileError, Images, cifar10, fashion_mnist_mini, idx, load
from tests.datasets.trees import TINY, write_cifar10, write_idx


def assert_same(one: Images, other: Images) -> None:
    assert one.images.equal(other.images)
    assert one.targets.equal(other.targets)
    assert (one.classes, one.name) == (other.classes, other.name)


def test_load_gives_the_embedded_parts() -> None:
    train, test = load("fashion-mnist-mini")
    assert_same(train, fashion_mnist_mini("train"))
    assert_same(test, fashion_mnist_mini("test"))


def test_load_reads_idx_folders(tmp_path: Path) -> None:
    folder = tmp_path / "a:b"  # only the first colon separates
    write_idx(folder, prefix="train")
    write_idx(folder, 100 + TINY, prefix="t10k")
    train, test = load(f"idx:{folder}")
    assert_same(train, idx(folder, split="train"))
    assert_same(test, idx(folder, split="test"))
    assert not train.images.equal(test.images)


@pytest.mark.slow
def test_load_reads_cifar10(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    train, test = load(f"cifar10:{tmp_path}")
    assert_same(test, cifar10(tmp_path, split="test"))
    assert len(train) == 50_000


def test_load_reads_torchvision(tmp_path: Path, torchvision_datasets: ModuleType) -> None:
    folder = tmp_path / "a:b"  # only the first two colons separate
    raw = folder / "MNIST" / "raw"
    for prefix, images in (("train", TINY), ("t10k", 100 + TINY)):
        write_idx(raw, images, prefix=prefix, packed=False)
    train, test = load(f"torchvision:MNIST:{folder}")
    assert train.name == test.name == "MNIST"
    assert train.images.equal(idx(raw, split="train").images)
    assert test.images.equal(idx(raw, split="test").images)


def test_load_passes_on_errors_of_the_readers(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="found no such folder"):
        load(f"idx:{tmp_path / 'nowhere'}")


@pytest.mark.parametrize("spec", ["csv:x.csv", "csv:x.csv:y", "hf:folder", "hf:", "csv"])
def test_load_names_the_function_that_reads_tables(spec: str) -> None:
    with pytest.raises(ValueError, match=rf"got '{spec}'\. Tables and .* by `load_table`\.$"):
        load(spec)


@pytest.mark.parametrize(
    "spec",
    ["", "mnist", "idx", "idx:", "cifar10", "torchvision:MNIST", "torchvision::x", "torchvision:M:",
     "fashion-mnist-mini:x", "IDX:x"],
)  # fmt: skip
def test_unknown_specification_lists_the_known_ones(spec: str) -> None:
    message = (
        "`spec` must be one of fashion-mnist-mini, cifar10:FOLDER, idx:FOLDER, "
        f"torchvision:NAME:FOLDER, got {spec!r}."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load(spec)
