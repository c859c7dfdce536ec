"""What is checked before the first step, so that a mistake costs no training time."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from corruptlab._checks import check_number
from corruptlab.training._execution import Execution
from corruptlab.training._modes import evaluating
from corruptlab.training._recipe import Recipe
from corruptlab.training._source import Source


def resolve_device(model: nn.Module, device: torch.device | str | None) -> torch.device:
    """Return the device to train on.

    Args:
        model: The network.
        device: What the user asked for; None means where the network is.

    Returns:
        The device, which works.

    Raises:
        ValueError: If this machine or this build of PyTorch has no such device.
    """
    if device is None:
        first = next(model.parameters(), None)
        return torch.device("cpu") if first is None else first.device
    try:
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        # PyTorch appends a page of advice for its own developers; its first sentence is for users.
        reason = str(error).splitlines()[0].partition(". ")[0].rstrip(".")
        text = f"`device` must be usable on this machine, got {str(device)!r} ({reason})."
        raise ValueError(text) from None
    return torch.device(device)


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


def check_outputs(model: nn.Module, sources: Sequence[Source]) -> None:
    """Try the network on two examples and compare its outputs with all labels.

    Args:
        model: The network; it is tried in evaluation mode.
        sources: The training examples first, then those it is measured on.

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
    rows = len(inputs)
    logits = _try(model, inputs)
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != rows:
        kind = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits)
        raise ValueError(
            "`model` must return one row of class scores for each input, shape (n, num_classes), "
            f"got {kind} for {rows} inputs."
        )
    for source in sources:
        source.check_labels(logits.shape[1])


def check_kinds(*, recipe: object, execution: object, checkpoint_seconds: float) -> None:
    """Refuse arguments of `fit` that are of a wrong kind.

    Args:
        recipe: Must be a Recipe.
        execution: Must be an Execution.
        checkpoint_seconds: Must be a number that is at least 0.

    Raises:
        TypeError: If one is something else.
        ValueError: If the last is out of range.
    """
    if not isinstance(recipe, Recipe):
        raise TypeError(f"`recipe` must be a Recipe, got {type(recipe).__name__}.")
    if not isinstance(execution, Execution):
        raise TypeError(f"`execution` must be an Execution, got {type(execution).__name__}.")
    check_number("checkpoint_seconds", checkpoint_seconds)
    if not checkpoint_seconds >= 0:
        raise ValueError(f"`checkpoint_seconds` must be at least 0, got {checkpoint_seconds}.")


def _try(model: nn.Module, inputs: Tensor) -> object:
    try:
        with evaluating(model):
            return model(inputs)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"`model` must accept inputs of shape {tuple(inputs.shape)} and type {inputs.dtype} on "
            f"{inputs.device}, got the error: {reason}"
        ) from error
