"""What several rooms ask of a network: its device, its scores, its modes, its size."""

import copy
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from corruptlab._checks import natural
from corruptlab._environment import usable_device
from corruptlab._random_state import preserve_rng_state
from corruptlab._structured import Inputs, described, outputs_of

ModelSource: TypeAlias = nn.Module | Callable[[], nn.Module]
"""A network, or a function without arguments that makes one."""

_makers: "WeakKeyDictionary[nn.Module, Callable[[], nn.Module]]" = WeakKeyDictionary()

_SHARDED = "FSDPModule"  # a base class that fully_shard adds; looking for it imports nothing


def check_module(model: object) -> None:
    """Reject what is not a network, or one whose weights are spread over processes."""
    if not isinstance(model, nn.Module):
        call = "; call it, because `fit` trains the network itself" if callable(model) else ""
        raise TypeError(f"`model` must be a torch.nn.Module, got {kind_of(model)}{call}.")
    if any(each.is_meta for each in (*model.parameters(), *model.buffers())):
        raise ValueError(
            "`model` must have weights with values, got some on the meta device; "
            "model.to_empty(device=...) gives them memory, and reset_parameters() values."
        )
    sharded = any(
        kind.__name__ == _SHARDED for layer in model.modules() for kind in type(layer).mro()
    )
    if sharded or any(type(each).__name__ == "DTensor" for each in model.parameters()):
        raise TypeError(
            "`model` must hold its weights as plain tensors, got one under fully_shard (FSDP2) or "
            "with distributed tensors; leave it whole: under torchrun, `fit` itself averages "
            "gradients over the processes."
        )


def network_of(model: object, *, seed: int) -> nn.Module:
    """Return a network as it is, or the one that a function makes, of which `copied` makes more."""
    if not isinstance(model, nn.Module) and callable(model):
        return _made(model, natural("seed", seed))
    if not isinstance(model, nn.Module):
        hint = ", an estimator, which takes no `recipe`" if hasattr(model, "fit") else ""
        raise TypeError(
            "`model` must be a torch.nn.Module or a function that makes one, "
            f"got {type(model).__name__}{hint}."
        )
    check_module(model)
    return model


def _made(function: Callable[[], object], seed: int) -> nn.Module:
    """Call a function while PyTorch's generator on the CPU, which is put back, has a seed."""
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise TypeError(
            "`model` must be a function that makes a torch.nn.Module without arguments, got "
            f"{getattr(function, '__qualname__', kind_of(function))} ({error})."
        ) from None
    except ValueError:  # a function in C, which tells nothing about its arguments
        pass
    with torch.inference_mode(mode=False), torch.enable_grad(), preserve_rng_state():
        torch.default_generator.manual_seed(seed % 2**64)
        model = function()
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"`model` must make a torch.nn.Module when called, got one that makes {kind_of(model)}."
        )
    check_module(model)
    _makers[model] = partial(_made, function, seed)
    return model


def copied(model: nn.Module) -> nn.Module:
    """Return a copy that can be trained, whatever mode of gradients the caller is in."""
    if (make := _makers.get(model)) is not None:
        own = make().to(resolve_device(model, None))
        own.load_state_dict(model.state_dict())
        return own
    try:
        with torch.inference_mode(mode=False), torch.enable_grad():
            own = copy.deepcopy(model)
    except Exception as error:  # a module's own code may raise any
        raise ValueError(
            "`model` must be a network that copy.deepcopy copies, "
            f"got the error: {first_line(error).rstrip('.')}; it may keep a tensor that was "
            "computed from others, as old torch.nn.utils.weight_norm does "
            "(torch.nn.utils.parametrizations has a new one), and a layer that stores its output; "
            "hand over a function that makes the network instead."
        ) from error
    if not all(parameter.is_leaf for parameter in own.parameters()):
        raise ValueError(
            "`model` must be a network whose copies can be trained, got one whose copies are not "
            f"({type(model).__name__}); hand over the module before torch.jit.script."
        )
    return own


def resolve_device(model: nn.Module, device: torch.device | str | None) -> torch.device:
    """Return the device that the user asked for, or without one the network's own."""
    if device is not None:
        return usable_device(device)
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def scores_of(model: nn.Module, inputs: Inputs) -> Tensor:
    """Return the class scores ``(n, num_classes)`` of some inputs in evaluation mode."""
    try:
        with evaluating(model):
            scores: object = outputs_of(model, inputs)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ValueError(
            f"`model` must accept inputs {described(inputs)}, got the error: {first_line(error)}"
        ) from error
    if not isinstance(scores, Tensor):
        kind = f"{type(scores).__name__}; wrap it in a module that returns them from it"
    elif scores.ndim != 2 or len(scores) != len(inputs):
        kind = f"shape {tuple(scores.shape)} for {len(inputs)} inputs"
    elif not scores.is_floating_point():
        kind = f"{scores.dtype}"
    else:
        return scores
    raise ValueError(
        "`model` must return one row of class scores for each input, floats of shape "
        f"(n, num_classes), got {kind}."
    )


def count_parameters(model: nn.Module) -> int:
    """Return the number of entries of all parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


@contextmanager
def preserve_mode(model: nn.Module) -> Iterator[None]:
    """Restore the mode, training or evaluation, of every layer at the end."""
    modes = [(layer, layer.training) for layer in model.modules()]
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network in evaluation mode, without gradients, for a while."""
    with preserve_mode(model), torch.no_grad():
        model.eval()
        yield


def kind_of(value: object) -> str:
    """Return what an error calls a value of the wrong kind."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type where it has none."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
