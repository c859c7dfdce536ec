"""Read inputs and labels of a data set: at some positions, or all at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch

from corruptlab import _data
from corruptlab._structured import bare
from corruptlab._types import Array, Ids, Labels, MapDataset


class ExampleReader(Protocol):
    """Protocol of a function from positions to inputs and labels.

    Example:
        >>> import numpy as np
        >>> from corruptlab.corruptions import ExampleReader, example_reader
        >>> read: ExampleReader = example_reader([(np.zeros(2), 1), (np.ones(2), 0)])
        >>> read(np.array([1]))
        (array([[1., 1.]]), array([0]))
    """

    @property
    def targets(self) -> Labels | None:
        """All labels, shape ``(n,)``; None if they are unknown without reading inputs."""

    def __call__(self, at: Ids, /) -> tuple[Array, Labels]:
        """Return the inputs, shape ``(k, ...)``, and labels, shape ``(k,)``, at the positions."""


def example_reader(dataset: MapDataset[Any]) -> ExampleReader:
    """Return a function that reads batches of examples of a data set in the fastest way.

    Args:
        dataset: Any map-style data set of (input, label) items of one shape, or a pair of arrays.
            Fields that were named to `corrupt` are known.

    Returns:
        A function from positions to inputs and labels; it can be pickled if the data set can.

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
    return _Reader(_data.open_dataset(dataset))


@dataclass(frozen=True)
class _Reader:
    examples: _data.Examples

    @cached_property
    def targets(self) -> Labels | None:
        return self.examples.listed_labels()

    def __call__(self, at: Ids, /) -> tuple[Array, Labels]:
        return self.examples.examples_at(at)


def served_labels(dataset: MapDataset[Any], at: Sequence[int]) -> list[int]:
    """Return the labels of the items, regardless of label attributes of the data set.

    Args:
        dataset: Any map-style data set.
        at: Positions.

    Returns:
        One label per position.

    Example:
        >>> import numpy as np
        >>> from corruptlab.corruptions import served_labels
        >>> served_labels([(np.zeros(2), 1), (np.ones(2), 0)], [1, 0, 1])
        [0, 1, 0]
    """
    labels: list[int] = _data.open_dataset(dataset).labels_at(at).tolist()
    return labels


def materialize(
    dataset: MapDataset[Any], *, progress: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Read a whole data set, corrupted or not, into two tensors.

    The data set is read in one pass, in chunks of 1,024 examples, so the additional memory is
    bounded. Random transforms of the data set are applied once.

    Args:
        dataset: Any map-style data set of (input, label) items of one shape, or a pair of arrays
            ``(X, y)``. For items with other fields, name the fields to `corrupt` first.
        progress: Whether to show progress on standard error.

    Returns:
        Inputs, shape ``(n, ...)``, in the type they are stored in (PIL images as ``uint8`` with the
        channels first), and labels, ``int64``, shape ``(n,)``. Inputs that are dictionaries or
        tuples become a dictionary or tuple of such tensors.

    Raises:
        TypeError: If the data set is not map-style, or an input or label is of a wrong type.
        ValueError: If the data set is empty, or the inputs have different shapes.

    Example:
        >>> import corruptlab as cl
        >>> train = cl.datasets.fashion_mnist_mini("train")
        >>> images, labels = cl.materialize(cl.corrupt(train, cl.RandomLabels(), seed=0))
        >>> images.shape, images.dtype, labels.shape
        (torch.Size([4000, 1, 28, 28]), torch.uint8, torch.Size([4000]))
    """
    read, labels = _data.open_dataset(dataset).tensors(progress=progress)
    inputs: torch.Tensor = bare(read)
    return inputs, labels
