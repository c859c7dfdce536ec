"""Images a second of `fit` on a tree of files, beside its loader alone and its network alone.

Inception V3 at 299x299, as the paper trained it. A thousand folders of random JPEG files of 400x408
pixels stand in for ImageNet: about as many pixels and bytes an image, and labels of 1,000 classes.
"""

import os
from dataclasses import dataclass
from pathlib import Path
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
    gpu = device.type == "cuda"
    quick, full = ((64, 10), (128, 40)) if gpu else ((8, 2), (16, 6))
    batch, steps = scale(quick, full)
    return Plan(device=device, classes=scale(100, 1000), batch=batch, steps=steps)


@pytest.fixture(scope="module")
def images(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tree with random labels, as often as the steps need it."""
    pytest.importorskip("PIL")
    pytest.importorskip("torchvision", exc_type=ImportError) if not found() else None
    return tree(plan, tmp_path_factory.mktemp("tree"))
