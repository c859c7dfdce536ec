"""Images a second of `fit` on a tree of files, beside its loader alone and its network alone.

Inception V3 at 299x299, as the paper trained it. A thousand folders of random JPEG files of 400x408
pixels stand in for ImageNet: about as many pixels and bytes an image, and labels of 1,000 classes.
"""

import os
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Subset

import corruptlab as cl
from benchmarks._comparing import Compare, Seconds
from benchmarks._limits import Rates, finish, seconds, training_flops
from benchmarks.conftest import Scale

SIDE, WORKERS = 299, os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is trained, and how.

    Args:
        device: Where.
        classes: As many folders, of one image each.
        batch: Images of a step.
        steps: A processor does some ten images a second, a large GPU more than a thousand.
    """

    device: torch.device
    classes: int
    batch: int
    steps: int

    @property
    def images(self) -> int:
        return self.batch * self.steps

    @property
    def precision(self) -> Literal["float32", "bfloat16"]:
        return "float32" if self.device.type == "cpu" else "bfloat16"

    def network(self) -> nn.Module:
        return cl.models.inception_v3(num_classes=self.classes).to(self.device)


@pytest.fixture(scope="module")
def plan(device: torch.device, scale: Scale) -> Plan:
    if not scale.full:
        pytest.skip("a network of this size takes long: --full")
    batch, steps = (128, 40) if device.type == "cuda" else (16, 6)
    return Plan(device=device, classes=1000, batch=batch, steps=steps)


@pytest.fixture(scope="module")
def images(plan: Plan, vision: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tree with random labels, as often as the steps need it."""
    datasets, transforms = (vision.torchvision(name) for name in ("datasets", "transforms"))
    tree = vision.image_tree(tmp_path_factory.mktemp("tree"), classes=plan.classes, size=400)
    whole = transforms.Compose(
        [transforms.Resize(SIDE), transforms.CenterCrop(SIDE), transforms.PILToTensor()]
    )
    noisy = cl.corrupt(datasets.ImageFolder(tree, transform=whole), cl.RandomLabels(), seed=0)
    return Subset(noisy, [i % plan.classes for i in range(plan.images)])


def test_fit_on_files(compare: Compare, rates: Rates, plan: Plan, images: Any) -> None:
    """Training from files, against the same steps on a batch in memory; and its loader alone."""
    recipe = cl.Recipe(
        learning_rate=0.01,
        epochs=1,
        batch_size=plan.batch,
        precision=plan.precision,
        whiten=True,
        decay=0.95,
    )
    gpu = plan.device.type == "cuda"
    execution = cl.Execution(data="stream", workers=WORKERS, compile=False, channels_last=gpu)

    def ours() -> Seconds:
        report = cl.fit(
            plan.network(),
            images,
            recipe=recipe,
            stop=(),
            measure="loss",
            device=plan.device,
            execution=execution,
        )
        assert report.steps == plan.steps
        return Seconds(report.seconds)

    step = training_flops(plan.network(), torch.randn(2, 3, SIDE, SIDE, device=plan.device)) / 2
    found = compare(
        f"`fit` on JPEG files, Inception V3 at {SIDE}x{SIDE}, batch {plan.batch}, "
        f"{plan.precision}, {plan.steps} steps",
        ours,
        lambda: Seconds(seconds_in_memory(plan, recipe)),
        than="its network alone, on a batch in memory",
        part=True,
        rounds=1,
        warm_up=False,  # the steps in memory have a warm-up of their own
        limit=rates.limit(flops=plan.images * step, products=plan.precision),
    )
    network, fit = found.fastest
    reading = seconds(lambda: read(images, plan.batch), torch.device("cpu"))
    found.note(
        f"{plan.images / fit:.3g} images/s; its network alone {plan.images / network:.3g}; its "
        f"loader alone, {WORKERS} worker processes, {plan.images / reading:.3g}"
    )


def read(images: Any, batch: int) -> None:
    """Read all images with as many processes as the fit has, and do nothing with them."""
    served = sum(len(labels) for _, labels in DataLoader(images, batch, num_workers=WORKERS))
    assert served == len(images)


def seconds_in_memory(plan: Plan, recipe: cl.Recipe) -> float:
    """Train on one batch again and again, as plainly as can be, after one step to warm up."""
    model = plan.network()
    if plan.device.type == "cuda":
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stubs
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.learning_rate, momentum=0.9)
    inputs = torch.randn(plan.batch, 3, SIDE, SIDE, device=plan.device)
    targets = torch.arange(plan.batch, device=plan.device) % plan.classes

    def train(steps: int) -> None:
        for _ in range(steps):
            half = plan.precision == "bfloat16"
            with torch.autocast(plan.device.type, torch.bfloat16, enabled=half):
                loss = cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
            optimizer.step()

    train(1)
    finish(plan.device)
    return seconds(lambda: train(plan.steps), plan.device)
