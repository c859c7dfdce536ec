"""Data sets with a fault at most, in a module that spawned workers can import."""

import multiprocessing
import random
import sys
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, TensorDataset, get_worker_info

from corruptlab import Draws, UniformLabels, corrupt
from corruptlab._types import Ids, Labels
from corruptlab.experiments import Finding, audit

FORKS = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
HALF = UniformLabels(p=0.5)
N = 60
GOOD = [i % 3 for i in range(N)]  # the labels of `Pictures`


def finding(check: str, train: Any, test: Any = None, **options: Any) -> Finding:
    """Return one finding of an audit without workers."""
    return audit(train, test, **{"workers": 0, **options})[check]


def tensors(n: int = 60, labels: Any = None, num_classes: int = 3) -> TensorDataset:
    """Return ``n`` different inputs of two channels with labels in turn."""
    y = torch.arange(n) % num_classes if labels is None else torch.as_tensor(labels)
    return TensorDataset(torch.arange(n * 18, dtype=torch.float32).reshape(n, 2, 3, 3), y)


def many(*corruptions: Any, n: int = 20_000, num_classes: int = 10, **options: Any) -> Any:
    """Return corrupted labels enough for exact laws."""
    labels = torch.arange(n) % num_classes
    return corrupt(TensorDataset(torch.arange(n).reshape(n, 1), labels), *corruptions, **options)


class Pictures(Dataset[Any]):
    """Sixty different images with labels 0, 1, 2 in turn, and nothing wrong with them."""

    def __init__(self, n: int = N) -> None:
        self.images = torch.arange(n * 12, dtype=torch.float32).reshape(n, 3, 2, 2)
        self.classes = ["a", "b", "c"]
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        return self.image(index), self.label(index)

    def image(self, index: int) -> torch.Tensor:
        return self.images[index]

    def label(self, index: int) -> int:
        return index % 3


class Augmented(Pictures):
    """Random transforms of the inputs, by the generators that people use."""

    def image(self, index: int) -> torch.Tensor:
        return super().image(index) + torch.rand(()) + random.random() + np.random.rand()  # noqa: NPY002


class Redrawn(Pictures):
    """Another label every time."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def label(self, index: int) -> int:
        self.reads += 1
        return self.reads % 3


class WorkerNoise(Pictures):
    """Labels that depend on the worker."""

    def label(self, index: int) -> int:
        worker = get_worker_info()
        return index % 3 if worker is None else (index + worker.id) % 3


class WorkerInputs(Pictures):
    """Inputs that differ in workers."""

    def image(self, index: int) -> torch.Tensor:
        return super().image(index) + (get_worker_info() is not None)


class Forgetful(Pictures):
    """Labels that do not survive being sent to another process."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = 1

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "shift": 0}

    def label(self, index: int) -> int:
        return (index + self.shift) % 3


class BadBatches(Pictures):
    """Batches that are shuffled."""

    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [self[i] for i in reversed(indices)]


class Unreadable(Pictures):
    """One item raises, as a damaged file does."""

    def __init__(self, bad: int) -> None:
        super().__init__()
        self.bad = bad

    def image(self, index: int) -> torch.Tensor:
        if index == self.bad:
            raise OSError("image file is truncated")
        return super().image(index)


class Halved:
    """A label corruption that says it changes every other label, and changes fewer."""

    stream = "halved"

    def __init__(self, really: float = 0.45) -> None:
        self.really = really

    def labels(self, clean: Labels, *, num_classes: int, draws: Draws, ids: Ids) -> Labels:
        changed = draws.uniform("halved", ids) < self.really
        return np.where(changed, (clean + 1) % num_classes, clean)

    def matrix(self, num_classes: int, draws: Draws | None = None) -> np.ndarray[Any, Any]:
        stay = np.eye(num_classes)
        return (stay + np.roll(stay, 1, axis=1)) / 2


class Local:
    """Wraps a data set and cannot be pickled, so that no process is spawned for it."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.transforms = {"image": [lambda image: image]}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]
