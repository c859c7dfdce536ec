"""Read the inputs of a data set in batches, as fast as its kind allows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import Subset

from corruptlab._types import Array, Ids
from corruptlab.corruptions._arrays import to_numpy
from corruptlab.corruptions._fields import Fields, spots
from corruptlab.corruptions._inputs import stacked

CHUNK = 1024
"""Examples read at a time in a pass over a data set: what bounds the extra memory."""


class InputReader(Protocol):
    """Positions in, inputs out: one batch of shape ``(k, ...)``."""

    def __call__(self, at: Ids, /) -> Array:
        """Return the inputs at positions ``at``."""


def input_reader(dataset: Any, fields: Fields) -> InputReader:
    """Return the fastest way to read the inputs of a data set.

    Corrupted data sets corrupt whole batches; a `Subset` reads from the data set it is cut
    from; ``dataset.tensors`` is sliced, if it agrees with a few items; items are read one by one
    from all others.

    Args:
        dataset: Any map-style data set.
        fields: Where its items keep the input.

    Returns:
        A function from positions to a batch, which can be pickled if the data set can.
    """
    if hasattr(dataset, "inputs_at"):
        reader: InputReader = dataset.inputs_at
        return reader
    if isinstance(dataset, Subset):
        indices = np.asarray(dataset.indices, np.int64)
        return _Cut(input_reader(dataset.dataset, fields), indices)
    stored = _stored(dataset, fields)
    return _Items(dataset, fields) if stored is None else _Stored(stored)


@dataclass(frozen=True)
class _Cut:
    whole: InputReader
    indices: Ids

    def __call__(self, at: Ids, /) -> Array:
        return self.whole(self.indices[at])


@dataclass(frozen=True)
class _Stored:
    inputs: torch.Tensor

    def __call__(self, at: Ids, /) -> Array:
        return to_numpy(self.inputs[torch.from_numpy(at)])


@dataclass(frozen=True)
class _Items:
    dataset: Any
    fields: Fields

    def __call__(self, at: Ids, /) -> Array:
        items = items_at(self.dataset, at.tolist())
        return stacked([item[self.fields.input] for item in items])


def chunks(n: int) -> Iterator[Ids]:
    """Yield the positions 0 .. n - 1, a chunk at a time."""
    for start in range(0, n, CHUNK):
        yield np.arange(start, min(start + CHUNK, n))


def items_at(dataset: Any, at: Sequence[int]) -> Sequence[Any]:
    """Return some items, in one call where the data set offers one."""
    batched = getattr(dataset, "__getitems__", None)
    if batched is not None:
        items: Sequence[Any] = batched(list(at))
        return items
    return [dataset[i] for i in at]


def _stored(dataset: Any, fields: Fields) -> torch.Tensor | None:
    """Return the tensor that holds all inputs, if the items are just its rows."""
    tensors = getattr(dataset, "tensors", None)
    if not (
        isinstance(tensors, tuple)
        and isinstance(fields.input, int)
        and fields.input < len(tensors)
        and isinstance(tensors[fields.input], torch.Tensor)
    ):
        return None
    inputs: torch.Tensor = tensors[fields.input]
    for i in spots(len(dataset)):
        served = dataset[i][fields.input]
        if not isinstance(served, torch.Tensor) or not torch.equal(served, inputs[i]):
            return None
    return inputs
