"""Real images as tensors: the embedded data, and readers for the usual files.

Nothing here touches the network, and nothing here unpickles a file.
"""

from corruptlab._errors import DataFileError
from corruptlab.datasets._cifar10 import cifar10
from corruptlab.datasets._fashion_mnist_mini import fashion_mnist_mini
from corruptlab.datasets._idx import idx
from corruptlab.datasets._images import Images
from corruptlab.datasets._load import load
from corruptlab.datasets._torchvision import torchvision

__all__ = [
    "DataFileError",
    "Images",
    "cifar10",
    "fashion_mnist_mini",
    "idx",
    "load",
    "torchvision",
]
