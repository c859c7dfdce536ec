"""A small fit that uses everything a resumption could get wrong."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from corruptlab import Augmentation, FitReport, Recipe

# Every change that augmentation knows, momentum, decay; the network has dropout and batch norm.
RECIPE = Recipe(
    learning_rate=0.01,
    epochs=4,
    decay=0.9,
    batch_size=10,
    weight_decay=1e-3,
    crop=6,
    augmentation=Augmentation(
        random_crop=True, flip=True, rotation=25, brightness=0.2, saturation=0.2, hue=0.1
    ),
    whiten=True,
)


def images(n: int = 56, seed: int = 0) -> TensorDataset:
    """Return random pixels with random labels of three classes."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (n, 3, 8, 8), generator=generator).to(torch.uint8)
    return TensorDataset(pixels, torch.randint(3, (n,), generator=generator))


class Watched(nn.Module):
    """A convolutional network that calls back before each pass.

    Args:
        seed: Decides the initial weights.
        before_training: Called with the number of the training pass, from 1.
        before_measuring: Called with the number of training passes so far.
    """

    def __init__(
        self,
        seed: int = 0,
        before_training: Callable[[int], object] = lambda step: None,
        before_measuring: Callable[[int], object] = lambda step: None,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.body = nn.Sequential(
                nn.Conv2d(3, 6, 3),
                nn.BatchNorm2d(6),
                nn.ReLU(),
                nn.Flatten(),
                nn.Dropout(0.2),
                nn.Linear(6 * 4 * 4, 3),
            )
        self.steps = 0
        self._before_training, self._before_measuring = before_training, before_measuring

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.steps += 1
            self._before_training(self.steps)
        else:
            self._before_measuring(self.steps)
        out: Tensor = self.body(x)
        return out


def lasting(report: FitReport) -> dict[str, Any]:
    """Return what a report says apart from the clock."""
    values = json.loads(json.dumps(report.to_dict()))
    return {name: value for name, value in values.items() if not name.startswith("seconds")}


def same_bits(one: nn.Module, two: nn.Module) -> bool:
    """Tell whether two networks have equal parameters and buffers, to the bit."""
    pairs = zip(one.state_dict().items(), two.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


class Counted:
    """A data set that notes which items were read.

    Args:
        items: What it serves.
    """

    def __init__(self, items: Sequence[tuple[Any, int]] | TensorDataset) -> None:
        self._items: Any = items
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        self.read.append(int(index))
        inputs, target = self._items[index]
        return inputs, int(target)


def forget(datasets: Iterable[Counted]) -> None:
    """Start counting anew."""
    for dataset in datasets:
        dataset.read.clear()
