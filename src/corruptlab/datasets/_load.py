"""Data sets by a name that fits on a command line."""

from corruptlab.datasets._cifar10 import cifar10
from corruptlab.datasets._fashion_mnist_mini import fashion_mnist_mini
from corruptlab.datasets._idx import idx
from corruptlab.datasets._images import Images
from corruptlab.datasets._torchvision import torchvision

_KNOWN = "fashion-mnist-mini, cifar10:FOLDER, idx:FOLDER, torchvision:NAME:FOLDER"


def load(spec: str) -> tuple[Images, Images]:
    """Read the training and the test part of a data set by its specification.

    Args:
        spec: One of ``"fashion-mnist-mini"`` (embedded), ``"cifar10:FOLDER"``, ``"idx:FOLDER"``
            (MNIST and its relatives), and ``"torchvision:NAME:FOLDER"``, such as
            ``"torchvision:SVHN:data"``. See the function of the same name for each.

    Returns:
        Training images and test images.

    Raises:
        TypeError: If ``spec`` is not a string.
        ValueError: If ``spec`` is none of these.
        DataFileError: If a file is missing or is not what it should be.
        MissingExtraError: If torchvision is asked for and not installed.

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
    raise ValueError(f"`spec` must be one of {_KNOWN}, got {spec!r}.")
