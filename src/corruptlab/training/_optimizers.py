"""The optimizers that a recipe can name, and the user's own."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import nn

from corruptlab.training._checks import check_step
from corruptlab.training._recipe import Recipe

OptimizerFactory: TypeAlias = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
"""Parameters in, optimizer out: such as ``functools.partial(torch.optim.SGD, lr=0.1)``."""

# The square average of RMSProp that TensorFlow's Inception V3 used; PyTorch's default is 0.99.
_RMSPROP_ALPHA, _RMSPROP_EPSILON = 0.9, 1.0


def make_optimizer(
    parameters: list[nn.Parameter],
    recipe: Recipe,
    factory: OptimizerFactory | None,
    *,
    fused: bool,
) -> torch.optim.Optimizer:
    """Build the optimizer of a fit.

    Args:
        parameters: What it shall change.
        recipe: Names it and gives its numbers, unless there is a factory.
        factory: The user's own way to make one, or None.
        fused: Whether one kernel may do a whole update: faster, with other last digits.

    Returns:
        The optimizer; every group keeps its first rate as ``"first_rate"``.

    Raises:
        TypeError: If the factory makes something else, or one whose step needs a closure.
    """
    if factory is None:
        optimizer = _NAMED[recipe.optimizer](parameters, recipe, fused)
    else:
        optimizer = factory(parameters)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(
                "`optimizer` must make a torch.optim.Optimizer when called with the parameters, "
                f"got one that makes {type(optimizer).__name__}."
            )
        check_step(optimizer)
    for group in optimizer.param_groups:
        group["first_rate"] = float(group["lr"])
    return optimizer


def set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, epoch: int) -> None:
    """Set the rate of an epoch: the first rate of each group, decayed.

    Args:
        optimizer: The optimizer.
        recipe: Gives the decay.
        epoch: Number of the epoch, from 0.
    """
    for group in optimizer.param_groups:
        group["lr"] = group["first_rate"] * recipe.decay**epoch


def can_fuse(parameters: list[nn.Parameter]) -> bool:
    """Tell whether PyTorch has fused updates for these parameters."""
    return all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)


def _sgd(parameters: list[nn.Parameter], recipe: Recipe, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        parameters,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.optimizer == "nesterov",
        fused=fused or None,
    )


def _adam(parameters: list[nn.Parameter], recipe: Recipe, fused: bool) -> torch.optim.Optimizer:
    kind: Any = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    optimizer: torch.optim.Optimizer = kind(
        parameters,
        lr=recipe.learning_rate,
        betas=(recipe.momentum, 0.999),
        weight_decay=recipe.weight_decay,
        fused=fused or None,
    )
    return optimizer


def _rmsprop(parameters: list[nn.Parameter], recipe: Recipe, fused: bool) -> torch.optim.Optimizer:
    del fused  # PyTorch has no fused one
    return torch.optim.RMSprop(
        parameters,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        alpha=_RMSPROP_ALPHA,
        eps=_RMSPROP_EPSILON,
    )


_NAMED: dict[str, Callable[[list[nn.Parameter], Recipe, bool], torch.optim.Optimizer]] = {
    "sgd": _sgd,
    "nesterov": _sgd,
    "adam": _adam,
    "adamw": _adam,
    "rmsprop": _rmsprop,
}
