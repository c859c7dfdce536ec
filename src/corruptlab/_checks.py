"""Validators of numbers and choices, each with one wording: the argument, the rule, the value."""

import math
import operator
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, SupportsIndex, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")


def check_left_out(kind: str, **options: object) -> None:
    """Reject options that do not apply to a kind of model."""
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"`{name}` must be left out with {kind}, got {value!r}.")


def whole(name: str, value: object) -> int:
    """Return an ``int``; raise TypeError for anything but an integer."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)  # type: ignore[arg-type]  # the point is to find out
    except TypeError:
        pass
    raise TypeError(f"`{name}` must be an integer, got {value!r}.")


def at_least(least: int, name: str, value: object) -> int:
    """Return an ``int`` of at least ``least``, or raise."""
    number = whole(name, value)
    if number < least:
        raise ValueError(f"`{name}` must be at least {least}, got {number}.")
    return number


def natural(name: str, value: object) -> int:
    """Return a non-negative ``int``, or raise."""
    return at_least(0, name, value)


def as_float(value: Any) -> float:
    """Return a real number as a ``float``; one that is too large is infinite."""
    try:
        return float(value)
    except OverflowError:  # an integer or a fraction of more than 308 digits
        return math.copysign(math.inf, value > 0 or -1)


def real(name: str, value: object) -> float:
    """Return a finite ``float``, or raise."""
    if not isinstance(value, Real):
        raise TypeError(f"`{name}` must be a number, got {value!r}.")
    number = as_float(value)
    if not math.isfinite(number):
        raise ValueError(f"`{name}` must be finite, got {number}.")
    return number


def positive(name: str, value: object) -> float:
    """Return a finite, positive ``float``, or raise."""
    number = real(name, value)
    if number <= 0:
        raise ValueError(f"`{name}` must be above 0, got {value}.")
    return number


def not_negative(name: str, value: object) -> float:
    """Return a finite, non-negative ``float``, or raise."""
    number = real(name, value)
    if number < 0:
        raise ValueError(f"`{name}` must be at least 0, got {value}.")
    return number


def check_number(name: str, value: object) -> None:
    """Raise unless ``value`` is a real number, and no bool."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"`{name}` must be a number, got {value!r}.")


def check_probability(name: str, value: Any) -> None:
    """Raise unless ``value`` is a probability; NaN is none."""
    check_number(name, value)
    if not 0 <= as_float(value) <= 1:
        raise ValueError(f"`{name}` must lie in [0, 1], got {value}.")


def probability(name: str, value: Any) -> float:
    """Return a probability as a ``float``, or say what is wrong with it."""
    check_probability(name, value)
    return float(value) + 0.0  # -0.0 is 0.0


def check_confidence(value: object, name: str = "confidence") -> None:
    """Raise unless a level of confidence or significance lies strictly between 0 and 1."""
    if not isinstance(value, Real):
        raise TypeError(f"`{name}` must be a number, got {value!r}.")
    if not 0 < as_float(value) < 1:
        raise ValueError(f"`{name}` must lie strictly between 0 and 1, got {value}.")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise unless ``value`` is one of the choices; the error lists them."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(choices)}, got {value!r}.")


def check_names(name: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Raise unless every name that is given is a known one; the error lists these."""
    for each in given:
        if each not in known:
            raise ValueError(f"`{name}` must only name {', '.join(known)}, got {each!r}.")


def instance(name: str, value: object, kind: type[T]) -> T:
    """Return a value of a class, or raise TypeError."""
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        got = type(value).__name__
        raise TypeError(f"`{name}` must be {article} {kind.__name__}, got {got}.")
    return value


def one_of(name: str, value: object, choices: Sequence[str]) -> Any:
    """Return a choice as a plain string, or quote the choices there are."""
    if not isinstance(value, str) or value not in choices:
        *most, last = map(repr, choices)
        known = f"{', '.join(most)}{',' * (len(most) > 1)} or {last}"
        raise ValueError(f"`{name}` must be {known}, got {value!r}.")
    return str(value)


def reals(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return an array of ``float64``; raise TypeError for anything but numbers."""
    try:
        found = np.asarray(values) if hasattr(values, "dtype") else np.asarray(values, object)
        kinds = {found.dtype.type} if found.dtype != object else set(map(type, found.flat))
        if kinds & {bool, np.bool_}:
            raise TypeError
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):  # words, or rows of different lengths
        raise TypeError(f"`{name}` must hold numbers only, got {values!r}.") from None


def example_ids(ids: ArrayLike) -> NDArray[np.int64]:
    """Return one-dimensional, non-negative example numbers as ``int64``, or raise."""
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


def position_of(index: SupportsIndex, n: int) -> int:
    """Return a position in ``0 .. n - 1``; negative ones count from the end."""
    try:
        position = operator.index(index)
    except TypeError:
        raise TypeError(f"`index` must be an integer, got {index!r}.") from None
    if not -n <= position < n:
        raise IndexError(f"`index` must lie in {-n} .. {n - 1}, got {position}.")
    return position % n
