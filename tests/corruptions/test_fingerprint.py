"""One noise has one fingerprint, however it came; other noise has another."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch.utils.data import ConcatDataset, Subset

from corruptlab import (
    GaussianPixels,
    GivenLabels,
    RandomLabels,
    RandomPixels,
    ShuffledPixels,
    Specification,
    UniformLabels,
    corrupt,
)
from corruptlab.corruptions import Manifest
from corruptlab.datasets import label_file

from .cases import tensors

HALF = UniformLabels(p=0.5)


class Negatives:
    """A corruption of inputs without a ``repr`` of its own."""

    stream: ClassVar[str] = "negatives"

    def __init__(self, top: int = 255) -> None:
        self.top = top

    def inputs(self, clean: Any, *, draws: Any, ids: Any = None) -> Any:
        return self.top - clean


def test_other_corruptions_have_other_fingerprints() -> None:
    prints = [
        corrupt(tensors()).fingerprint,
        corrupt(tensors(), HALF, seed=0).fingerprint,
        corrupt(tensors(), HALF, seed=1).fingerprint,
        corrupt(tensors(), UniformLabels(p=0.6), seed=0).fingerprint,
        corrupt(tensors(), HALF, ShuffledPixels(), seed=0).fingerprint,
        corrupt(tensors(), HALF, RandomPixels(), seed=0).fingerprint,
        corrupt(tensors(), ShuffledPixels(), seed=0).fingerprint,
        corrupt(tensors(), ShuffledPixels(), seed=1).fingerprint,
        corrupt(tensors(), ShuffledPixels(), ShuffledPixels(), seed=0).fingerprint,
        corrupt(tensors(), GaussianPixels(mean=0.0, std=1.0)).fingerprint,
        corrupt(tensors(), GaussianPixels(mean=0.0, std=2.0)).fingerprint,
        corrupt(tensors(59), HALF, seed=0).fingerprint,
        corrupt(tensors(), HALF, seed=0, ids=np.arange(1, 61)).fingerprint,
        corrupt(tensors(), Negatives(255)).fingerprint,
        corrupt(tensors(), Negatives(256)).fingerprint,
    ]
    assert len(set(prints)) == len(prints)
    assert all(len(each) == 16 for each in prints)


def test_noise_from_a_manifest_has_the_fingerprint_of_what_wrote_it(tmp_path: Path) -> None:
    for noisy in (
        corrupt(tensors(), HALF, seed=3),
        corrupt(tensors(), HALF, RandomLabels(), seed=3),
        corrupt(tensors(), HALF, seed=3, num_classes=12),
        corrupt(tensors(), HALF, seed=3, ids=np.arange(60) * 7),
    ):
        path = noisy.manifest().save(tmp_path / "noise.npz")
        given = GivenLabels.from_manifest(path)
        shared = corrupt(tensors(), given, seed=8, ids=noisy.ids, num_classes=noisy.num_classes)
        assert shared.fingerprint == noisy.fingerprint == Manifest.load(path).digest
        assert shared.manifest().digest == noisy.manifest().digest


def test_noise_from_a_manifest_is_the_same_in_every_cut(tmp_path: Path) -> None:
    noisy = corrupt(tensors(), HALF, seed=3)
    given = GivenLabels.from_manifest(noisy.manifest().save(tmp_path / "noise.npz"))
    cut = Subset(tensors(), [5, 3, 40])
    assert corrupt(cut, given).fingerprint == corrupt(cut, HALF, seed=3).fingerprint


def test_noise_from_a_file_of_labels_has_the_fingerprint_of_what_wrote_it(tmp_path: Path) -> None:
    noisy = corrupt(tensors(), HALF, seed=3)
    np.save(tmp_path / "labels.npy", noisy.targets)
    shared = corrupt(tensors(), GivenLabels(label_file(tmp_path / "labels.npy").labels))
    assert shared.fingerprint == noisy.fingerprint


def test_noise_from_its_line_has_its_fingerprint() -> None:
    noisy = corrupt(tensors(), HALF, GaussianPixels(), RandomPixels(), seed=3)
    line = Specification.parse(str(noisy.specification))
    assert corrupt(tensors(), *line.corruptions, seed=line.seed).fingerprint == noisy.fingerprint


def test_shared_labels_and_drawn_inputs_together_are_the_same_noise(tmp_path: Path) -> None:
    noisy = corrupt(tensors(), HALF, RandomPixels(), seed=3)
    given = GivenLabels.from_manifest(noisy.manifest().save(tmp_path / "noise.npz"))
    assert corrupt(tensors(), RandomPixels(), given, seed=3).fingerprint == noisy.fingerprint
    assert corrupt(tensors(), given).fingerprint != noisy.fingerprint


def test_noise_in_two_steps_has_the_fingerprint_of_noise_in_one() -> None:
    at_once = corrupt(tensors(), RandomPixels(), HALF, seed=3)
    for steps in (
        corrupt(corrupt(tensors(), RandomPixels(), seed=3), HALF, seed=3),
        corrupt(corrupt(tensors(), HALF, seed=3), RandomPixels(), seed=3),
        corrupt(ConcatDataset([corrupt(tensors(), RandomPixels(), HALF, seed=3)])),
    ):
        assert steps.fingerprint == at_once.fingerprint


def test_fingerprint_is_no_address_in_memory() -> None:
    one, two = (corrupt(tensors(), Negatives()) for _ in range(2))
    assert one.fingerprint == two.fingerprint


def test_fingerprints_are_those_of_the_first_day() -> None:
    assert corrupt(tensors(), HALF, seed=3).fingerprint == "9f3bf0d65beacdb5"
    assert corrupt(tensors(), HALF, RandomPixels(), seed=3).fingerprint == "de86e367c92ef9ee"
