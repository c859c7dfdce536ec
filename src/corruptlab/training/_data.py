"""The examples of a fit on their way to the network: on the device at once, or batch by batch."""

import hashlib
import math
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corruptlab._arrays import check_classes, check_finite
from corruptlab._draws import Draws
from corruptlab._memory import free_memory
from corruptlab._random_state import seeded_generators
from corruptlab._types import Ids, MapDataset
from corruptlab.training._distributed import Processes
from corruptlab.training._execution import Execution
from corruptlab.training._reading import BatchReader, LoaderWorkers
from corruptlab.training._recipe import Recipe
from corruptlab.training._statistics import reading_seeds, with_statistics
from corruptlab.training._transforms import augment, augmentation_draws

# Of the free memory of the device, what the data may take; the rest is for the network.
_SHARE_FOR_DATA = 0.8

# Items that are read twice to see whether they are always the same. Of 32 at least one differs
# with probability 0.998 if a transform changes one reading in ten.
_READ_TWICE = 32


def load_data(
    dataset: MapDataset[Any],
    role: str,
    *,
    recipe: Recipe,
    execution: Execution,
    processes: Processes,
    seed: int,
    progress: bool,
    workers: LoaderWorkers | None = None,
) -> "DataSource":
    """Move a data set to the device, or make it a stream; errors call it by its role."""
    workers = workers or LoaderWorkers(execution.workers, processes.device)
    measured = partial(
        with_statistics,
        recipe,
        role,
        workers=workers,
        processes=processes,
        seed=seed,
        progress=progress,
    )
    whole, *twice = Draws(seed).integers(f"fit/reading/{role}/whole", [0, 1, 2], 2**31).tolist()
    with seeded_generators(whole):
        reader = BatchReader(dataset, role)
        processes.check_alike(**{f"len({role})": len(reader)})
        if (
            execution.data == "stream"
            or _varies(reader, role, twice, execution, processes)
            or not _fits(reader, role, recipe, execution, processes)
        ):
            reader.examples.check_length()
            recipe = measured(reader, None)
            streamed = StreamedData(
                reader,
                role,
                recipe=recipe,
                processes=processes,
                seed=seed,
                workers=workers,
            )
            streamed.classes = reader.classes
            return streamed
        inputs, targets = reader.read_all(progress=progress)
        recipe = measured(reader, inputs)
        device = processes.device
        held = DeviceData(
            inputs.to(device),
            targets.to(device),
            role,
            recipe=recipe,
            processes=processes,
            seed=seed,
        )
        held.classes = reader.classes
        return held


def _varies(
    reader: BatchReader,
    role: str,
    seeds: Sequence[int],
    execution: Execution,
    processes: Processes,
) -> bool:
    """Return whether items differ between two readings; raise if they are to be read once."""
    some = np.unique(np.linspace(0, len(reader) - 1, _READ_TWICE).astype(np.int64))
    differing = reader.differing(some, seeds)
    if not processes.any(differing != ""):
        return False
    cause = "draw labels once, as `corrupt` does" if differing == "labels" else "a random transform"
    text = (
        f"`{role}` serves other {differing} at every reading ({cause}), and so it cannot be read "
        "once for all epochs"
    )
    remedy = (
        "use execution=Execution(data='stream'), or leave the transform out and let "
        "`recipe.augmentation` change the images on the device."
    )
    _stream_instead(text, "anew in every epoch", remedy, execution, processes)
    return True


def _fits(
    reader: BatchReader, role: str, recipe: Recipe, execution: Execution, processes: Processes
) -> bool:
    """Return whether the data fit in the free memory; raise if they must and do not."""
    free = free_memory(processes.device)
    needed = _bytes_needed(reader, role, recipe, execution)
    if free is not None and processes.size > 1 and processes.device.type == "cpu":
        free //= int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # each of them holds all data
    if free is None or not processes.any(needed > _SHARE_FOR_DATA * free):
        return True
    text = (
        f"`{role}` needs {needed / 2**30:.1f} GiB of memory on {processes.device}, "
        f"where {free / 2**30:.1f} GiB are free"
    )
    remedy = "try execution=Execution(data='stream', workers=4)."
    _stream_instead(text, "batch by batch", remedy, execution, processes)
    return False


def _stream_instead(
    why: str, how: str, remedy: str, execution: Execution, processes: Processes
) -> None:
    """Warn that a data set is streamed, or raise if it was to be on the device."""
    if execution.data == "device":
        raise ValueError(f"{why}; {remedy}")
    if processes.first:
        warnings.warn(
            f"{why}: it is read {how} through a DataLoader with {execution.workers} worker "
            "processes (see `Execution`).",
            stacklevel=6,  # the caller of `fit`
        )


def _bytes_needed(reader: BatchReader, role: str, recipe: Recipe, execution: Execution) -> int:
    """Return the bytes that all examples take while they are moved, prepared, and laid out."""
    inputs = reader.peek()
    recipe.check_inputs(inputs, name=role)
    stored = inputs.nbytes
    if _is_augmented(recipe, role):
        return (stored + 8) * len(reader)
    shape = list(inputs.shape[1:])
    if recipe.crop is not None:
        shape[-2:] = [recipe.crop] * 2
    prepared = 4 * math.prod(shape)
    may_move = execution.channels_last is not False and len(shape) == 3
    before = max(stored, prepared) if may_move else stored  # another layout is a copy
    return (before + prepared + 8) * len(reader)


def _is_augmented(recipe: Recipe, role: str) -> bool:
    changes = recipe.augmentation
    return role == "train" and changes is not None and not changes.is_identity


@dataclass(frozen=True)
class Batch:
    """One process's share of one batch, on the device, where the next batch may overwrite it."""

    inputs: Tensor  # as the network takes them, (b, ...)
    targets: Tensor  # int64, (b,)
    # What the mean loss of the share counts for in the mean over all processes, so that this is
    # the mean loss of the whole batch; 1 for a process alone.
    weight: float
    positions: Tensor  # of the examples in the data set, (b,), on the CPU; none where weight is 0


class DataSource(ABC):
    """The examples of one data set, prepared as the recipe says; each process sees its share."""

    classes: tuple[Any, ...] | None = None  # what the labels stand for, if they are no numbers

    def __init__(
        self, role: str, length: int, *, recipe: Recipe, processes: Processes, seed: int
    ) -> None:
        self.role, self.recipe, self._length = role, recipe, length
        self._processes, self._seed = processes, seed
        self._augmented = _is_augmented(recipe, role)
        self._channels_last = False
        self._order_device = torch.device("cpu")

    def __len__(self) -> int:
        return self._length

    @property
    @abstractmethod
    def targets(self) -> Tensor | None:
        """All labels, ``(n,)``, if they are known without reading the inputs."""

    @abstractmethod
    def in_order(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this process's share of all examples, prepared without anything random."""

    @abstractmethod
    def check_labels(self, num_classes: int) -> None:
        """Reject labels that have no output, at the latest when they are read."""

    @abstractmethod
    def first(self, count: int) -> Tensor:
        """Return some inputs as the network takes them, in memory of their own."""

    @abstractmethod
    def digest(self) -> str:
        """Return what tells these examples from others: all known labels and a few inputs."""

    @abstractmethod
    def _gathered(self, batches: Sequence[Tensor], steps: Ids) -> Iterator[tuple[Tensor, Tensor]]:
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
        positions = order.cpu()
        firsts = range(start * size, len(self), size)
        shares = [_own_share(order[first : first + size], self._processes) for first in firsts]
        steps = epoch * -(-len(self) // size) + start + np.arange(len(shares))
        gathered = self._gathered([ids for ids, _ in shares], steps)
        for first, (ids, weight), (inputs, targets) in zip(firsts, shares, gathered, strict=True):
            changed = None if draws is None else _sent(draws[ids], inputs.device)
            whole = positions[first : first + size]
            own = whole[self._processes.share(len(whole))]
            yield Batch(self._prepared(inputs, changed), targets, weight, own)

    def plan(self, epoch: int) -> tuple[Tensor, Tensor | None]:
        """Return the order ``(n,)`` of one epoch, and by example what its augmentation draws."""
        order = data_order(self._seed, epoch, len(self)).to(self._order_device)
        if not self._augmented or self.recipe.augmentation is None:
            return order, None
        changes = self.recipe.augmentation
        draws = augmentation_draws(changes, seed=self._seed, epoch=epoch, n=len(self))
        return order, draws.to(self._order_device)

    def _prepared(self, inputs: Tensor, draws: Tensor | None = None) -> Tensor:
        """Return stored inputs as the network takes them, augmented if there are draws."""
        recipe = self.recipe
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
        inputs: Tensor,
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
        self._shape, self._some = inputs.shape, inputs[spots(len(inputs))].cpu()
        self.inputs = inputs if self._augmented else recipe.prepare(inputs)
        check_finite(self.inputs, role)
        self._targets = targets
        self._rows = self.inputs  # what batches are gathered from, in the wanted memory layout
        self._buffers: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def targets(self) -> Tensor:
        """All labels."""
        return self._targets

    def use_layout(self, *, channels_last: bool) -> None:
        """Choose how images lie in memory; without augmentation they are moved once for all."""
        super().use_layout(channels_last=channels_last)
        wanted = channels_last and self.inputs.ndim == 4 and not self._augmented
        self._rows = self.inputs.permute(0, 2, 3, 1).contiguous() if wanted else self.inputs
        self._buffers = {}
        if wanted:
            self.inputs = self._rows.permute(0, 3, 1, 2)  # the same memory: no second copy

    def in_order(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this process's share of all examples."""
        share = self._processes.share(len(self))
        for first in range(share.start, share.stop, size):
            some = slice(first, min(first + size, share.stop))
            rows = self._rows[some]
            if not self._augmented:
                rows = self._buffer(len(rows))[0].copy_(rows)
            yield self._prepared(rows), self._targets[some]

    def check_labels(self, num_classes: int) -> None:
        """Reject labels that have no output."""
        check_classes(self._targets, f"`{self.role}` labels", num_classes=num_classes)

    def first(self, count: int) -> Tensor:
        """Return some inputs as the network takes them."""
        inputs = self.inputs[:count]
        return self.recipe.prepare(inputs) if self._augmented else inputs.clone()

    def digest(self) -> str:
        """Return what tells these examples from others."""
        return _digest_of(self._shape, self._some, self._targets.cpu())

    def end_workers(self) -> None:
        """Do nothing: all is read."""

    def _gathered(self, batches: Sequence[Tensor], steps: Ids) -> Iterator[tuple[Tensor, Tensor]]:
        for ids in batches:
            inputs, targets = self._buffer(len(ids))
            torch.index_select(self._rows, 0, ids, out=inputs)
            torch.index_select(self._targets, 0, ids, out=targets)
            yield inputs, targets

    def gathered(self, ids: Tensor, draws: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return some inputs as the network takes them, and labels, in memory of their own.

        Args:
            ids: Which examples, on the device.
            draws: What augmentation draws, by example of the whole epoch; None without.
        """
        own = None if draws is None else draws.index_select(0, ids)
        rows = self._rows.index_select(0, ids)
        return self._prepared(rows, own), self._targets.index_select(0, ids)

    def _prepared(self, inputs: Tensor, draws: Tensor | None = None) -> Tensor:
        if self._augmented:
            return super()._prepared(inputs, draws)
        return inputs.permute(0, 3, 1, 2) if self._rows is not self.inputs else inputs

    def _buffer(self, size: int) -> tuple[Tensor, Tensor]:
        if size not in self._buffers:
            if len(self._buffers) > 4:  # whole and last batches, in training and measuring
                self._buffers.clear()
            self._buffers[size] = (
                self._rows.new_empty((size, *self._rows.shape[1:])),
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
        workers.add(reader)
        self._num_classes: int | None = None
        recipe.check_inputs(self._stored(1), name=role)

    @property
    def targets(self) -> Tensor | None:
        """All labels, if they are known without reading the inputs."""
        return self._reader.targets

    def in_order(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
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

    def first(self, count: int) -> Tensor:
        """Return some inputs as the network takes them."""
        return self.recipe.prepare(self._stored(count))

    def digest(self) -> str:
        """Return what tells these examples from others."""
        inputs, targets = self._reader.read(np.array(spots(len(self))))
        known = self.targets
        shape = (len(self), *inputs.shape[1:])
        return _digest_of(shape, inputs, targets if known is None else known)

    def end_workers(self) -> None:
        """End the processes that read; the next pass starts others."""
        self._workers.close()

    def _stored(self, count: int) -> Tensor:
        inputs, _ = self._reader.read(np.arange(min(count, len(self))))
        return inputs.to(self._processes.device)

    def _gathered(self, batches: Sequence[Tensor], steps: Ids) -> Iterator[tuple[Tensor, Tensor]]:
        return self._loaded(batches, self._seeds("", steps))

    def _seeds(self, purpose: str, steps: Ids) -> list[int]:
        """Return the seeds of what the data set draws in some batches."""
        return reading_seeds(self._seed, f"{self.role}{purpose}", steps, self._processes)

    def _loaded(
        self, batches: Sequence[Tensor], seeds: Sequence[int]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        device = self._processes.device
        on_gpu = device.type == "cuda"
        loaded = self._workers.load(self._reader, batches, seeds)
        for ids, (inputs, targets) in zip(batches, loaded, strict=True):
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


def _digest_of(shape: Sequence[int], inputs: Tensor, targets: Tensor) -> str:
    digest = hashlib.sha256(repr(tuple(shape)).encode())
    for values in (inputs, targets):
        digest.update(values.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
