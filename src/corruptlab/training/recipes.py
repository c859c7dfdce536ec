"""Recipes by name: the paper's, and those of other data."""

from corruptlab.training._named_recipes import cifar10, default, fashion_mnist_mini, imagenet, table

__all__ = ["cifar10", "default", "fashion_mnist_mini", "imagenet", "table"]
