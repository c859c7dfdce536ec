"""Small problems that the tests of training share."""

from typing import Any

import torch
from torch import nn
from torch.utils.data import TensorDataset

from corruptlab import Augmentation, Recipe
from corruptlab.models import mlp

RECIPE = Recipe(learning_rate=0.1, decay=0.995, epochs=200, batch_size=10, whiten=False)


def points(n: int = 60, d: int = 6, classes: int = 3, seed: int = 0) -> TensorDataset:
    """Return random points with random labels: nothing to learn but the points themselves."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, d, generator=generator)
    return TensorDataset(inputs, torch.randint(classes, (n,), generator=generator))


def network(seed: int = 0, **shape: Any) -> nn.Sequential:
    """Return an MLP that can memorize `points`."""
    return mlp(64, input_shape=(6,), num_classes=3, seed=seed, **shape)


# Augmentations: everything at once, and each change by itself.
ALL = Augmentation(
    random_crop=True, flip=True, rotation=25, brightness=0.2, saturation=0.5, hue=0.1
)
EACH = [
    Augmentation(random_crop=True),
    Augmentation(flip=True),
    Augmentation(rotation=180),
    Augmentation(brightness=0.5),
    Augmentation(saturation=0.9),
    Augmentation(hue=0.5),
]
IDS = ["random_crop", "flip", "rotation", "brightness", "saturation", "hue"]
