"""Examples that do not fit on the device: read by a ``DataLoader`` while the device works."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from corruptlab._types import MapDataset
from corruptlab.corruptions import ExampleReader, example_reader
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


class Stream:
    """One data set, read batch by batch; each process reads only its own share.

    Worker processes read and stack the stored inputs; cropping, augmentation, and whitening are
    done on the device.

    Args:
        dataset: Map-style data set of inputs of one shape and integer labels.
        role: What the user calls this data set.
        preparation: What is done to the inputs.
        processes: Who takes part in the fit.
        seed: Decides the data order and the augmentation.
        workers: Processes that read, >= 0.

    Raises:
        ValueError: If an input is not finite, or cannot be prepared so.
    """

    def __init__(
        self,
        dataset: MapDataset[Any],
        role: str,
        *,
        preparation: Preparation,
        processes: Processes,
        seed: int,
        workers: int,
    ) -> None:
        self._role, self._seed, self._processes = role, seed, processes
        self._preparation = preparation
        self._augmented = preparation.augmentation is not None and role == "train"
        self._length = len(dataset)
        self._read = example_reader(dataset)
        self._workers = workers
        self._channels_last = False
        self._num_classes: int | None = None
        preparation.check(self._stored(1), role)
        self._draws: Tensor | None = None

    @property
    def role(self) -> str:
        """What the user calls this data set."""
        return self._role

    def __len__(self) -> int:
        return self._length

    @property
    def targets(self) -> Tensor | None:
        """All labels, if they are known without reading the inputs."""
        known = self._read.targets
        return None if known is None else torch.from_numpy(known.copy())

    def lay_out(self, *, channels_last: bool) -> None:
        """Choose how images lie in memory; the values stay.

        Args:
            channels_last: Whether the channels of a pixel lie side by side.
        """
        self._channels_last = channels_last

    def shuffled(self, epoch: int, size: int, start: int) -> Iterator[Batch]:
        """Yield this process's share of the batches of one epoch; see `Source`."""
        order = data_order(self._seed, epoch, len(self))
        starts = range(start * size, len(self), size)
        shares = [own_share(order[first : first + size], self._processes) for first in starts]
        draws = None
        if self._augmented and self._preparation.augmentation is not None:
            draws = augmentation_draws(
                self._preparation.augmentation, seed=self._seed, epoch=epoch, n=len(self)
            )
        loaded = self._loaded([ids for ids, _ in shares])
        for (ids, weight), (inputs, targets) in zip(shares, loaded, strict=True):
            if draws is not None:
                moved = draws[ids].to(inputs.device, non_blocking=True)
                seen = self._preparation.augmented(inputs, moved)
            else:
                seen = self._preparation.fixed(inputs)
            yield Batch(self._seen(seen), targets, weight)

    def in_order(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this process's share of all examples; see `Source`."""
        share = self._processes.share(len(self))
        own = torch.arange(share.start, share.stop)
        batches = [own[first : first + size] for first in range(0, len(own), size)]
        for inputs, targets in self._loaded(batches):
            yield self._seen(self._preparation.fixed(inputs)), targets

    def check_labels(self, num_classes: int) -> None:
        """Refuse labels that have no output, from now on in every batch that is read.

        Args:
            num_classes: Outputs of the network.
        """
        self._num_classes = num_classes

    def first(self, count: int) -> Tensor:
        """Return some inputs as the network takes them.

        Args:
            count: How many.
        """
        return self._preparation.fixed(self._stored(count))

    def digest(self) -> str:
        """Return what tells these examples from others: a few of them, and how many there are."""
        inputs, targets = _Batches(self._read, [torch.tensor(spots(len(self)))])[0]
        return digest_of((len(self), *inputs.shape[1:]), inputs, targets)

    def _stored(self, count: int) -> Tensor:
        inputs, _ = _Batches(self._read, [torch.arange(min(count, len(self)))])[0]
        return inputs.to(self._processes.device)

    def _loaded(self, batches: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        device = self._processes.device
        on_gpu = device.type == "cuda"
        loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
            _Batches(self._read, batches),
            batch_size=None,  # an item is a whole batch, and comes in the order asked for
            num_workers=min(self._workers, len(batches)),
            pin_memory=on_gpu,
            # With workers a loader draws a seed for them; no global generator shall move for that.
            generator=torch.Generator().manual_seed(0),
        )
        for ids, (inputs, targets) in zip(batches, loader, strict=True):
            check_finite(inputs, self._role, int(ids[0]))
            if self._num_classes is not None:
                check_labels(targets, self._role, num_classes=self._num_classes)
            yield (
                inputs.to(device, non_blocking=on_gpu),
                targets.to(device, non_blocking=on_gpu),
            )

    def _seen(self, inputs: Tensor) -> Tensor:
        if self._channels_last and inputs.ndim == 4:
            return inputs.contiguous(memory_format=torch.channels_last)
        return inputs


@dataclass(frozen=True)
class _Batches(Dataset[tuple[Tensor, Tensor]]):
    """Whole batches as the items of a data set."""

    read: ExampleReader
    batches: list[Tensor]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        inputs, targets = self.read(self.batches[index].numpy())
        return torch.from_numpy(inputs), torch.from_numpy(targets)
