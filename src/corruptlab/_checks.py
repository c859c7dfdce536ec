"""Checks of numbers and choices: what cannot be gets one error in the words of the caller."""

import math
import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def whole(name: str, value: object) -> int:
    """Return a whole number as an ``int``, or say that it is none; True is none."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)  # type: ignore[arg-type]  # the point is to find out
    except TypeError:
        pass
    raise TypeError(f"`{name}` must be an integer, got {value!r}.")


def at_least(least: int, name: str, value: object) -> int:
    """Return a whole number that is not below ``least`` as an ``int``, or say what is wrong."""
    number = whole(name, value)
    if number < least:
        raise ValueError(f"`{name}` must be at least {least}, got {number}.")
    return number


def natural(name: str, value: object) -> int:
    """Return a whole number that is at least 0 as an ``int``, or say what is wrong with it."""
    return at_least(0, name, value)


def real(name: str, value: object) -> float:
    """Return a finite number as a ``float``, or say what is wrong with it."""
    if not isinstance(value, Real):
        raise TypeError(f"`{name}` must be a number, got {value!r}.")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"`{name}` must be finite, got {number}.")
    return number


def positive(name: str, value: object) -> float:
    """Return a finite number above 0 as a ``float``, or say what is wrong with it."""
    number = real(name, value)
    if number <= 0:
        raise ValueError(f"`{name}` must be above 0, got {value}.")
    return number


def not_negative(name: str, value: object) -> float:
    """Return a finite number that is at least 0 as a ``float``, or say what is wrong with it."""
    number = real(name, value)
    if number < 0:
        raise ValueError(f"`{name}` must be at least 0, got {value}.")
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


def probability(name: str, value: Any) -> float:
    """Return a probability as a ``float``, or say what is wrong with it."""
    check_probability(name, value)
    return float(value) + 0.0  # -0.0 is 0.0


def check_confidence(value: object, name: str = "confidence") -> None:
    """Refuse a level of confidence or significance that is not strictly between 0 and 1."""
    if not isinstance(value, Real):
        raise TypeError(f"`{name}` must be a number, got {value!r}.")
    if not 0 < float(value) < 1:
        raise ValueError(f"`{name}` must lie strictly between 0 and 1, got {value}.")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is not among the choices, and list them."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(choices)}, got {value!r}.")


def one_of(name: str, value: object, choices: Sequence[str]) -> Any:
    """Return a choice as a plain string, or quote the choices there are."""
    if not isinstance(value, str) or value not in choices:
        *most, last = map(repr, choices)
        known = f"{', '.join(most)}{',' * (len(most) > 1)} or {last}"
        raise ValueError(f"`{name}` must be {known}, got {value!r}.")
    return str(value)


def reals(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return numbers as ``float64``, or say that there are others among them."""
    try:
        found = np.asarray(values) if hasattr(values, "dtype") else np.asarray(values, object)
        kinds = {found.dtype.type} if found.dtype != object else set(map(type, found.flat))
        if kinds & {bool, np.bool_}:
            raise TypeError
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
