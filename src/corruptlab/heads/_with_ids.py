"""Data sets whose items contain the example id."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from corruptlab._checks import position_of
from corruptlab._data import Fields, Provenance, Traced, open_dataset
from corruptlab._structured import bare
from corruptlab._types import Array, Ids, MapDataset

_NAME = "example_id"


class WithIds(Traced):
    """A data set whose items contain the example id; returned by `with_ids`.

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
        self.dataset: Any = examples.dataset
        self.fields: Fields = examples.fields
        self._source = examples.source
        self.provenance: Provenance = examples.provenance()

    @property
    def ids(self) -> Ids:
        """Example ids, ``int64``, shape ``(n,)``."""
        return self.provenance.ids

    def inputs_at(self, indices: ArrayLike) -> Array:
        """Return the inputs at the given positions as one batch.

        Args:
            indices: Positions in ``0 .. n - 1``, shape ``(k,)``.

        Returns:
            Array of shape ``(k, ...)`` of the stored dtype; PIL images are channels-first. For
            inputs with several fields, a dictionary or tuple of such arrays.
        """
        inputs: Array = bare(self._source.inputs(np.asarray(indices, np.int64)))
        return inputs

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.ids)

    def __getitem__(self, index: SupportsIndex) -> Any:
        """Return one item with its example id.

        Args:
            index: Position; negative positions count from the end.

        Returns:
            The item with the id as its last element, or as ``"example_id"``.

        Raises:
            IndexError: If the position is out of range.
        """
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[SupportsIndex]) -> list[Any]:
        """Return several items with their example ids.

        Args:
            indices: Positions; negative positions count from the end.

        Returns:
            One item per position.

        Raises:
            IndexError: If a position is out of range.
        """
        at = np.array([position_of(index, len(self)) for index in indices], np.int64)
        items = zip(self._source.items(at), self.ids[at].tolist(), strict=True)
        return [_numbered(item, number) for item, number in items]

    def __iter__(self) -> Iterator[Any]:
        """Yield the items one by one."""
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"WithIds({type(self.dataset).__name__}, {len(self)} examples)"


def with_ids(dataset: MapDataset[Any]) -> WithIds:
    """Return a data set whose items contain the example id.

    The id of an example is its position in the original data set. It does not change in a
    ``Subset``, a ``ConcatDataset``, or a data set returned by `corrupt`, and determines the random
    numbers of the example. The id is the last element of a tuple or list and the field
    ``"example_id"`` of a dictionary. Named tuples become tuples.

    Args:
        dataset: Any map-style data set of (input, label) items, or a pair of arrays ``(X, y)``.

    Returns:
        The same examples with ids, which a ``DataLoader`` collates to ``int64``.

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
