"""Data sets: included images, and readers of common image and label files.

Nothing here touches the network, and nothing here runs what a file says.
"""

from corruptlab._errors import DataFileError
from corruptlab.datasets._cifar10 import cifar10
from corruptlab.datasets._cifar_n import HumanLabels, cifar_n
from corruptlab.datasets._clothing1m import ImageFiles, clothing1m
from corruptlab.datasets._idx import idx
from corruptlab.datasets._images import Images
from corruptlab.datasets._label_file import FileLabels, label_file
from corruptlab.datasets._load import fashion_mnist_mini, load
from corruptlab.datasets._torchvision import torchvision

__all__ = [
    "DataFileError",
    "FileLabels",
    "HumanLabels",
    "ImageFiles",
    "Images",
    "cifar10",
    "cifar_n",
    "clothing1m",
    "fashion_mnist_mini",
    "idx",
    "label_file",
    "load",
    "torchvision",
]
