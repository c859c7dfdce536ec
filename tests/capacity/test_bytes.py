"""Bytes mean the same everywhere: every capacity function takes them as a recipe does, over 255."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from corruptlab import KernelInterpolant, Recipe
from corruptlab.capacity import (
    effective_capacity,
    memorization,
    rademacher,
    shatters,
    stability,
)
from corruptlab.capacity.kernels import GaussianKernel

BYTES = torch.randint(0, 256, (20, 6), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
LABELS = torch.arange(20) % 2
RECIPE = Recipe(learning_rate=0.1, epochs=2)
LINEAR = nn.Linear(6, 2, bias=False)


def perceptron() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))


def dot(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T


CALLS: dict[str, Callable[[Any], Any]] = {
    "linear, l2": lambda x: rademacher.linear(x).sups,
    "linear, l1": lambda x: rademacher.linear(x, ball="l1").sups,
    "linear, blocks": lambda x: rademacher.linear([x[:7], x[7:]]).sups,
    "kernel": lambda x: rademacher.kernel(x, function=dot).sups,
    "golowich_frobenius": lambda x: rademacher.golowich_frobenius(perceptron(), x).value,
    "golowich_l1_inf": lambda x: rademacher.golowich_l1_inf(perceptron(), x).value,
    "bartlett_spectral": lambda x: rademacher.bartlett_spectral(perceptron(), x).value,
    "network": lambda x: rademacher.network(perceptron(), x, recipe=RECIPE, draws=2).sups,
    "effective_capacity": lambda x: [
        trial.train_accuracies
        for trial in effective_capacity(perceptron(), x, recipe=RECIPE, replicas=2).trials
    ],
    "memorization": lambda x: (
        memorization(perceptron(), x, LABELS, recipe=RECIPE, replicas=40).scores
    ),
    "shatters": lambda x: shatters(perceptron(), x, recipe=RECIPE, sample=4).unfitted,
    "stability": lambda x: (
        stability(
            perceptron(), x, LABELS, recipe=RECIPE, fresh=(x[:2], LABELS[:2]), held_out=(x, LABELS)
        ).means
    ),
    "KernelInterpolant": lambda x: (
        KernelInterpolant(GaussianKernel(gamma=1.0)).fit(x, LABELS, num_classes=2).predict(x)
    ),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", ["tensor", "array"])
def test_bytes_give_what_floats_from_0_to_1_give(name: str, kind: str) -> None:
    stored = BYTES if kind == "tensor" else BYTES.numpy()
    found, expected = CALLS[name](stored), CALLS[name](BYTES / 255)
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_integers_that_float32_cannot_hold_are_taken_as_they_are(dtype: torch.dtype) -> None:
    apart = torch.tensor([[2**24 + 1], [-(2**24)]])  # of sums with unlike signs only 1 is left
    found = rademacher.linear(apart.to(dtype), draws=8).sups
    np.testing.assert_array_equal(found, rademacher.linear(apart.double(), draws=8).sups)
    assert min(found) == 0.5
