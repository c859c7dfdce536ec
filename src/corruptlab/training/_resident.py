"""Examples that live on the device: moved there once, gathered there batch by batch."""

from collections.abc import Iterator

import torch
from torch import Tensor

from corruptlab.training._augmentation import augmentation_draws
from corruptlab.training._preparation import Preparation
from corruptlab.training._processes import Processes
from corruptlab.training._source import (
    Batch,
    check_finite,
    check_labels,
    data_order,
    digest_of,
    own_share,
    spots,
)


class Resident:
    """All inputs and labels of one data set on the device.

    Without augmentation the inputs are prepared once and for all; with it they stay as
    they are stored, and every batch is prepared when its turn comes.

    A batch is gathered into one buffer that the next batch overwrites, which spares the
    allocation of fresh memory at every step; and a network that changes its input in
    place cannot reach the data.

    Args:
        inputs: Stored inputs, shape ``(n, ...)``, on the device.
        targets: Labels, ``int64``, shape ``(n,)``, on the device.
        role: What the user calls this data set.
        preparation: What is done to the inputs.
        processes: Who takes part in the fit.
        seed: Decides the data order and the augmentation.

    Raises:
        ValueError: If an input is not finite, or cannot be prepared so.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        role: str,
        *,
        preparation: Preparation,
        processes: Processes,
        seed: int,
    ) -> None:
        preparation.check(inputs, role)
        self._role, self._seed, self._processes = role, seed, processes
        self._preparation = preparation
        self._augmented = preparation.augmentation is not None and role == "train"
        # As they are stored: what tells data sets apart shall not depend on a device's rounding.
        self._shape, self._some = inputs.shape, inputs[spots(len(inputs))].cpu()
        self.inputs = inputs if self._augmented else preparation.fixed(inputs)
        check_finite(self.inputs, role)
        self.targets = targets
        self._rows = self.inputs  # what batches are gathered from, in the wanted memory layout
        self._channels_last = False
        self._buffers: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def role(self) -> str:
        """What the user calls this data set."""
        return self._role

    def __len__(self) -> int:
        return len(self.targets)

    def lay_out(self, *, channels_last: bool) -> None:
        """Choose how images lie in memory; the values stay.

        Args:
            channels_last: Whether the channels of a pixel lie side by side.
        """
        wanted = channels_last and self.inputs.ndim == 4 and not self._augmented
        rows = self.inputs.permute(0, 2, 3, 1).contiguous() if wanted else self.inputs
        self._rows, self._channels_last, self._buffers = rows, channels_last, {}
        if wanted:
            self.inputs = rows.permute(0, 3, 1, 2)  # the same memory: there is no second copy

    def shuffled(self, epoch: int, size: int, start: int) -> Iterator[Batch]:
        """Yield this process's share of the batches of one epoch; see `Source`."""
        device = self.targets.device
        order = data_order(self._seed, epoch, len(self)).to(device)
        draws = self._draws(epoch)
        for first in range(start * size, len(self), size):
            ids, weight = own_share(order[first : first + size], self._processes)
            inputs, targets = self._gathered(ids)
            if draws is not None:
                inputs = self._preparation.augmented(inputs, draws[ids])
            yield Batch(self._seen(inputs), targets, weight)

    def in_order(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this process's share of all examples; see `Source`."""
        share = self._processes.share(len(self))
        for first in range(share.start, share.stop, size):
            some = slice(first, min(first + size, share.stop))
            inputs = self._rows[some]
            if self._augmented:
                inputs = self._preparation.fixed(inputs)
            else:
                inputs = self._buffer(len(inputs))[0].copy_(inputs)
            yield self._seen(inputs), self.targets[some]

    def check_labels(self, num_classes: int) -> None:
        """Refuse labels that have no output.

        Args:
            num_classes: Outputs of the network.
        """
        check_labels(self.targets, self._role, num_classes=num_classes)

    def first(self, count: int) -> Tensor:
        """Return some inputs as the network takes them, in memory of their own.

        Args:
            count: How many.
        """
        inputs = self.inputs[:count]
        return self._preparation.fixed(inputs) if self._augmented else inputs.clone()

    def digest(self) -> str:
        """Return what tells these examples from others: all labels and a few inputs."""
        return digest_of(self._shape, self._some, self.targets.cpu())

    def _draws(self, epoch: int) -> Tensor | None:
        if not self._augmented or self._preparation.augmentation is None:
            return None
        draws = augmentation_draws(
            self._preparation.augmentation, seed=self._seed, epoch=epoch, n=len(self)
        )
        return draws.to(self.targets.device)

    def _gathered(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        inputs, targets = self._buffer(len(ids))
        torch.index_select(self._rows, 0, ids, out=inputs)
        torch.index_select(self.targets, 0, ids, out=targets)
        return inputs, targets

    def _buffer(self, size: int) -> tuple[Tensor, Tensor]:
        if size not in self._buffers:
            if len(self._buffers) > 4:  # whole and last batches, in training and measuring
                self._buffers.clear()
            self._buffers[size] = (
                self._rows.new_empty((size, *self._rows.shape[1:])),
                self.targets.new_empty(size),
            )
        return self._buffers[size]

    def _seen(self, inputs: Tensor) -> Tensor:
        """Return a batch in the order of axes, and the memory layout, that the network takes."""
        if not self._channels_last or inputs.ndim != 4:
            return inputs
        if self._augmented:
            return inputs.contiguous(memory_format=torch.channels_last)
        return inputs.permute(0, 3, 1, 2)
