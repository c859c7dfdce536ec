"""Whether a value can be sent to a process that is not forked, and whether one can be started."""

import ast
import io
import pickle
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

import numpy as np
import torch

_DEEPEST = 6  # levels of attributes, lists, and dictionaries to search for what does not pickle


class PickleTrial(pickle.Pickler):
    """Tries to pickle a value: whether it can be, and what of ``__main__`` it needs."""

    # Arrays are left out (they can always be pickled, and may be large), as is what
    # `multiprocessing` shares between processes (it can be pickled only while one starts).

    def __init__(self, value: object) -> None:
        super().__init__(_Nowhere(), protocol=pickle.HIGHEST_PROTOCOL)
        self.names_in_main: set[str] = set()
        self.error: Exception | None = None
        try:
            self.dump(value)
        except Exception as error:
            self.error = error

    def reducer_override(self, obj: Any) -> Any:
        """Note what is defined in ``__main__``, and skip arrays."""
        if isinstance(obj, type | FunctionType):
            if obj.__module__ == "__main__":
                self.names_in_main.add(obj.__qualname__)
            return NotImplemented
        kind = type(obj)
        plain = kind is np.ndarray and obj.dtype != object
        if plain or kind is torch.Tensor or kind.__module__.startswith("multiprocessing."):
            return int, ()
        return NotImplemented


class _Nowhere(io.RawIOBase):
    def write(self, data: Any, /) -> int:
        return memoryview(data).nbytes


def unpicklable_part(value: object, path: str, depth: int = 0) -> str:
    """Return which part of a value that does not pickle is at fault, in words."""
    if depth < _DEEPEST:
        for name, part in _parts(value):
            if PickleTrial(part).error is not None:
                return unpicklable_part(part, path + name, depth + 1)
    return f"`{path}` is {_kind(value)}"


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"[{place}]", part) for place, part in enumerate(value))
    elif not isinstance(value, type | FunctionType):
        yield from ((f".{name}", part) for name, part in getattr(value, "__dict__", {}).items())


def _kind(value: object) -> str:
    if isinstance(value, FunctionType):
        if value.__name__ == "<lambda>":
            return f"a lambda (line {value.__code__.co_firstlineno} of its file)"
        return f"the function {value.__qualname__}"
    kind = type(value)
    if "<locals>" in kind.__qualname__:
        return f"an object of class {kind.__name__}, which is defined inside a function"
    return f"an object of type {kind.__name__}"


def main_can_be_imported() -> bool:
    """Return whether a new process finds what the main module defines: not that of a notebook."""
    path = _main_path()
    named = getattr(sys.modules["__main__"], "__spec__", None) is not None
    return named or (path is not None and path.is_file())


def main_is_missing() -> bool:
    """Return whether the main script is no file, such as one on standard input."""
    path = _main_path()
    return path is not None and not path.is_file()


def main_would_run_again() -> bool:
    """Return whether a new process, which imports the main script, would come by here too."""
    main, path = sys.modules["__main__"], _main_path()
    name = getattr(getattr(main, "__spec__", None), "name", "")
    if path is None or name == "__main__" or name.endswith(".__main__"):
        return False  # there is no script, or Python leaves it out
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals is vars(main) and frame.f_code.co_name == "<module>":
            return not _is_guarded_in(path, frame.f_lineno)
        frame = frame.f_back
    return False


def _main_path() -> Path | None:
    path = getattr(sys.modules["__main__"], "__file__", None)
    return None if path is None else Path(path)


def _is_guarded_in(path: Path, line: int) -> bool:
    try:
        return is_guarded(path.read_text(encoding="utf-8"), line)
    except (OSError, ValueError, SyntaxError):  # no source to look at
        return False


def is_guarded(script: str, line: int) -> bool:
    """Return whether a line of a script lies inside ``if __name__ == "__main__":``."""
    for node in ast.walk(ast.parse(script)):
        if isinstance(node, ast.If) and any(
            isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
        ):
            first, last = node.body[0], node.body[-1]
            if first.lineno <= line <= (last.end_lineno or last.lineno):
                return True
    return False
