"""A small problem: points with a signal in one coordinate, and a network without hidden layer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
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


def permuted_by_hand(
    labels: ArrayLike, groups: ArrayLike | None = None, *, seed: int = 0, numbers: Iterable[int]
) -> NDArray[np.int64]:
    """Return the labels permuted as docs/randomness.md says, a row for each number; 0 is as is."""
    own = np.asarray(labels)
    names = np.zeros(len(own)) if groups is None else np.asarray(groups)
    rows = []
    for number in numbers:
        words = cl.Draws(seed).words(f"permutation_test/exchange/{number}", np.arange(len(own)))
        row = own.copy()
        for name in np.unique(names) if number else ():
            at = np.flatnonzero(names == name)
            row[at] = own[at[np.argsort(words[at, 0], kind="stable")]]
        rows.append(row)
    return np.stack(rows)


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


@dataclass(frozen=True)
class Trained:
    """What `fit_replicas` was asked to train once, and on which device."""

    inputs: torch.Tensor  # (n, ...)
    labels: torch.Tensor  # (R, n)
    device: Any


def watch_training(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None] = lambda call: None
) -> list[Trained]:
    """Keep what every call of `fit_replicas` is asked; ``act`` gets the number of the call."""
    seen: list[Trained] = []
    real = cl.training.fit_replicas

    def watched(model: Any, inputs: Any, labels: Any, **options: Any) -> Any:
        seen.append(Trained(inputs, labels, options["device"]))
        act(len(seen))
        return real(model, inputs, labels, **options)

    monkeypatch.setattr(cl.training, "fit_replicas", watched)
    return seen


class Untrained:
    """Stands in for the report of `fit_replicas`; every network has the same scores."""

    def __init__(self, count: int, scores: tuple[float, ...] = (0.0, 0.0)) -> None:
        self.count, self.scores = count, scores
        self.stopped_by = ("epochs",) * count

    def logits(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.tensor(self.scores).expand(self.count, len(inputs), len(self.scores))


def train_nothing(
    monkeypatch: pytest.MonkeyPatch, scores: tuple[float, ...] = (0.0, 0.0)
) -> list[Trained]:
    """Replace training by nothing at all, and keep what was asked for."""
    seen: list[Trained] = []

    def untrained(model: Any, inputs: Any, labels: Any, **options: Any) -> Any:
        seen.append(Trained(inputs, labels, options["device"]))
        return Untrained(len(labels), scores)

    monkeypatch.setattr(cl.training, "fit_replicas", untrained)
    return seen
