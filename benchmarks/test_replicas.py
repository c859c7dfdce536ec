"""Replicas trained as one program, against as many fits, and against as many plain loops."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset

import corruptlab as cl
from benchmarks.conftest import Comparison, tell

LOOPS = pytest.mark.parametrize("loop", ["calls of fit", "plain loops"])


@LOOPS
def test_32_small_perceptrons(compare: Comparison, loop: str) -> None:
    """64-128-10 on as many points as scikit-learn has digits."""
    inputs = torch.randn(1797, 64, generator=torch.Generator().manual_seed(0))
    against(
        compare, "32 MLPs 64-128-10", lambda: cl.mlp(128, input_shape=(64,)), inputs, 32, 2, loop
    )


@LOOPS
def test_16_larger_perceptrons(compare: Comparison, loop: str) -> None:
    """784-512-10 on 4,000 points: nearly all of the time is matrix products in either way."""
    inputs = torch.randn(4000, 784, generator=torch.Generator().manual_seed(0))
    against(
        compare, "16 MLPs 784-512-10", lambda: cl.mlp(512, input_shape=(784,)), inputs, 16, 2, loop
    )


@LOOPS
def test_8_convolutional_networks(compare: Comparison, loop: str) -> None:
    """Two convolutions with batch norm on 500 images of 28x28."""
    inputs = torch.randn(500, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    against(compare, "8 small convnets with batch norm", convnet, inputs, 8, 3, loop)


def against(
    compare: Comparison,
    name: str,
    make: Callable[[], nn.Module],
    inputs: Tensor,
    replicas: int,
    epochs: int,
    loop: str,
) -> None:
    """Compare with a loop over the replicas: of `fit`, or as PyTorch's tutorials write it."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(10, (replicas, len(inputs)), generator=generator)
    # Too low a rate to interpolate: the work is the same in all.
    recipe = cl.Recipe(learning_rate=1e-3, decay=1.0, epochs=epochs, whiten=False)
    reports: list[cl.ReplicasReport] = []

    def fits() -> None:
        for row in labels:
            cl.fit(make(), TensorDataset(inputs, row), recipe=recipe)

    def plain() -> None:
        plain_loops([make() for _ in labels], inputs, labels, recipe)

    compare(
        f"{name}, {epochs} epochs",
        lambda: reports.append(cl.fit_replicas(make(), inputs, labels, recipe=recipe)),
        fits if loop == "calls of fit" else plain,
        than=f"{replicas} {loop}",
        rounds=3,
    )
    tell(f"  {reports[-1].strategy}, {reports[-1].group} at a time; {reports[-1].seconds_per_step}")


def convnet() -> nn.Module:
    """Return a small network with batch norm."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
        *(nn.Flatten(), nn.Linear(16, 10)),
    )


def plain_loops(
    networks: Sequence[nn.Module], inputs: Tensor, labels: Tensor, recipe: cl.Recipe
) -> None:
    """Train one network after the other as PyTorch's tutorials do."""
    for network, own in zip(networks, labels, strict=True):
        optimizer = torch.optim.SGD(
            network.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum
        )
        for _ in range(recipe.epochs):
            for ids in torch.randperm(len(inputs)).split(recipe.batch_size):  # type: ignore[no-untyped-call]  # PyTorch's
                loss = cross_entropy(network(inputs[ids]), own[ids])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
                optimizer.step()
