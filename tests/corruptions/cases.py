"""Small data sets of known content that the tests share."""

from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, TensorDataset

Array: TypeAlias = NDArray[Any]
Ids: TypeAlias = NDArray[np.int64]
Labels: TypeAlias = NDArray[np.int64]

N = 20_000
CLEAN: Labels = np.arange(N) % 10
"""Enough labels for exact laws, every class 2,000 times."""


def images(n: int = 60, shape: tuple[int, ...] = (3, 5, 6)) -> torch.Tensor:
    """Return images in which no two values of the first few are equal."""
    size = int(np.prod(shape))
    return (torch.arange(n * size) * 7919 % 32_003).to(torch.int16).reshape(n, *shape)


def tensors(n: int = 60) -> TensorDataset:
    """Return ``n`` images with labels 0 .. 9 in turn."""
    return TensorDataset(images(n), torch.arange(n) % 10)


class Items(Dataset[Any]):
    """A data set that only has items: whatever the test wants them to be."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items
        self.reads = 0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        self.reads += 1
        return self.items[index]


def items(dataset: Any) -> list[Any]:
    """Return all items, one by one."""
    return [dataset[i] for i in range(len(dataset))]
