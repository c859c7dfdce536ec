"""One array of integers from a .npy or .npz file, with nothing taken on trust.

``numpy.load`` without pickles would be safe, but allocates whatever a header says.
"""

import ast
import re
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from corruptlab._errors import DataFileError
from corruptlab._types import Labels

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 1024  # that of a list of labels has 118 bytes
_MOST = 1 << 27  # labels: 1 GiB as int64
_MOST_EXPANSION = 1032  # no stream that zlib can write is longer, unpacked, than this
_CHUNK = 1 << 20
_INTEGERS = re.compile(r"[<>|=][iu][1248]")
_EXPECTED = "an array of one integer for each example"


def read_npy(path: Path) -> Labels:
    """Read the array of a .npy file.

    Args:
        path: The file.

    Returns:
        ``int64`` of shape ``(n,)``.

    Raises:
        DataFileError: If the file is not exactly one whole array of integers.
    """
    with path.open("rb") as file:
        return _read(file, path, path.stat().st_size)


def read_npz(path: Path, name: str | None) -> Labels:
    """Read one array of an .npz file.

    Args:
        path: The file.
        name: Which array; not needed if there is only one.

    Returns:
        ``int64`` of shape ``(n,)``.

    Raises:
        DataFileError: If there is no such array, or it is not exactly one of integers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = _member(archive, path, name)
            room = min(member.file_size, _MOST_EXPANSION * member.compress_size)
            with archive.open(member) as file:
                return _read(file, path, room)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataFileError(path, "a whole .npz archive", f"a damaged one ({error})") from None


def _member(archive: zipfile.ZipFile, path: Path, name: str | None) -> zipfile.ZipInfo:
    members = {each.filename.removesuffix(".npy"): each for each in archive.infolist()}
    if name is None and len(members) == 1:
        name = next(iter(members))
    if name not in members:
        known = ", ".join(sorted(members)[:8]) or "no array"
        raise DataFileError(path, f"`array` to be one of those in the file ({known})", repr(name))
    member = members[name]
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataFileError(path, "a member as NumPy packs it", f"method {member.compress_type}")
    return member


def _read(file: IO[bytes], path: Path, room: int) -> Labels:
    dtype, n, start = _read_header(file, path)
    size = n * dtype.itemsize
    if start + size > room:
        found = f"a file that can hold at most {max(room - start, 0):,}"
        raise DataFileError(path, f"{size:,} bytes of values for {n:,} labels", found)
    values = np.empty(n, dtype)
    filled = _fill(file, values)
    if filled < size:
        raise DataFileError(path, f"{size:,} bytes of values for {n:,} labels", f"{filled:,}")
    if file.read(1):
        raise DataFileError(path, f"{size:,} bytes of values for {n:,} labels", "more")
    if dtype.kind == "u" and n and values.max() > np.iinfo(np.int64).max:
        raise DataFileError(path, "integers of 64 bits", str(values.max()))
    return values.astype(np.int64, copy=False)


def _read_header(file: IO[bytes], path: Path) -> tuple[np.dtype[Any], int, int]:
    """Return type, number of values, and where they start."""
    head = file.read(8)
    if head[:6] != _MAGIC or head[6:7] not in (b"\x01", b"\x02", b"\x03"):
        raise DataFileError(path, "a .npy array", f"{len(head)} bytes that begin with {head!r}")
    width = 2 if head[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > _LONGEST_HEADER:
        raise DataFileError(path, f"a header of at most {_LONGEST_HEADER:,} bytes", f"{length:,}")
    text = file.read(length).decode("latin1")
    try:
        header = ast.literal_eval(text.strip())
        code, shape = header["descr"], tuple(header["shape"])
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise DataFileError(path, "a .npy header", f"{text[:60]!r}") from None
    if not (isinstance(code, str) and _INTEGERS.fullmatch(code)):
        # Objects would have to be unpickled, which runs what the file says.
        raise DataFileError(path, _EXPECTED, f"one of type {str(code)[:60]!r}")
    if len(shape) == 2 and shape[1] == 1:
        shape = shape[:1]
    if len(shape) != 1 or type(shape[0]) is not int or not 0 <= shape[0] <= _MOST:
        expected = f"{_EXPECTED}, and at most {_MOST:,} of them"
        raise DataFileError(path, expected, f"shape {str(shape)[:60]}")
    return np.dtype(code), shape[0], 8 + width + length


def _fill(file: IO[bytes], values: NDArray[Any]) -> int:
    """Read into ``values`` until it is full or the file ends; return how many bytes came."""
    view, filled = values.view(np.uint8).data, 0
    while filled < len(view):
        piece = file.read(min(_CHUNK, len(view) - filled))
        if not piece:
            break
        view[filled : filled + len(piece)] = piece
        filled += len(piece)
    return filled
