"""What is checked before anything is trained, so that a mistake costs no time."""

import copy
import math
import warnings

import torch
from torch import nn

from corruptlab._checks import check_confidence
from corruptlab._modules import check_module, scores_of
from corruptlab._tensors import check_classes
from corruptlab.experiments.permutation._split import Split
from corruptlab.training import Recipe


def check_kinds(model: object, recipe: object) -> None:
    """Refuse what is no network, or no recipe.

    Args:
        model: Must be a module.
        recipe: Must be a Recipe.

    Raises:
        TypeError: If one is something else.
    """
    check_module(model)
    if not isinstance(recipe, Recipe):
        raise TypeError(f"`recipe` must be a Recipe, got {type(recipe).__name__}.")


def check_levels(level: float, confidence: float, permutations: int) -> None:
    """Refuse levels out of range, and warn of one that cannot be reached.

    Args:
        level: Level that the test shall be able to reach.
        confidence: Level of the interval.
        permutations: Exchanges.

    Raises:
        ValueError: If a level is out of range.
    """
    check_confidence(confidence)
    check_confidence(level, "level")
    smallest = 1 / (permutations + 1)
    if smallest > level:
        enough = math.ceil(1 / level - 1 - 1e-9)
        warnings.warn(
            f"`permutations` = {permutations} cannot give a p-value below {smallest:.3g}, and so "
            f"never one of at most {level:g}; that takes {enough}.",
            stacklevel=3,
        )


def num_classes_of(model: nn.Module, recipe: Recipe, split: Split) -> int:
    """Try a copy of the network on two examples, and compare its outputs with all labels.

    Args:
        model: The network.
        recipe: How inputs are prepared for it.
        split: The data.

    Returns:
        The number of outputs.

    Raises:
        TypeError: If the inputs are of a type that the recipe cannot prepare.
        ValueError: If inputs, network, and recipe do not suit each other, or a label has no output.
    """
    recipe.check_inputs(split.inputs, name="train")
    place = next((each.device for each in model.parameters()), torch.device("cpu"))
    few = recipe.prepare(split.inputs[:2].to(place))
    num_classes = scores_of(copy.deepcopy(model), few).shape[1]
    for role, labels in (("train", split.exchangeable), ("test", split.fixed)):
        if len(labels) > 0:
            check_classes(torch.from_numpy(labels), f"`{role}` labels", num_classes=num_classes)
    return num_classes
