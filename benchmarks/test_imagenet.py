"""Images a second of `fit` on a tree of files, beside its loader alone and its network alone.

Inception V3 at 299x299, as the paper trained it. A thousand folders of random JPEG files of 400x408
pixels stand in for ImageNet: about as many pixels and bytes an image, and labels of 1,000 classes.
"""

import os
import time
from typing import Any, Literal

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Subset

import corruptlab as cl
from benchmarks.conftest import tell
from tests.training.programs.vision import image_tree, torchvision

CLASSES, SIDE, WORKERS = 1000, 299, os.cpu_count() or 1
GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
# A processor does some ten images a second, a large GPU more than a thousand.
BATCH, STEPS = (128, 40) if GPU else (16, 6)
PRECISION: Literal["float32", "bfloat16"] = "bfloat16" if GPU else "float32"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tree with random labels, as often as the steps need it."""
    pytest.importorskip("PIL")
    datasets, transforms = torchvision("datasets"), torchvision("transforms")
    tree = image_tree(tmp_path_factory.mktemp("tree"), classes=CLASSES, size=400)
    whole = transforms.Compose(
        [transforms.Resize(SIDE), transforms.CenterCrop(SIDE), transforms.PILToTensor()]
    )
    noisy = cl.corrupt(datasets.ImageFolder(tree, transform=whole), cl.RandomLabels(), seed=0)
    return Subset(noisy, [i % CLASSES for i in range(BATCH * STEPS)])


def test_images_a_second(images: Any) -> None:
    """Training from files, against reading the same files only, and the same steps in memory."""
    recipe = cl.Recipe(learning_rate=0.01, epochs=1, batch_size=BATCH, precision=PRECISION)
    execution = cl.Execution(data="stream", workers=WORKERS, compile=False, channels_last=GPU)
    report = cl.fit(
        network(),
        images,
        recipe=recipe,
        stop=(),
        measure="loss",
        device=DEVICE,
        execution=execution,
        progress=True,
    )
    assert report.steps == STEPS
    n = BATCH * STEPS
    tell(
        f"Inception V3 at 299x299 from files, batch {BATCH}, {PRECISION}, {STEPS} steps on {DEVICE}"
    )
    for what, seconds in {
        "fit": report.seconds,
        f"its loader alone, {WORKERS} processes": seconds_to_load(images),
        "its network alone": seconds_in_memory(recipe),
    }.items():
        tell(f"  {n / seconds:8.1f} images/s  {what}")


def network() -> nn.Module:
    """Return the network, which shall lie on the device."""
    return cl.models.inception_v3(num_classes=CLASSES).to(DEVICE)


def seconds_to_load(images: Any) -> float:
    """Read all images with as many processes as the fit has, and do nothing with them."""
    start = time.perf_counter()
    read = sum(len(labels) for _, labels in DataLoader(images, BATCH, num_workers=WORKERS))
    assert read == len(images)
    return time.perf_counter() - start


def seconds_in_memory(recipe: cl.Recipe) -> float:
    """Train on one batch again and again, as plainly as can be, after one step to warm up."""
    model = network()
    if GPU:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stubs
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.learning_rate, momentum=0.9)
    inputs = torch.randn(BATCH, 3, SIDE, SIDE, device=DEVICE)
    targets = torch.arange(BATCH, device=DEVICE) % CLASSES
    start = 0.0
    for step in range(STEPS + 1):
        if step == 1:
            start = finished()
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=PRECISION == "bfloat16"):
            loss = cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
        optimizer.step()
    return finished() - start


def finished() -> float:
    """Return the time when the device has done all that was asked of it."""
    if GPU:
        torch.cuda.synchronize()
    return time.perf_counter()
