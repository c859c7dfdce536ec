"""Checks of the numbers that kernels and fits are made of."""

import math
from numbers import Real

import torch


def at_least_zero(name: str, value: object) -> None:
    """Refuse what is not a finite number >= 0."""
    if _real(name, value) < 0:
        raise ValueError(f"`{name}` must be at least 0, got {value}.")


def positive(name: str, value: object) -> None:
    """Refuse what is not a finite number > 0."""
    if _real(name, value) <= 0:
        raise ValueError(f"`{name}` must be positive, got {value}.")


def _real(name: str, value: object) -> float:
    if not isinstance(value, Real):
        raise TypeError(f"`{name}` must be a number, got {value!r}.")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"`{name}` must be finite, got {value}.")
    return number


def type_name(dtype: torch.dtype) -> str:
    """Return the name of a type as users write it, ``"float32"``."""
    return str(dtype).removeprefix("torch.")


def gigabytes(count: float) -> str:
    """Return a number of bytes for people, in powers of 1,000."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"
