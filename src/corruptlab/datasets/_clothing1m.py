"""Clothing1M: a million photographs with the labels that shops gave them."""

import os
import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from torch.utils.data import Dataset

from corruptlab._data_files import listing, numbered_lines, opened, quoted
from corruptlab._errors import DataFileError, require
from corruptlab._types import Labels

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
_TRIED = 100  # images that are looked for, to see where all of them are
_NOISY, _CLEAN = "noisy_label_kv.txt", "clean_label_kv.txt"
# A path that leaves the folder it starts from, on any system, or that no system has.
_OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\0")
# What photographs come as. Pillow knows formats that start other programs (EPS); not here.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ImageFiles(Dataset[tuple[Any, int]]):
    """Labelled image files with noisy labels, clean labels, or both: a map-style data set.

    Items are ``(image, label)``: an RGB PIL image (extra ``vision``), or the output of
    ``transform``, and an ``int``. A file is opened when its item is accessed. Labels are available
    without Pillow and without the images.

    Args:
        folder: Folder of the paths.
        paths: Path of each image below ``folder``.
        noisy: Noisy label of each image, ``int64`` of shape ``(n,)``; -1 if missing.
        clean: Clean label of each image, ``int64`` of shape ``(n,)``; -1 if missing.
        serves: Labels of the items, ``"noisy"`` or ``"clean"``; none of them may be missing.
        classes: Name of each class, in the order of the labels.
        name: Name of the data set in tables and error messages.
        transform: Transform of each image, as in torchvision.

    Raises:
        ValueError: If ``serves`` is not one of its values, lengths differ, or a label is out of
            range.

    Example:
        >>> from pathlib import Path
        >>> import numpy as np
        >>> shop = ImageFiles(
        ...     folder=Path("shop"), paths=["a.jpg", "b.jpg", "c.jpg"],
        ...     noisy=np.array([0, 1, 1]), clean=np.array([1, 1, -1]),
        ...     serves="noisy", classes=("shirt", "dress"), name="shop",
        ... )
        >>> shop
        ImageFiles('shop': 3 images with noisy labels, 2 classes, 2 with both labels)
        >>> shop.targets
        array([0, 1, 1])
        >>> known = shop.both()
        >>> known.noisy, known.clean
        (array([0, 1]), array([1, 1]))
    """

    folder: Path
    paths: Sequence[str]
    noisy: Labels
    clean: Labels
    serves: Literal["noisy", "clean"]
    classes: tuple[str, ...]
    name: str
    transform: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        if self.serves not in ("noisy", "clean"):
            raise ValueError(f"`serves` must be 'noisy' or 'clean', got {self.serves!r}.")
        if not isinstance(self.paths, FilePaths):
            object.__setattr__(self, "paths", FilePaths(self.paths))
        object.__setattr__(self, "classes", tuple(self.classes))
        for name in ("noisy", "clean"):
            labels = np.array(getattr(self, name), np.int64)
            labels.flags.writeable = False
            object.__setattr__(self, name, labels)
            self._check(name, labels)

    def _check(self, name: str, labels: Labels) -> None:
        if labels.shape != (len(self.paths),):
            raise ValueError(
                f"`{name}` must hold one label for each of the {len(self.paths)} paths, "
                f"got shape {labels.shape}."
            )
        least = 0 if self.serves == name else -1
        strays = np.flatnonzero((labels < least) | (labels >= len(self.classes)))
        if len(strays):
            raise ValueError(
                f"`{name}` must lie in {least} .. {len(self.classes) - 1}, "
                f"got {labels[strays[0]]} at position {strays[0]}."
            )

    @property
    def targets(self) -> Labels:
        """Labels of the items, ``int64`` of shape ``(n,)``, read-only."""
        return self.noisy if self.serves == "noisy" else self.clean

    def both(self) -> "ImageFiles":
        """Return the images with a noisy and a clean label; its items have the clean labels.

        Pass its labels to ``GivenLabels(noisy, clean=clean)`` to corrupt it with the known noise.

        Returns:
            The subset of these images, as a data set of the same type.
        """
        at = np.flatnonzero((self.noisy >= 0) & (self.clean >= 0))
        return replace(
            self,
            paths=FilePaths(self.paths[int(position)] for position in at),
            noisy=self.noisy[at],
            clean=self.clean[at],
            serves="clean",
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = _open(self.folder / self.paths[index])
        return image if self.transform is None else self.transform(image), int(self.targets[index])

    def __repr__(self) -> str:
        both = int(((self.noisy >= 0) & (self.clean >= 0)).sum())
        return (
            f"ImageFiles({self.name!r}: {len(self)} images with {self.serves} labels, "
            f"{len(self.classes)} classes, {both} with both labels)"
        )


def clothing1m(
    folder: str | os.PathLike[str],
    *,
    split: Literal["noisy_train", "clean_train", "clean_val", "clean_test"],
    transform: Callable[[Any], Any] | None = None,
) -> ImageFiles:
    r"""Read Clothing1M: photographs of clothes from online shops, in 14 classes.

    The noisy labels come from the shops. The items of ``"noisy_train"`` have noisy labels, those of
    the other splits clean labels. Some images have both labels; `ImageFiles.both` returns these.
    Images are opened on access (Pillow, extra ``vision``). The authors provide the data on request,
    for non-commercial research.

    Args:
        folder: The folder with the images and the text files. The text files may also be in its
            subfolder ``annotations``. Images are at the paths in the lists, in the subfolder
            ``images``, or in subfolders ``0`` to ``9`` instead of ``images/0`` to ``images/9``.
            ``~`` is the home folder.
        split: The list to read: ``"noisy_train"`` is ``noisy_train_key_list.txt`` (1,000,000
            images as published), and so on for ``"clean_train"`` (47,570), ``"clean_val"``
            (14,313), and ``"clean_test"`` (10,526).
        transform: Transform of each image, as in torchvision. Images differ in size, so batches
            require one.

    Returns:
        The images in the order of the list, each with its noisy label, its clean label, or both.
        The label file that the split does not use is optional.

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
    served = _NOISY if serves == "noisy" else _CLEAN
    labels = {name: _labels(root, name, keys, may_miss=name != served) for name in (_NOISY, _CLEAN)}
    missing = np.flatnonzero(labels[served] < 0)
    if len(missing):
        first = missing[0]
        found = f"none for {quoted(keys[first])} in line {lines[first]}"
        raise DataFileError(key_list, f"images that have a label in {served}", found)
    return ImageFiles(
        folder=root,
        paths=_paths(root, keys),
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
    for number, line in numbered_lines(file):
        key = line.strip()
        if _OUTSIDE.search(key):
            raise DataFileError(file, "paths below the folder", f"{quoted(key)} in line {number}")
        keys.append(key)
        lines.append(number)
    if not keys:
        raise DataFileError(file, "at least one path", "none")
    return keys, lines, file


def _paths(root: Path, keys: list[str]) -> "FilePaths":
    """Return where the images are: at their keys, or with ``images/`` put before or left out."""
    for here, there in (("", ""), ("", "images/"), ("images/", "")):
        moved = [f"{there}{key.removeprefix(here)}" for key in keys]
        if any((root / path).is_file() for path in moved[:_TRIED]):
            return FilePaths(moved)
    return FilePaths(keys)  # who opens one will be told


def _labels(root: Path, name: str, keys: list[str], *, may_miss: bool) -> Labels:
    """Return the label that a file of lines ``path label`` has for each key; -1 if none."""
    homes = (root, root / "annotations")
    if may_miss and not any(os.path.lexists(home / name) for home in homes):
        return np.full(len(keys), -1)
    file = _find(root, name)
    known = dict.fromkeys(keys, -1)
    for number, line in numbered_lines(file):
        key, label = _pair(line.strip())
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


def _open(path: Path) -> Any:
    """Return the image in a file, decoded, as RGB."""
    library = require("PIL.Image", extra="vision")
    with opened(path, "an image"):
        try:
            with library.open(path, formats=_FORMATS) as image:
                return image.convert("RGB")
        except Exception as error:  # Pillow lets a broken file raise anything
            reason = str(error) or type(error).__name__
            raise DataFileError(path, "a whole image", f"this: {reason.rstrip('.')}") from error


class FilePaths(Sequence[str]):
    """A sequence of paths, kept as one block of text."""

    # A million paths as strings take 100 MB, and every worker process that reads them ends up with
    # its own copy, because reading a string writes its reference count. This block takes half of
    # that, and forked workers share it.

    def __init__(self, paths: Iterable[str]) -> None:
        encoded = [path.encode() for path in paths]
        self._ends = np.fromiter(accumulate(map(len, encoded)), np.int64, len(encoded))
        self._text = b"".join(encoded)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "FilePaths": ...
    def __getitem__(self, index: int | slice) -> "str | FilePaths":
        if isinstance(index, slice):
            return FilePaths(self[position] for position in range(len(self))[index])
        position = range(len(self))[index]  # negative ones, and those beyond the end
        start = self._ends[position - 1] if position else 0
        return self._text[start : self._ends[position]].decode()

    def __repr__(self) -> str:
        return f"FilePaths({len(self)} paths)"
