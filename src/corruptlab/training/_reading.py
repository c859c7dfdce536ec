"""How a fit reads data sets: the only file here that knows what one is."""

import gc
import multiprocessing
import sys
import threading
import traceback
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from typing_extensions import Self

from corruptlab import _data, _new_processes
from corruptlab._modules import kind_of
from corruptlab._random_state import seeded_generators
from corruptlab._structured import Inputs, tensors_of
from corruptlab._types import Collate, Ids, MapDataset
from corruptlab.training._execution import Execution
from corruptlab.training._recipe import Recipe

_Asked: TypeAlias = tuple[int, Ids, int]  # which data set, positions, and a seed of what it draws


@dataclass(frozen=True)
class ItemFormat:
    """Where items keep input and label, and what makes a batch of them."""

    input_key: _data.InputKey | None = None
    label_key: _data.Key | None = None
    collate: Collate | None = None

    def check(self, recipe: Recipe, execution: Execution) -> None:
        """Reject what makes no batches, and options that need all inputs at once."""
        collate: object = self.collate
        if collate is None:
            return
        if not callable(collate):
            raise TypeError(
                "`collate` must be a function that makes a batch of a list of items, "
                f"got {kind_of(collate)}."
            )
        if execution.data == "device":
            raise ValueError(
                "`execution.data` must not be 'device' with `collate`, which makes every batch "
                "anew."
            )
        if recipe.needs_statistics:
            raise ValueError(
                "`recipe.standardize` must hold its statistics with `collate`, "
                f"got {recipe.standardize!r}."
            )

    def opened(self, dataset: MapDataset[Any], role: str) -> _data.Examples:
        """Return how to read a data set."""
        return _data.open_dataset(dataset, role, input_key=self.input_key, label_key=self.label_key)


def seeded_reading(dataset: MapDataset[Any], seed: int) -> AbstractContextManager[None]:
    """Seed the global generators while a data set is read, if it may draw from them."""
    # Which takes a sixth of a millisecond, mostly for NumPy's.
    return nullcontext() if _data.draws_nothing(dataset) else seeded_generators(seed)


def labels_at(dataset: MapDataset[Any], at: Sequence[int], items: ItemFormat) -> list[int]:
    """Return labels as the items carry them now, leaving the global generators as they are."""
    with seeded_reading(dataset, 0):
        labels: list[int] = items.opened(dataset, "train").labels_at(at).tolist()
        return labels


class BatchReader:
    """Reads stored inputs and labels of a data set by positions, here or in worker processes."""

    def __init__(self, dataset: MapDataset[Any], role: str, items: ItemFormat) -> None:
        self._role, self.examples, self.collate = role, items.opened(dataset, role), items.collate

    def __len__(self) -> int:
        return len(self.examples)

    @cached_property
    def targets(self) -> Tensor | None:
        """All labels, ``(n,)``, if they are known without reading the inputs."""
        known = self.examples.listed_labels()
        return None if known is None else torch.from_numpy(known.copy())

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """What the labels 0, 1, ... stand for; None if items carry these very numbers."""
        encoding = self.examples.source.encoding
        return None if encoding is None else encoding.classes

    def peek(self) -> Inputs:
        """Return the first input, ``(1, ...)``, drawn from the global generators as they are."""
        return _data.tensors_from(
            self.examples.source.inputs(np.zeros(1, np.int64)), self.examples.name
        )

    def read(self, at: Ids, seed: int = 0) -> tuple[Inputs, Tensor]:
        """Return inputs ``(b, ...)`` and labels ``(b,)`` at some positions."""
        return _Batches((self.examples,), (self.collate,))[0, at, seed]

    def differing(self, at: Ids, seeds: Sequence[int]) -> str:
        """Return whether "labels" or else "inputs" differ between readings; empty if none do."""
        readings = [self.read(at, seed) for seed in seeds]
        inputs, targets = (
            {tuple(part.numpy().tobytes() for part in tensors_of(each)) for each in kind}
            for kind in zip(*readings, strict=True)
        )
        return "labels" if len(targets) > 1 else "inputs" if len(inputs) > 1 else ""

    def read_all(self, *, progress: bool) -> tuple[Inputs, Tensor]:
        """Return all inputs, ``(n, ...)``, and labels, ``(n,)``."""
        return self.examples.tensors(progress=progress)

    @cached_property
    def can_be_sent(self) -> bool:
        """Whether new processes can start here and find the data set; an error if it never can."""
        sent = {self._role: self.examples.dataset, "collate": self.collate}
        trials = {name: _new_processes.PickleTrial(each) for name, each in sent.items()}
        for name, trial in trials.items():
            if trial.error is not None:
                kind = type(sent[name]).__name__
                raise TypeError(
                    f"`{name}` must be picklable to be read in worker processes, but "
                    f"{_new_processes.unpicklable_part(sent[name], kind)}. Define functions and "
                    "classes at the top level of a module, or read without workers: "
                    "Execution(workers=0)."
                )
        if _new_processes.main_is_missing() or _new_processes.main_would_run_again():
            return False
        names_in_main = any(trial.names_in_main for trial in trials.values())
        return not names_in_main or _new_processes.main_can_be_imported()


class LoaderWorkers:
    """The worker processes of a fit, which read batches of all data sets that it streams.

    They start with the first pass over any of them, and live until `close`: a context manager.
    """

    def __init__(self, count: int, device: torch.device) -> None:
        self._count, self._pin_memory = count, device.type == "cuda"
        self._readers: list[BatchReader] = []
        self._asked: list[_Asked] = []  # in this pass; the loader's sampler
        self._loader: DataLoader[tuple[Inputs, Tensor]] | None = None
        self._pass: Generator[tuple[Inputs, Tensor]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, reader: BatchReader) -> None:
        """Let the workers know one more data set; those that know fewer end."""
        if not any(each is reader for each in self._readers):
            self.close()
            self._readers.append(reader)

    def load(
        self, reader: BatchReader, batches: Sequence[Tensor], seeds: Sequence[int]
    ) -> Iterator[tuple[Inputs, Tensor]]:
        """Return batches of positions, which ends the last pass; each seed is for one batch.

        It decides what the data set draws meanwhile.
        """
        self._end_pass()
        which = self._readers.index(reader)
        pairs = zip(batches, seeds, strict=True)
        self._asked[:] = [(which, ids.numpy(), seed) for ids, seed in pairs]
        self._pass = self._read()
        return self._pass

    def close(self) -> None:
        """End the workers; the next pass starts others."""
        self._end_pass()
        loader, self._loader = self._loader, None
        running: Any = None if loader is None else loader._iterator
        if running is not None:  # it would live as long as a traceback knows it
            running._shutdown_workers()

    def _end_pass(self) -> None:
        if self._pass is not None:
            self._pass.close()

    def _read(self) -> Generator[tuple[Inputs, Tensor]]:
        if self._loader is None:
            self._loader = DataLoader(
                _Batches(
                    tuple(reader.examples for reader in self._readers),
                    tuple(reader.collate for reader in self._readers),
                ),
                batch_size=None,  # what is asked for is a whole batch
                sampler=self._asked,
                num_workers=self._count,
                multiprocessing_context=self._start_method() if self._count else None,
                persistent_workers=self._count > 0,
                pin_memory=self._pin_memory,
                # A loader draws a seed for its workers; no global generator shall move for that.
                generator=torch.Generator().manual_seed(0),
            )
        yield from _iterator_of(self._loader)

    def _start_method(self) -> str | None:
        """Return how workers start; None for the way that is set or the system's, if it is safe."""
        methods = multiprocessing.get_all_start_methods()  # the system's first
        if (multiprocessing.get_start_method(allow_none=True) or methods[0]) != "fork":
            return None
        # A lock that another thread holds stays locked for ever in a process that is forked then.
        # Python 3.12 and later warn of it, and count threads of numerical libraries too.
        if sys.version_info < (3, 12) and not _has_threads():
            return "fork"
        if not all(reader.can_be_sent for reader in self._readers):
            return "fork"
        # Workers come from a server that has loaded PyTorch: each starts in milliseconds.
        multiprocessing.set_forkserver_preload(["__main__", __name__])
        return "forkserver"


def _has_threads() -> bool:
    """Return whether this process has other threads than those that an ended loader leaves."""
    names = [t.name for t in threading.enumerate() if t is not threading.current_thread()]
    return not all(name.startswith("QueueFeederThread") for name in names)


def _iterator_of(loader: DataLoader[tuple[Inputs, Tensor]]) -> Iterator[tuple[Inputs, Tensor]]:
    """Return the iterator over a pass; the first one starts the workers."""
    with torch.device("cpu"), warnings.catch_warnings():  # whatever device is the default
        # Workers are forked beside threads only where nothing else works: in a notebook, say.
        warnings.filterwarnings("ignore", r".*use of fork\(\) may lead to", DeprecationWarning)
        try:
            return iter(loader)
        except BaseException as error:  # those that did start live as long as a frame knows them
            traceback.clear_frames(error.__traceback__)
            gc.collect()
            raise


@dataclass(frozen=True)
class _Batches(Dataset[tuple[Inputs, Tensor]]):
    """Whole batches of several data sets as the items of one."""

    examples: tuple[_data.Examples, ...]
    collates: tuple[Collate | None, ...]

    def __getitem__(self, asked: _Asked) -> tuple[Inputs, Tensor]:
        which, at, seed = asked
        with seeded_generators(seed):
            return self.examples[which].batch_at(at, self.collates[which])
