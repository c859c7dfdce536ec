"""Choose how a data set reaches the device, and bring it there."""

import math
import os
import warnings
from typing import Any

import numpy as np
import torch

from corruptlab._draws import Draws
from corruptlab._memory import free_memory
from corruptlab._random_state import seeded_generators
from corruptlab._types import MapDataset
from corruptlab.corruptions import example_reader, materialize
from corruptlab.training._execution import Execution
from corruptlab.training._preparation import Preparation
from corruptlab.training._processes import Processes
from corruptlab.training._resident import Resident
from corruptlab.training._stream import Stream

# Of the free memory of the device, what the data may take; the rest is for the network.
_SHARE_FOR_DATA = 0.8


def read(
    dataset: MapDataset[Any],
    role: str,
    *,
    preparation: Preparation,
    execution: Execution,
    processes: Processes,
    seed: int,
    progress: bool,
) -> Resident | Stream:
    """Bring a data set to the device, whole or batch by batch.

    Args:
        dataset: Any map-style data set of inputs of one shape and integer labels.
        role: What the user calls it, for the errors.
        preparation: What is done to the inputs.
        execution: Says whether it shall be whole; it must not be empty.
        processes: Who takes part in the fit.
        seed: Decides data order and augmentation, and what the data set itself draws.
        progress: Whether to show progress.

    Returns:
        The examples.

    Raises:
        TypeError: If it is no map-style data set.
        ValueError: If the data set is empty or not as long in all processes, shall be whole but
            does not fit, or an input is not finite or cannot be prepared.
    """
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise TypeError(
            f"`{role}` must be a map-style data set, with a length and items by position, "
            f"got {type(dataset).__name__}."
        )
    processes.check_alike(**{f"len({role})": len(dataset)})
    if len(dataset) == 0:
        raise ValueError(f"`{role}` must hold at least one example, got an empty data set.")
    word = int(Draws(seed).integers(f"fit/reading/{role}/whole", [0], 2**31)[0])
    with seeded_generators(word):
        return _read(dataset, role, preparation, execution, processes, seed, progress)


def _read(
    dataset: MapDataset[Any],
    role: str,
    preparation: Preparation,
    execution: Execution,
    processes: Processes,
    seed: int,
    progress: bool,
) -> Resident | Stream:
    if execution.data == "stream" or not _fits(dataset, role, preparation, execution, processes):
        return Stream(
            dataset,
            role,
            preparation=preparation,
            processes=processes,
            seed=seed,
            workers=execution.workers,
        )
    inputs, targets = materialize(dataset, progress=progress)
    device = processes.device
    return Resident(
        inputs.to(device),
        targets.to(device),
        role,
        preparation=preparation,
        processes=processes,
        seed=seed,
    )


def _fits(
    dataset: MapDataset[Any],
    role: str,
    preparation: Preparation,
    execution: Execution,
    processes: Processes,
) -> bool:
    """Tell whether the data fit in the free memory; refuse what was asked for and cannot be."""
    free = free_memory(processes.device)
    needed = _needed(dataset, role, preparation)
    if free is not None and processes.size > 1 and processes.device.type == "cpu":
        free //= int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # each of them holds all data
    if free is None or not processes.any(needed > _SHARE_FOR_DATA * free):
        return True
    text = (
        f"`{role}` needs {needed / 2**30:.1f} GiB of memory on {processes.device}, "
        f"where {free / 2**30:.1f} GiB are free"
    )
    if execution.data == "device":
        raise ValueError(f"{text}; try execution=Execution(data='stream', workers=4).")
    if processes.first:
        warnings.warn(
            f"{text}: it is read batch by batch through a DataLoader with {execution.workers} "
            "worker processes (see `Execution`).",
            stacklevel=6,  # the caller of `fit`
        )
    return False


def _needed(dataset: MapDataset[Any], role: str, preparation: Preparation) -> int:
    """Return the bytes that all examples take while they are moved and prepared."""
    stored, _ = example_reader(dataset)(np.zeros(1, np.int64))
    inputs = torch.from_numpy(stored)
    preparation.check(inputs, role)
    per_example = inputs.nbytes + 8
    if preparation.augmentation is None or role != "train":
        shape = list(inputs.shape[1:])
        if preparation.crop is not None:
            shape[-2:] = [preparation.crop] * 2
        per_example += 4 * math.prod(shape)
    return per_example * len(dataset)
