"""What is checked before the first step, so that a mistake costs no training time."""

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from corruptlab._checks import check_number
from corruptlab._environment import usable_device
from corruptlab.training._execution import Execution
from corruptlab.training._modes import evaluating
from corruptlab.training._processes import Processes
from corruptlab.training._recipe import Recipe
from corruptlab.training._source import Source
from corruptlab.training._stepper import Loss


def resolve_device(model: nn.Module, device: torch.device | str | None) -> torch.device:
    """Return the device to train on.

    Args:
        model: The network.
        device: What the user asked for; None means where the network is.

    Returns:
        The device, which works.

    Raises:
        TypeError: If it is no device.
        ValueError: If this machine or this build of PyTorch has no such device.
    """
    if device is None:
        first = next(model.parameters(), None)
        return torch.device("cpu") if first is None else first.device
    return usable_device(device)


def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that training changes.

    Args:
        model: The network.

    Returns:
        Those that require a gradient, at least one.

    Raises:
        ValueError: If there is none.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError("`model` must have parameters that require a gradient, got none.")
    return parameters


def check_outputs(model: nn.Module, sources: Sequence[Source]) -> int:
    """Try the network on two examples and compare its outputs with all labels.

    Args:
        model: The network; it is tried in evaluation mode.
        sources: The training examples first, then those it is measured on.

    Returns:
        The number of outputs.

    Raises:
        ValueError: If the network does not accept the inputs, its outputs are not one row of class
            scores an example, other inputs than the training set's have another shape, or a label
            has no output.
    """
    inputs = sources[0].first(2)
    want = tuple(inputs.shape[1:])
    for source in sources[1:]:
        got = tuple(source.first(1).shape[1:])
        if got != want:
            raise ValueError(
                f"`{source.role}` inputs must have the shape of `train`'s, {want}, got {got}."
            )
    num_classes = scores_of(model, inputs).shape[1]
    for source in sources:
        source.check_labels(num_classes)
    return num_classes


def scores_of(model: nn.Module, inputs: Tensor) -> Tensor:
    """Return what a network says of a few inputs in evaluation mode, if it is class scores.

    Args:
        model: The network.
        inputs: Inputs as it takes them, shape ``(n, ...)``.

    Returns:
        Class scores, shape ``(n, num_classes)``.

    Raises:
        ValueError: If the network does not accept the inputs, or gives something else.
    """
    scores = _try(model, inputs)
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


def check_loss(loss: Loss, num_classes: int, device: torch.device) -> None:
    """Try the loss on two examples.

    Args:
        loss: What the user gave.
        num_classes: Outputs of the network.
        device: Where it is trained.

    Raises:
        ValueError: If it does not accept outputs and labels, or gives no mean to descend.
    """
    outputs = torch.zeros(2, num_classes, dtype=torch.float32, device=device)
    labels = torch.zeros(2, dtype=torch.int64, device=device)
    tried: Callable[[Tensor, Tensor], object] = loss  # whose type is only a promise
    try:
        with torch.no_grad():
            mean = tried(outputs, labels)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        found = f"the error: {_first_line(error).rstrip('.')}"
    else:
        if isinstance(mean, Tensor) and mean.ndim == 0:
            return
        found = f"shape {tuple(mean.shape)}" if isinstance(mean, Tensor) else type(mean).__name__
    raise ValueError(
        "`loss` must take outputs (b, num_classes) and integer labels (b,), and return their mean "
        f"loss, a tensor of shape (), got {found}."
    )


def check_batch_norm(
    model: nn.Module,
    example: Callable[[], Tensor],
    n: int,
    batch_size: int,
    processes: Processes,
) -> None:
    """Refuse batches in which batch norm would see a single value a channel.

    Args:
        model: The network; it is tried in evaluation mode.
        example: Gives an input, shape ``(1, ...)``; asked only if it matters.
        n: Number of training examples.
        batch_size: Examples of a whole batch.
        processes: Who takes part; each takes its share of a batch.

    Raises:
        ValueError: If there is such a batch.
    """
    smallest = min(n, batch_size, n % batch_size or n)
    if smallest // processes.size > 1:
        return
    with _seen_by_batch_norm(model) as seen, evaluating(model):
        model(example())
    if any(shape.numel() == shape[1] for shape in seen):
        raise ValueError(
            "`recipe.batch_size` must leave batch norm more than one value a channel in every "
            f"batch, got {batch_size}, with which one of the {n} examples is alone in the last."
        )


@contextmanager
def _seen_by_batch_norm(model: nn.Module) -> Iterator[list[torch.Size]]:
    """Note the shapes of what layers of batch norm are given for a while."""
    seen: list[torch.Size] = []

    def note(layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        seen.append(arguments[0].shape)

    alone = [  # the others take the statistics of all processes
        layer
        for layer in model.modules()
        if isinstance(layer, _BatchNorm) and not isinstance(layer, nn.SyncBatchNorm)
    ]
    hooks = [layer.register_forward_pre_hook(note) for layer in alone]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def check_kinds(
    *,
    model: object,
    recipe: object,
    loss: object,
    optimizer: object,
    execution: object,
    checkpoint: object,
    checkpoint_seconds: float,
) -> None:
    """Refuse arguments of `fit` that are of a wrong kind.

    Args:
        model: Must be a module.
        recipe: Must be a Recipe.
        loss: Must be a function, or an instance of a class of losses.
        optimizer: Must be a function or a class, not an optimizer; or None.
        execution: Must be an Execution.
        checkpoint: Must be a path, and not that of a file; or None.
        checkpoint_seconds: Must be a number that is at least 0.

    Raises:
        TypeError: If one is something else.
        ValueError: If there is a file where a folder should be, or the last is out of range.
    """
    check_module(model)
    if not isinstance(recipe, Recipe):
        raise TypeError(f"`recipe` must be a Recipe, got {type(recipe).__name__}.")
    if not isinstance(execution, Execution):
        raise TypeError(f"`execution` must be an Execution, got {type(execution).__name__}.")
    if not callable(loss) or isinstance(loss, type):
        raise TypeError(
            "`loss` must be a function of outputs and labels, such as torch.nn.CrossEntropyLoss(), "
            f"got {_kind(loss)}."
        )
    if optimizer is not None and not callable(optimizer):
        raise TypeError(
            "`optimizer` must be a function that makes one from the parameters, such as "
            f"functools.partial(torch.optim.SGD, lr=0.1), got {_kind(optimizer)}."
        )
    if checkpoint is not None:
        if not isinstance(checkpoint, str | os.PathLike):
            raise TypeError(f"`checkpoint` must be the path of a folder, got {checkpoint!r}.")
        if Path(checkpoint).is_file():
            raise ValueError(f"`checkpoint` must be a folder, got the file {str(checkpoint)!r}.")
    check_number("checkpoint_seconds", checkpoint_seconds)
    if not checkpoint_seconds >= 0:
        raise ValueError(f"`checkpoint_seconds` must be at least 0, got {checkpoint_seconds}.")


def check_module(model: object) -> None:
    """Refuse what is no network.

    Args:
        model: Must be a module.

    Raises:
        TypeError: If it is something else.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` must be a torch.nn.Module, got {_kind(model)}.")


def check_step(optimizer: torch.optim.Optimizer) -> None:
    """Refuse an optimizer that wants to evaluate the loss itself.

    Args:
        optimizer: The optimizer.

    Raises:
        TypeError: If its step needs a closure.
    """
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


def _kind(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _try(model: nn.Module, inputs: Tensor) -> object:
    try:
        with evaluating(model):
            return model(inputs)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ValueError(
            f"`model` must accept inputs of shape {tuple(inputs.shape)} and type {inputs.dtype} on "
            f"{inputs.device}, got the error: {_first_line(error)}"
        ) from error
