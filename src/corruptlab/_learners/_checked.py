"""Inputs that no learner can take: rows of different shapes, and infinite numbers."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from corruptlab._arrays import to_numpy


def check_inputs(whole: Any, name: str) -> None:
    """Reject ragged rows and infinite numbers."""
    # NaN is a missing value, as in pandas and scikit-learn: some learners take it, and others
    # refuse it in their own words.
    if isinstance(whole, list) or (isinstance(whole, np.ndarray) and whole.dtype == object):
        _check_one_shape(whole, name)
    for numbers in _numbers(whole):
        infinite = np.isinf(numbers)
        if infinite.any():
            first = tuple(int(places[0]) for places in infinite.nonzero())
            raise ValueError(
                f"`{name}` must have inputs without infinite numbers, got {numbers[first]}"
                f"{'' if hasattr(whole, 'tocsr') else f' in row {first[0]}'}."
            )


def _check_one_shape(rows: Sequence[Any] | NDArray[Any], name: str) -> None:
    if len(rows) == 0 or not isinstance(rows[0], list | tuple | np.ndarray | Tensor):
        return
    first = _shape(rows[0])
    for place, row in enumerate(rows):
        if (shape := _shape(row)) is None or shape != first:
            got = "a ragged list" if shape is None else f"shape {shape}"
            raise ValueError(
                f"`{name}` must have inputs of one shape, got {got} in row {place}"
                f"{'' if first is None else f' and shape {first} in row 0'}."
            )


def _shape(row: Any) -> tuple[int, ...] | None:
    """Return the shape of a row; None if it is ragged itself."""
    try:
        return tuple(row.shape) if hasattr(row, "shape") else np.shape(row)
    except ValueError:
        return None


def _numbers(whole: Any) -> Iterator[NDArray[Any]]:
    """Yield the floats of a container, one row for each of its rows as far as it has any."""
    if hasattr(whole, "iloc"):
        for place in range(whole.shape[1] if whole.ndim == 2 else 0):
            yield from _numbers(whole.iloc[:, place].to_numpy())
        return
    if hasattr(whole, "tocsr"):
        whole = whole.data
    if isinstance(whole, list):
        whole = np.array(whole) if _holds_numbers(whole) else None
    if isinstance(whole, Tensor | np.ndarray):
        values = to_numpy(whole)
        if values.dtype == object:
            values = np.vectorize(_as_float, otypes=[float])(values) if values.size else values
        if values.dtype.kind == "f":
            yield values


def _holds_numbers(rows: Sequence[Any]) -> bool:
    first = rows[0] if rows else None
    while isinstance(first, list | tuple) and first:
        first = first[0]
    return isinstance(first, int | float | np.number | np.ndarray | Tensor)


def _as_float(value: Any) -> float:
    return value if isinstance(value, float) else 0.0
