"""Folders in the layout of MNIST: four IDX files, gzip'd or plain."""

import gzip
import math
import os
import re
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from corruptlab._data_files import LARGEST, MOST_EXPANSION, listing, opened, read_values
from corruptlab._errors import DataFileError
from corruptlab.datasets._images import Images, checked_split

_PREFIX = {"train": "train", "test": "t10k"}
_MOST_CLASSES = 256  # a label is a byte


def idx(
    folder: str | os.PathLike[str],
    *,
    split: Literal["train", "test"],
    num_classes: int = 10,
) -> Images:
    """Read a folder of IDX files, the format of MNIST, Fashion-MNIST, KMNIST, and EMNIST.

    The folder contains ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``, and the same
    files with ``t10k`` for the test images, uncompressed or with ``.gz`` (the uncompressed file
    takes precedence). Other spellings are recognized too: ``train-images.idx3-ubyte``, ``test`` for
    ``t10k``, and names such as ``emnist-letters-train-images-idx3-ubyte``, as are the subfolders of
    torchvision, ``MNIST/raw`` or EMNIST's ``gzip``. The names of the classes are their numbers,
    since the files do not contain names.

    Args:
        folder: Folder with the four files; ``~`` is the home folder. If it contains several data
            sets, append the prefix of the file names, as in ``"data/gzip/emnist-letters"``.
        split: ``"train"`` or ``"test"``.
        num_classes: Number of classes, in ``1 .. 256``; labels must be below it. The files do not
            contain it: use 10 for the MNIST family, and more for most of EMNIST (27 for its
            letters, which are numbered from 1).

    Returns:
        The images, ``uint8`` of shape ``(n, 1, height, width)``, in file order.

    Raises:
        ValueError: If ``split`` is unknown or ``num_classes`` is out of range.
        DataFileError: If a file is missing, truncated, too long, in another format, or larger than
            1 GiB, or if images and labels do not match.

    Example:
        >>> idx("no-such-folder", split="train")
        Traceback (most recent call last):
        ...
        corruptlab._errors.DataFileError: no-such-folder: expected
        train-images-idx3-ubyte or train-images-idx3-ubyte.gz, found no such folder.

    Source: LeCun, Cortes, and Burges, "The MNIST database of handwritten digits" (the format).
    """
    checked_split(split)
    if num_classes < 1:
        raise ValueError(f"`num_classes` must be at least 1, got {num_classes}.")
    if num_classes > _MOST_CLASSES:
        raise ValueError(f"`num_classes` must be at most {_MOST_CLASSES}, got {num_classes}.")
    root = Path(folder).expanduser()
    image_file = _find_images(root, split)
    label_file = _find_labels(image_file, root)
    labels = _read_file(label_file, ndim=1)
    pixels = _read_file(image_file, ndim=3)
    if not len(pixels):
        raise DataFileError(image_file, "at least one image", "none")
    if len(pixels) != len(labels):
        raise DataFileError(
            label_file, f"one label for each of the {len(pixels):,} images", f"{len(labels):,}"
        )
    strays = (labels >= num_classes).nonzero()[0]
    if len(strays):
        raise DataFileError(
            label_file,
            f"labels below `num_classes` = {num_classes}",
            f"{labels[strays[0]]} at position {strays[0]}",
        )
    return Images(
        images=torch.from_numpy(pixels)[:, None],
        targets=torch.from_numpy(labels).long(),
        classes=tuple(map(str, range(num_classes))),
        name=root.name or "idx",
    )


def _find_images(root: Path, split: str) -> Path:
    """Return the one file of images, in the folder or where others put it below."""
    stem = f"{_PREFIX[split]}-images-idx3-ubyte"
    part = "train" if split == "train" else "(t10k|test)"
    usual = re.compile(rf"(.+-)?{part}-images[.-]idx3-ubyte(\.gz)?")
    home, begins = root, ""
    if root.name and not root.exists() and root.parent.is_dir():
        home, begins = root.parent, f"{root.name}-"
    for homes in ([home], [home / "raw", home / "gzip", *sorted(home.glob("*/raw"))]):
        entries = [entry for each in homes if each.is_dir() for entry in sorted(each.iterdir())]
        found: dict[Path, Path] = {}
        for entry in entries:  # a plain one comes before its packed one
            if usual.fullmatch(entry.name) and entry.name.startswith(begins) and entry.is_file():
                found.setdefault(entry.with_name(entry.name.removesuffix(".gz")), entry)
        exact = [entry for plain, entry in found.items() if plain.name == stem]
        candidates = exact if len(exact) == 1 else list(found.values())
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            names = ", ".join(str(each.relative_to(home)) for each in candidates[:8])
            raise DataFileError(root, "files of one set (or the beginning of its names)", names)
    raise DataFileError(root, f"{stem} or {stem}.gz", listing(root))


def _find_labels(images: Path, root: Path) -> Path:
    """Return the file of labels that belongs to a file of images."""
    head, _, tail = images.name.removesuffix(".gz").rpartition("images")
    stem = f"{head}labels{tail.replace('idx3', 'idx1')}"
    for name in (stem, f"{stem}.gz"):
        if (images.parent / name).is_file():
            return images.parent / name
    raise DataFileError(root, f"{stem} or {stem}.gz", listing(images.parent))


def _read_file(path: Path, *, ndim: int) -> NDArray[np.uint8]:
    """Read an IDX file of bytes: a magic number, the sizes, then the values, all big-endian."""
    # The sizes are checked against what the file can hold before anything is allocated, and no more
    # than one byte beyond them is ever unpacked, so a hostile file cannot fill the memory.
    with opened(path, "an IDX file") as raw:
        if path.suffix != ".gz":
            return _read(raw, path, ndim, room=path.stat().st_size)
        try:
            with gzip.GzipFile(fileobj=raw) as stream:
                return _read(stream, path, ndim, room=MOST_EXPANSION * path.stat().st_size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataFileError(path, "a whole gzip stream", f"a damaged one ({error})") from None


def _read(
    stream: IO[bytes] | BufferedIOBase, path: Path, ndim: int, room: int
) -> NDArray[np.uint8]:
    head = stream.read(4)
    magic = 0x0800 + ndim  # two zero bytes, 8 for unsigned bytes, the number of dimensions
    if head != struct.pack(">I", magic):
        found = str(int.from_bytes(head, "big")) if len(head) == 4 else f"{len(head)} bytes in all"
        raise DataFileError(path, f"the magic number {magic}", found)
    sizes = stream.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise DataFileError(path, f"a header of {4 + 4 * ndim} bytes", f"{4 + len(sizes)}")
    shape = struct.unpack(f">{ndim}I", sizes)
    size = math.prod(shape)
    expected = f"{size:,} bytes of values for sizes {'x'.join(map(str, shape))}"
    if size > room:
        raise DataFileError(path, expected, f"a file that can hold at most {room:,}")
    if size > LARGEST:
        raise DataFileError(path, f"at most {LARGEST:,} bytes of values", f"{size:,}")
    values = np.empty(size, np.uint8)
    read_values(stream, path, values, expected)
    return values.reshape(shape)
