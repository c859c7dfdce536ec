"""A small problem: points with a signal in one coordinate, and a network without hidden layer."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

import corruptlab as cl

RECIPE = cl.Recipe(learning_rate=0.3, decay=0.95, epochs=8, batch_size=10, whiten=False)
D = 3


def points(n: int, *, seed: int = 0, signal: float = 1.0) -> TensorDataset:
    """Return normal points in D dimensions, and labels 0 and 1 that follow the first coordinate."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, D, generator=generator)
    noise = torch.randn(n, generator=generator)
    return TensorDataset(x, (signal * x[:, 0] + noise > 0).long())


def network() -> torch.nn.Module:
    return cl.mlp(input_shape=(D,), num_classes=2)


def run(*args: Any, **options: Any) -> cl.experiments.PermutationTest:
    """Run a test of that network with few permutations."""
    given: dict[str, Any] = {"recipe": RECIPE, "permutations": 19, "stop": (), **options}
    return cl.permutation_test(network(), *args, **given)


def accuracy_by_hand(
    inputs: Tensor, labels: Tensor, train: Tensor, held_out: Tensor, *, seed: int = 0
) -> float:
    """Fit on one part and measure on the other, without any of the code that is tested."""
    model = network()
    cl.fit(model, TensorDataset(inputs[train], labels[train]), recipe=RECIPE, stop=(), seed=seed)
    with torch.no_grad():
        return float((model(inputs[held_out]).argmax(1) == labels[held_out]).double().mean())
