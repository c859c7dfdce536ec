"""Points and targets of any kind, read a bounded number at a time."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Rows: TypeAlias = Tensor | ArrayLike
"""Numbers along a first axis of points; a memory map is one, too."""

Blocks: TypeAlias = Iterable[tuple[Rows, Rows]]
"""Pairs of some points and their targets, one after the other."""

# Numbers held at a time, 16 MB in float64.
_NUMBERS_AT_ONCE = 1 << 21


class Block(NamedTuple):
    """Some points in a row.

    Args:
        first: Number of the first of them.
        x: The points, shape ``(m, d)``, in the type they came in.
        y: Their targets as they came, shape ``(m,)`` or ``(m, k)``.
    """

    first: int
    x: Tensor
    y: Tensor


class Points:
    """All points with their targets.

    Args:
        x: The points, shape ``(n, ...)``, or pairs of blocks of points and targets.
        y: The targets of an array ``x``; None if ``x`` are blocks.

    Raises:
        TypeError: If they are of another kind.
    """

    def __init__(self, x: Rows | Blocks, y: Rows | None) -> None:
        self._pairs: Iterable[Any]
        if y is not None:
            self._pairs = [(x, y)]
        elif isinstance(x, Tensor | np.ndarray):
            raise TypeError("`y` must be given with an array `x`, got None.")
        elif isinstance(x, Iterable):
            self._pairs = x
        else:
            raise TypeError(
                "`x` must be an array, a tensor, or an iterable of (points, targets) blocks, "
                f"got {type(x).__name__}."
            )
        self.can_be_read_again = not isinstance(self._pairs, Iterator)

    def blocks(self, *, beside: int) -> Iterator[Block]:
        """Yield all points, checked, in blocks of at most a few million numbers.

        Args:
            beside: Further numbers that the caller holds for each point.

        Yields:
            The blocks; their points and targets are all of the same types and shapes.

        Raises:
            TypeError: If a block is not of the kind of the first one, or holds no real numbers.
            ValueError: If there is no point, a number is not finite, or shapes do not fit.
        """
        first, kind = 0, None
        for x, y in self._arrays():
            kind = kind or _Kind.of(x, y)
            kind.check(x, y)
            size = max(1, _NUMBERS_AT_ONCE // (kind.numbers + beside))
            for start in range(0, len(x), size):
                points = _tensor(x[start : start + size]).flatten(1)
                targets = _tensor(y[start : start + size])
                _check_finite("x", points, first)
                _check_finite("y", targets, first)
                yield Block(first, points, targets)
                first += len(points)
        if first == 0:
            raise ValueError("`x` must hold at least one point, got none.")

    def _arrays(self) -> Iterator[tuple[Any, Any]]:
        """Yield arrays or tensors that fit together, not yet read into memory."""
        for pair in self._pairs:
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise TypeError(
                    "`x` must be an iterable of (points, targets) blocks where no `y` is given, "
                    f"got a block of type {type(pair).__name__}."
                )
            x, y = _array("x", pair[0]), _array("y", pair[1])
            if x.ndim < 2 or 0 in x.shape[1:]:
                raise ValueError(
                    "`x` must have shape (n, ...) with n points of at least one number, "
                    f"got shape {tuple(x.shape)}."
                )
            if y.ndim not in (1, 2) or 0 in y.shape[1:]:
                raise ValueError(f"`y` must have shape (n,) or (n, k), got {tuple(y.shape)}.")
            if len(x) != len(y):
                raise ValueError(
                    f"`y` must hold one target for each of the {len(x)} points, got {len(y)}."
                )
            if len(x):
                yield x, y


class _Kind(NamedTuple):
    """What all blocks have in common."""

    types: tuple[Any, Any]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]

    @classmethod
    def of(cls, x: Any, y: Any) -> "_Kind":
        return cls((x.dtype, y.dtype), (tuple(x.shape[1:]), tuple(y.shape[1:])))

    @property
    def numbers(self) -> int:
        return int(np.prod(self.shapes[0]))

    def check(self, x: Any, y: Any) -> None:
        other = _Kind.of(x, y)
        for name, mine, given in zip("xy", self.types, other.types, strict=True):
            if mine != given:
                raise TypeError(f"`{name}` must be blocks of one type, {mine}, got one of {given}.")
        for name, mine, given in zip("xy", self.shapes, other.shapes, strict=True):
            if mine != given:
                raise ValueError(
                    f"`{name}` must be blocks of rows of one shape, {mine}, got one of {given}."
                )


def _array(name: str, values: Any) -> Any:
    """Return real numbers as they are if they are an array or a tensor, else as an array."""
    if isinstance(values, Tensor):
        if values.is_complex():
            raise TypeError(f"`{name}` must hold real numbers, got {values.dtype}.")
        return values.detach()
    try:
        array: NDArray[Any] = np.asanyarray(values)  # a memory map stays one
    except ValueError:  # rows of different lengths
        raise TypeError(f"`{name}` must hold numbers, got {values!r}.") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"`{name}` must hold real numbers, got {array.dtype}.")
    return array


def _tensor(array: Any) -> Tensor:
    if isinstance(array, Tensor):
        return array
    if array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    elif not (array.flags.writeable and array.flags.c_contiguous and array.dtype.isnative):
        # PyTorch warns of memory that must not be written to, and takes no foreign byte order.
        array = np.array(array, array.dtype.newbyteorder("="), order="C")
    return torch.from_numpy(np.asarray(array))


def _check_finite(name: str, rows: Tensor, first: int) -> None:
    if not rows.is_floating_point():
        return
    finite = rows.isfinite()
    if not bool(finite.all()):
        row = int(finite.logical_not().reshape(len(rows), -1).any(1).nonzero()[0])
        raise ValueError(f"`{name}` must be finite, got nan or inf in point {first + row}.")
