"""Replicas trained as one program, against as many fits, and against as many plain loops."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset

import corruptlab as cl
from benchmarks._comparing import Compare
from benchmarks._limits import Rates, training_flops, update_bytes
from benchmarks.conftest import Scale

LOOPS = pytest.mark.parametrize("loop", ["calls of `fit`", "plain loops"])


@dataclass(frozen=True, kw_only=True)
class Work:
    """A network, its inputs, and how often it is trained on them.

    Args:
        name: What it is called.
        make: Makes the network.
        inputs: Shape ``(n, ...)``.
        replicas: How many networks.
        epochs: How long.
    """

    name: str
    make: Callable[[], nn.Module]
    inputs: Tensor
    replicas: int
    epochs: int


@LOOPS
def test_small_perceptrons(
    compare: Compare, rates: Rates, scale: Scale, device: torch.device, loop: str
) -> None:
    """64-128-10 on as many points as scikit-learn has digits."""
    work = Work(
        name="MLPs 64-128-10",
        make=lambda: cl.mlp(128, input_shape=(64,)),
        inputs=random_inputs(1797, 64),
        replicas=scale(16, 32),
        epochs=2,
    )
    against(compare, rates, device, work, loop)


@LOOPS
def test_larger_perceptrons(
    compare: Compare, rates: Rates, scale: Scale, device: torch.device, loop: str
) -> None:
    """784-512-10: nearly all of the time is matrix products in either way."""
    work = Work(
        name="MLPs 784-512-10",
        make=lambda: cl.mlp(512, input_shape=(784,)),
        inputs=random_inputs(scale(1000, 4000), 784),
        replicas=scale(8, 16),
        epochs=scale(1, 2),
    )
    against(compare, rates, device, work, loop)


@LOOPS
def test_convolutional_networks(
    compare: Compare, rates: Rates, scale: Scale, device: torch.device, loop: str
) -> None:
    """Two convolutions with batch norm on images of 28x28."""
    work = Work(
        name="small convnets with batch norm",
        make=convnet,
        inputs=random_inputs(500, 1, 28, 28),
        replicas=scale(4, 8),
        epochs=scale(1, 3),
    )
    against(compare, rates, device, work, loop)


def random_inputs(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def against(compare: Compare, rates: Rates, device: torch.device, work: Work, loop: str) -> None:
    """Compare with a loop over the replicas: of `fit`, or as PyTorch's tutorials write it."""
    inputs, n = work.inputs, len(work.inputs)
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(10, (work.replicas, n), generator=generator)
    # Too low a rate to interpolate: the work is the same in all.
    recipe = cl.Recipe(learning_rate=1e-3, decay=1.0, epochs=work.epochs, whiten=False)
    reports: list[cl.ReplicasReport] = []

    def ours() -> None:
        reports.append(cl.fit_replicas(work.make(), inputs, labels, recipe=recipe, device=device))

    def fits() -> None:
        for row in labels:
            cl.fit(work.make(), TensorDataset(inputs, row), recipe=recipe, device=device)

    def plain() -> None:
        networks = [work.make().to(device) for _ in labels]
        plain_loops(networks, inputs.to(device), labels.to(device), recipe)

    model = work.make()
    times = work.replicas * work.epochs
    steps = times * -(-n // recipe.batch_size)
    found = compare(
        f"{work.replicas} {work.name} on {n:,} points by `fit_replicas`, {work.epochs} epochs",
        ours,
        fits if loop == "calls of `fit`" else plain,
        than=f"{work.replicas} {loop}",
        rounds=3,
        limit=rates.limit(
            flops=times * n * training_flops(model, inputs[:16]) / 16,
            moved=steps * update_bytes(sum(each.numel() for each in model.parameters())),
        ),
    )
    found.note(f"{reports[-1].strategy}, {reports[-1].group} at a time")


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
            for ids in torch.randperm(len(inputs), device=inputs.device).split(recipe.batch_size):  # type: ignore[no-untyped-call]  # PyTorch's
                loss = cross_entropy(network(inputs[ids]), own[ids])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
                optimizer.step()
