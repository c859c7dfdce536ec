"""The path of ImageNet, small: a tree of JPEG files, several processes, workers, Inception V3.

python -m tests.training.programs.launch tests.training.programs.imagenet 2 1 FOLDER TREE
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.utils.data import Subset

import corruptlab as cl

from .problem import lasting
from .vision import torchvision

RECIPE = cl.Recipe(learning_rate=0.01, epochs=1, batch_size=4, whiten=True, decay=0.95)
EXAMPLES = range(0, 1000, 125)


class Loader:
    """Decodes a file, and notes its name."""

    def __init__(self, decoded: list[str]) -> None:
        self.decoded = decoded

    def __call__(self, path: str) -> Image.Image:
        self.decoded.append(path)
        return Image.open(path).convert("RGB")


def image_folder(tree: Path, decoded: list[str], side: int) -> Any:
    """Return the tree as torchvision serves it, and note which files are decoded here."""
    transforms = torchvision("transforms")

    resized = transforms.Compose([transforms.Resize(side), transforms.CenterCrop(side)])
    return torchvision("datasets").ImageFolder(tree, transform=resized, loader=Loader(decoded))


def digest(model: nn.Module) -> str:
    """Return a digest of all parameters and buffers."""
    found = hashlib.sha256()
    for value in model.state_dict().values():
        found.update(value.contiguous().numpy().tobytes())
    return found.hexdigest()


def main(folder: Path, tree: str) -> None:
    torch.set_num_threads(1)
    decoded: list[str] = []
    noisy = cl.corrupt(image_folder(Path(tree), decoded, 75), cl.RandomLabels(), seed=0)
    to_wrap = len(decoded)
    model = cl.models.inception_v3(num_classes=noisy.num_classes)
    before = digest(model)
    report = cl.fit(
        model,
        Subset(noisy, EXAMPLES),
        recipe=RECIPE,
        stop=(),
        measure="loss",
        execution=cl.Execution(data="stream", workers=2),
    )
    found = {
        "report": lasting(report),
        "num_classes": noisy.num_classes,
        "labels": noisy.targets[list(EXAMPLES)].tolist(),
        "decoded_to_wrap": to_wrap,
        "decoded_here": len(decoded),
        "weights": (before, digest(model)),
    }
    torch.save(found, folder / f"{os.environ['RANK']}.pt")
