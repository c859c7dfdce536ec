"""Examples that do not fit on the device: read by a ``DataLoader`` while the device works."""

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from corruptlab._draws import Draws
from corruptlab._random_state import seeded_generators
from corruptlab._types import Ids, MapDataset
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

Asked: TypeAlias = tuple[Ids, int]
"""Which examples to read, shape ``(b,)``, and the seed of what their data set draws meanwhile."""


class Stream:
    """One data set, read batch by batch; each process reads only its own share.

    Worker processes read and stack the stored inputs; cropping, augmentation, and whitening are
    done on the device. If the data set itself draws at random, from the global generators, it
    draws anew in every batch of every epoch, and the same in any number of workers and after a
    resumption.

    Args:
        dataset: Map-style data set of inputs of one shape and integer labels.
        role: What the user calls this data set.
        preparation: What is done to the inputs.
        processes: Who takes part in the fit.
        seed: Decides the data order, the augmentation, and what the data set draws.
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
        in_all = -(-len(self) // size)
        steps = np.arange(start, in_all) + epoch * in_all
        loaded = self._loaded([ids.numpy() for ids, _ in shares], self._words("", steps))
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
        own = np.arange(share.start, share.stop)
        batches = [own[first : first + size] for first in range(0, len(own), size)]
        words = self._words("/in order", np.arange(len(batches)))
        for inputs, targets in self._loaded(batches, words):
            yield self._seen(self._preparation.fixed(inputs)), targets

    def check_labels(self, num_classes: int) -> None:
        """Refuse labels that have no output: now, or, if they are not known, in every batch read.

        Args:
            num_classes: Outputs of the network.
        """
        if (known := self.targets) is not None:
            check_labels(known, self._role, num_classes=num_classes)
        self._num_classes = num_classes

    def first(self, count: int) -> Tensor:
        """Return some inputs as the network takes them.

        Args:
            count: How many.
        """
        return self._preparation.fixed(self._stored(count))

    def digest(self) -> str:
        """Return what tells these examples from others: a few of them, and all known labels."""
        inputs, targets = _Reads(self._read)[np.array(spots(len(self))), 0]
        known = self.targets
        shape = (len(self), *inputs.shape[1:])
        return digest_of(shape, inputs, targets if known is None else known)

    def _stored(self, count: int) -> Tensor:
        inputs, _ = _Reads(self._read)[np.arange(min(count, len(self))), 0]
        return inputs.to(self._processes.device)

    def _words(self, purpose: str, steps: Ids) -> list[int]:
        rank = f"/{self._processes.rank}" if self._processes.rank else ""
        stream = f"fit/reading/{self._role}{purpose}{rank}"
        words: list[int] = Draws(self._seed).integers(stream, steps, 2**31).tolist()
        return words

    def _loaded(
        self, batches: Sequence[Ids], words: Sequence[int]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        device = self._processes.device
        on_gpu = device.type == "cuda"
        loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
            _Reads(self._read),
            batch_size=None,  # what is asked for is a whole batch
            sampler=list(zip(batches, words, strict=True)),
            num_workers=min(self._workers, len(batches)),
            pin_memory=on_gpu,
            # A loader draws a seed for its workers; no global generator shall move for that.
            generator=torch.Generator().manual_seed(0),
        )
        try:
            for ids, (inputs, targets) in zip(batches, _started(loader), strict=True):
                check_finite(inputs, self._role, ids.tolist())
                if self._num_classes is not None:
                    check_labels(targets, self._role, num_classes=self._num_classes)
                yield (
                    inputs.to(device, non_blocking=on_gpu),
                    targets.to(device, non_blocking=on_gpu),
                )
        except BaseException as error:
            if loader.num_workers:  # which live as long as the traceback knows their loader
                traceback.clear_frames(error.__traceback__)
            raise

    def _seen(self, inputs: Tensor) -> Tensor:
        if self._channels_last and inputs.ndim == 4:
            return inputs.contiguous(memory_format=torch.channels_last)
        return inputs


def _started(loader: DataLoader[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    with torch.device("cpu"):  # of the loader's generator, whatever the default is
        return iter(loader)


@dataclass(frozen=True)
class _Reads(Dataset[tuple[Tensor, Tensor]]):
    """Whole batches as the items of a data set."""

    read: ExampleReader

    def __getitem__(self, asked: Asked) -> tuple[Tensor, Tensor]:
        at, word = asked
        with seeded_generators(word):
            inputs, targets = self.read(at)
        return torch.from_numpy(inputs), torch.from_numpy(targets)
