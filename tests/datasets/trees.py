"""Folders in the layout of the published data sets, written by the shortest code that can."""

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TINY = np.arange(3 * 2 * 4, dtype=np.uint8).reshape(3, 2, 4)  # three images of 2x4
TINY_LABELS = np.array([7, 0, 9], dtype=np.uint8)

CIFAR_RECORDS, CIFAR_RECORD = 10_000, 3_073
CIFAR_FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")


def idx_bytes(values: NDArray[np.uint8], *, magic: int | None = None) -> bytes:
    number = 0x0800 + values.ndim if magic is None else magic
    return struct.pack(f">{1 + values.ndim}I", number, *values.shape) + values.tobytes()


def write_idx(
    folder: Path,
    images: NDArray[np.uint8] = TINY,
    labels: NDArray[np.uint8] = TINY_LABELS,
    *,
    prefix: str = "train",
    packed: bool = True,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
        name = f"{prefix}-{kind}-ubyte{'.gz' if packed else ''}"
        content = idx_bytes(values)
        (folder / name).write_bytes(gzip.compress(content) if packed else content)
    return folder


def write_cifar10(folder: Path, files: Sequence[str] = CIFAR_FILES) -> Path:
    """Files of the published size, all zeros but for two records in each (so they are sparse)."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(files):
        with (folder / name).open("wb") as file:
            file.truncate(CIFAR_RECORDS * CIFAR_RECORD)
            for position in (1, CIFAR_RECORDS - 1):
                file.seek(position * CIFAR_RECORD)
                file.write(bytes([number + 2]) + cifar10_planes(number, position))
    return folder


def cifar10_planes(number: int, position: int) -> bytes:
    """The 3,072 pixel bytes that `write_cifar10` puts into a record of file `number`."""
    return bytes((place * 7 + number * 31 + position) % 256 for place in range(3 * 32 * 32))
