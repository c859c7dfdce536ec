"""Data, recipes, networks, and devices as the command line and trials name them."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from corruptlab.datasets import Images, load
from corruptlab.models import by_name
from corruptlab.training import Recipe, recipes

_NAMED = {"fashion-mnist-mini": recipes.fashion_mnist_mini, "cifar10": recipes.cifar10}


@lru_cache(maxsize=1)
def loaded(data: str) -> tuple[Images, Images]:
    """Read a data set once for all trials of a process."""
    return load(data)


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


def network_for(model: str, train: Images, recipe: Recipe, *, seed: int = 0) -> nn.Module:
    """Return a network for images of a data set as a recipe makes them.

    Args:
        model: Its name.
        train: The data set.
        recipe: The recipe, which may crop.
        seed: Which initial weights.

    Returns:
        The network.
    """
    return by_name(
        model,
        input_shape=recipe.input_shape(train.images.shape[1:]),
        num_classes=len(train.classes),
        seed=seed,
    )


def device_for(name: str) -> str:
    """Return the device of a name, which may be ``"auto"``: a GPU where there is one."""
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"
