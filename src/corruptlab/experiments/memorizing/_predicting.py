"""From any predictor to classes, one for each example of a data set."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import default_collate

from corruptlab._arrays import to_numpy
from corruptlab._data import Fields, stacked
from corruptlab._types import Labels
from corruptlab.corruptions import Corrupted
from corruptlab.training._modes import evaluating

Predictor: TypeAlias = nn.Module | Callable[[Any], Any]
"""A network, or any function from a batch of inputs to scores ``(b, K)`` or classes ``(b,)``."""


def predicted(
    predictor: Predictor, dataset: Corrupted, *, fields: Fields, num_classes: int, batch_size: int
) -> Labels:
    """Return the class that a predictor gives to every example.

    Args:
        predictor: A network, which is put in evaluation mode meanwhile and gets its inputs on the
            device of its parameters; or a function, which gets them on the CPU.
        dataset: The examples.
        fields: Where items keep the input.
        num_classes: Least number of scores.
        batch_size: Examples at a time.

    Returns:
        ``int64`` of shape ``(n,)``.

    Raises:
        TypeError: If the predictor is none, or returns neither scores nor classes.
        ValueError: If what it returns has a wrong shape, or a score is not a number.
    """
    if not callable(predictor):
        raise TypeError(
            "`train_function` must give a predictor, a network or a function of a batch of inputs "
            "(of a scikit-learn model, its method `predict`), "
            f"got {type(predictor).__name__}."
        )
    with _measuring(predictor):
        found = [
            _classes(_answer(predictor, inputs), size, num_classes)
            for inputs, size in _batches(dataset, fields, batch_size)
        ]
    return np.concatenate(found)


def check_inputs(dataset: Corrupted, fields: Fields) -> None:
    """Refuse inputs that cannot be stacked, before any training.

    Args:
        dataset: The examples.
        fields: Where items keep the input.

    Raises:
        TypeError: If the first two inputs cannot be stacked.
    """
    next(_batches(dataset, fields, 2))


def _batches(dataset: Corrupted, fields: Fields, size: int) -> Iterator[tuple[Any, int]]:
    for start in range(0, len(dataset), size):
        at = range(start, min(start + size, len(dataset)))
        items = dataset.__getitems__(at)
        yield _collated([item[fields.input] for item in items]), len(at)


def _collated(inputs: list[Any]) -> Any:
    try:
        if any(kind.__module__ == "PIL.Image" for kind in type(inputs[0]).__mro__):
            return torch.from_numpy(stacked(inputs))
        return default_collate(inputs)
    except (RuntimeError, TypeError, ValueError) as error:
        raise TypeError(
            "`train` must serve inputs that can be stacked to a batch (numbers, arrays, tensors, "
            f"or images of one shape), got {type(inputs[0]).__name__}: {error}"
        ) from error


def _measuring(predictor: Predictor) -> AbstractContextManager[None]:
    return evaluating(predictor) if isinstance(predictor, nn.Module) else torch.no_grad()


def _answer(predictor: Predictor, inputs: Any) -> Any:
    if isinstance(predictor, nn.Module):
        inputs = _moved(inputs, _device(predictor))
    return predictor(inputs)


def _device(network: nn.Module) -> torch.device:
    for held in (*network.parameters(), *network.buffers()):
        return held.device
    return torch.device("cpu")


def _moved(inputs: Any, device: torch.device) -> Any:
    if isinstance(inputs, Tensor):
        return inputs.to(device)
    if isinstance(inputs, Mapping):
        return {key: _moved(value, device) for key, value in inputs.items()}
    if isinstance(inputs, list | tuple):
        return [_moved(value, device) for value in inputs]
    return inputs


def _classes(answer: Any, size: int, num_classes: int) -> Labels:
    """Return classes, from scores or as they are, or say what is wrong with the answer."""
    if not isinstance(answer, Tensor | np.ndarray | list | tuple):
        raise TypeError(
            "the predictor must return a tensor or an array of scores or classes, "
            f"got {type(answer).__name__}."
        )
    values = _array(answer)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"the predictor must return numbers, got {values.dtype}.")
    if values.shape == (size,) and values.dtype.kind in "iu":
        return values.astype(np.int64)
    if values.ndim != 2 or len(values) != size or values.shape[1] < num_classes:
        raise ValueError(
            f"the predictor must return scores of shape ({size}, {num_classes}) or integer classes "
            f"of shape ({size},) for {size} inputs, got {values.dtype} of shape {values.shape}."
        )
    _check_numbers(values)
    best: Labels = values.argmax(axis=1).astype(np.int64)
    return best


def _array(answer: Any) -> NDArray[Any]:
    if isinstance(answer, Tensor):
        return to_numpy(answer)
    try:
        return np.asarray(answer)
    except (RuntimeError, TypeError, ValueError):  # several tensors, rows of different lengths
        raise TypeError(
            "the predictor must return one tensor or array of scores or classes, "
            f"got a {type(answer).__name__} of {len(answer)} that do not make one."
        ) from None


def _check_numbers(scores: NDArray[Any]) -> None:
    bad = np.isnan(scores).any(axis=1)
    if bad.any():
        raise ValueError(
            f"the predictor must return scores that are numbers, got NaN for {int(bad.sum())} of "
            f"{len(scores)} inputs; has the training diverged?"
        )
