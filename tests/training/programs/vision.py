"""`torchvision.datasets` in programs, even where torchvision was built for another PyTorch."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from PIL import Image

_NMS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_alive: list[object] = []  # operators vanish with the library that defined them


def torchvision(module: str) -> ModuleType:
    """Import a module of torchvision, with two operators that cannot be called if need be."""
    try:
        return importlib.import_module(f"torchvision.{module}")
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
    stand_in: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]  # PyTorch's
    for name in ("nms", "qnms"):
        stand_in.define(name + _NMS)
    _alive.append(stand_in)
    return importlib.import_module(f"torchvision.{module}")


def image_tree(folder: Path, *, classes: int, per_class: int = 1, size: int = 48) -> Path:
    """Write random JPEG files, in a folder for each class, as ImageNet comes."""
    pixels = np.random.default_rng(0)
    for label in range(classes):
        inside = folder / f"n{label:08}"
        inside.mkdir(parents=True)
        for i in range(per_class):
            image = pixels.integers(0, 256, (size, size + 8, 3)).astype(np.uint8)
            Image.fromarray(image).save(inside / f"n{label:08}_{i}.JPEG")
    return folder
