"""Clothing1M: a million photographs with the labels that shops gave them."""

import os
import re
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from corruptlab._errors import DataFileError
from corruptlab._types import Labels
from corruptlab.datasets._file_paths import FilePaths
from corruptlab.datasets._image_files import ImageFiles
from corruptlab.datasets._lines import numbered_lines, quoted
from corruptlab.datasets._listing import listing

_CLASSES = (
    "T-Shirt",
    "Shirt",
    "Knitwear",
    "Chiffon",
    "Sweater",
    "Hoodie",
    "Windbreaker",
    "Jacket",
    "Downcoat",
    "Suit",
    "Shawl",
    "Dress",
    "Vest",
    "Underwear",
)
_SPLITS = ("noisy_train", "clean_train", "clean_val", "clean_test")
_NOISY, _CLEAN = "noisy_label_kv.txt", "clean_label_kv.txt"
# A path that leaves the folder it starts from, on any system, or that no system has.
_OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\0")


def clothing1m(
    folder: str | os.PathLike[str],
    *,
    split: Literal["noisy_train", "clean_train", "clean_val", "clean_test"],
    transform: Callable[[Any], Any] | None = None,
) -> ImageFiles:
    r"""Read Clothing1M: photographs of clothes from web shops, in 14 classes.

    Nobody needs to draw this noise: shops made it. The items of ``"noisy_train"`` have noisy
    labels, those of the others clean ones. Some images have both labels, and `ImageFiles.both`
    cuts a split to these. Images are opened when they are asked for (Pillow, extra ``vision``).
    The data may be used for research that is not commercial; its authors give it on request.

    Args:
        folder: The folder with ``images`` and the text files, which may also lie in
            ``annotations`` below it; ``~`` is the home folder.
        split: The list to read: ``"noisy_train"`` is ``noisy_train_key_list.txt`` (1,000,000
            images as published), and so on for ``"clean_train"`` (47,570), ``"clean_val"``
            (14,313), and ``"clean_test"`` (10,526).
        transform: What to do with each image, as in torchvision. Images differ in size,
            so that batches need one.

    Returns:
        The images in the order of the list, each with its noisy label, its clean label, or both.

    Raises:
        ValueError: If ``split`` is not one of its values.
        DataFileError: If a text file is missing or one of its lines is malformed, or a listed
            image has no label. A missing image is reported when it is opened.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import corruptlab as cl
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("a", "b", "c"):
        ...         Image.new("RGB", (4, 4)).save(f"{folder}/{name}.jpg")
        ...     _ = Path(folder, "noisy_label_kv.txt").write_text("a.jpg 3\nc.jpg 11\n")
        ...     _ = Path(folder, "clean_label_kv.txt").write_text("a.jpg 3\nb.jpg 9\nc.jpg 8\n")
        ...     _ = Path(folder, "clean_train_key_list.txt").write_text("c.jpg\nb.jpg\na.jpg\n")
        ...     train = clothing1m(folder, split="clean_train")
        ...     known = train.both()
        ...     noisy = cl.corrupt(known, cl.GivenLabels(known.noisy, clean=known.clean))
        >>> train
        ImageFiles('Clothing1M clean_train': 3 images with clean labels, 14 classes,
        2 with both labels)
        >>> [train.classes[label] for label in noisy.clean_targets]
        ['Downcoat', 'Chiffon']
        >>> noisy.realized_rate
        0.5

    Source: Xiao et al. 2015, "Learning from massive noisy labeled data for image classification".
    """
    if split not in _SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(_SPLITS)}, got {split!r}.")
    root = Path(folder).expanduser()
    serves: Literal["noisy", "clean"] = "noisy" if split == "noisy_train" else "clean"
    keys, lines, key_list = _keys(root, split)
    labels = {name: _labels(root, name, keys) for name in (_NOISY, _CLEAN)}
    served = _NOISY if serves == "noisy" else _CLEAN
    missing = np.flatnonzero(labels[served] < 0)
    if len(missing):
        first = missing[0]
        found = f"none for {quoted(keys[first])} in line {lines[first]}"
        raise DataFileError(key_list, f"images that have a label in {served}", found)
    return ImageFiles(
        folder=root,
        paths=FilePaths(keys),
        noisy=labels[_NOISY],
        clean=labels[_CLEAN],
        serves=serves,
        classes=_CLASSES,
        name=f"Clothing1M {split}",
        transform=transform,
    )


def _find(root: Path, name: str) -> Path:
    for home in (root, root / "annotations"):
        if (home / name).is_file():
            return home / name
    raise DataFileError(root, f"{name}, there or in annotations", listing(root))


def _keys(root: Path, split: str) -> tuple[list[str], "array[int]", Path]:
    """Return the images of a list, the line of each, and the file."""
    file = _find(root, f"{split}_key_list.txt")
    keys, lines = [], array("q")
    for number, key in numbered_lines(file):
        if _OUTSIDE.search(key):
            raise DataFileError(file, "paths below the folder", f"{quoted(key)} in line {number}")
        keys.append(key)
        lines.append(number)
    if not keys:
        raise DataFileError(file, "at least one path", "none")
    return keys, lines, file


def _labels(root: Path, name: str, keys: list[str]) -> Labels:
    """Return the label that a file of lines ``path label`` has for each key; -1 if none."""
    file = _find(root, name)
    known = dict.fromkeys(keys, -1)
    for number, line in numbered_lines(file):
        key, label = _pair(line)
        if not 0 <= label < len(_CLASSES):
            expected = f"lines `path label` with a label 0 .. {len(_CLASSES) - 1}"
            raise DataFileError(file, expected, f"{quoted(line)} in line {number}")
        before = known.get(key)
        if before is None:
            continue  # an image of another split
        if before not in (-1, label):
            found = f"{before} and {label} for {quoted(key)} in line {number}"
            raise DataFileError(file, "one label for each image", found)
        known[key] = label
    return np.fromiter(map(known.__getitem__, keys), np.int64, len(keys))


def _pair(line: str) -> tuple[str, int]:
    """Return path and label of a line; the label is -1 if there is none."""
    key, *rest = line.rsplit(maxsplit=1)
    if rest and rest[0].isascii() and rest[0].isdecimal():
        return key, int(rest[0])
    return key, -1
