"""Labelled rows of one length in memory, and how columns of a file become them."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from corruptlab._data_files import LARGEST, quoted, some
from corruptlab._draws import Draws
from corruptlab._errors import DataFileError
from corruptlab._text import counted
from corruptlab._types import Labels

Column: TypeAlias = Sequence[float] | Sequence[str]
"""Numbers, or the names of categories."""

_HELD_OUT = 5  # one row in so many is a test row
_MOST_CATEGORIES = 100
_SQUARES = 400  # squares of numbers with smaller exponents of two, summed, are numbers
INTEGER = re.compile(r"[+-]?\d+")


@dataclass(frozen=True, eq=False, repr=False)
class Table(Dataset[tuple[Tensor, int]]):
    """In-memory map-style data set of labelled rows: a table, or sequences of tokens.

    Items are ``(row, label)``: a tensor of shape ``(d,)`` and an ``int``. A row is a view of
    ``inputs``, so modifying it in place modifies the data set.

    Args:
        inputs: Inputs, shape ``(n, d)``: ``float32`` for a table, ``int64`` for tokens.
        targets: ``int64`` tensor of shape ``(n,)``, values ``0 .. len(classes) - 1``.
        classes: Name of each class, in the order of the labels.
        columns: Name of each column; empty for tokens.
        name: Name of the data set in tables and error messages.
        num_tokens: Size of the vocabulary; token ids are ``0 .. num_tokens - 1``. None for a table.

    Example:
        >>> rows, labels = torch.zeros(2, 3), torch.tensor([1, 0])
        >>> two = Table(rows, labels, classes=("ill", "well"), columns=("a", "b", "c"), name="two")
        >>> two
        Table('two': 2 rows of 3 numbers, 2 classes)
        >>> two[0]
        (tensor([0., 0., 0.]), 1)
    """

    inputs: Tensor
    targets: Tensor
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    name: str
    num_tokens: int | None = None

    @property
    def tensors(self) -> tuple[Tensor, Tensor]:
        """Pair ``(inputs, targets)`` of the whole data set, without a copy."""
        return self.inputs, self.targets

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.inputs[index], int(self.targets[index])

    def __repr__(self) -> str:
        what = "numbers" if self.num_tokens is None else "tokens"
        return (
            f"Table({self.name!r}: {len(self)} rows of {self.inputs.shape[1]} {what}, "
            f"{len(self.classes)} classes)"
        )


def coded(path: Path, labels: Sequence[str]) -> tuple[Labels, tuple[str, ...]]:
    """Return labels as positions among the classes, which are sorted, integers by their value."""
    found = set(labels)
    are_integers = all(map(INTEGER.fullmatch, found))
    # Python's `int` reads no more than 4,300 digits.
    key = (lambda text: (Decimal(text), text)) if are_integers else None
    classes = sorted(found, key=key)
    if len(classes) < 2:
        raise DataFileError(path, "at least two classes", f"{len(classes)}: {classes}")
    place = {name: k for k, name in enumerate(classes)}
    return np.array([place[label] for label in labels], np.int64), tuple(classes)


def held_out(path: Path, labels: Labels) -> NDArray[np.bool_]:
    """Return which rows are test rows: a fifth of each class, rounded down, drawn with seed 0."""
    order = Draws(0).permutations("table/split", [0], len(labels))[0]
    test = np.zeros(len(labels), np.bool_)
    for k in np.unique(labels):
        members = order[labels[order] == k]
        test[members[: len(members) // _HELD_OUT]] = True
    if not test.any():
        counts = np.bincount(labels)
        found = f"{len(counts):,} classes of at most {counted(int(counts.max()), 'row')}"
        raise DataFileError(path, f"a class of at least {_HELD_OUT} rows to hold one out", found)
    return test


def as_numbers(
    path: Path,
    columns: Mapping[str, Column],
    test: NDArray[np.bool_],
    where: Callable[[int], str],
) -> tuple[Tensor, tuple[str, ...]]:
    """Return columns as standardized ``float32``, with a column for each category."""
    names: list[str] = []
    parts: list[NDArray[np.float64]] = []
    for name, values in columns.items():
        found, numbers = _encoded(path, name, values, where)
        names += found
        parts.append(numbers)
        if len(values) * len(names) > LARGEST // 8:
            raise DataFileError(path, f"at most {LARGEST // 8:,} values in all", "more")
    for name, count in Counter(names).items():
        if count > 1:
            twice = f"{name!r} twice, once of a category"
            raise DataFileError(path, "different names of the columns", twice)
    whole = np.concatenate(parts, axis=1)
    inputs = _standardized(whole, ~test)
    if len(strays := np.argwhere(~np.isfinite(inputs))):
        row, column = strays[0].tolist()
        raise DataFileError(
            path,
            f"numbers in column {names[column]!r} that float32 can hold after standardization",
            f"{whole[row, column]} {where(row)}",
        )
    return torch.from_numpy(inputs), tuple(names)


def _standardized(inputs: NDArray[np.float64], train: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return columns with mean 0 and standard deviation 1 over the training rows."""
    # A power of two changes no digit; without it squares of very large or small numbers are not.
    exponents = np.frexp(np.abs(inputs).max(0))[1]
    if (extreme := np.abs(exponents) > _SQUARES).any():
        inputs = np.ldexp(inputs, np.where(extreme, -exponents, 0))
    seen = inputs[train]
    constant = seen.min(0) == seen.max(0)  # where rounding may leave a deviation above 0
    mean = np.where(constant, seen[0], seen.mean(0))
    std = seen.std(0)
    with np.errstate(over="ignore"):  # of test rows far from all training rows
        found = (inputs - mean) / np.where(constant | (std == 0), 1, std)
        return np.asarray(found, np.float32)


def _encoded(
    path: Path, name: str, values: Column, where: Callable[[int], str]
) -> tuple[list[str], NDArray[np.float64]]:
    """Return the names and the numbers ``(n, k)`` of what one column becomes."""
    if not isinstance(values[0], str):
        numbers = np.array(values, np.float64)
        if len(strays := np.flatnonzero(~np.isfinite(numbers))):
            at = int(strays[0])
            raise DataFileError(
                path, f"finite numbers in column {name!r}", f"{values[at]} {where(at)}"
            )
        return [name], numbers[:, None]
    categories, codes = np.unique(np.array(values), return_inverse=True)
    if len(categories) > _MOST_CATEGORIES:
        raise DataFileError(
            path,
            f"at most {_MOST_CATEGORIES} categories in column {name!r}",
            f"{len(categories):,}, such as {quoted(str(values[0]))} {where(0)} "
            "(leave out names and identifiers; of sentences, save the tokens)",
        )
    return [f"{name}={each}" for each in categories], np.eye(len(categories))[codes.reshape(-1)]


def split(
    inputs: Tensor,
    labels: Labels,
    test: NDArray[np.bool_],
    *,
    classes: tuple[str, ...],
    columns: tuple[str, ...],
    name: str,
) -> tuple[Table, Table]:
    """Return training rows and test rows."""
    tokens = None if inputs.is_floating_point() else int(inputs.max()) + 1
    train, rest = (
        Table(inputs[rows], torch.from_numpy(labels[rows]), classes, columns, name, tokens)
        for rows in (~test, test)
    )
    return train, rest


def listed(columns: Sequence[str]) -> str:
    """Return the names of columns for the "found" part of an error."""
    return f"the columns {some(columns).removeprefix('only ')}"
