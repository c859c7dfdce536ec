"""What is compared between true and exchanged labels: one number, the larger the better."""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

Measure: TypeAlias = Callable[[Tensor, Tensor], float]
"""Logits, ``(n, num_classes)``, and labels, ``(n,)``, of held-out examples in; a number out."""

Statistic: TypeAlias = Literal["accuracy", "log-likelihood"] | Measure
"""A measure, or the name of one."""


def measure_named(statistic: object) -> tuple[str, Measure]:
    """Return a statistic with its name.

    Args:
        statistic: A name or a function.

    Returns:
        Its name, and the function.

    Raises:
        ValueError: If there is none of that name.
        TypeError: If it is neither.
    """
    if isinstance(statistic, str):
        if statistic not in _NAMED:
            known = ", ".join(map(repr, _NAMED))
            raise ValueError(
                f"`statistic` must be one of {known}, or a function, got {statistic!r}."
            )
        return statistic, _NAMED[statistic]
    if not callable(statistic):
        raise TypeError(
            f"`statistic` must be a name or a function, got {type(statistic).__name__}."
        )
    return getattr(statistic, "__name__", type(statistic).__name__), statistic


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of examples whose largest logit is that of their label."""
    return int((logits.argmax(dim=1) == labels).sum()) / len(labels)


def log_likelihood(logits: Tensor, labels: Tensor) -> float:
    """Return the mean logarithm of the probability that the network gives the labels, in nats."""
    return -cross_entropy(logits.double(), labels).item()


_NAMED: dict[str, Measure] = {"accuracy": accuracy, "log-likelihood": log_likelihood}


def checked(value: object, name: str) -> float:
    """Return what a statistic gave as a number, or say that it is none.

    Args:
        value: What it gave: a number, or an array of one.
        name: Its name.

    Returns:
        The number.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is not finite.
    """
    number = value.item() if isinstance(value, Tensor | np.ndarray) and _one(value) else value
    if not isinstance(number, Real):
        shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor | np.ndarray) else ""
        kind = type(value).__name__
        raise TypeError(f"`statistic` must return a number, got {kind}{shape} from {name}.")
    if not math.isfinite(number):
        raise ValueError(f"`statistic` must return a finite number, got {number} from {name}.")
    return float(number)


def _one(values: Tensor | NDArray[Any]) -> bool:
    return values.shape in ((), (1,))
