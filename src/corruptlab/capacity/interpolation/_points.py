"""Points and targets of any kind, read a bounded number at a time, and which points are equal."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from corruptlab._arrays import check_dense
from corruptlab._checks import at_least
from corruptlab._memory import check_fits

Rows: TypeAlias = Tensor | ArrayLike
"""Numbers along a first axis of points; a memory map is one, too."""

Blocks: TypeAlias = Iterable[tuple[Rows, Rows]]
"""Pairs of some points and their targets, one after the other."""

Encoding: TypeAlias = Literal["one_vs_rest", "index"]
"""How a class becomes a target: K outputs, 1 for the class and -1 for the others, and the largest
output is the class; or one output, the number of the class, to be rounded."""

Fingerprints: TypeAlias = NDArray[np.uint64]
"""Shape ``(n, 2)``; rows are equal exactly if the points are."""

# Numbers held at a time, 16 MB in float64.
_NUMBERS_AT_ONCE = 1 << 21

_FINGERPRINT_BYTES = 16


class Block(NamedTuple):
    """Some points in a row."""

    first: int  # the number of the first of them
    x: Tensor  # (m, d), in the type they came in
    y: Tensor  # targets as they came, (m,) or (m, k)


class Points:
    """All points with their targets: arrays, or pairs of blocks."""

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

    def blocks(self) -> Iterator[Block]:
        """Yield all points, checked, in blocks of at most a few million numbers."""
        first, kind = 0, None
        for x, y in self._arrays():
            kind = kind or _Kind.of(x, y)
            kind.check(x, y)
            size = max(1, _NUMBERS_AT_ONCE // kind.numbers)
            for start in range(0, len(x), size):
                points = tensor_of(x[start : start + size]).flatten(1)
                targets = tensor_of(y[start : start + size])
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
            x, y = array_of("x", pair[0]), array_of("y", pair[1])
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


def array_of(name: str, values: Any) -> Any:
    """Return real numbers as they are if they are an array or a tensor, else as an array."""
    if isinstance(values, Tensor):
        check_dense(values, name)
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


def tensor_of(array: Any) -> Tensor:
    if isinstance(array, Tensor):
        return array
    backwards = any(stride < 0 for stride in array.strides)  # one row counts as contiguous even so
    if array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    elif backwards or not (
        array.flags.writeable and array.flags.c_contiguous and array.dtype.isnative
    ):
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


@dataclass(frozen=True)
class Classes:
    """Class labels and what they become."""

    num_classes: int
    encoding: Encoding

    @classmethod
    def of(cls, y: Tensor, num_classes: int | None, encoding: Encoding) -> "Classes | None":
        """Return what labels such as these are to become, or None for real targets."""
        if y.is_floating_point():
            if num_classes is not None:
                raise TypeError(f"`num_classes` must be None for real targets, got {num_classes}.")
            return None
        if num_classes is None:
            raise TypeError(
                "`num_classes` must be given for integer labels, got None; for real targets make "
                "`y` floats."
            )
        if y.ndim != 1:
            raise ValueError(f"`y` must have shape (n,) for class labels, got {tuple(y.shape)}.")
        k = at_least(1, "num_classes", num_classes)
        if encoding != "index":  # a target and a weight for each point and class
            check_fits("num_classes", num_classes, 16 * len(y) * k)
        return cls(num_classes, encoding)

    def check(self, labels: Tensor, first: int) -> None:
        """Refuse labels that name no class; the first of them is that of point ``first``."""
        labels = labels.long()  # a number of classes may be more than the type of labels holds
        strays = ((labels < 0) | (labels >= self.num_classes)).nonzero()
        if len(strays):
            at = int(strays[0])
            raise ValueError(
                f"`y` must lie in 0 .. {self.num_classes - 1}, "
                f"got {int(labels[at])} for point {first + at}."
            )

    def encode(self, labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return targets, shape ``(n,)`` or ``(n, num_classes)``."""
        if self.encoding == "index":
            return labels.astype(np.float64)
        return np.where(labels[:, None] == np.arange(self.num_classes), 1.0, -1.0)

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the classes that outputs stand for, ``int64`` of shape ``(m,)``."""
        if self.encoding == "index":
            return outputs.round().clamp(0, self.num_classes - 1).long()
        return outputs.argmax(1)


def check_encoding(encoding: str) -> None:
    """Refuse an encoding that is not known."""
    if encoding not in get_args(Encoding):
        known = " or ".join(map(repr, get_args(Encoding)))
        raise ValueError(f"`encoding` must be {known}, got {encoding!r}.")


def fingerprints(x: Tensor) -> Fingerprints:
    """Return 128 bits for each point: its own bytes if they are so few, else their BLAKE2b hash."""
    # Points of one type are equal exactly if their bytes are, once -0.0 is 0.0. That two different
    # points among n share a hash has probability below n**2 / 2**129.
    # `contiguous` would leave the stride of an axis of length 1 as it is, which `view` refuses.
    x = x.clone(memory_format=torch.contiguous_format)
    if x.is_floating_point():
        x += 0.0  # -0.0 + 0.0 is 0.0
    rows = x.view(torch.uint8).cpu().numpy()
    if rows.shape[1] <= _FINGERPRINT_BYTES:
        padded = np.zeros((len(rows), _FINGERPRINT_BYTES), np.uint8)
        padded[:, : rows.shape[1]] = rows
    else:
        digests = [hashlib.blake2b(row, digest_size=_FINGERPRINT_BYTES).digest() for row in rows]
        padded = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _FINGERPRINT_BYTES)
    return padded.view(np.uint64)


def distinct(
    z: NDArray[np.float64], marks: Fingerprints, y: NDArray[Any]
) -> NDArray[np.int64] | None:
    """Return the numbers of the first of equal points, rising; None if no two are equal."""
    # Equal points have equal projections z, so only where projections tie are points compared.
    order = np.argsort(z)
    ties = z[order[1:]] == z[order[:-1]]
    if not ties.any():
        return None
    tied = order[np.append(ties, False) | np.append(False, ties)]
    tied = tied[np.lexsort((tied, *marks[tied].T))]  # equal points side by side, first one first
    new = np.append(True, (marks[tied[1:]] != marks[tied[:-1]]).any(1))
    originals, copies = tied[new][np.cumsum(new) - 1][~new], tied[~new]
    if len(copies) == 0:
        return None
    different = (y[originals] != y[copies]).reshape(len(copies), -1).any(1)
    if different.any():
        at = np.flatnonzero(different)[np.argmin(copies[different])]
        one, other = int(originals[at]), int(copies[at])
        raise ValueError(
            f"`y` must be equal on equal points, got {y[one].tolist()} and {y[other].tolist()} "
            f"for points {one} and {other} of `x`, which are the same."
        )
    return np.setdiff1d(np.arange(len(z)), copies, assume_unique=True)
