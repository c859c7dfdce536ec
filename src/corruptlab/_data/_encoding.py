"""Classes that are not numbered from 0: names, booleans, -1 and +1, categories."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptlab._types import Array, Labels

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, and its bits look random

_CHUNK = 1 << 15
_GUESSED_BITS = 16

NAMES = (str, bytes)


@dataclass(frozen=True)
class LabelEncoding:
    """The classes of a data set, each numbered by its place.

    Args:
        classes: Values of one type, as items carry them.
    """

    classes: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.classes)

    def __contains__(self, value: Any) -> bool:
        return type(value) is type(self.classes[0]) and value in self._numbers

    def number_of(self, value: Any) -> int:
        """Return the number of one class, which must be a known one."""
        return self._numbers[value]

    def decode(self, labels: Labels) -> Array:
        """Return classes for numbers; names as an array of objects."""
        return self._values[labels]

    def translate(self, labels: Labels, into: "LabelEncoding") -> Labels | None:
        """Return the numbers that classes have in another encoding; None if one has none."""
        table = np.array([into._numbers.get(each, -1) for each in self.classes], np.int64)
        found = table[labels]
        return None if (found < 0).any() else found

    @classmethod
    def union(cls, encodings: Iterable["LabelEncoding"]) -> "LabelEncoding":
        """Return the classes of several: those of the first, if they are all, or else sorted."""
        first, *others = encodings
        classes = dict.fromkeys(each for one in others for each in one.classes)
        if all(each in first for each in classes):
            return first
        return cls(tuple(sorted({**classes, **dict.fromkeys(first.classes)})))

    @cached_property
    def _numbers(self) -> dict[Any, int]:
        return {value: k for k, value in enumerate(self.classes)}

    @cached_property
    def _values(self) -> Array:
        return np.array(self.classes, object if isinstance(self.classes[0], NAMES) else None)


BOOLEANS = LabelEncoding((False, True))
SIGNS = LabelEncoding((-1, 1))


def is_signs(labels: Labels) -> bool:
    """Return whether labels are -1 and +1, the classes of support vector machines."""
    return (
        len(labels) > 0
        and labels[0] in (-1, 1)
        and int(labels.min()) == -1
        and int(labels.max()) == 1
        and bool(labels.all())
    )


def is_categorical(values: Any) -> bool:
    """Return whether values are pandas' ``Categorical``, or alike."""
    return hasattr(values, "categories") and hasattr(values, "codes")


def holds_names(values: Any) -> bool:
    """Return whether a list or array may consist of names."""
    if isinstance(values, np.ndarray):
        return values.ndim == 1 and values.dtype.kind in "USTO"
    if isinstance(values, list | tuple):
        return len(values) > 0 and isinstance(values[0], NAMES)
    return hasattr(type(values), "factorize")


def encoded_names(values: Any) -> tuple[Labels, LabelEncoding] | None:
    """Return names as numbers in sorted order; None if not all are of one type of names."""
    labels, names = _in_order_of_appearance(values)
    kinds = set(map(type, names))
    if len(kinds) != 1 or not issubclass(next(iter(kinds)), NAMES) or (labels < 0).any():
        return None
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return rank[labels], LabelEncoding(tuple(names[k] for k in order))


def encoded_categories(values: Any) -> tuple[Labels, LabelEncoding]:
    """Return the numbers of categories, in their own order; -1 where a label is missing."""
    return np.array(values.codes, np.int64), LabelEncoding(tuple(values.categories.tolist()))


def _in_order_of_appearance(values: Any) -> tuple[Labels, list[Any]]:
    """Return each value's number, and the distinct values; -1 where one is missing."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "US":
        found = _by_hash(values)
        if found is not None:
            return found
    elif hasattr(type(values), "factorize"):  # pandas' arrays know how to, faster
        labels, names = values.factorize()
        return np.asarray(labels, np.int64), list(names)
    listed: Iterable[Any] = values
    if isinstance(values, np.ndarray):  # a list of them all would take as much memory again
        parts = range(0, len(values), _CHUNK)
        listed = chain.from_iterable(values[at : at + _CHUNK].tolist() for at in parts)
    numbers: defaultdict[Any, int] = defaultdict(count().__next__)
    try:
        labels = np.fromiter(map(numbers.__getitem__, listed), np.int64, len(values))
    except TypeError:  # what cannot be hashed is no name
        return np.zeros(0, np.int64), []
    return labels, [x.item() if isinstance(x, np.str_ | np.bytes_) else x for x in numbers]


def _by_hash(values: NDArray[Any]) -> tuple[Labels, list[Any]] | None:
    """Number texts of fixed width by 64-bit hashes; None if two of them have one hash."""
    # Comparing texts costs far more than comparing integers. A chunk at a time, nearly everything
    # is in the cache of the processor.
    if values.itemsize == 0 or len(values) == 0:
        return None
    texts = np.ascontiguousarray(values).view(f"V{values.itemsize}")
    size = next(size for size in (8, 4, 1) if values.itemsize % size == 0)
    words = texts.view(f"u{size}").reshape(len(values), -1)
    labels = np.empty(len(values), np.int64)
    known = _hashes(words[:1])  # the distinct hashes, by number
    first, numbers = np.zeros(1, np.int64), {known.item(): 0}
    guesses = np.zeros(1 << _GUESSED_BITS, np.int64)  # a number for the first bits of a hash
    for start in range(0, len(values), _CHUNK):
        some = slice(start, start + _CHUNK)
        hashes = _hashes(words[some])
        found = guesses[hashes >> np.uint64(64 - _GUESSED_BITS)]
        wrong = np.flatnonzero(known[found] != hashes)
        if len(wrong):
            distinct, at, inverse = np.unique(hashes[wrong], return_index=True, return_inverse=True)
            its = np.array([numbers.setdefault(h, len(numbers)) for h in distinct.tolist()])
            found[wrong] = its[inverse]
            guesses[distinct >> np.uint64(64 - _GUESSED_BITS)] = its
            new = its >= len(known)
            known = np.concatenate([known, distinct[new]])
            first = np.concatenate([first, start + wrong[at[new]]])
        same_as = texts[first].take(found).view(f"u{size}")
        if not np.array_equal(same_as, words[some].reshape(-1)):
            return None
        labels[some] = found
    return labels, values[first].tolist()


def _hashes(words: NDArray[Any]) -> NDArray[np.uint64]:
    hashes = np.zeros(len(words), np.uint64)
    for column in words.T:
        hashes ^= column
        hashes *= _MULTIPLIER
    return hashes
