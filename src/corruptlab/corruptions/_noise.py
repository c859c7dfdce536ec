"""What noises share: texts, arrays as fields, which labels are hit, labels in and out."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import reduce
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from corruptlab._arrays import ArrayT, like, to_numpy
from corruptlab._checks import at_least, example_ids, one_of, whole
from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels

Drawing: TypeAlias = Literal["independent", "exact", "exact_per_class"]
"""How labels are picked: each by itself, exactly so many, or exactly so many in each class."""

_LABELS_AT_ONCE = 1 << 15  # in blocks: words, uniforms, and classes stay in the cache
_MOST_CLASSES = 1 << 31  # as many as `Draws.integers` tells apart
MOST_ROWS = 1 << 15  # of a table with a column for each class: 8 GiB


def changed_fields(corruption: Any) -> list[str]:
    """Return ``name=value`` for each field that is not at its default."""
    return [
        f"{field.name}={getattr(corruption, field.name)!r}"
        for field in fields(corruption)
        if getattr(corruption, field.name) != field.default
    ]


def short_repr(corruption: Any) -> str:
    """Return a dataclass as the shortest call that makes it."""
    return f"{type(corruption).__name__}({', '.join(changed_fields(corruption))})"


def put(corruption: object, **values: Any) -> None:
    """Set fields of a frozen dataclass that is being made."""
    for name, value in values.items():
        object.__setattr__(corruption, name, value)


@dataclass(frozen=True, eq=False, repr=False)
class FrozenArray:
    """A read-only copy of an array, compared and hashed by content: a field of a noise."""

    array: NDArray[Any]

    def __post_init__(self) -> None:
        array = np.array(self.array)
        array.flags.writeable = False
        put(self, array=array)

    @property
    def digest(self) -> str:
        """SHA-256 of type, shape, and values, 16 hexadecimal digits of it."""
        values = np.ascontiguousarray(self.array)
        little = values.astype(values.dtype.newbyteorder("<"))
        text = f"{little.dtype.str}{little.shape}".encode()
        return hashlib.sha256(text + little.tobytes()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrozenArray) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<{self.array.dtype} {self.array.shape} sha256:{self.digest}>"


class LabelNoise(ABC):
    """A label corruption that needs the labels alone; each noise says how they are drawn."""

    stream: ClassVar[str]
    __repr__ = short_repr

    def labels(
        self, clean: ArrayT, *, num_classes: int, draws: Draws, ids: ArrayLike | None = None
    ) -> ArrayT:
        """Return the noisy labels.

        Args:
            clean: Labels in ``0 .. num_classes - 1``, shape ``(n,)``, array or tensor of integers.
            num_classes: Number of classes, at most 2**31.
            draws: Random numbers, which depend on a seed; see `Draws`.
            ids: Example numbers, shape ``(n,)``; ``0 .. n - 1`` if not given.

        Returns:
            Labels of the same type, dtype, and shape as ``clean``.

        Raises:
            TypeError: If ``clean`` is not one integer for each example.
            ValueError: If a label is out of range, or ``ids`` or the noise do not fit.
        """
        y = checked_labels(clean, num_classes)
        k = check_num_classes(num_classes)
        numbers = None if ids is None else checked_ids(ids, len(y))
        # Ids in another order lie far apart in each block; all at once they are often neighbours.
        rising = numbers is None or bool((numbers[1:] > numbers[:-1]).all())
        if not (self._is_cut and rising):
            own = np.arange(len(y)) if numbers is None else numbers
            return like(clean, self._noisy(y, k, own, draws))
        noisy = np.empty_like(y)
        for start in range(0, max(1, len(y)), _LABELS_AT_ONCE):
            end = min(start + _LABELS_AT_ONCE, len(y))
            own = np.arange(start, end) if numbers is None else numbers[start:end]
            noisy[start:end] = self._noisy(y[start:end], k, own, draws)
        return like(clean, noisy)

    @property
    def _is_cut(self) -> bool:
        """Whether labels are drawn by themselves, so that `_noisy` may be given some at a time."""
        return False

    @abstractmethod
    def _noisy(self, clean: Labels, num_classes: int, ids: Ids, draws: Draws) -> Labels:
        """Return the noisy labels, from labels and ids known to be good."""


@runtime_checkable
class PerExample(Protocol):
    """A corruption that holds something for each example of one data set."""

    def check_size(self, size: int) -> None:
        """Refuse a whole, uncut data set of fewer examples, to which it cannot belong."""


def checked_labels(labels: NDArray[Any] | torch.Tensor, num_classes: int) -> Labels:
    """Return class labels as ``int64``, or say what is wrong with them."""
    y = to_numpy(labels)
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise TypeError(
            "`labels` must be one integer class for each example, got "
            f"{y.dtype} of shape {y.shape}; turn soft or multi-label targets into classes first."
        )
    at_least(1, "num_classes", num_classes)
    if len(y) and (y.min() < 0 or y.max() >= num_classes):
        wrong = int(np.flatnonzero((y < 0) | (y >= num_classes))[0])
        raise ValueError(
            f"`labels` must lie in 0 .. {num_classes - 1}, got {y[wrong]} at position {wrong}."
        )
    return y.astype(np.int64, copy=False)


def checked_ids(ids: ArrayLike | None, n: int) -> Ids:
    """Return the example numbers of ``n`` examples: those given, or 0 .. n - 1."""
    if ids is None:
        return np.arange(n)
    numbers = example_ids(ids)
    if numbers.shape != (n,):
        raise ValueError(
            f"`ids` must hold one number for each of {n} examples, got shape {numbers.shape}."
        )
    return numbers


def check_num_classes(num_classes: int, least: int = 1, most: int = _MOST_CLASSES) -> int:
    """Return a number of classes as an ``int``; refuse what memory or draws have no room for."""
    k = whole("num_classes", num_classes)
    if not least <= k <= most:
        bound = f"at least {least}" if k < least else f"at most {most}"
        raise ValueError(f"`num_classes` must be {bound}, got {k}.")
    return k


def identity(num_classes: int) -> NDArray[np.float64]:
    """Return the matrix of no noise, of a size that memory has room for."""
    return np.eye(check_num_classes(num_classes, most=MOST_ROWS))


def product(matrices: Sequence[NDArray[np.float64]], num_classes: int) -> NDArray[np.float64]:
    """Return the matrix of corruptions one after the other, each given by its own."""
    return reduce(np.matmul, matrices) if matrices else identity(num_classes)


def integers(name: str, values: ArrayLike) -> Labels:
    """Return given integers, one for each example, as ``int64``."""
    array = to_numpy(values)  # type: ignore[arg-type]  # lists are welcome too
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.size == 0:
        raise TypeError(
            f"`{name}` must be one integer for each example, "
            f"got {array.dtype} of shape {array.shape}."
        )
    return array.astype(np.int64)


def checked_drawing(drawing: object) -> Any:
    """Return a `Drawing`, or refuse an unknown one."""
    return one_of("drawing", drawing, ("independent", "exact", "exact_per_class"))


def hits(
    u: NDArray[np.float64], rate: NDArray[np.float64] | float, clean: Labels, drawing: Drawing
) -> NDArray[np.bool_]:
    """Return which labels are hit: those of least ``u``, a rate for each label or for all."""
    # Independent: where u < rate. Exact: round(rate * n) of the n labels that can be hit, a simple
    # random sample, so their rate has to be one; per class likewise within each class. In all
    # three, labels hit at some rate are hit at twice the rate too.
    rate = np.broadcast_to(np.asarray(rate, np.float64), clean.shape)
    if drawing == "independent":
        return np.less(u, rate, dtype=np.bool_)
    hit = np.zeros(len(u), np.bool_)
    for members in [np.arange(len(clean))] if drawing == "exact" else members_by_class(clean):
        moving = members[rate[members] > 0]
        if len(moving):
            m = round(float(rate[moving[0]]) * len(moving))
            hit[moving[np.argsort(u[moving], kind="stable")[:m]]] = True
    return hit


def members_by_class(clean: Labels) -> list[Labels]:
    """Return the positions of the labels of each class that is there, in the order of classes."""
    order = np.argsort(clean, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(clean[order])) + 1)
