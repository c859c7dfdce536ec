"""The statistics of a training set, by which all inputs of a fit are standardized."""

from collections.abc import Iterable, Iterator
from typing import cast

import numpy as np
import torch
from torch import Tensor

from corruptlab._arrays import check_finite
from corruptlab._draws import Draws
from corruptlab._progress import Progress
from corruptlab._structured import Inputs
from corruptlab._types import Ids
from corruptlab.training._distributed import Processes
from corruptlab.training._reading import BatchReader, LoaderWorkers
from corruptlab.training._recipe import Recipe
from corruptlab.training._standardization import blocks, warn_of_constants


def with_statistics(
    recipe: Recipe,
    role: str,
    reader: BatchReader,
    inputs: Inputs | None,
    *,
    workers: LoaderWorkers,
    processes: Processes,
    seed: int,
    progress: bool,
) -> Recipe:
    """Return the recipe with the statistics of a training set, if it needs any.

    ``inputs`` are all inputs, or None to read them; each process measures its share.
    """
    if not recipe.needs_statistics or role != "train":
        return recipe
    first = reader.peek() if inputs is None else inputs[:1]
    recipe.check_inputs(first, name=role)  # which admits only tensors here
    assert isinstance(first, Tensor)
    share = processes.share(len(reader))
    parts = list(blocks(range(share.start, share.stop), first.shape[1:]))
    if inputs is None:
        seeds = reading_seeds(seed, f"{role}/statistics", np.arange(len(parts)), processes)
        batches = [torch.arange(ids.start, ids.stop, device="cpu") for ids in parts]
        workers.add(reader)
        loaded = workers.load(reader, batches, seeds)
        read = (cast(Tensor, some) for some, _ in loaded)
    else:
        assert isinstance(inputs, Tensor)
        check_finite(inputs, role)  # in every process, or the others would wait
        read = (inputs[ids.start : ids.stop] for ids in parts)
    with Progress(len(parts), "statistics", show=progress, least_seconds=1.0) as line:
        shown = ((ids, some) for ids, some in zip(parts, _counted(read, line), strict=True))
        found = recipe._measured_on(shown, first, role, processes.total)
    if processes.first:
        warn_of_constants(
            found.standardize, recipe.input_shape(first.shape[1:]), role, stacklevel=6
        )
    return found


def _counted(read: Iterable[Tensor], line: Progress) -> Iterator[Tensor]:
    for count, each in enumerate(read, start=1):
        yield each
        line.update(count)


def reading_seeds(seed: int, purpose: str, steps: Ids, processes: Processes) -> list[int]:
    """Return the seeds of what a data set draws in some batches; each process has its own."""
    rank = f"/{processes.rank}" if processes.rank else ""
    seeds: list[int] = Draws(seed).integers(f"fit/reading/{purpose}{rank}", steps, 2**31).tolist()
    return seeds
