"""Files that others wrote, read with nothing taken on trust: damage is one `DataFileError`."""

import ast
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from corruptlab._errors import DataFileError
from corruptlab._types import Labels

LARGEST = 1 << 30
"""Bytes that the values of one file may take: 134 million labels, twenty times MNIST."""

MOST_LABELS = LARGEST // 8
"""So many of them as ``int64`` take as much."""

MOST_EXPANSION = 1032
"""No stream that zlib can write is longer, unpacked, than this many times its length."""

_CHUNK = 1 << 20
_LONGEST_LINE = 4096  # bytes, so that a file without line ends does not fill the memory
_LONGEST_HEADER = 1024  # of a .npy file; that of a list of labels has 118 bytes
_INTEGERS = re.compile(r"[<>|=][iu][1248]")
_ARRAY = "an array of one integer for each example"


@contextmanager
def opened(path: Path, expected: str) -> Iterator[BinaryIO]:
    """Open a regular file, and nothing else: reading a pipe might never end."""
    try:
        if not path.is_file():
            raise DataFileError(path, expected, _kind(path))
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DataFileError(path, expected, f"unreadable data ({error})") from None


def _kind(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    if path.is_symlink() and not path.exists():
        return "a link to nothing"
    return "no regular file" if path.exists() else "no such file"


def listing(folder: Path) -> str:
    """Say in a few words what a folder holds, for the "found" part of an error."""
    if not folder.is_dir():
        return "a file" if folder.exists() else "no such folder"
    names = sorted(entry.name for entry in folder.iterdir())
    return some(names) if names else "an empty folder"


def some(names: Sequence[str], most: int = 8) -> str:
    """List the first of some names, and count the others."""
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return f"only {', '.join(names[:most])}{more}"


def quoted(text: str, most: int = 60) -> str:
    """Quote a piece of a file, no more of it than a message can hold."""
    return repr(text) if len(text) <= most else f"{text[:most]!r}..."


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number (from 1) and text of each line of a UTF-8 file that is not blank."""
    with opened(path, "a text file") as file:
        number = 0
        while raw := file.readline(_LONGEST_LINE + 1):
            number += 1
            if len(raw) > _LONGEST_LINE:
                expected = f"lines of at most {_LONGEST_LINE:,} bytes"
                raise DataFileError(path, expected, f"a longer one, line {number}")
            try:
                # A tab at the start may separate a column without a name from the next.
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip().lstrip(" ")
            except UnicodeDecodeError:
                raise DataFileError(path, "UTF-8 text", f"other bytes in line {number}") from None
            if text:
                yield number, text


def read_values(
    stream: IO[bytes] | BufferedIOBase, path: Path, values: NDArray[Any], expected: str
) -> None:
    """Fill an array with the rest of a stream, which must be exactly as long."""
    view, filled = values.view(np.uint8).data, 0
    while filled < len(view):
        piece = stream.read(min(_CHUNK, len(view) - filled))
        if not piece:
            raise DataFileError(path, expected, f"{filled:,}")
        view[filled : filled + len(piece)] = piece
        filled += len(piece)
    if stream.read(1):
        raise DataFileError(path, expected, "more")


def read_npy(path: Path) -> Labels:
    """Read the array of a .npy file as ``int64`` of shape ``(n,)``."""
    # `numpy.load` without pickles would be safe, but allocates whatever a header says.
    with opened(path, "a .npy array") as file:
        return _read_array(file, path, path.stat().st_size)


def read_npz(path: Path, name: str | None) -> Labels:
    """Read one array of an .npz file, its only one by default, as ``int64`` of shape ``(n,)``."""
    with opened(path, "a whole .npz archive") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                member = _member(archive, path, name)
                room = min(member.file_size, MOST_EXPANSION * member.compress_size)
                with archive.open(member) as values:
                    return _read_array(values, path, room)
        except DataFileError:
            raise
        except Exception as error:  # damage makes `zipfile` raise almost anything
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


def _read_array(file: IO[bytes], path: Path, room: int) -> Labels:
    dtype, n, start = _read_header(file, path)
    size = n * dtype.itemsize
    expected = f"{size:,} bytes of values for {n:,} labels"
    if start + size > room:
        found = f"a file that can hold at most {max(room - start, 0):,}"
        raise DataFileError(path, expected, found)
    values = np.empty(n, dtype)
    read_values(file, path, values, expected)
    if dtype.kind == "u" and n and values.max() > np.iinfo(np.int64).max:
        raise DataFileError(path, "integers of 64 bits", str(values.max()))
    return values.astype(np.int64, copy=False)


def _read_header(file: IO[bytes], path: Path) -> tuple[np.dtype[Any], int, int]:
    """Return type, number of values, and where they start."""
    head = file.read(8)
    if head[:6] != b"\x93NUMPY" or head[6:7] not in (b"\x01", b"\x02", b"\x03"):
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
        raise DataFileError(path, _ARRAY, f"one of type {str(code)[:60]!r}")
    if len(shape) == 2 and shape[1] == 1:
        shape = shape[:1]
    if len(shape) != 1 or type(shape[0]) is not int or not 0 <= shape[0] <= MOST_LABELS:
        expected = f"{_ARRAY}, and at most {MOST_LABELS:,} of them"
        raise DataFileError(path, expected, f"shape {str(shape)[:60]}")
    return np.dtype(code), shape[0], 8 + width + length
