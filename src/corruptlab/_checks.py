"""Checks of kinds: what is no number gets one error in the words of the caller."""

import operator
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def whole(name: str, value: object) -> int:
    """Return a whole number as an ``int``, or say that it is none."""
    try:
        return operator.index(value)  # type: ignore[arg-type]  # the point is to find out
    except TypeError:
        raise TypeError(f"`{name}` must be an integer, got {value!r}.") from None


def natural(name: str, value: object) -> int:
    """Return a whole number that is at least 0 as an ``int``, or say what is wrong with it."""
    number = whole(name, value)
    if number < 0:
        raise ValueError(f"`{name}` must be at least 0, got {number}.")
    return number


def check_number(name: str, value: object) -> None:
    """Refuse what is not a real number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"`{name}` must be a number, got {value!r}.")


def check_probability(name: str, value: Any) -> None:
    """Refuse what is not a probability, NaN included."""
    check_number(name, value)
    if not 0 <= float(value) <= 1:
        raise ValueError(f"`{name}` must lie in [0, 1], got {value}.")


def reals(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return numbers as ``float64``, or say that there are others among them."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):  # words, or rows of different lengths
        raise TypeError(f"`{name}` must hold numbers only, got {values!r}.") from None


def example_ids(ids: ArrayLike) -> NDArray[np.int64]:
    """Return example numbers as ``int64``, or say what is wrong with them."""
    numbers = np.asarray(ids)
    if numbers.ndim != 1:
        raise ValueError(f"`ids` must be one-dimensional, got shape {numbers.shape}.")
    if numbers.size == 0:
        return np.empty(0, np.int64)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"`ids` must be integers, got {numbers.dtype}.")
    if numbers.min() < 0:
        raise ValueError(f"`ids` must be at least 0, got {numbers.min()}.")
    return numbers.astype(np.int64, copy=False)
