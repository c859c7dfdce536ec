"""One IDX file, gzip'd or plain, read with nothing taken on trust."""

import gzip
import math
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corruptlab._errors import DataFileError

# No stream that gzip can write is longer, unpacked, than this many times its length.
_MOST_EXPANSION = 1032


def read_idx(path: Path, *, ndim: int) -> NDArray[np.uint8]:
    """Read an IDX file of bytes: a magic number, the sizes, then the values, all big-endian.

    The sizes are checked against what the file can hold before anything is allocated, and no more
    than one byte beyond them is ever unpacked, so a hostile file cannot fill the memory.

    Args:
        path: The file; a name that ends in ``.gz`` is unpacked.
        ndim: Number of dimensions it must have: 3 for images, 1 for labels.

    Returns:
        Writable array of the declared shape.

    Raises:
        DataFileError: If the file is not exactly what its header and ``ndim`` say.
    """
    packed = path.suffix == ".gz"
    try:
        with path.open("rb") as raw:
            if not packed:
                return _read(raw, path, ndim, room=path.stat().st_size)
            with gzip.GzipFile(fileobj=raw) as stream:
                room = _MOST_EXPANSION * path.stat().st_size
                return _read(stream, path, ndim, room)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataFileError(path, "a whole gzip stream", f"a damaged one ({error})") from None


def _read(stream: BufferedIOBase, path: Path, ndim: int, room: int) -> NDArray[np.uint8]:
    shape = _read_header(stream, path, ndim)
    size = math.prod(shape)
    expected = f"{size:,} bytes of values for sizes {'x'.join(map(str, shape))}"
    if size > room:
        raise DataFileError(path, expected, f"a file that can hold at most {room:,}")
    values = np.empty(size, np.uint8)
    filled = _fill(stream, values)
    if filled < size:
        raise DataFileError(path, expected, f"{filled:,}")
    if stream.read(1):
        raise DataFileError(path, expected, "more")
    return values.reshape(shape)


def _read_header(stream: BufferedIOBase, path: Path, ndim: int) -> tuple[int, ...]:
    head = stream.read(4)
    magic = 0x0800 + ndim  # two zero bytes, 8 for unsigned bytes, the number of dimensions
    if head != struct.pack(">I", magic):
        found = str(int.from_bytes(head, "big")) if len(head) == 4 else f"{len(head)} bytes in all"
        raise DataFileError(path, f"the magic number {magic}", found)
    sizes = stream.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise DataFileError(path, f"a header of {4 + 4 * ndim} bytes", f"{4 + len(sizes)}")
    return struct.unpack(f">{ndim}I", sizes)


def _fill(stream: BufferedIOBase, values: NDArray[np.uint8]) -> int:
    """Read into ``values`` until it is full or the stream ends; return how many bytes came."""
    view, filled = values.data, 0
    while filled < len(view):
        count = stream.readinto(view[filled:])
        if not count:
            break
        filled += count
    return filled
