"""Values as JSON that tells apart what differs, their digests, and files that hold them."""

import functools
import hashlib
import inspect
import json
import math
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from corruptlab._errors import DataFileError
from corruptlab._io import write_whole

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

KIND = "$kind"
"""Key under which an encoded object names its class; no key of a user may begin with ``$``."""

_FLOAT = "$float"


def encode(value: Any, argument: str, name: str = "") -> Json:
    """Return a value as JSON; ``argument`` and ``name`` say in errors where it stands."""
    # NumPy's and PyTorch's numbers become Python's, arrays and tuples lists. An object becomes what
    # its `to_dict` returns, a dataclass its fields, an array that a corruption holds its digest,
    # each with the name of the class. Infinities and NaN, which JSON lacks, become objects.
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)  # a member of an enumeration counts as its text
    if isinstance(value, np.generic | np.ndarray | torch.Tensor):
        plain = value.tolist()
        if not isinstance(plain, complex | bytes | np.generic):  # such as ``longdouble``
            return encode(plain, argument, name)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {_FLOAT: str(float(value))}
    if isinstance(value, list | tuple):
        return [encode(each, argument, f"{name}[{i}]") for i, each in enumerate(value)]
    if isinstance(value, Mapping):
        return _encoded_items(value, argument, name)
    if (parts := _parts(value)) is not None:
        return {KIND: kind_of(type(value)), **_encoded_items(parts, argument, name)}
    place = f" for {name}" if name else ""
    raise TypeError(
        f"`{argument}` must hold JSON values, arrays, dataclasses, or objects with `to_dict`, "
        f"got {type(value).__name__}{place}."
    )


def decode(value: Json) -> Any:
    """Return a value with the numbers that JSON lacks; objects stay dictionaries."""
    if isinstance(value, list):
        return [decode(each) for each in value]
    if isinstance(value, dict):
        if value.keys() == {_FLOAT}:
            return float(str(value[_FLOAT]))
        return {key: decode(each) for key, each in value.items()}
    return value


def canonical(value: Json) -> bytes:
    """Return the one text of an encoded value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def digest(value: Json) -> str:
    """Return the SHA-256 of an encoded value, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def read_json(path: Path, expected: str) -> Any:
    """Read a JSON file; anything else that stands there is a `DataFileError` that names it."""
    check_regular_file(path, expected)
    try:
        return json.loads(path.read_bytes(), parse_constant=_no_such_number)
    except FileNotFoundError:  # removed at this very moment
        raise DataFileError(path, expected, "no such file") from None
    except (ValueError, RecursionError) as error:
        found = f"a file that is damaged, or another ({error})"
        raise DataFileError(path, expected, found) from None


def write_json(path: Path, values: Json) -> None:
    """Write a JSON file for people to look into, atomically."""
    text = json.dumps(values, indent=2, allow_nan=False)
    # A line of its own for each of ten thousand losses helps nobody.
    text = re.sub(r"\[\n\s*([-+.\deE,\s]+?)\n\s*\]", _one_line, text)
    write_whole(path, text + "\n")


def _one_line(match: re.Match[str]) -> str:
    return f"[{' '.join(match[1].split())}]"


def check_regular_file(path: Path, expected: str) -> None:
    """Reject what cannot be read to its end: nothing, a folder, a pipe, a link to nothing."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        found = "a link to nothing" if os.path.lexists(path) else "no such file"
        raise DataFileError(path, expected, found) from None
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe"}
        raise DataFileError(path, expected, kinds.get(stat.S_IFMT(mode), "no regular file"))


def _no_such_number(name: str) -> None:
    raise ValueError(f"JSON has no number {name}")


def identity_of(function: Any, argument: str = "trial") -> Json:
    """Return what tells a function from others: its name, and what is bound to it."""
    if isinstance(function, functools.partial):
        return {
            "partial": identity_of(function.func, argument),
            "arguments": encode(function.args, argument),
            "keywords": encode(function.keywords, argument),
        }
    if inspect.ismethod(function):
        owner = function.__self__
        of = kind_of(owner) if inspect.isclass(owner) else encode(owner, argument)
        return {"method": function.__name__, "of": of}
    if not callable(function):
        raise TypeError(f"`{argument}` must be a function, got {function!r}.")
    if not inspect.isroutine(function) and not inspect.isclass(function):
        return encode(function, argument)
    if getattr(function, "__module__", None) is None:  # such as ``str.upper``
        raise TypeError(f"`{argument}` must be a function of a module, got {function!r}.")
    return kind_of(function)


def kind_of(kind: Any) -> str:
    """Return the public name of a class or function: where it is imported from, not defined."""
    module = _home(kind.__module__).split(".")
    while module[-1].startswith("_") and len(module) > 1:  # a private file may be renamed
        module.pop()
    return f"{'.'.join(module)}.{kind.__qualname__}"


def _home(module: str) -> str:
    """Return the name under which others would import a module, which may be a script."""
    import __main__

    if module not in ("__main__", "__mp_main__"):
        return module
    if (spec := getattr(__main__, "__spec__", None)) is not None:
        return str(spec.name)
    path = Path(getattr(__main__, "__file__", ""))
    return path.stem if path.is_file() else "__main__"  # typed in, or read from a pipe


def _encoded_items(values: Mapping[Any, Any], argument: str, name: str) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in values.items():
        if not isinstance(key, str):
            raise TypeError(f"`{argument}` must have text as keys, got {key!r}.")
        if key.startswith("$"):
            raise ValueError(
                f"`{argument}` must have keys that do not begin with '$', got {key!r}."
            )
        found[key] = encode(value, argument, f"{name}.{key}" if name else key)
    return found


def _parts(value: Any) -> dict[str, Any] | None:
    """Return what an object is made of, or None if it does not say."""
    if isinstance(value, type):
        return None
    if callable(getattr(value, "to_dict", None)):
        return dict(decode(value.to_dict()))
    if isinstance(getattr(value, "digest", None), str):
        return {"digest": value.digest}
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return None
