"""Whether a data set can be sent to a spawned process, and what stands in the way."""

import io
import multiprocessing
import pickle
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

import numpy as np
import torch

from corruptlab.experiments.auditing._main_script import main_can_be_imported
from corruptlab.experiments.auditing._readings import described
from corruptlab.experiments.auditing._report import Status

_DEEPEST = 6  # levels of attributes, lists, and dictionaries to search for what does not pickle


def check_pickling(dataset: Any) -> tuple[Status, str]:
    """Say whether a data set can be sent to a process that is not forked."""
    found = obstacle(dataset)
    if not found:
        return "ok", "it can be pickled, and needs nothing that a new process cannot import."
    if multiprocessing.get_all_start_methods()[0] != "fork":
        return "error", found
    return "warning", f"{found} Forked workers, the default here, do not need it; others do."


def obstacle(dataset: Any) -> str:
    """Return what keeps a data set from being sent to a new process, in plain words.

    Args:
        dataset: Any object. Its arrays are not copied.

    Returns:
        What is in the way and what to do; empty if nothing is.
    """
    trial = _Trial()
    try:
        trial.dump(dataset)
    except Exception as error:
        return (
            f"it cannot be pickled: {_culprit(dataset, type(dataset).__name__)} "
            f"({described(error)}). Use functions and classes that a module defines at its top "
            "level, and open files when the first item is read."
        )
    if trial.names and not main_can_be_imported():
        names = " and ".join(f"`{name}`" for name in sorted(trial.names))
        return (
            f"it needs {names}, defined in a notebook or an interactive session, where a new "
            "process cannot find it: move it to a module and import it."
        )
    return ""


class _Trial(pickle.Pickler):
    """Pickles without writing: what counts is whether it could, and what it refers to.

    Arrays are left out (they can always be pickled, and may be large), as is what
    ``multiprocessing`` itself shares between processes (it can be pickled only while one starts).
    """

    def __init__(self) -> None:
        super().__init__(_Nowhere(), protocol=pickle.HIGHEST_PROTOCOL)
        self.names: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | FunctionType):
            if obj.__module__ == "__main__":
                self.names.add(obj.__qualname__)
            return NotImplemented
        kind = type(obj)
        plain = kind is np.ndarray and obj.dtype != object
        if plain or kind is torch.Tensor or kind.__module__.startswith("multiprocessing."):
            return int, ()
        return NotImplemented


class _Nowhere(io.RawIOBase):
    def write(self, data: Any, /) -> int:
        return memoryview(data).nbytes


def _pickles(value: Any) -> bool:
    try:
        _Trial().dump(value)
    except Exception:
        return False
    return True


def _culprit(value: Any, path: str, depth: int = 0) -> str:
    """Follow what cannot be pickled down to where it is."""
    if depth < _DEEPEST:
        for name, part in _parts(value):
            if not _pickles(part):
                return _culprit(part, path + name, depth + 1)
    return f"`{path}` is {_kind(value)}"


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"[{place}]", part) for place, part in enumerate(value))
    elif not isinstance(value, type | FunctionType):
        yield from ((f".{name}", part) for name, part in getattr(value, "__dict__", {}).items())


def _kind(value: Any) -> str:
    if isinstance(value, FunctionType):
        if value.__name__ == "<lambda>":
            return f"a lambda (line {value.__code__.co_firstlineno} of its file)"
        return f"the function {value.__qualname__}"
    kind = type(value)
    if "<locals>" in kind.__qualname__:
        return f"an object of class {kind.__name__}, which is defined inside a function"
    return f"an object of type {kind.__name__}"
