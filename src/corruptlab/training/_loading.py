"""How a fit reads a data set: all at once, or batch by batch where it has to."""

import math
import os
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from corruptlab._draws import Draws
from corruptlab._memory import free_memory
from corruptlab._types import MapDataset
from corruptlab.training._data import DataSource, DeviceData, StreamedData, is_augmented
from corruptlab.training._distributed import Processes
from corruptlab.training._execution import Execution
from corruptlab.training._reading import BatchReader, ItemFormat, LoaderWorkers, seeded_reading
from corruptlab.training._recipe import Recipe
from corruptlab.training._statistics import with_statistics

# Of the free memory of the device, what the data may take; the rest is for the network.
_SHARE_FOR_DATA = 0.8

# Bytes of data that are read on a CPU without asking for its free memory, which takes as long.
_NEVER_ASKED = 1 << 22

# Items that are read twice to see whether they are always the same. Of 32 at least one differs
# with probability 0.998 if a transform changes one reading in ten.
_READ_TWICE = 32

_PLAIN_ITEMS = ItemFormat()


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
    items: ItemFormat = _PLAIN_ITEMS,
) -> DataSource:
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
    with seeded_reading(dataset, whole):
        reader = BatchReader(dataset, role, items)
        processes.check_alike(**{f"len({role})": len(reader)})
        if (
            execution.data == "stream"
            or items.collate is not None
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
    if reader.examples.is_fixed:
        return False
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
    needed = _bytes_needed(reader, role, recipe, execution)
    if needed <= _NEVER_ASKED and processes.device.type == "cpu" and processes.size == 1:
        return True
    free = free_memory(processes.device)
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
    if is_augmented(recipe, role):
        return (stored + 8) * len(reader)
    if not isinstance(inputs, Tensor):
        prepared = recipe.prepare(inputs).nbytes
        return (stored + prepared + 8) * len(reader)
    shape = list(inputs.shape[1:])
    if recipe.crop is not None:
        shape[-2:] = [recipe.crop] * 2
    prepared = 4 * math.prod(shape)
    may_move = execution.channels_last is not False and len(shape) == 3
    before = max(stored, prepared) if may_move else stored  # another layout is a copy
    return (before + prepared + 8) * len(reader)
