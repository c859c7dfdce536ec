"""Read inputs and labels at some positions of a data set, no item twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from corruptlab._types import Array, Ids, Labels, MapDataset
from corruptlab.corruptions._corrupted import Corrupted, checked_length, corrupt
from corruptlab.corruptions._fields import Fields
from corruptlab.corruptions._find_fields import fields_of
from corruptlab.corruptions._find_labels import class_of, lists_labels
from corruptlab.corruptions._inputs import stacked
from corruptlab.corruptions._read_inputs import items_at


class ExampleReader(Protocol):
    """Positions in, inputs and labels out.

    Example:
        >>> import numpy as np
        >>> from corruptlab.corruptions import ExampleReader, example_reader
        >>> read: ExampleReader = example_reader([(np.zeros(2), 1), (np.ones(2), 0)])
        >>> read(np.array([1]))
        (array([[1., 1.]]), array([0]))
    """

    @property
    def targets(self) -> Labels | None:
        """All labels, shape ``(n,)``, if they are known without reading the inputs."""

    def __call__(self, at: Ids, /) -> tuple[Array, Labels]:
        """Return the inputs, shape ``(k, ...)``, and the labels, shape ``(k,)``, at ``at``."""


def example_reader(dataset: MapDataset[Any]) -> ExampleReader:
    """Return the fastest way to read examples of a data set, a batch at a time.

    Args:
        dataset: Any map-style data set of (input, label) items of one shape. Fields that were
            named to `corrupt` are known.

    Returns:
        A function from positions to inputs and labels, which can be pickled if the data set can.

    Raises:
        TypeError: If the data set is not map-style.
        ValueError: If it is empty.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> from corruptlab.corruptions import example_reader
        >>> read = example_reader(cl.datasets.fashion_mnist_mini("train"))
        >>> images, labels = read(np.array([5, 0, 5]))
        >>> images.shape, labels
        ((3, 1, 28, 28), array([2, 9, 2]))
    """
    checked_length(dataset)
    if isinstance(dataset, Corrupted):
        return _Listed(dataset)
    fields = fields_of(dataset, dataset[0])
    if lists_labels(dataset, fields):
        # Nothing is done to it; it knows the fastest way to read its inputs.
        return _Listed(corrupt(dataset))
    return _Items(dataset, fields)


def served_labels(dataset: MapDataset[Any], at: Sequence[int]) -> list[int]:
    """Return labels as the items carry them, whatever the data set lists elsewhere.

    Args:
        dataset: Any map-style data set.
        at: Positions.

    Returns:
        One label a position.

    Example:
        >>> import numpy as np
        >>> from corruptlab.corruptions import served_labels
        >>> served_labels([(np.zeros(2), 1), (np.ones(2), 0)], [1, 0, 1])
        [0, 1, 0]
    """
    items = items_at(dataset, at)
    fields = [fields_of(dataset, item) for item in items]
    return [int(class_of(item[f.label])) for item, f in zip(items, fields, strict=True)]


@dataclass(frozen=True)
class _Listed:
    source: Corrupted

    @property
    def targets(self) -> Labels:
        return self.source.targets

    def __call__(self, at: Ids, /) -> tuple[Array, Labels]:
        return self.source.inputs_at(at), self.source.targets[at].copy()


@dataclass(frozen=True)
class _Items:
    dataset: Any
    fields: Fields
    targets: None = None

    def __call__(self, at: Ids, /) -> tuple[Array, Labels]:
        items = items_at(self.dataset, at.tolist())
        labels = [class_of(item[self.fields.label]) for item in items]
        return stacked([item[self.fields.input] for item in items]), np.array(labels, np.int64)
