"""What tests of trained measures share: small problems, single fits, and a hand on Ctrl-C."""

import copy
import itertools
import signal
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import corruptlab as cl
from corruptlab.capacity import EffectiveCapacity, EffectiveCapacityTrial

FROZEN = cl.Recipe(learning_rate=1e-12, epochs=1, whiten=False, decay=0.95)  # nothing is learned
SHORT = cl.Recipe(learning_rate=0.3, decay=1.0, epochs=6, batch_size=16, whiten=False)
LONG = cl.Recipe(learning_rate=0.3, decay=1.0, epochs=200, batch_size=16, whiten=False)


def points(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def classes(n: int, k: int = 2, seed: int = 0) -> Tensor:
    return torch.randint(k, (n,), generator=torch.Generator().manual_seed(seed))


def plane(d: int, k: int = 2, seed: int = 0) -> nn.Sequential:
    return cl.mlp(input_shape=(d,), num_classes=k, seed=seed)


def fitted(
    model: nn.Module, inputs: Tensor, labels: Tensor, recipe: cl.Recipe, seed: int = 0
) -> nn.Module:
    """What `fit` makes of a copy."""
    own = copy.deepcopy(model)
    cl.fit(own, TensorDataset(inputs, labels), recipe=recipe, seed=seed)
    return own.eval().requires_grad_(False)


def hits(
    model: nn.Module, inputs: Tensor, labels: Tensor, recipe: cl.Recipe, seed: int = 0
) -> list[bool]:
    """Which examples a single fit of them gets right."""
    own = fitted(model, inputs, labels, recipe, seed)
    flags: list[bool] = (own(inputs).argmax(dim=1) == labels).tolist()
    return flags


def separable(x: NDArray[np.float64], labels: NDArray[np.int64]) -> bool:
    """Whether an affine plane parts two classes: a linear program finds one with margin 1."""
    signs = 2.0 * labels[:, None] - 1
    rows = -signs * np.hstack([x, np.ones((len(x), 1))])
    free = [(None, None)] * rows.shape[1]
    program = linprog(np.zeros(rows.shape[1]), rows, -np.ones(len(x)), bounds=free)
    return bool(program.status == 0)


def groups_of(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Train so many replicas at a time."""
    monkeypatch.setattr("corruptlab.capacity._replicas._MOST_REPLICAS", size)


def press_ctrl_c(monkeypatch: pytest.MonkeyPatch, *, epoch: int) -> None:
    """Press Ctrl-C at the beginning of an epoch, counted from 1 over all groups of replicas."""
    counter = itertools.count(1)
    original = cl.Draws.permutations

    def pressing(draws: cl.Draws, stream: str, ids: ArrayLike, n: int) -> NDArray[np.int64]:
        if stream == "fit/order" and next(counter) == epoch:  # drawn when an epoch begins
            signal.raise_signal(signal.SIGINT)
        return original(draws, stream, ids, n)

    monkeypatch.setattr(cl.Draws, "permutations", pressing)


def result(trials: Sequence[EffectiveCapacityTrial], **changes: Any) -> EffectiveCapacity:
    """What a search of 1,000 examples came to."""
    fields: dict[str, Any] = {
        "labels": "random",
        "examples": 1000,
        "share": 0.5,
        "error": 0.0,
        "tolerance": 0.05,
        "most_trials": 12,
        "confidence": 0.95,
        "stopped_by": "tolerance",
        "num_classes": 2,
        "seed": 0,
        "environment": cl.capacity.rademacher.linear(np.eye(2), draws=2).environment,
        **changes,
    }
    return EffectiveCapacity(trials=tuple(trials), **fields)
