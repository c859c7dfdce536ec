"""Data sets by a name that fits on a command line, and the one that comes with the package."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from corruptlab.datasets._cifar10 import cifar10
from corruptlab.datasets._csv_table import csv_table
from corruptlab.datasets._idx import idx
from corruptlab.datasets._images import Images
from corruptlab.datasets._saved_dataset import saved_dataset
from corruptlab.datasets._table import Table
from corruptlab.datasets._torchvision import torchvision

_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_IMAGES = ("fashion-mnist-mini", "cifar10", "idx", "torchvision")
_KNOWN = "fashion-mnist-mini, cifar10:FOLDER, idx:FOLDER, torchvision:NAME:FOLDER"


def fashion_mnist_mini(split: Literal["train", "test"]) -> Images:
    """Return the included class-balanced subset of Fashion-MNIST.

    It contains the first 400 images of each class of the training set and the first 100 of each
    class of the test set, in the original order and unmodified. No download is needed. Results are
    not comparable with results on the full Fashion-MNIST.

    Args:
        split: ``"train"``, 4,000 images, or ``"test"``, 1,000 images.

    Returns:
        The images, ``uint8`` of shape ``(n, 1, 28, 28)``, in 10 classes.

    Raises:
        ValueError: If ``split`` is not one of its values.

    Example:
        >>> train = fashion_mnist_mini("train")
        >>> train
        Images('fashion-mnist-mini': 4000 images of 1x28x28, 10 classes)
        >>> image, label = train[0]
        >>> train.classes[label]
        'Ankle boot'

    Source: Xiao, Rasul, and Vollgraf 2017, "Fashion-MNIST", MIT licence.
    """
    images = idx(Path(__file__).parent / "data", split=split, num_classes=len(_CLASSES))
    return replace(images, classes=_CLASSES, name="fashion-mnist-mini")


def load(spec: str) -> tuple[Images, Images]:
    """Read the training and the test set of a data set by its specification.

    Args:
        spec: ``"fashion-mnist-mini"`` (included), ``"cifar10:FOLDER"``, ``"idx:FOLDER"`` (MNIST and
            its relatives), or ``"torchvision:NAME:FOLDER"``, such as ``"torchvision:SVHN:data"``.
            See the functions of the same names. `load_table` reads tables and tokens.

    Returns:
        Training images and test images.

    Raises:
        TypeError: If ``spec`` is not a string.
        ValueError: If ``spec`` is not one of these.
        DataFileError: If a file is missing or invalid.
        MissingExtraError: If torchvision is required and not installed.

    Example:
        >>> train, test = load("fashion-mnist-mini")
        >>> len(train), len(test)
        (4000, 1000)
    """
    if not isinstance(spec, str):
        raise TypeError(f"`spec` must be a string such as 'cifar10:FOLDER', got {spec!r}.")
    kind, _, rest = spec.partition(":")
    if spec == "fashion-mnist-mini":
        return fashion_mnist_mini("train"), fashion_mnist_mini("test")
    if kind == "cifar10" and rest:
        return cifar10(rest, split="train"), cifar10(rest, split="test")
    if kind == "idx" and rest:
        return idx(rest, split="train"), idx(rest, split="test")
    name, _, folder = rest.partition(":")
    if kind == "torchvision" and name and folder:
        return torchvision(name, folder, split="train"), torchvision(name, folder, split="test")
    tables = " Tables and tokens are read by `load_table`." if kind in ("csv", "hf") else ""
    raise ValueError(f"`spec` must be one of {_KNOWN}, got {spec!r}.{tables}")


def load_table(spec: str) -> tuple[Table, Table]:
    r"""Read the training and the test set of a table or of tokens by its specification.

    Args:
        spec: ``"csv:FILE"`` or ``"hf:FOLDER"``, optionally with the label column:
            ``"csv:FILE:COLUMN"`` or ``"hf:FOLDER:COLUMN"``. See `csv_table` and `saved_dataset`.

    Returns:
        Training rows and test rows.

    Raises:
        TypeError: If ``spec`` is not a string.
        ValueError: If ``spec`` is not one of these.
        DataFileError: If a file is missing or invalid.
        MissingExtraError: If Hugging Face's ``datasets`` is required and not installed.

    Example:
        >>> import tempfile
        >>> from corruptlab.datasets import load_table
        >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        ...     _ = file.write("kind,weight\n" + "cat,4.5\ndog,30\n" * 10)
        ...     file.flush()
        ...     train, test = load_table(f"csv:{file.name}:kind")
        >>> len(train), len(test), train.classes
        (16, 4, ('cat', 'dog'))
    """
    if not isinstance(spec, str):
        raise TypeError(f"`spec` must be a string such as 'csv:FILE', got {spec!r}.")
    kind, _, rest = spec.partition(":")
    if kind not in ("csv", "hf") or not rest:
        images = " Images are read by `load`." if kind in _IMAGES else ""
        raise ValueError(
            "`spec` must be csv:FILE, csv:FILE:COLUMN, hf:FOLDER, or hf:FOLDER:COLUMN, "
            f"got {spec!r}.{images}"
        )
    path, _, last = rest.rpartition(":")
    is_whole = not path or Path(rest).expanduser().exists()
    path, label = (rest, None) if is_whole else (path, last)
    return csv_table(path, label=label) if kind == "csv" else saved_dataset(path, label=label)
