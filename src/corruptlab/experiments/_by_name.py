"""Recipes and devices as the command line and trials name them."""

from dataclasses import replace
from typing import Any

import torch

from corruptlab.datasets import Images
from corruptlab.training import Recipe, recipes

_NAMED = {"fashion-mnist-mini": recipes.fashion_mnist_mini, "cifar10": recipes.cifar10}


def recipe_for(
    model: str,
    train: Images,
    data: str,
    *,
    n: int | None = None,
    epochs: int | None = None,
    learning_rate: float | None = None,
) -> Recipe:
    """Return the recipe for a network on a data set.

    Args:
        model: Network.
        train: Training set.
        data: Its specification, which decides the recipe if it is known and used as a whole.
        n: Number of training images, or None for all.
        epochs: Epochs at most, or None for the recipe's.
        learning_rate: Rate of the first epoch, or None for the recipe's.

    Returns:
        The recipe.
    """
    named = _NAMED.get(data.partition(":")[0])
    if named is not None and n is None:
        recipe = named(model)
    else:
        recipe = recipes.default(model, input_shape=train.images.shape[1:], n=n or len(train))
    changes: dict[str, Any] = {"epochs": epochs, "learning_rate": learning_rate}
    return replace(recipe, **{name: each for name, each in changes.items() if each is not None})


def device_for(name: str) -> str:
    """Return the device of a name, which may be ``"auto"``: a GPU where there is one."""
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"
