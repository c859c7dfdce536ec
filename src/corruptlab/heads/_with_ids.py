"""Items that carry the number of their example."""

import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from corruptlab._data import Traced, open_dataset
from corruptlab._types import Array, Ids, MapDataset

_NAME = "example_id"


class WithIds(Traced):
    """A data set whose items carry the number of their example; `with_ids` builds it.

    Args:
        dataset: Any map-style data set of (input, label) items, or a pair of arrays ``(X, y)``.

    Attributes:
        dataset: The wrapped data set.

    Raises:
        TypeError: If ``dataset`` is not map-style, or a label is not one integer class.
        ValueError: If ``dataset`` is empty.

    Example:
        >>> import corruptlab as cl
        >>> cl.heads.WithIds([("a", 0), ("b", 1)])[1]
        ('b', 1, 1)
    """

    def __init__(self, dataset: MapDataset[Any]) -> None:
        examples = open_dataset(dataset)
        self.dataset, self.fields, self._source = examples.dataset, examples.fields, examples.source
        self.provenance = examples.provenance()

    @property
    def ids(self) -> Ids:
        """Number of each example, ``int64``, shape ``(n,)``."""
        return self.provenance.ids

    def inputs_at(self, indices: ArrayLike) -> Array:
        """Return the inputs at some positions as one batch.

        Args:
            indices: Positions in ``0 .. n - 1``, shape ``(k,)``.

        Returns:
            Array of shape ``(k, ...)`` in the stored type; PIL images with the channels first.
        """
        return self._source.inputs(np.asarray(indices, np.int64))

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.ids)

    def __getitem__(self, index: SupportsIndex) -> Any:
        """Return one item with its number.

        Args:
            index: Position; negative ones count from the end.

        Returns:
            The item, with the number at its end, or as its ``"example_id"``.

        Raises:
            IndexError: If the position is out of range.
        """
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[SupportsIndex]) -> list[Any]:
        """Return several items with their numbers.

        Args:
            indices: Positions; negative ones count from the end.

        Returns:
            One item for each position.

        Raises:
            IndexError: If a position is out of range.
        """
        at = np.array([self._position(index) for index in indices], np.int64)
        items = zip(self._source.items(at), self.ids[at].tolist(), strict=True)
        return [_numbered(item, number) for item, number in items]

    def _position(self, index: SupportsIndex) -> int:
        position, n = operator.index(index), len(self)
        if not -n <= position < n:
            raise IndexError(f"`index` must lie in {-n} .. {n - 1}, got {position}.")
        return position % n

    def __iter__(self) -> Iterator[Any]:
        """Yield the items one by one."""
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"WithIds({type(self.dataset).__name__}, {len(self)} examples)"


def with_ids(dataset: MapDataset[Any]) -> WithIds:
    """Return a data set whose items carry the number of their example.

    The number follows the example through `Subset`, `ConcatDataset`, and `corrupt`, as all
    randomness of corruptlab does; a data set of its own has its positions as numbers. A tuple or
    list gets it as its last element, a named tuple becomes a tuple, and a dictionary gets it as
    ``"example_id"``.

    Args:
        dataset: Any map-style data set of (input, label) items, or a pair of arrays ``(X, y)``.

    Returns:
        The same examples, with numbers that a ``DataLoader`` collates to ``int64``.

    Raises:
        TypeError: If ``dataset`` is not map-style, or a label is not one integer class.
        ValueError: If ``dataset`` is empty.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> train = cl.corrupt([("a", 0), ("b", 1), ("c", 1)], cl.RandomLabels(), seed=0)
        >>> cl.with_ids(torch.utils.data.Subset(train, [2, 0]))[0]
        ('c', 1, 2)
    """
    return WithIds(dataset)


def _numbered(item: Any, number: int) -> Any:
    if isinstance(item, Mapping):
        if _NAME in item:
            raise ValueError(f"`dataset` must have items without a field {_NAME!r}, got one.")
        return {**item, _NAME: number}
    return [*item, number] if isinstance(item, list) else (*item, number)
