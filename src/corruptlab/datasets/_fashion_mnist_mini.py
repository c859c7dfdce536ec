"""The images that come with the package."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from corruptlab.datasets._idx import idx
from corruptlab.datasets._images import Images

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


def fashion_mnist_mini(split: Literal["train", "test"]) -> Images:
    """Return the embedded subset of Fashion-MNIST: real photographs of clothes, class-balanced.

    It holds the first 400 images of each class of the training set and the first 100 of each
    class of the test set, in the order and with the bytes of the originals. It is there so that
    everything can be tried without a download; figures measured on it are not comparable
    with figures on the whole of Fashion-MNIST.

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
