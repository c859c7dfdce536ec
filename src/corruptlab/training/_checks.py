"""What is checked before the first step, so that a mistake costs no training time."""

import torch
from torch import Tensor, nn

from corruptlab.training._examples import Examples
from corruptlab.training._modes import evaluating


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


def check_outputs(model: nn.Module, train: Examples, test: Examples | None) -> None:
    """Try the network on two examples and compare its outputs with all labels.

    Args:
        model: The network; it is tried in evaluation mode.
        train: The training examples.
        test: The test examples, if any.

    Raises:
        ValueError: If the network does not accept the inputs, its outputs are not one row of class
            scores an example, the test inputs have another shape, or a label has no output.
    """
    if test is not None and test.inputs.shape[1:] != train.inputs.shape[1:]:
        want, got = tuple(train.inputs.shape[1:]), tuple(test.inputs.shape[1:])
        raise ValueError(f"`test` inputs must have the shape of `train`'s, {want}, got {got}.")
    logits = _try(model, train.inputs[:2].clone())
    rows = min(2, len(train))
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != rows:
        kind = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits)
        raise ValueError(
            "`model` must return one row of class scores for each input, shape (n, num_classes), "
            f"got {kind} for {rows} inputs."
        )
    for examples in (train, test):
        if examples is not None:
            _check_labels(examples, num_classes=logits.shape[1])


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


def _check_labels(examples: Examples, *, num_classes: int) -> None:
    low, high = (int(value) for value in examples.targets.aminmax())
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"`{examples.role}` labels must lie in 0 .. {num_classes - 1}, "
            f"the {num_classes} outputs of `model`, got {low if low < 0 else high}."
        )
