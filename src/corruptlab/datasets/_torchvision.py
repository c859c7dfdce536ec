"""The data sets of torchvision, by name."""

import inspect
import os
from collections.abc import Callable
from operator import index
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corruptlab._errors import DataFileError, require
from corruptlab.datasets._images import Images, checked_split

_MOST_CLASSES = 1 << 20


def torchvision(name: str, folder: str | os.PathLike[str], *, split: str) -> Images:
    """Read an image classification data set of torchvision (extra ``vision``).

    Nothing is downloaded: the files must be where torchvision expects them in ``folder``. Every
    image is decoded once and stored as ``uint8``; grayscale images keep one channel, all others are
    converted to RGB. Some formats of torchvision are pickles (``CIFAR10`` among them); torchvision
    loads them after verifying their published checksums.

    Args:
        name: Name of a class in ``torchvision.datasets``, such as ``"SVHN"``. It must accept
            ``root`` and one of ``train`` and ``split``.
        folder: The argument ``root`` of the class; ``~`` is the home folder.
        split: ``"train"`` or ``"test"``; if the class accepts ``split``, any of its values, such as
            ``"val"`` or ``"extra"``.

    Returns:
        The images, ``uint8`` of shape ``(n, channels, height, width)``, in torchvision's order.

    Raises:
        ValueError: If ``name`` or ``split`` is unknown, images differ in size, or a label is not
            below the number of classes.
        TypeError: If the items are not pairs of an image and an integer label.
        DataFileError: If the folder or a file in it is missing or damaged.
        MissingExtraError: If torchvision is not installed, or is incompatible with the installed
            PyTorch.

    Example:
        >>> torchvision("SVHN", "no-such-folder", split="train")
        Traceback (most recent call last):
        ...
        corruptlab._errors.DataFileError: no-such-folder: expected a folder with
        the files of torchvision's SVHN, found no such folder.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise DataFileError(
            root, f"a folder with the files of torchvision's {name}", "no such folder"
        )
    make, options = _find(require("torchvision.datasets", extra="vision"), name, split)
    try:
        dataset = make(root=str(root), **options)
        items = [dataset[position] for position in range(len(dataset))]
    except Exception as error:  # its readers let a broken file raise anything
        if "argument split" in str(error):
            raise ValueError(
                f"`split` must be one that {name} has, got {split!r}: {error}"
            ) from None
        # torchvision's advice to download is not ours.
        reason = (str(error) or type(error).__name__).partition(" You can use download=True")[0]
        expected = f"the files of torchvision's {name}"
        raise DataFileError(root, expected, f"this: {reason.rstrip('.')}") from error
    if not items:
        raise DataFileError(root, f"images of torchvision's {name}", "none")
    targets = torch.tensor([_label(item, name) for item in items], dtype=torch.int64)
    images = _stack([item[0] for item in items], name)
    return Images(images, targets, _class_names(dataset, targets), name)


def _find(library: ModuleType, name: str, split: str) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the class called ``name`` and the arguments that choose the split."""
    makers = {each: _parameters(getattr(library, each)) for each in library.__all__}
    known = [each for each, has in makers.items() if has & {"train", "split"}]
    if name not in known:
        raise ValueError(f"`name` must be one of {', '.join(sorted(known))}, got {name!r}.")
    if "split" in makers[name]:
        options: dict[str, Any] = {"split": split}
    else:
        checked_split(split)
        options = {"train": split == "train"}
    return getattr(library, name), options


def _parameters(maker: Callable[..., Any]) -> set[str]:
    """Return the names of the parameters, or none if ``root`` alone does not make a data set."""
    parameters = inspect.signature(maker).parameters
    needed = {
        each.name
        for each in parameters.values()
        if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
    }
    return set(parameters) if "root" in parameters and needed <= {"root", "split"} else set()


def _label(item: Any, name: str) -> int:
    try:
        return index(item[1])
    except (TypeError, IndexError, KeyError):
        raise TypeError(
            f"`name` must be a data set of pairs (image, integer label), got {name} with items "
            f"of type {_describe(item)}."
        ) from None


def _describe(item: Any) -> str:
    parts = item if isinstance(item, tuple) else (item,)
    return f"({', '.join(type(part).__name__ for part in parts)})"


def _stack(pictures: list[Any], name: str) -> Tensor:
    """Return PIL images of one size as one tensor, shape ``(n, channels, height, width)``."""
    sizes = sorted({picture.size for picture in pictures})
    if len(sizes) > 1:
        raise ValueError(
            f"`name` must be a data set with images of one size, got {name} with sizes "
            f"(width, height) from {sizes[0]} to {sizes[-1]}."
        )
    mode = "L" if all(picture.mode == "L" for picture in pictures) else "RGB"
    width, height = sizes[0]
    images = np.empty((len(pictures), height, width, len(mode)), np.uint8)
    for row, picture in zip(images, pictures, strict=True):
        row[:] = np.asarray(picture.convert(mode)).reshape(row.shape)
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def _class_names(dataset: Any, targets: Tensor) -> tuple[str, ...]:
    """Return torchvision's names of the classes, or their numbers where it has none."""
    largest = int(targets.max())
    if largest >= _MOST_CLASSES:
        raise ValueError(f"`name` must be a data set of class labels, got the label {largest}.")
    names = getattr(dataset, "classes", None) or range(largest + 1)
    # ImageNet has a tuple of synonyms for each class.
    return tuple(", ".join(each) if isinstance(each, tuple) else str(each) for each in names)
