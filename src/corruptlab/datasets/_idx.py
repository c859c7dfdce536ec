"""Folders in the layout of MNIST: four IDX files, gzip'd or plain."""

import os
from pathlib import Path
from typing import Literal

import torch

from corruptlab._errors import DataFileError
from corruptlab.datasets._idx_file import read_idx
from corruptlab.datasets._images import Images
from corruptlab.datasets._listing import listing
from corruptlab.datasets._splits import checked_split

_PREFIX = {"train": "train", "test": "t10k"}


def idx(
    folder: str | os.PathLike[str],
    *,
    split: Literal["train", "test"],
    num_classes: int = 10,
) -> Images:
    """Read a folder of IDX files, the layout of MNIST, Fashion-MNIST, KMNIST, and EMNIST.

    The folder holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, and the same with
    ``t10k`` for the test images, each plain or with ``.gz`` (the plain one is read when both
    are there). Classes are called by their number, since the files hold no names.

    Args:
        folder: Folder with the four files; ``~`` is the home folder.
        split: ``"train"`` or ``"test"``.
        num_classes: Number of classes, at least 1; labels must lie below it. The files do not
            say it: 10 for the MNIST family, more for most of EMNIST.

    Returns:
        The images, ``uint8`` of shape ``(n, 1, height, width)``, in file order.

    Raises:
        ValueError: If ``split`` or ``num_classes`` is not one of its values.
        DataFileError: If a file is missing, truncated, too long, of another format, or if images
            and labels do not belong together.

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
    root = Path(folder).expanduser()
    image_file = _find(root, f"{_PREFIX[split]}-images-idx3-ubyte")
    label_file = _find(root, f"{_PREFIX[split]}-labels-idx1-ubyte")
    labels = read_idx(label_file, ndim=1)
    pixels = read_idx(image_file, ndim=3)
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


def _find(root: Path, stem: str) -> Path:
    for name in (stem, f"{stem}.gz"):
        if (root / name).is_file():
            return root / name
    raise DataFileError(root, f"{stem} or {stem}.gz", listing(root))
