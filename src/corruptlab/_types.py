"""Types of arrays and data sets that every room uses."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Labels: TypeAlias = NDArray[np.int64]
"""Class labels, shape ``(n,)``, values ``0 .. num_classes - 1``."""

Ids: TypeAlias = NDArray[np.int64]
"""Example numbers, shape ``(n,)``: the identity of an example, whatever its position."""

Array: TypeAlias = NDArray[Any]
"""A batch of inputs, shape ``(n, ...)``, of any real or integer type."""

Collate: TypeAlias = Callable[[list[Any]], Any]
"""A function that makes a batch of a list of items, as ``collate_fn`` of a ``DataLoader``."""

Item_co = TypeVar("Item_co", covariant=True)


class MapDataset(Protocol[Item_co]):
    """A map-style data set: anything with a length and items by position."""

    def __len__(self) -> int:
        """Return the number of examples."""

    def __getitem__(self, index: int, /) -> Item_co:
        """Return one example."""
