"""Replicas trained as one program, against as many fits, and against as many plain loops."""

from collections.abc import Callable
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

FITS, LOOPS = "calls of `fit`", "plain loops"
MEASURING = "plain loops that measure the same"  # evaluation costs a convolutional network most


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


@pytest.mark.parametrize("loop", [FITS, LOOPS])
def test_small_perceptrons(
    compare: Compare, rates: Rates, scale: Scale, device: torch.device, loop: str
) -> None:
    """64-128-10 on as many points as scikit-learn has digits."""
    work = small_perceptrons(scale(16, 32))
    against(compare, rates, device, work, loop)


@pytest.mark.parametrize("loop", [FITS, LOOPS])
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


@pytest.mark.parametrize("loop", [FITS, LOOPS, MEASURING])
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


@pytest.mark.parametrize("loop", [LOOPS, MEASURING])
def test_calls_of_fit(compare: Compare, scale: Scale, device: torch.device, loop: str) -> None:
    """Fits that are over in milliseconds, one after the other: what a call costs beside its steps.

    Neither side does its products in several threads: how long these wait for one another is
    another question.
    """
    work = small_perceptrons(scale(16, 32))
    labels = labels_of(work)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        compare(
            f"{work.replicas} calls of `fit`, {work.name} on {len(work.inputs):,} points, "
            f"{work.epochs} epochs, one thread",
            lambda: fits(work, labels, device),
            lambda: plain_loops(work, labels, device, measure=loop == MEASURING),
            than=f"{work.replicas} {loop}",
            rounds=7,
        )
    finally:
        torch.set_num_threads(before)


def small_perceptrons(replicas: int) -> Work:
    return Work(
        name="MLPs 64-128-10",
        make=lambda: cl.mlp(128, input_shape=(64,)),
        inputs=random_inputs(1797, 64),
        replicas=replicas,
        epochs=2,
    )


def random_inputs(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def labels_of(work: Work) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(10, (work.replicas, len(work.inputs)), generator=generator)


def recipe_of(work: Work) -> cl.Recipe:
    """Return a recipe with too low a rate to interpolate: the work is the same in all."""
    return cl.Recipe(learning_rate=1e-3, decay=1.0, epochs=work.epochs, whiten=False)


def against(compare: Compare, rates: Rates, device: torch.device, work: Work, loop: str) -> None:
    """Compare with a loop over the replicas: of `fit`, or as PyTorch's tutorials write it."""
    inputs, n, labels, recipe = work.inputs, len(work.inputs), labels_of(work), recipe_of(work)
    reports: list[cl.ReplicasReport] = []

    def ours() -> None:
        reports.append(cl.fit_replicas(work.make(), inputs, labels, recipe=recipe, device=device))

    def theirs() -> None:
        if loop == FITS:
            fits(work, labels, device)
        else:
            plain_loops(work, labels, device, measure=loop == MEASURING)

    model = work.make()
    times = work.replicas * work.epochs
    steps = times * -(-n // recipe.batch_size)
    found = compare(
        f"{work.replicas} {work.name} on {n:,} points by `fit_replicas`, {work.epochs} epochs",
        ours,
        theirs,
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


def fits(work: Work, labels: Tensor, device: torch.device) -> None:
    """Call `fit` for one network after the other."""
    for own in labels:
        data = TensorDataset(work.inputs, own)
        cl.fit(work.make(), data, recipe=recipe_of(work), device=device)


def plain_loops(work: Work, labels: Tensor, device: torch.device, *, measure: bool) -> None:
    """Train one network after the other as PyTorch's tutorials do.

    With ``measure``, as `fit` does: up to the first batch with an error after each epoch, and once
    on all points at the end.
    """
    recipe, inputs = recipe_of(work), work.inputs.to(device)
    for own in labels.to(device):
        network = work.make().to(device)
        optimizer = torch.optim.SGD(
            network.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum
        )
        for _ in range(recipe.epochs):
            network.train()
            for ids in torch.randperm(len(inputs), device=device).split(recipe.batch_size):  # type: ignore[no-untyped-call]  # PyTorch's
                loss = cross_entropy(network(inputs[ids]), own[ids])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
                optimizer.step()
            if measure:
                accuracy_of(network, inputs, own, until_an_error=True)
        if measure:
            accuracy_of(network, inputs, own, until_an_error=False)


@torch.no_grad()
def accuracy_of(
    network: nn.Module, inputs: Tensor, labels: Tensor, *, until_an_error: bool
) -> float:
    network.eval()
    right = 0
    for some, own in zip(inputs.split(256), labels.split(256), strict=True):  # type: ignore[no-untyped-call]  # PyTorch's
        hits = int((network(some).argmax(1) == own).sum())
        right += hits
        if until_an_error and hits < len(own):
            break
    return right / len(inputs)
