"""Predictors: what a trained learner is, and the networks that it uses."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils.data import default_collate

from corruptlab._data import stacked
from corruptlab._modules import evaluating
from corruptlab._structured import logits_of
from corruptlab._types import Ids

Predictor: TypeAlias = nn.Module | Callable[[Any], Any]
"""A network, or any function from a batch of inputs to scores ``(b, K)`` or classes ``(b,)``."""

_LOOKED_AT = 64  # inputs
_NO_BATCH = RuntimeError, TypeError, ValueError
_DEEPEST = 6  # steps from a function to its networks
_MOST_PARTS = 10_000  # things looked at on the way
_DIFFER_IN_TRAINING = _NormBase, _DropoutNd, nn.RNNBase, nn.MultiheadAttention


class Unstacked(list[Any]):
    """Inputs that do not stack, such as graphs, or sequences of several lengths."""


def positions_to_look_at(n: int) -> Ids:
    """Return positions of the inputs that tell whether all ``n`` of them stack."""
    return np.unique(np.linspace(0, n - 1, _LOOKED_AT).astype(np.int64))


def do_stack(inputs: list[Any]) -> bool:
    """Return whether inputs stack to one batch."""
    try:
        _stack(inputs)
    except _NO_BATCH:
        return False
    return True


def collated(inputs: list[Any], *, stack: bool) -> Any:
    """Return inputs as one batch, or as a list if those of their data set do not stack."""
    # Not as each batch has it: a batch of one always stacks.
    if not stack:
        return Unstacked(inputs)
    try:
        return _stack(inputs)
    except _NO_BATCH as error:
        raise TypeError(
            "the data set must have inputs that all stack to a batch, or none that do, got "
            f"{type(inputs[0]).__name__}: {error}"
        ) from error


def _stack(inputs: list[Any]) -> Any:
    """Return inputs as one batch; PIL images as bytes with the channels first."""
    if any(kind.__module__ == "PIL.Image" for kind in type(inputs[0]).__mro__):
        return torch.from_numpy(stacked(inputs))
    return default_collate([_with_tensors(each) for each in inputs])


def _with_tensors(value: Any) -> Any:
    """Return an input with its lists of numbers as tensors."""
    # Data sets of Hugging Face serve token ids so; `default_collate` puts their positions first.
    if type(value) is dict:
        return {name: _with_tensors(each) for name, each in value.items()}
    if type(value) is not list:
        return value
    try:
        return torch.tensor(value)
    except (RuntimeError, TypeError, ValueError):  # strings, several arrays, lists of many lengths
        return [_with_tensors(each) for each in value]


@contextmanager
def evaluating_networks(
    predictor: Predictor, on_unknown: Callable[[nn.Module], None]
) -> Iterator[None]:
    """Put all networks of a predictor in evaluation mode, or tell which one was not found."""
    networks = [predictor] if isinstance(predictor, nn.Module) else _networks(predictor)
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        for network in networks:
            stack.enter_context(evaluating(network))
        if not networks:
            stack.enter_context(_watched_modes(on_unknown))
        yield


@contextmanager
def _watched_modes(on_unknown: Callable[[nn.Module], None]) -> Iterator[None]:
    """Tell of each network that this thread calls in training mode, if that matters to it."""
    thread = threading.get_ident()

    def look(module: nn.Module, _: object) -> None:
        matters = any(isinstance(layer, _DIFFER_IN_TRAINING) for layer in module.modules())
        if module.training and matters and threading.get_ident() == thread:
            on_unknown(module)

    hook = register_module_forward_pre_hook(look)
    try:
        yield
    finally:
        hook.remove()


def _networks(function: object) -> list[nn.Module]:
    """Return the networks that can be reached from a function, breadth first."""
    found: list[nn.Module] = []
    seen: dict[int, object] = {}  # by id, and kept, so that no id is given out twice
    level: list[object] = [function]
    for _ in range(_DEEPEST):
        following: list[object] = []
        for value in level:
            if id(value) in seen or len(seen) > _MOST_PARTS:
                continue
            seen[id(value)] = value
            if isinstance(value, nn.Module):
                found.append(value)
            else:
                following += _reachable(value)
        level = following
    return found


def _reachable(value: Any) -> list[object]:
    """Return what a function, a container, or an object holds."""
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, FunctionType):
        return _held_by_function(value)
    if isinstance(value, Mapping):
        return list(value.values()) if len(value) <= _MOST_PARTS else []
    if isinstance(value, list | tuple | set | frozenset):
        return list(value) if len(value) <= _MOST_PARTS else []
    if isinstance(value, type | ModuleType | Tensor | np.ndarray | torch.utils.data.Dataset):
        return []
    kinds = type(value).__mro__
    slots = [name for kind in kinds for name in getattr(kind, "__slots__", ())]
    held = [getattr(value, name, None) for name in slots if not name.startswith("__")]
    calls = [vars(kind)["__call__"] for kind in kinds if "__call__" in vars(kind)]
    return [*getattr(value, "__dict__", {}).values(), *held, *calls[:1]]


def _held_by_function(function: FunctionType) -> list[object]:
    """Return closure, defaults, attributes, and the globals that a function names."""
    held: list[object] = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    held += vars(function).values()
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # a variable that has no value yet
            held.append(cell.cell_contents)
    names = _global_names(function.__code__)
    for name in names & function.__globals__.keys():
        value = function.__globals__[name]
        inside = vars(value) if isinstance(value, ModuleType) else {}
        held += [value, *(inside[each] for each in names & inside.keys() if each != name)]
    return held


def _global_names(code: CodeType) -> set[str]:
    inner = (_global_names(each) for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*inner)


def called(predictor: Predictor, inputs: Any) -> Any:
    """Call a predictor; the inputs of a network go to its device first."""
    if isinstance(predictor, nn.Module):
        if isinstance(inputs, Unstacked):
            raise TypeError(
                "the data set must have inputs that stack to a batch (numbers, arrays, tensors, or "
                f"images of one shape) if a network predicts, got {type(inputs[0]).__name__} of "
                "several shapes or of a type that does not stack; return a function of a list of "
                "inputs instead."
            )
        inputs = _to_device(inputs, _device(predictor))
    return logits_of(predictor(inputs))


def _device(network: nn.Module) -> torch.device:
    for held in (*network.parameters(), *network.buffers()):
        return held.device
    return torch.device("cpu")


def _to_device(inputs: Any, device: torch.device) -> Any:
    if isinstance(inputs, Tensor):
        return inputs.to(device)
    if isinstance(inputs, Mapping):
        return {key: _to_device(value, device) for key, value in inputs.items()}
    if isinstance(inputs, list | tuple):
        return [_to_device(value, device) for value in inputs]
    return inputs
