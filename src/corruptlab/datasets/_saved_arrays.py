"""Arrays of integers in a file of ``torch.save``, read without running anything it says."""

import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.serialization import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    get_unsafe_globals_in_checkpoint,
)

from corruptlab._errors import DataFileError
from corruptlab._types import Labels

_EXPECTED = "arrays and lists saved with torch.save"
_LARGEST = 1 << 26  # bytes, packed or unpacked: the published files have 2.4 million
_INTEGERS = re.compile(r"[<>|=][iu][1248]")
_swapping = threading.Lock()


def saved_arrays(path: Path) -> dict[Any, Any]:
    """Read a dictionary of NumPy arrays and lists that ``torch.save`` wrote.

    Such a file is a pickle, and a pickle is a program. It is read with ``weights_only=True``,
    which calls nothing but what is allowed by name, and of NumPy's names it may use the
    three that arrays consist of. Not even these lead to NumPy: its C code trusts the states that
    it is given, so stand-ins collect them instead, and `integers` looks at what came.

    Args:
        path: The file.

    Returns:
        The dictionary; make its values arrays with `integers`.

    Raises:
        DataFileError: If the file is missing, too large, damaged, or holds anything else.
    """
    _check_archive(path)
    with _only_stand_ins():
        try:
            wanted = sorted(get_unsafe_globals_in_checkpoint(str(path)))
            content = None if wanted else torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a broken or hostile file makes it raise anything
            reason = f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(". ")
            raise DataFileError(path, _EXPECTED, f"what cannot be read ({reason})") from None
    if wanted:
        found = f"one that asks for {', '.join(wanted)} (nothing of it was run)"
        raise DataFileError(path, _EXPECTED, found)
    if not isinstance(content, dict):
        raise DataFileError(path, f"a dictionary of {_EXPECTED}", type(content).__name__)
    return content


def integers(value: object) -> Labels | None:
    """Return what `saved_arrays` read as ``int64`` of shape ``(n,)``; None if it is not that."""
    match value:
        case list() if all(type(each) is int for each in value):
            try:
                return np.array(value, np.int64)
            except OverflowError:
                return None
        case _Array(state=(_, (int(n),), _DType(code=str(code), order=str(order)), _, bytes(data))):
            if _INTEGERS.fullmatch(order + code) and len(data) == n * int(code[1]):
                return np.frombuffer(data, order + code).astype(np.int64)
    return None


class _DType:
    """Stands in for ``numpy.dtype``."""

    def __init__(self, code: object, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.order = "|" if state[1] is None else state[1]


class _Array:
    """Stands in for ``numpy.ndarray``."""

    def __setstate__(self, state: object) -> None:
        self.state = state


def _reconstruct(*_: object) -> _Array:
    """Stand in for the function of NumPy that makes an array to be filled."""
    return _Array()


_STAND_INS: list[Any] = [
    (_Array, "numpy.ndarray"),
    (_DType, "numpy.dtype"),
    (_reconstruct, "numpy.core.multiarray._reconstruct"),  # saved with NumPy 1
    (_reconstruct, "numpy._core.multiarray._reconstruct"),  # saved with NumPy 2
]


@contextmanager
def _only_stand_ins() -> Iterator[None]:
    """Allow the stand-ins, and for this moment nothing that was allowed elsewhere.

    PyTorch keeps one list for the whole process. What users allowed for their own files need not
    be safe for this one, and NumPy's names may be among it.
    """
    with _swapping:
        before = get_safe_globals()
        clear_safe_globals()
        add_safe_globals(_STAND_INS)
        try:
            yield
        finally:
            # With what PyTorch may have added itself, as its parts do when first imported.
            after = [each for each in get_safe_globals() if each not in _STAND_INS]
            clear_safe_globals()
            add_safe_globals(before + after)


def _check_archive(path: Path) -> None:
    """Raise unless the file is an archive that unpacks to a bounded size."""
    limit = f"at most {_LARGEST:,} bytes"
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise DataFileError(path, limit, f"{size:,}")
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except FileNotFoundError:
        raise DataFileError(path, _EXPECTED, "no such file") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise DataFileError(path, _EXPECTED, f"what cannot be read ({error})") from None
    if unpacked > _LARGEST:
        raise DataFileError(path, limit, f"an archive that unpacks to {unpacked:,}")
