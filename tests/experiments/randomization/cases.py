"""A test small enough to run in a second: 60 images of two bars, and a network that memorizes."""

from typing import Any

import torch
from torch.utils.data import TensorDataset

from corruptlab import RandomizationReport, Recipe, randomization_test
from corruptlab.models import mlp

RECIPE = Recipe(learning_rate=0.05, decay=0.995, epochs=300, batch_size=10, whiten=True)


def bars(n: int = 60, seed: int = 0) -> TensorDataset:
    """Return noisy grey images; the left half is bright in class 0, the right half in class 1."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    images = torch.randint(0, 120, (n, 1, 6, 6), generator=generator)
    images[labels == 0, :, :, :3] += 100
    images[labels == 1, :, :, 3:] += 100
    return TensorDataset(images.to(torch.uint8), labels)


def network() -> Any:
    """Return a network for `bars`."""
    return mlp(64, input_shape=(1, 6, 6), num_classes=2)


def run(**changes: Any) -> RandomizationReport:
    """Run a small test."""
    model, train = changes.pop("model", network()), changes.pop("train", bars())
    test = changes.pop("test", bars(200, seed=1))
    given = {"recipe": RECIPE, **changes}
    report: RandomizationReport = randomization_test(model, train, test, **given)
    return report
