"""How a fit reads data sets: the only file here that knows what one is."""

import multiprocessing
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from corruptlab import _data, _new_processes
from corruptlab._random_state import seeded_generators
from corruptlab._types import Ids, MapDataset


def labels_at(dataset: MapDataset[Any], at: Sequence[int]) -> list[int]:
    """Return labels as the items carry them now, leaving the global generators as they are."""
    with seeded_generators(0):
        labels: list[int] = _data.open_dataset(dataset, "train").labels_at(at).tolist()
        return labels


class BatchReader:
    """Reads stored inputs and labels of a data set by positions, here or in worker processes."""

    def __init__(self, dataset: MapDataset[Any], role: str) -> None:
        self._role, self._examples = role, _data.open_dataset(dataset, role)

    def __len__(self) -> int:
        return len(self._examples)

    @cached_property
    def targets(self) -> Tensor | None:
        """All labels, ``(n,)``, if they are known without reading the inputs."""
        known = self._examples.listed_labels()
        return None if known is None else torch.from_numpy(known.copy())

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """What the labels 0, 1, ... stand for; None if items carry these very numbers."""
        encoding = self._examples.source.encoding
        return None if encoding is None else encoding.classes

    def peek(self) -> Tensor:
        """Return the first input, ``(1, ...)``, drawn from the global generators as they are."""
        return torch.from_numpy(self._examples.inputs_at([0]))

    def read(self, at: Ids, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Return inputs ``(b, ...)`` and labels ``(b,)`` at some positions."""
        return _Batches(self._examples)[at, seed]

    def differing(self, at: Ids, seeds: Sequence[int]) -> str:
        """Return whether "labels" or else "inputs" differ between readings; empty if none do."""
        readings = [self.read(at, seed) for seed in seeds]
        inputs, targets = (
            {each.numpy().tobytes() for each in kind} for kind in zip(*readings, strict=True)
        )
        return "labels" if len(targets) > 1 else "inputs" if len(inputs) > 1 else ""

    def read_all(self, *, progress: bool) -> tuple[Tensor, Tensor]:
        """Return all inputs, ``(n, ...)``, and labels, ``(n,)``."""
        return self._examples.tensors(progress=progress)

    def load(
        self, batches: Sequence[Tensor], seeds: Sequence[int], *, workers: int, pin_memory: bool
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches of positions; each seed decides what the data set draws meanwhile."""
        workers = min(workers, len(batches))
        loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
            _Batches(self._examples),
            batch_size=None,  # what is asked for is a whole batch
            sampler=[(ids.numpy(), seed) for ids, seed in zip(batches, seeds, strict=True)],
            num_workers=workers,
            multiprocessing_context=self._start_method() if workers else None,
            pin_memory=pin_memory,
            # A loader draws a seed for its workers; no global generator shall move for that.
            generator=torch.Generator().manual_seed(0),
        )
        try:
            yield from _start_workers(loader)
        except BaseException as error:
            if loader.num_workers:  # which live as long as the traceback knows their loader
                traceback.clear_frames(error.__traceback__)
            raise

    def _start_method(self) -> str | None:
        """Return how workers start; None for the way that is set or the system's, if it is safe."""
        methods = multiprocessing.get_all_start_methods()  # the system's first
        if (multiprocessing.get_start_method(allow_none=True) or methods[0]) != "fork":
            return None
        # A lock that another thread holds stays locked for ever in a process that is forked then.
        # Python 3.12 and later warn of it, and count threads of numerical libraries too.
        if sys.version_info < (3, 12) and not _has_threads():
            return "fork"
        if not self._can_be_sent:
            return "fork"
        # Workers come from a server that has loaded PyTorch: each starts in milliseconds.
        multiprocessing.set_forkserver_preload(["__main__", __name__])
        return "forkserver"

    @cached_property
    def _can_be_sent(self) -> bool:
        """Whether new processes can start here and find the data set; an error if it never can."""
        dataset = self._examples.dataset
        trial = _new_processes.PickleTrial(dataset)
        if trial.error is not None:
            kind = type(dataset).__name__
            raise TypeError(
                f"`{self._role}` must be picklable to be read in worker processes, but "
                f"{_new_processes.unpicklable_part(dataset, kind)}. Define functions and "
                "classes at the top level of a module, or read without workers: "
                "Execution(workers=0)."
            )
        if _new_processes.main_is_missing() or _new_processes.main_would_run_again():
            return False
        return not trial.names_in_main or _new_processes.main_can_be_imported()


def _has_threads() -> bool:
    """Return whether this process has other threads than those that an ended loader leaves."""
    names = [t.name for t in threading.enumerate() if t is not threading.current_thread()]
    return not all(name.startswith("QueueFeederThread") for name in names)


def _start_workers(loader: DataLoader[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    with torch.device("cpu"), warnings.catch_warnings():  # whatever device is the default
        # Workers are forked beside threads only where nothing else works: in a notebook, say.
        warnings.filterwarnings("ignore", r".*use of fork\(\) may lead to", DeprecationWarning)
        return iter(loader)


@dataclass(frozen=True)
class _Batches(Dataset[tuple[Tensor, Tensor]]):
    """Whole batches as the items of a data set."""

    examples: _data.Examples

    def __getitem__(self, asked: tuple[Ids, int]) -> tuple[Tensor, Tensor]:
        at, seed = asked
        with seeded_generators(seed):
            inputs, targets = self.examples.examples_at(at)
        return torch.from_numpy(inputs), torch.from_numpy(targets)
