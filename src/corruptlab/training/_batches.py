"""Batches gathered on the device, in a data order that is a function of seed and epoch."""

from collections.abc import Iterator

import torch
from torch import Tensor

from corruptlab._draws import Draws
from corruptlab.training._examples import Examples


class Batches:
    """Batches of examples that live on the device.

    A batch is gathered into one buffer that the next batch overwrites, which spares the
    allocation of fresh memory at every step; and a network that changes its input in
    place cannot reach the data.

    Args:
        examples: The examples.
        size: Examples in a batch, >= 1; the last batch holds what is left.
    """

    def __init__(self, examples: Examples, size: int) -> None:
        self._examples, self._size = examples, min(size, len(examples))
        self._inputs = torch.empty_like(examples.inputs[: self._size])
        self._targets = torch.empty_like(examples.targets[: self._size])

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-len(self._examples) // self._size)

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all examples as they stand, batch by batch."""
        for start in range(0, len(self._examples), self._size):
            inputs = self._examples.inputs[start : start + self._size]
            targets = self._examples.targets[start : start + self._size]
            yield self._inputs[: len(inputs)].copy_(inputs), targets

    def shuffled(self, order: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the examples in the given order, batch by batch.

        Args:
            order: A permutation of the example numbers, ``int64``, shape ``(n,)``, on the device.
        """
        for start in range(0, len(order), self._size):
            ids = order[start : start + self._size]
            inputs, targets = self._inputs[: len(ids)], self._targets[: len(ids)]
            torch.index_select(self._examples.inputs, 0, ids, out=inputs)
            torch.index_select(self._examples.targets, 0, ids, out=targets)
            yield inputs, targets


def data_order(seed: int, epoch: int, n: int) -> Tensor:
    """Return the order in which one epoch visits the examples.

    Args:
        seed: The seed of the fit.
        epoch: Number of the epoch, counted from 0.
        n: Number of examples.

    Returns:
        Permutation ``epoch`` of the stream ``"fit/order"``, ``int64``, shape ``(n,)``. Any epoch
        can be asked for directly, so that a resumed fit needs no history.
    """
    return torch.from_numpy(Draws(seed).permutations("fit/order", [epoch], n)[0])
