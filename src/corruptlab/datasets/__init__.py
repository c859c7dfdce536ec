"""Data sets: included images, and readers of common image, table, and label formats.

Readers do not access the network and do not execute code from a file.
"""

from corruptlab._errors import DataFileError
from corruptlab.datasets._cifar10 import cifar10
from corruptlab.datasets._cifar_n import HumanLabels, cifar_n
from corruptlab.datasets._clothing1m import ImageFiles, clothing1m
from corruptlab.datasets._csv_table import csv_table
from corruptlab.datasets._idx import idx
from corruptlab.datasets._images import Images
from corruptlab.datasets._label_file import FileLabels, label_file
from corruptlab.datasets._load import fashion_mnist_mini, load, load_table
from corruptlab.datasets._saved_dataset import saved_dataset
from corruptlab.datasets._table import Table
from corruptlab.datasets._torchvision import torchvision

__all__ = [
    "DataFileError",
    "FileLabels",
    "HumanLabels",
    "ImageFiles",
    "Images",
    "Table",
    "cifar10",
    "cifar_n",
    "clothing1m",
    "csv_table",
    "fashion_mnist_mini",
    "idx",
    "label_file",
    "load",
    "load_table",
    "saved_dataset",
    "torchvision",
]
