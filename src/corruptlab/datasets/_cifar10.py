"""CIFAR-10 in its binary layout."""

import os
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from corruptlab._data_files import listing, opened, read_values
from corruptlab._errors import DataFileError
from corruptlab.datasets._images import Images, checked_split

_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_FOLDER = "cifar-10-batches-bin"
_FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
_RECORDS = 10_000  # in each file
_RECORD_BYTES = 1 + 3 * 32 * 32  # the label, then the red, green, and blue plane


def cifar10(folder: str | os.PathLike[str], *, split: Literal["train", "test"]) -> Images:
    """Read CIFAR-10 from its binary version, ``cifar-10-batches-bin``.

    Images are in the order of the files, which is the same in the Python version. The Python
    version is not supported, because it consists of pickles, and unpickling can execute arbitrary
    code.

    Args:
        folder: The folder ``cifar-10-batches-bin``, or its parent; ``~`` is the home folder.
        split: ``"train"``, the 50,000 images of the five data batches, or ``"test"``, 10,000
            images.

    Returns:
        The images, ``uint8`` of shape ``(n, 3, 32, 32)``, in file order.

    Raises:
        ValueError: If ``split`` is not one of its values.
        DataFileError: If a file is missing, does not have the published size, or contains a label
            above 9.

    Example:
        >>> cifar10("no-such-folder", split="train")
        Traceback (most recent call last):
        ...
        corruptlab._errors.DataFileError: no-such-folder: expected
        data_batch_1.bin, or a folder cifar-10-batches-bin with it, found no such folder.

    Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """
    checked_split(split)
    root = Path(folder).expanduser()
    names = _FILES[split]
    home = root / _FOLDER if (root / _FOLDER).is_dir() else root
    records = np.empty((len(names) * _RECORDS, _RECORD_BYTES), np.uint8)
    for number, name in enumerate(names):
        path = home / name
        if not path.is_file():
            raise DataFileError(home, f"{name}, or a folder {_FOLDER} with it", listing(home))
        _read_batch(path, records[number * _RECORDS : (number + 1) * _RECORDS])
    pixels = np.ascontiguousarray(records[:, 1:]).reshape(-1, 3, 32, 32)
    targets = records[:, 0].astype(np.int64)
    return Images(torch.from_numpy(pixels), torch.from_numpy(targets), _CLASSES, "CIFAR-10")


def _read_batch(path: Path, records: NDArray[np.uint8]) -> None:
    """Fill ``records``, shape ``(10_000, 3_073)``, from a file of exactly that size."""
    expected = f"{records.nbytes:,} bytes ({_RECORDS:,} images)"
    size = path.stat().st_size
    if size != records.nbytes:
        raise DataFileError(path, expected, f"{size:,}")
    with opened(path, expected) as file:
        read_values(file, path, records.reshape(-1), expected)
    strays = (records[:, 0] >= len(_CLASSES)).nonzero()[0]
    if len(strays):
        raise DataFileError(path, "labels 0 .. 9", f"{records[strays[0], 0]} in record {strays[0]}")
