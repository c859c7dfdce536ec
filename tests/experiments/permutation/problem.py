"""A small problem: points with a signal in one coordinate, and a network without hidden layer."""

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
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


def network() -> torch.nn.Sequential:
    return cl.mlp(input_shape=(D,), num_classes=2)


def run(*args: Any, **options: Any) -> cl.experiments.PermutationTest:
    """Run a test of that network with few permutations."""
    given: dict[str, Any] = {"recipe": RECIPE, "permutations": 19, "stop": (), **options}
    return cl.permutation_test(network(), *args, **given)


def fit_by_hand(inputs: ArrayLike, labels: ArrayLike, *, seed: int = 0) -> NDArray[np.float64]:
    """Return the weights, ``(2, D + 1)``, that softmax regression comes to, in plain NumPy.

    The steps are those that `Recipe` and docs/randomness.md write down, and none of the code that
    is tested takes part.
    """
    weights, x, targets = _start(), _with_one(inputs), np.eye(2)[np.asarray(labels)]
    speed = np.zeros_like(weights)
    for epoch, order in enumerate(_orders(seed, len(x))):
        for first in range(0, len(x), RECIPE.batch_size):
            at = order[first : first + RECIPE.batch_size]
            scores = np.exp(x[at] @ weights.T)
            excess = scores / scores.sum(axis=1, keepdims=True) - targets[at]
            speed = RECIPE.momentum * speed + excess.T @ x[at] / len(at)
            weights = weights - RECIPE.learning_rate * RECIPE.decay**epoch * speed
    return weights


def logits_by_hand(weights: NDArray[np.float64], inputs: ArrayLike) -> NDArray[np.float64]:
    found: NDArray[np.float64] = _with_one(inputs) @ weights.T
    return found


def accuracy_by_hand(
    inputs: NDArray[Any],
    labels: NDArray[Any],
    train: NDArray[Any],
    held_out: NDArray[Any],
    *,
    seed: int = 0,
) -> float:
    """Fit on one part and measure on the other."""
    weights = fit_by_hand(inputs[train], labels[train], seed=seed)
    found = logits_by_hand(weights, inputs[held_out]).argmax(axis=1)
    return float((found == labels[held_out]).mean())


@cache
def _start() -> NDArray[np.float64]:
    slopes, intercepts = (each.detach().double().numpy() for each in network().parameters())
    return np.concatenate([slopes, intercepts[:, None]], axis=1)


@cache
def _orders(seed: int, n: int) -> NDArray[np.int64]:
    return cl.Draws(seed).permutations("fit/order", range(RECIPE.epochs), n)


def _with_one(inputs: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(inputs, np.float64)
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)
