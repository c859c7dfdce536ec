"""Many paths in little memory."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import overload

import numpy as np


class FilePaths(Sequence[str]):
    """A sequence of paths, kept as one block of text.

    A million paths as strings take 100 MB, and every worker process that reads them ends up with
    its own copy, because reading a string writes its reference count. This block takes half
    of that, and forked workers share it.

    Args:
        paths: The paths, as text.

    Example:
        >>> paths = FilePaths(["images/0/a.jpg", "images/1/b.jpg"])
        >>> paths[-1], len(paths)
        ('images/1/b.jpg', 2)
    """

    def __init__(self, paths: Iterable[str]) -> None:
        encoded = [path.encode() for path in paths]
        self._ends = np.fromiter(accumulate(map(len, encoded)), np.int64, len(encoded))
        self._text = b"".join(encoded)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "FilePaths": ...
    def __getitem__(self, index: int | slice) -> "str | FilePaths":
        if isinstance(index, slice):
            return FilePaths(self[position] for position in range(len(self))[index])
        position = range(len(self))[index]  # negative ones, and those beyond the end
        start = self._ends[position - 1] if position else 0
        return self._text[start : self._ends[position]].decode()

    def __repr__(self) -> str:
        return f"FilePaths({len(self)} paths)"
