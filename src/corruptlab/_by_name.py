"""Data, recipes, networks, and devices by the names that the command line and trials use."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.utils.data import Subset

from corruptlab._data import Pair
from corruptlab._environment import worker
from corruptlab.corruptions import Corrupted
from corruptlab.datasets import Images, Table, load, load_table
from corruptlab.models import by_name
from corruptlab.training import Recipe, recipes

_NAMED = {"fashion-mnist-mini": recipes.fashion_mnist_mini, "cifar10": recipes.cifar10}
_IMAGES = {
    "fashion-mnist-mini": "",
    "cifar10": ":FOLDER",
    "idx": ":FOLDER",
    "torchvision": ":NAME:FOLDER",
}
_TABLES = ("csv:FILE", "csv:FILE:COLUMN", "hf:FOLDER", "hf:FOLDER:COLUMN")


@lru_cache(maxsize=1)
def loaded(data: str) -> tuple[Images | Table, Images | Table]:
    """Load images, a table, or tokens, once per process."""
    if _are_rows(data):
        return load_table(data)
    if data.partition(":")[0] not in _IMAGES:
        known = ", ".join([*(f"{name}{rest}" for name, rest in _IMAGES.items()), *_TABLES])
        hint = f" Did you mean {f'csv:{data}'!r}?" if data.endswith((".csv", ".tsv")) else ""
        raise ValueError(f"`spec` must be one of {known}, got {data!r}.{hint}")
    return load(data)


def loaded_images(data: str) -> tuple[Images, Images]:
    """Load images, once per process."""
    check_images(data)
    train, test = loaded(data)
    assert isinstance(train, Images)
    assert isinstance(test, Images)
    return train, test


def check_images(data: str) -> None:
    """Refuse tables and tokens where an experiment of the paper needs images."""
    if _are_rows(data):
        raise ValueError(
            "`data` must be images, as in the paper, got a table or tokens, "
            f"{data!r}; 'corruptlab test' and 'corruptlab sweep' take these."
        )


def default_model(train: Images | Table) -> str:
    """Return the name of the network that is trained if none is named."""
    are_tokens = isinstance(train, Table) and train.num_tokens is not None
    return "text-transformer" if are_tokens else "mlp-1x512"


def recipe_for(
    model: str,
    train: Images | Table,
    data: str,
    *,
    n: int | None = None,
    epochs: int | None = None,
    learning_rate: float | None = None,
) -> Recipe:
    """Return a data set's own recipe if all of it is used, and otherwise the default."""
    named = _NAMED.get(data.partition(":")[0])
    if isinstance(train, Table):
        recipe = recipes.table(model, n=n or len(train))
    elif named is not None and n is None:
        recipe = named(model)
    else:
        recipe = recipes.default(model, input_shape=train.images.shape[1:], n=n or len(train))
    changes: dict[str, Any] = {"epochs": epochs, "learning_rate": learning_rate}
    return replace(recipe, **{name: each for name, each in changes.items() if each is not None})


def network_for(model: str, train: Images | Table, recipe: Recipe, *, seed: int = 0) -> nn.Module:
    """Build a network for rows, or for images as a recipe crops them."""
    if isinstance(train, Table):
        inputs, tokens = train.inputs, train.num_tokens
    else:
        inputs, tokens = train.images, None
    return by_name(
        model,
        input_shape=recipe.input_shape(inputs.shape[1:]),
        num_classes=len(train.classes),
        num_tokens=tokens,
        seed=seed,
    )


def device_for(name: str) -> str:
    """Resolve ``"auto"`` to a GPU where there is one: each worker of a sweep to its own."""
    if name != "auto":
        return name
    if not torch.cuda.is_available():
        return "cpu"
    number = worker()
    return "cuda" if number is None else f"cuda:{number % torch.cuda.device_count()}"


def _are_rows(data: str) -> bool:
    return data.partition(":")[0] in ("csv", "hf")


def describe(dataset: Any) -> str:
    """Return the ``name`` or type of a data set, of what it wraps, or the types of a pair."""
    name = getattr(dataset, "name", None)
    if isinstance(name, str) and name:
        return name
    if isinstance(dataset, Corrupted):
        done = ", ".join(map(repr, dataset.corruptions)) or "no corruption"
        return f"{describe(dataset.dataset)} with {done}"
    if isinstance(dataset, Subset):
        return f"Subset of {describe(dataset.dataset)}"
    if isinstance(dataset, Pair):
        return describe((dataset.inputs, dataset.labels))
    if isinstance(dataset, tuple) and len(dataset) == 2:
        return f"({type(dataset[0]).__name__}, {type(dataset[1]).__name__})"
    return type(dataset).__name__
