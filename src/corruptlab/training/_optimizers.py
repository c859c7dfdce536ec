"""The optimizers that a recipe can name, and the user's own."""

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.optim import optimizer as hooks
from torch.optim.sgd import sgd

from corruptlab.training._recipe import Recipe

OptimizerFactory: TypeAlias = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
"""Parameters in, optimizer out: such as ``functools.partial(torch.optim.SGD, lr=0.1)``."""

_COMPARED = 1024  # entries of each parameter

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
        own = {id(parameter) for parameter in parameters}
        if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
            raise ValueError(
                "`optimizer` must make an optimizer of the parameters that it is called with, got "
                "one that holds none of them, so that nothing would be trained."
            )
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


class FusedSGD:
    """The updates of a fused `torch.optim.SGD`, by the functions that it calls itself.

    PyTorch records each call for profilers, asks for hooks, shuts compilers out, and sorts tensors
    by device and type, which takes a tenth of a millisecond a step: a quarter of a step of a small
    network.
    """

    def __init__(self, optimizer: torch.optim.SGD) -> None:
        self._optimizer = optimizer

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for group in self._optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Do one update."""
        for group in self._optimizer.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            grads = [p.grad for p in moved]
            states = [self._optimizer.state[p] for p in moved] if group["momentum"] else []
            buffers = [state.get("momentum_buffer") for state in states]
            settings = {name: group[name] for name in _OF_SGD}
            sparse = any(grad.is_sparse for grad in grads)
            if moved and not sparse and all(buffer is not None for buffer in buffers):
                torch._fused_sgd_(moved, grads, buffers, is_first_step=False, **settings)
                continue
            sgd(
                moved,
                grads,
                buffers,
                has_sparse_grad=sparse,
                foreach=False,
                fused=True,
                **settings,
            )
            for state, buffer in zip(states, buffers, strict=True):  # the first step makes them
                state["momentum_buffer"] = buffer


_OF_SGD = ("lr", "momentum", "weight_decay", "dampening", "nesterov", "maximize")


def updates_of(
    optimizer: torch.optim.Optimizer, device: torch.device
) -> torch.optim.Optimizer | FusedSGD:
    """Return what does the updates of an optimizer fastest, bit for bit the same."""
    if device.type != "cpu" or type(optimizer) is not torch.optim.SGD:  # a GPU has time meanwhile
        return optimizer
    changed = [name for name in ("step", "zero_grad") if name in vars(optimizer)]  # by the user
    hooked = [
        *optimizer._optimizer_step_pre_hooks,
        *optimizer._optimizer_step_post_hooks,
        *hooks._global_optimizer_pre_hooks,
        *hooks._global_optimizer_post_hooks,
    ]
    fused = all(group["fused"] and not group["differentiable"] for group in optimizer.param_groups)
    return FusedSGD(optimizer) if fused and not hooked and not changed else optimizer


class Movement:
    """Tells an optimizer that leaves everything as it is from a network that is done.

    Of each parameter a few entries are compared.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self._before = [
            (group, p, _sample_entries(p))
            for group in optimizer.param_groups
            for p in group["params"]
        ]

    def check(self, steps: int) -> None:
        """Raise if no parameter has moved although it should have."""
        if any(not torch.equal(_sample_entries(p), before) for _, p, before in self._before):
            return
        if all(p.grad is None for _, p, _ in self._before):
            cause = "because none of them has a gradient: the loss does not depend on them"
        elif any(
            p.grad is not None
            and bool(
                (float(group["lr"]) * _sample_entries(p.grad).abs() > _rounding_error(before)).any()
            )
            for group, p, before in self._before
        ):
            kind = type(self._optimizer).__name__
            cause = f"although they have gradients: the step of {kind} does nothing"
        else:  # gradients that are 0, or lost in rounding
            return
        raise ValueError(
            f"`model` must change in training, got parameters that {steps} steps left as they "
            f"were, {cause}."
        )


def _rounding_error(values: torch.Tensor) -> torch.Tensor:
    """Return changes that rounding does not hide."""
    return 4 * torch.finfo(values.dtype).eps * values.abs()


def _sample_entries(values: torch.Tensor) -> torch.Tensor:
    flat = values.detach().flatten()
    return flat[:: max(1, len(flat) // _COMPARED)].clone()


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
