"""The examples of a fit on their way to the network: on the device at once, or batch by batch."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from corruptlab._arrays import check_classes, check_finite
from corruptlab._draws import Draws
from corruptlab._structured import Inputs, leaves_of, like_batch, tensors_of
from corruptlab._types import Ids
from corruptlab.training._distributed import Processes
from corruptlab.training._reading import BatchReader, LoaderWorkers
from corruptlab.training._recipe import Recipe
from corruptlab.training._statistics import reading_seeds
from corruptlab.training._transforms import augment, augmentation_draws


def is_augmented(recipe: Recipe, role: str) -> bool:
    """Return whether inputs are changed at random in every epoch."""
    changes = recipe.augmentation
    return role == "train" and changes is not None and not changes.is_identity


class Batch(NamedTuple):
    """One process's share of one batch, on the device, where the next batch may overwrite it."""

    inputs: Inputs  # as the network takes them, (b, ...)
    targets: Tensor  # int64, (b,)
    # What the mean loss of the share counts for in the mean over all processes, so that this is
    # the mean loss of the whole batch; 1 for a process alone.
    weight: float
    positions: Tensor  # of the examples in the data set, (b,), on the CPU; none where weight is 0


class DataSource(ABC):
    """The examples of one data set, prepared as the recipe says; each process sees its share."""

    classes: tuple[Any, ...] | None = None  # what the labels stand for, if they are no numbers
    is_collated = False  # by a function of the user, so that shapes may differ between batches

    def __init__(
        self, role: str, length: int, *, recipe: Recipe, processes: Processes, seed: int
    ) -> None:
        self.role, self.recipe, self._length = role, recipe, length
        self._processes, self._seed = processes, seed
        self._augmented = is_augmented(recipe, role)
        self._channels_last = False
        self._order_device = torch.device("cpu")

    def __len__(self) -> int:
        return self._length

    @property
    @abstractmethod
    def targets(self) -> Tensor | None:
        """All labels, ``(n,)``, if they are known without reading the inputs."""

    @abstractmethod
    def in_order(self, size: int) -> Iterator[tuple[Inputs, Tensor]]:
        """Yield this process's share of all examples, prepared without anything random."""

    @abstractmethod
    def check_labels(self, num_classes: int) -> None:
        """Reject labels that have no output, at the latest when they are read."""

    @abstractmethod
    def first(self, count: int) -> Inputs:
        """Return some inputs as the network takes them, in memory of their own."""

    @abstractmethod
    def digest(self) -> str:
        """Return what tells these examples from others: all known labels and a few inputs."""

    @abstractmethod
    def _gathered(self, batches: Sequence[Tensor], steps: Ids) -> Iterator[tuple[Inputs, Tensor]]:
        """Yield inputs and labels of some batches, to be prepared unless they are already."""

    @abstractmethod
    def end_workers(self) -> None:
        """End the processes that read, if there are any; the next pass starts others."""

    def use_layout(self, *, channels_last: bool) -> None:
        """Choose how images lie in memory; their values stay."""
        self._channels_last = channels_last

    def shuffled(self, epoch: int, size: int, start: int) -> Iterator[Batch]:
        """Yield this process's share of the batches of one epoch, from batch ``start`` on."""
        order, draws = self.plan(epoch)
        positions, wholes = (
            ids[start * size :].split(size)  # type: ignore[no-untyped-call]  # PyTorch's
            for ids in (order.cpu(), order)
        )
        shares = [_own_share(ids, self._processes) for ids in wholes]
        steps = epoch * -(-len(self) // size) + start + np.arange(len(shares))
        gathered = self._gathered([ids for ids, _ in shares], steps)
        one = self._processes.size == 1
        for whole, (ids, weight), (inputs, targets) in zip(
            positions, shares, gathered, strict=True
        ):
            changed = None if draws is None else _sent(draws[ids], inputs.device)
            own = whole if one else whole[self._processes.share(len(whole))]
            yield Batch(self._prepared(inputs, changed), targets, weight, own)

    def plan(self, epoch: int) -> tuple[Tensor, Tensor | None]:
        """Return the order ``(n,)`` of one epoch, and by example what its augmentation draws."""
        order = data_order(self._seed, epoch, len(self)).to(self._order_device)
        if not self._augmented or self.recipe.augmentation is None:
            return order, None
        changes = self.recipe.augmentation
        draws = augmentation_draws(changes, seed=self._seed, epoch=epoch, n=len(self))
        return order, draws.to(self._order_device)

    def _prepared(self, inputs: Inputs, draws: Tensor | None = None) -> Inputs:
        """Return stored inputs as the network takes them, augmented if there are draws."""
        recipe = self.recipe
        if not isinstance(inputs, Tensor):
            return recipe.prepare(inputs)
        if draws is not None and recipe.augmentation is not None:
            inputs = augment(inputs, draws, augmentation=recipe.augmentation, crop=recipe.crop)
            return self._laid_out(recipe._scaled(inputs))
        return self._laid_out(recipe.prepare(inputs))

    def _laid_out(self, inputs: Tensor) -> Tensor:
        if self._channels_last and inputs.ndim == 4:
            return inputs.contiguous(memory_format=torch.channels_last)
        return inputs


class DeviceData(DataSource):
    """All inputs and labels on the device.

    Without augmentation they are prepared once. A batch is gathered into a buffer that the next one
    overwrites: it spares an allocation, and a network that changes its input cannot reach the data.
    """

    def __init__(
        self,
        inputs: Inputs,
        targets: Tensor,
        role: str,
        *,
        recipe: Recipe,
        processes: Processes,
        seed: int,
    ) -> None:
        super().__init__(role, len(targets), recipe=recipe, processes=processes, seed=seed)
        recipe.check_inputs(inputs, name=role)
        self._order_device = targets.device
        # As they are stored: what tells data sets apart shall not depend on a device's rounding.
        self._some = inputs[spots(len(inputs))].cpu()
        self.inputs = inputs if self._augmented else recipe.prepare(inputs)
        check_finite(self.inputs, role)
        self._targets = targets
        self._rows = self.inputs  # what batches are gathered from, in the wanted memory layout
        self._buffers: dict[int, tuple[Inputs, Tensor]] = {}

    @property
    def targets(self) -> Tensor:
        """All labels."""
        return self._targets

    def use_layout(self, *, channels_last: bool) -> None:
        """Choose how images lie in memory; without augmentation they are moved once for all."""
        super().use_layout(channels_last=channels_last)
        self._rows, self._buffers = self.inputs, {}
        if not isinstance(self.inputs, Tensor) or self.inputs.ndim != 4 or self._augmented:
            return
        if channels_last:
            self._rows = self.inputs.permute(0, 2, 3, 1).contiguous()
            self.inputs = self._rows.permute(0, 3, 1, 2)  # the same memory: no second copy

    def in_order(self, size: int) -> Iterator[tuple[Inputs, Tensor]]:
        """Yield this process's share of all examples."""
        share = self._processes.share(len(self))
        for first in range(share.start, share.stop, size):
            some = slice(first, min(first + size, share.stop))
            rows = self._rows[some]
            if not self._augmented:
                buffer, _ = self._buffer(len(rows))
                for into, values in zip(tensors_of(buffer), tensors_of(rows), strict=True):
                    into.copy_(values)
                rows = buffer
            yield self._prepared(rows), self._targets[some]

    def check_labels(self, num_classes: int) -> None:
        """Reject labels that have no output."""
        check_classes(self._targets, f"`{self.role}` labels", num_classes=num_classes)

    def first(self, count: int) -> Inputs:
        """Return some inputs as the network takes them."""
        inputs = self.inputs[:count]
        return self.recipe.prepare(inputs) if self._augmented else inputs.clone()

    def digest(self) -> str:
        """Return what tells these examples from others."""
        return _digest_of(len(self), self._some, self._targets.cpu())

    def end_workers(self) -> None:
        """Do nothing: all is read."""

    def _gathered(self, batches: Sequence[Tensor], steps: Ids) -> Iterator[tuple[Inputs, Tensor]]:
        for ids in batches:
            inputs, targets = self._buffer(len(ids))
            for rows, into in zip(tensors_of(self._rows), tensors_of(inputs), strict=True):
                torch.index_select(rows, 0, ids, out=into)
            torch.index_select(self._targets, 0, ids, out=targets)
            yield inputs, targets

    def gathered(self, ids: Tensor, draws: Tensor | None) -> tuple[Inputs, Tensor]:
        """Return some inputs as the network takes them, and labels, in memory of their own.

        Args:
            ids: Which examples, on the device.
            draws: What augmentation draws, by example of the whole epoch; None without.
        """
        own = None if draws is None else draws.index_select(0, ids)
        rows = self._rows.index_select(0, ids)
        return self._prepared(rows, own), self._targets.index_select(0, ids)

    def _prepared(self, inputs: Inputs, draws: Tensor | None = None) -> Inputs:
        if self._augmented:
            return super()._prepared(inputs, draws)
        if self._rows is self.inputs or not isinstance(inputs, Tensor):
            return inputs
        return inputs.permute(0, 3, 1, 2)

    def _buffer(self, size: int) -> tuple[Inputs, Tensor]:
        if size not in self._buffers:
            if len(self._buffers) > 4:  # whole and last batches, in training and measuring
                self._buffers.clear()
            self._buffers[size] = (
                like_batch(self._rows, lambda rows: rows.new_empty((size, *rows.shape[1:])), size),
                self._targets.new_empty(size),
            )
        return self._buffers[size]


class StreamedData(DataSource):
    """Examples that a ``DataLoader`` reads while the device works; they are prepared there.

    What the data set draws from global generators is new in every batch of every epoch, and the
    same in any number of workers and after a resumption.
    """

    def __init__(
        self,
        reader: BatchReader,
        role: str,
        *,
        recipe: Recipe,
        processes: Processes,
        seed: int,
        workers: LoaderWorkers,
    ) -> None:
        super().__init__(role, len(reader), recipe=recipe, processes=processes, seed=seed)
        self._reader, self._workers = reader, workers
        self.is_collated = reader.collate is not None
        workers.add(reader)
        self._num_classes: int | None = None
        recipe.check_inputs(self._stored(1), name=role)

    @property
    def targets(self) -> Tensor | None:
        """All labels, if they are known without reading the inputs."""
        return self._reader.targets

    def in_order(self, size: int) -> Iterator[tuple[Inputs, Tensor]]:
        """Yield this process's share of all examples."""
        share = self._processes.share(len(self))
        firsts = range(share.start, share.stop, size)
        batches = [
            torch.arange(first, min(first + size, share.stop), device="cpu") for first in firsts
        ]
        seeds = self._seeds("/in order", np.arange(len(batches)))
        for inputs, targets in self._loaded(batches, seeds):
            yield self._prepared(inputs), targets

    def check_labels(self, num_classes: int) -> None:
        """Reject labels that have no output: now, or, if they are not known, when they are read."""
        if (known := self.targets) is not None:
            check_classes(known, f"`{self.role}` labels", num_classes=num_classes)
        self._num_classes = num_classes

    def first(self, count: int) -> Inputs:
        """Return some inputs as the network takes them."""
        return self.recipe.prepare(self._stored(count))

    def digest(self) -> str:
        """Return what tells these examples from others."""
        inputs, targets = self._reader.read(np.array(spots(len(self))))
        known = self.targets
        return _digest_of(len(self), inputs, targets if known is None else known)

    def end_workers(self) -> None:
        """End the processes that read; the next pass starts others."""
        self._workers.close()

    def _stored(self, count: int) -> Inputs:
        inputs, _ = self._reader.read(np.arange(min(count, len(self))))
        return inputs.to(self._processes.device)

    def _gathered(self, batches: Sequence[Tensor], steps: Ids) -> Iterator[tuple[Inputs, Tensor]]:
        return self._loaded(batches, self._seeds("", steps))

    def _seeds(self, purpose: str, steps: Ids) -> list[int]:
        """Return the seeds of what the data set draws in some batches."""
        return reading_seeds(self._seed, f"{self.role}{purpose}", steps, self._processes)

    def _loaded(
        self, batches: Sequence[Tensor], seeds: Sequence[int]
    ) -> Iterator[tuple[Inputs, Tensor]]:
        device = self._processes.device
        on_gpu = device.type == "cuda"
        loaded = self._workers.load(self._reader, batches, seeds)
        for ids, (inputs, targets) in zip(batches, loaded, strict=True):
            if not self.is_collated:  # infinities may be meant in what a user's function makes
                check_finite(inputs, self.role, ids.tolist())
            if self._num_classes is not None:
                check_classes(targets, f"`{self.role}` labels", num_classes=self._num_classes)
            yield inputs.to(device, non_blocking=on_gpu), targets.to(device, non_blocking=on_gpu)


def data_order(seed: int, epoch: int, n: int) -> Tensor:
    """Return the order ``(n,)`` in which one epoch visits the examples; it needs no history."""
    return torch.from_numpy(Draws(seed).permutations("fit/order", [epoch], n)[0])


def _sent(rows: Tensor, device: torch.device) -> Tensor:
    """Return rows on a device, without waiting for it."""
    if device.type == "cuda" and rows.device.type == "cpu":
        rows = rows.pin_memory()  # otherwise the driver waits for what was launched before
    return rows.to(device, non_blocking=True)


def _own_share(ids: Tensor, processes: Processes) -> tuple[Tensor, float]:
    """Return which examples of a batch are this process's, and the weight of their mean loss."""
    if processes.size == 1:
        return ids, 1.0
    own = ids[processes.share(len(ids))]
    if len(own) == 0:  # all have to take part in the exchange of gradients
        return ids[:1], 0.0
    return own, len(own) * processes.size / len(ids)


def spots(n: int) -> list[int]:
    """Return a few positions, from the first to the last, that stand for ``n`` examples."""
    return [k * (n - 1) // 7 for k in range(8)]


def _digest_of(n: int, inputs: Inputs, targets: Tensor) -> str:
    """Return the hash of all labels and of some inputs, of which there are ``n`` in all."""
    digest = hashlib.sha256()
    for path, values in leaves_of(inputs):
        if isinstance(values, Tensor):
            digest.update(f"{path}{(n, *values.shape[1:])}".encode())
            digest.update(_bytes_of(values))
    digest.update(_bytes_of(targets))
    return digest.hexdigest()


def _bytes_of(values: Tensor) -> bytes:
    return values.contiguous().flatten().view(torch.uint8).numpy().tobytes()
