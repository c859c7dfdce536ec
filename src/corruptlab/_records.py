"""Dataclasses as dictionaries of JSON values, and back by the types of their fields."""

import base64
import functools
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import Self

from corruptlab._json import Json, decode, encode
from corruptlab._modules import first_line

_SHOWN = 60  # characters of a wrong value
_WRONG = ArithmeticError, AttributeError, LookupError, TypeError, ValueError
"""What values of a wrong type or length may raise."""

_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    type(None): "null",
    Tensor: "a tensor",
}


class Record:
    """A dataclass that becomes a dictionary of JSON values and comes back: a part of a report."""

    _derived: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, *, derived: Sequence[str] = (), **others: Any) -> None:
        """Note the properties that stand in dictionaries beside the fields."""
        super().__init_subclass__(**others)
        cls._derived = (*cls._derived, *derived)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and derived values as a JSON-serializable dictionary.

        Returns:
            Names and values. Arrays are lists; a tensor is its type, its shape, and its bytes; an
            infinite number or NaN is ``{"$float": "inf"}``, ``"-inf"``, or ``"nan"``.
        """
        values = {each.name: _kept(self, each) for each in saved_fields(type(self))}
        values |= {name: plain(getattr(self, name)) for name in self._derived}
        # What is short comes first, for those who look into a file.
        return dict(sorted(values.items(), key=lambda item: isinstance(item[1], list | dict)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build an equal object from a dictionary of `to_dict`.

        Args:
            values: Names and values; fields with a default may be missing, and names that are not
                fields are ignored.

        Returns:
            The object.

        Raises:
            TypeError: If a value is of a wrong type.
            ValueError: If a field is missing.
        """
        return cls._made(values, "values")

    @classmethod
    def _made(cls, values: Any, name: str) -> Self:
        try:
            found: Self = made(cls, values, name)
        except OverflowError as error:
            raise _out_of_range(name) from error
        try:
            found._show()
        except _WRONG as error:
            raise ValueError(
                f"`{name}` must hold fields that fit together, such as lists of one length, "
                f"got the error: {first_line(error)}"
            ) from error
        return found

    def _show(self) -> None:
        """Compute all that is shown of it, which may fail for fields that do not fit together."""
        repr(self)
        for name in self._derived:
            getattr(self, name)


def kept_as(as_json: Callable[[Any], Any], back: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the metadata of a field that is neither `plain` nor known by its type."""
    return {"as_json": as_json, "back": back}


def _kept(record: Any, each: Field[Any]) -> Json:
    value: Json = each.metadata.get("as_json", plain)(getattr(record, each.name))
    return value


def plain(value: Any) -> Json:
    """Return a value as JSON from which `typed` makes an equal one if it knows the type."""
    if isinstance(value, Record):
        return value.to_dict()
    if callable(own := getattr(value, "to_dict", None)):
        return plain(own())
    if isinstance(value, Tensor):
        return _tensor_as_json(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if is_dataclass(value):
        return {each.name: _kept(value, each) for each in saved_fields(type(value))}
    return encode(value, "value")


def saved_fields(kind: type) -> list[Field[Any]]:
    """Return the public fields of a dataclass, which are all that is kept of it."""
    return [each for each in fields(kind) if not each.name.startswith("_")]


def typed(value: Any, hint: Any, name: str) -> Any:
    """Return what `plain` made JSON of; ``name`` says in errors where it stands."""
    origin, inside = get_origin(hint), get_args(hint)
    if hint is Any:
        return decode(value)
    if origin in (Union, types.UnionType):
        return _one_of(value, inside, name)
    if origin is Literal:
        return _checked(value, value in inside, f"one of {', '.join(map(repr, inside))}", name)
    if origin is tuple:
        return _as_tuple(value, inside, name)
    if origin is np.ndarray:
        return _as_array(value, get_args(inside[1])[0], name)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        _checked(value, isinstance(value, dict), "a dictionary", name)
        return {key: typed(each, inside[1], f"{name}.{key}") for key, each in value.items()}
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint._made(value, name)
    if is_dataclass(hint) and isinstance(hint, type):
        return made(hint, value, name)
    return _scalar(value, hint, name)


def made(kind: type, values: Any, name: str) -> Any:
    """Return a dataclass of its fields, or of what its own ``from_dict`` takes."""
    _checked(values, isinstance(values, Mapping), "a dictionary", name)
    if callable(own := getattr(kind, "from_dict", None)) and not issubclass(kind, Record):
        return _back(own, values, name)
    hints, found = _hints(kind), {}
    for each in saved_fields(kind):
        if each.name in values:
            hint, place = hints[each.name], f"{name}.{each.name}"
            back = each.metadata.get("back", functools.partial(typed, hint=hint, name=place))
            found[each.name] = _back(back, values[each.name], place)
        elif each.default is MISSING and each.default_factory is MISSING:
            there = ", ".join(values) or "nothing"
            raise ValueError(f"`{name}` must name {each.name}, got {there}.")
    return kind(**found)


def _out_of_range(name: str) -> ValueError:
    return ValueError(f"`{name}` must hold numbers in range, got one that is not.")


def _back(back: Callable[[Any], Any], value: Any, name: str) -> Any:
    """Return what a function makes of a value, or say where the value stands."""
    try:
        return back(value)
    except _WRONG as error:
        if str(error).startswith(f"`{name}"):
            raise  # it says where
        if isinstance(error, OverflowError):
            raise _out_of_range(name) from error
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"`{name}` must be as `to_dict` returns it, got the error: {first_line(error)}"
        ) from error


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _checked(value: Any, good: bool, words: str, name: str) -> Any:
    if not good:
        shown = repr(value)
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
        raise TypeError(f"`{name}` must be {words}, got {shown}.")
    return value


def _one_of(value: Any, kinds: Sequence[Any], name: str) -> Any:
    """Return a value of the first type that it suits."""
    others = [kind for kind in kinds if kind is not type(None)]
    if value is None and len(others) < len(kinds):
        return None
    if isinstance(value, dict) and "kind" in value:  # of a report
        named = [each for each in others if getattr(each, "_kind", None) == value["kind"]]
        others = named or others
    for kind in others[:-1]:
        try:
            return typed(value, kind, name)
        except (TypeError, ValueError):  # or fields of another kind
            continue
    return typed(value, others[-1], name)


def _as_tuple(value: Any, kinds: Sequence[Any], name: str) -> tuple[Any, ...]:
    _checked(value, isinstance(value, list), "a list", name)
    if kinds[-1] is Ellipsis:
        kinds = [kinds[0]] * len(value)
    _checked(value, len(value) == len(kinds), f"a list of {len(kinds)}", name)
    return tuple(
        typed(each, kind, f"{name}[{i}]")
        for i, (each, kind) in enumerate(zip(value, kinds, strict=True))
    )


def _as_array(value: Any, kind: Any, name: str) -> NDArray[Any]:
    try:
        return np.array(decode(_checked(value, isinstance(value, list), "a list", name)), kind)
    except (OverflowError, ValueError):
        _checked(value, False, f"a list of {np.dtype(kind).name}", name)
        raise


def _scalar(value: Any, kind: Any, name: str) -> Any:
    if kind is Path:
        return Path(_checked(value, isinstance(value, str), "text", name))
    if kind is Tensor:
        return _tensor_from(value, name)
    accepted = (int, float) if kind is float else kind
    value = decode(value)
    good = isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))
    return _checked(value, good, _WORDS[kind], name)


def _tensor_as_json(value: Tensor) -> Json:
    """Return type, shape, and the bytes of all numbers, the least significant one first."""
    numbers = value.detach().cpu().contiguous().numpy()
    little = numbers.astype(numbers.dtype.newbyteorder("<"), copy=False)
    return {
        "dtype": numbers.dtype.name,
        "shape": list(numbers.shape),
        "base64": base64.b64encode(little.tobytes()).decode("ascii"),
    }


def _tensor_from(value: Any, name: str) -> Tensor:
    try:
        kind = np.dtype(value["dtype"]).newbyteorder("<")
        numbers = np.frombuffer(base64.b64decode(value["base64"], validate=True), kind)
        return torch.from_numpy(numbers.astype(kind.newbyteorder("=")).reshape(value["shape"]))
    except (KeyError, TypeError, ValueError):
        _checked(value, False, "a tensor: dtype, shape, and base64", name)
        raise
