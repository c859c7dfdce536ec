"""The optimizers that a recipe can name, and the user's own."""

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import nn

from corruptlab.training._recipe import Recipe

OptimizerFactory: TypeAlias = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
"""Parameters in, optimizer out: such as ``functools.partial(torch.optim.SGD, lr=0.1)``."""

# The square average of RMSProp that TensorFlow's Inception V3 used; PyTorch's default is 0.99.
_RMSPROP_ALPHA, _RMSPROP_EPSILON = 0.9, 1.0


def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that training changes, at least one."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError("`model` must have parameters that require a gradient, got none.")
    return parameters


def make_optimizer(
    parameters: list[nn.Parameter],
    recipe: Recipe,
    factory: OptimizerFactory | None,
    *,
    fused: bool,
) -> torch.optim.Optimizer:
    """Build the optimizer of a fit; each group keeps its first rate as ``"first_rate"``."""
    if factory is None:
        optimizer = _NAMED[recipe.optimizer](parameters, recipe, fused)
    else:
        optimizer = factory(parameters)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(
                "`optimizer` must make a torch.optim.Optimizer when called with the parameters, "
                f"got one that makes {type(optimizer).__name__}."
            )
        _check_step(optimizer)
    for group in optimizer.param_groups:
        group["first_rate"] = float(group["lr"])
    return optimizer


def _check_step(optimizer: torch.optim.Optimizer) -> None:
    """Reject an optimizer that wants to evaluate the loss itself."""
    needed = [
        name
        for name, parameter in inspect.signature(optimizer.step).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        raise TypeError(
            "`optimizer` must make an optimizer whose step needs no arguments, got "
            f"{type(optimizer).__name__}, which needs {needed[0]}."
        )


def set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, epoch: int) -> None:
    """Set the rate of an epoch: the first rate of each group, decayed."""
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
