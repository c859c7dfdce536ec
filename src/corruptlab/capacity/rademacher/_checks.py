"""Checks of numbers and choices that the whole room shares."""

import math
from collections.abc import Sequence
from numbers import Real

from corruptlab._checks import whole


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


def at_least(least: int, name: str, value: object) -> int:
    """Return a whole number that is not below ``least`` as an ``int``, or say what is wrong."""
    number = whole(name, value)
    if number < least:
        raise ValueError(f"`{name}` must be at least {least}, got {number}.")
    return number


def check_confidence(value: object) -> None:
    """Refuse a level of confidence that no interval can have."""
    if not isinstance(value, Real):
        raise TypeError(f"`confidence` must be a number, got {value!r}.")
    if not 0 < float(value) < 1:
        raise ValueError(f"`confidence` must lie strictly between 0 and 1, got {value}.")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is not among the choices, and list them."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(choices)}, got {value!r}.")
