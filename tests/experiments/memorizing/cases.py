"""Data in four clusters, and ways to train on them: by heart, not at all, and in between."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from corruptlab import materialize, memorization_report
from corruptlab.corruptions import Corrupted
from corruptlab.experiments import MemorizationMeter, MemorizationReport

CLASSES = 4


def clusters(n: int = 400, seed: int = 0) -> TensorDataset:
    """Return distinct points in the plane around four centres that are far from one another."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % CLASSES
    centres = 10.0 * torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return TensorDataset(centres[labels] + torch.randn(n, 2, generator=generator), labels)


def rule(x: torch.Tensor) -> torch.Tensor:
    """Return the true class of points of `clusters`."""
    return 2 * (x[:, 0] > 5).long() + (x[:, 1] > 5).long()


def nearest(dataset: Corrupted, epoch_end: MemorizationMeter) -> Callable[[Any], Any]:
    """Learn by heart, without PyTorch: the label of the nearest example."""
    inputs, labels = (tensor.numpy() for tensor in materialize(dataset))

    def predict(x: torch.Tensor) -> Any:
        distances = ((x.numpy()[:, None] - inputs[None]) ** 2).sum(axis=2)
        return labels[distances.argmin(axis=1)]

    return predict


def constant(dataset: Corrupted, epoch_end: MemorizationMeter) -> Callable[[Any], Any]:
    """Learn nothing: always class 1."""
    return lambda x: np.ones(len(x), np.int64)


def untrained(dataset: Corrupted, epoch_end: MemorizationMeter) -> Callable[[Any], Any]:
    """Know the truth from elsewhere."""
    return rule


def network(*, width: int = 32) -> nn.Sequential:
    """Return a network for `clusters`, with layers that differ between training and evaluation."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(2, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(width, CLASSES),
        )


def loop(dataset: Corrupted, epoch_end: Callable[[nn.Module], Any], epochs: int = 3) -> nn.Module:
    """Train a network by a plain loop, which draws from the global generator."""
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(epochs):
        for x, y in DataLoader(dataset, batch_size=32, shuffle=True, drop_last=True):
            optimizer.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(model(x), y))
            optimizer.step()
        epoch_end(model)
    return model


def run(train_function: Any = nearest, train: Any = None, **changes: Any) -> MemorizationReport:
    """Make a small report."""
    data = clusters() if train is None else train
    return memorization_report(train_function, data, **{"canaries": 60, **changes})
