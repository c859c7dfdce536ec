"""IDX folders: what is written is read, and nothing else is."""

import gzip
import os
import re
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from corruptlab.datasets import DataFileError, idx
from tests.datasets.trees import TINY, TINY_LABELS, idx_bytes, write_idx

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("split", "prefix"), [("train", "train"), ("test", "t10k")])
def test_idx_returns_what_the_files_hold(
    tmp_path: Path, packed: bool, split: Any, prefix: str
) -> None:
    images = idx(write_idx(tmp_path / "digits", prefix=prefix, packed=packed), split=split)
    assert_array_equal(images.images, TINY[:, None])
    assert_array_equal(images.targets, TINY_LABELS)
    assert images.images.dtype == torch.uint8
    assert images.targets.dtype == torch.int64
    assert images.classes == tuple("0123456789")
    assert images.name == "digits"


@given(
    shape=st.tuples(st.integers(1, 5), *[st.integers(0, 5)] * 2),
    packed=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_idx_files_round_trip_for_any_sizes(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, ...], packed: bool, seed: int
) -> None:
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    labels = np.arange(shape[0], dtype=np.uint8)
    folder = write_idx(tmp_path_factory.mktemp("idx"), values, labels, packed=packed)
    read = idx(folder, split="train").images
    assert_array_equal(read[:, 0], values)
    read += 1  # writable


def test_idx_prefers_the_plain_file(tmp_path: Path) -> None:
    write_idx(tmp_path, TINY + 100, packed=True)
    write_idx(tmp_path, TINY, packed=False)
    assert_array_equal(idx(tmp_path, split="train").images, TINY[:, None])


def test_idx_expands_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(tmp_path / "digits")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(idx("~/digits", split="train")) == 3


def test_idx_takes_more_classes_when_told(tmp_path: Path) -> None:
    write_idx(tmp_path, labels=np.array([46, 0, 9], dtype=np.uint8))
    images = idx(tmp_path, split="train", num_classes=47)
    assert images.targets.tolist() == [46, 0, 9]
    assert len(images.classes) == 47


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "valid"}, "`split` must be 'train' or 'test', got 'valid'."),
        ({"split": "train", "num_classes": 0}, "`num_classes` must be at least 1, got 0."),
        ({"split": "train", "num_classes": 2**62}, "`num_classes` must be at most 256, got 4611"),
    ],
)
def test_idx_refuses_wrong_arguments(tmp_path: Path, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        idx(write_idx(tmp_path), **options)


PLACES = {
    "EMNIST": (".", "emnist-letters-train-images-idx3-ubyte", "t/emnist-letters"),
    "dots": (".", "train-images.idx3-ubyte", "t"),
    "torchvision": ("MNIST/raw", "train-images-idx3-ubyte", "t"),
    "EMNIST's archive": ("gzip", "emnist-digits-train-images-idx3-ubyte", "t"),
    "torchvision's EMNIST": ("EMNIST/raw", "emnist-mnist-train-images-idx3-ubyte", "t/EMNIST/raw"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("case", PLACES)
def test_files_are_found_where_others_put_them(tmp_path: Path, case: str, packed: bool) -> None:
    below, name, asked = PLACES[case]
    home = tmp_path / "t" / below
    home.mkdir(parents=True)
    for split, shift in (("train", 0), ("test", 1)):
        for kind, values in (("images", TINY + shift), ("labels", TINY_LABELS)):
            file = name.replace("images", kind).replace("train", split)
            file = file.replace("idx3", "idx1") if kind == "labels" else file
            content = idx_bytes(values)
            (home / f"{file}{'.gz' * packed}").write_bytes(
                gzip.compress(content) if packed else content
            )
    assert_array_equal(idx(tmp_path / asked, split="train").images, TINY[:, None])
    assert_array_equal(idx(tmp_path / asked, split="test").images, TINY[:, None] + 1)


def test_of_several_sets_one_has_to_be_named(tmp_path: Path) -> None:
    for k, name in enumerate(("emnist-letters", "emnist-digits")):
        write_idx(tmp_path, TINY + k, prefix=f"{name}-train", packed=k == 0)
    message = refusal(tmp_path)
    assert "expected files of one set (or the beginning of its names), found emnist-d" in message
    assert_array_equal(idx(tmp_path / "emnist-letters", split="train").images, TINY[:, None])
    assert_array_equal(idx(tmp_path / "emnist-digits", split="train").images, TINY[:, None] + 1)


def refusal(folder: Path) -> str:
    with pytest.raises(DataFileError) as caught:
        idx(folder, split="train")
    return str(caught.value)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    assert refusal(folder) == (
        f"{folder}: expected {LABELS} or {LABELS}.gz, found no such folder."
    ).replace(LABELS, IMAGES)


def test_file_in_place_of_the_folder_is_said(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(b"PK")
    assert refusal(path) == f"{path}: expected {IMAGES} or {IMAGES}.gz, found a file."


def test_empty_folder_is_said(tmp_path: Path) -> None:
    assert refusal(tmp_path).endswith(f"expected {IMAGES} or {IMAGES}.gz, found an empty folder.")


def test_missing_file_is_named_beside_what_is_there(tmp_path: Path) -> None:
    (write_idx(tmp_path) / f"{LABELS}.gz").unlink()
    assert refusal(tmp_path) == (
        f"{tmp_path}: expected {LABELS} or {LABELS}.gz, found only {IMAGES}.gz."
    )


def test_long_folders_are_listed_in_part(tmp_path: Path) -> None:
    for number in range(11):
        (tmp_path / f"{number:02}.png").touch()
    assert refusal(tmp_path).endswith("found only 00.png, 01.png, 02.png, 03.png, 04.png, 05.png, "
                                      "06.png, 07.png, and 3 more.")  # fmt: skip


WHOLE = idx_bytes(TINY)
EXPECTED_VALUES = "24 bytes of values for sizes 3x2x4"
BROKEN = {
    "empty": (b"", "the magic number 2051", "0 bytes in all"),
    "cut in the magic number": (WHOLE[:3], "the magic number 2051", "3 bytes in all"),
    "labels in place of images": (idx_bytes(TINY_LABELS), "the magic number 2051", "2049"),
    "little-endian": (struct.pack("<I", 2051) + WHOLE[4:], "the magic number 2051", "50855936"),
    "cut in the sizes": (WHOLE[:15], "a header of 16 bytes", "15"),
    "no values": (WHOLE[:16], EXPECTED_VALUES, "0"),
    "one value short": (WHOLE[:-1], EXPECTED_VALUES, "23"),
    "one value too many": (WHOLE + b"x", EXPECTED_VALUES, "more"),
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("case", BROKEN)
def test_broken_file_is_one_error_with_file_expected_and_found(
    tmp_path: Path, case: str, packed: bool
) -> None:
    content, expected, found = BROKEN[case]
    write_idx(tmp_path, packed=packed)
    path = tmp_path / f"{IMAGES}{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(content) if packed else content)
    if "value" in case and not packed and len(content) < 20:
        found = "a file that can hold at most 16"  # seen before a byte is read
    assert refusal(tmp_path) == f"{path}: expected {expected}, found {found}."


PACKED = gzip.compress(WHOLE, mtime=0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (WHOLE, r"Not a gzipped file \(b'\\x00\\x00'\)"),
        (PACKED[:-9], "Compressed file ended before the end-of-stream marker was reached"),
        (PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], "CRC check failed 0x0 != .*"),
        (PACKED[:10] + b"\xff" + PACKED[11:], "Error -3 while decompressing data: .*"),
    ],
    ids=["plain under a packed name", "cut", "wrong checksum", "garbage inside"],
)
def test_damaged_gzip_stream_is_one_error(tmp_path: Path, content: bytes, reason: str) -> None:
    path = write_idx(tmp_path) / f"{IMAGES}.gz"
    path.write_bytes(content)
    assert re.fullmatch(
        rf"{re.escape(str(path))}: expected a whole gzip stream, found a damaged one \({reason}\).",
        refusal(tmp_path),
    )


def test_files_that_shrink_most_are_still_read(tmp_path: Path) -> None:
    zeros = np.zeros((300, 100, 100), dtype=np.uint8)
    write_idx(tmp_path, zeros, np.zeros(300, dtype=np.uint8))
    assert (tmp_path / f"{IMAGES}.gz").stat().st_size * 1000 < zeros.nbytes
    assert_array_equal(idx(tmp_path, split="train").images[:, 0], zeros)


@pytest.mark.parametrize("packed", [True, False])
def test_absurd_sizes_are_refused_before_memory_is_taken(tmp_path: Path, packed: bool) -> None:
    write_idx(tmp_path, packed=packed)
    path = tmp_path / f"{IMAGES}{'.gz' if packed else ''}"
    content = struct.pack(">4I", 2051, 2**32 - 1, 2**16, 2**16)
    path.write_bytes(gzip.compress(content) if packed else content)
    room = path.stat().st_size * (1032 if packed else 1)
    assert refusal(tmp_path) == (
        f"{path}: expected {(2**32 - 1) * 2**32:,} bytes of values for sizes "
        f"4294967295x65536x65536, found a file that can hold at most {room:,}."
    )


def test_more_values_than_any_such_set_has_are_refused(tmp_path: Path) -> None:
    path = write_idx(tmp_path, packed=False) / IMAGES
    path.write_bytes(struct.pack(">4I", 2051, 10, 20_000, 10_000))
    os.truncate(path, 16 + 2_000_000_000)
    expected = "at most 1,073,741,824 bytes of values"
    assert refusal(tmp_path) == f"{path}: expected {expected}, found 2,000,000,000."


@pytest.mark.slow(seconds=1)
def test_gzip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = write_idx(tmp_path) / f"{IMAGES}.gz"
    path.write_bytes(gzip.compress(WHOLE + bytes(64_000_000)))
    tracemalloc.start()
    try:
        message = refusal(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message == f"{path}: expected {EXPECTED_VALUES}, found more."
    assert peak < 2_000_000


def test_unequal_counts_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, labels=TINY_LABELS[:2])
    path = tmp_path / f"{LABELS}.gz"
    assert refusal(tmp_path) == f"{path}: expected one label for each of the 3 images, found 2."


def test_files_without_images_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, TINY[:0], TINY_LABELS[:0])
    path = tmp_path / f"{IMAGES}.gz"
    assert refusal(tmp_path) == f"{path}: expected at least one image, found none."


def test_label_out_of_range_is_named_with_its_position(tmp_path: Path) -> None:
    write_idx(tmp_path, labels=np.array([9, 10, 11], dtype=np.uint8))
    path = tmp_path / f"{LABELS}.gz"
    assert refusal(tmp_path) == (
        f"{path}: expected labels below `num_classes` = 10, found 10 at position 1."
    )


@pytest.mark.slow
def test_real_mnist_has_its_known_facts(shared_data: Path) -> None:
    train = idx(shared_data / "mnist", split="train")
    test = idx(shared_data / "mnist", split="test")
    assert train.images.shape == (60_000, 1, 28, 28)
    assert test.images.shape == (10_000, 1, 28, 28)
    assert train.targets[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.targets[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert torch.bincount(train.targets).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert torch.bincount(test.targets).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert 33.0 < train.images.double().mean() < 33.6  # 0.1307 of 255
