"""Data sets of other libraries: labels found without decoding, transforms left where they are."""

import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image
from torch.utils.data import DataLoader

from corruptlab import Draws, RandomLabels, RandomPixels, UniformLabels, corrupt, materialize

N = 24
CLASSES = ["a", "b", "c", "d", "e"]
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 7, 6, 3)).astype(np.uint8)
LABELS = np.arange(N) % 4  # the last class has no example
NOISE = RandomLabels(), RandomPixels()
EXPECTED = RandomLabels().labels(LABELS, num_classes=5, draws=Draws(1))
MOVED = RandomPixels().inputs(PIXELS, draws=Draws(1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in CLASSES:
        (tmp_path / name).mkdir()
    for i, (pixels, label) in enumerate(zip(PIXELS, LABELS, strict=True)):
        Image.fromarray(pixels).save(tmp_path / CLASSES[label] / f"{i:03}.png")
    Image.fromarray(PIXELS[0]).save(tmp_path / "e" / "999.png")
    return tmp_path


def test_image_folder_keeps_its_pictures(torchvision_datasets: ModuleType, folder: Path) -> None:
    base = torchvision_datasets.ImageFolder(folder)
    noisy = corrupt(base, *NOISE, seed=1)
    assert noisy.num_classes == 5
    assert_array_equal(noisy.clean_targets, base.targets)
    image, label = noisy[3]
    assert isinstance(image, Image.Image)
    assert label == noisy.targets[3]
    moved = RandomPixels().inputs(np.asarray(base[3][0])[None], draws=Draws(1), ids=[3])
    assert_array_equal(np.asarray(image), moved[0])


def test_transforms_stay_where_the_user_put_them(
    torchvision_datasets: ModuleType, folder: Path
) -> None:
    def brighter(image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.asarray(image).astype(np.float32) + 1000).permute(2, 0, 1)

    noisy = corrupt(torchvision_datasets.ImageFolder(folder, transform=brighter), *NOISE, seed=1)
    plain = torchvision_datasets.ImageFolder(folder)
    image, _ = noisy[5]
    assert image.dtype is torch.float32
    before = brighter(plain[5][0]).numpy()
    assert_array_equal(image, RandomPixels().inputs(before[None], draws=Draws(1), ids=[5])[0])


def test_a_target_transform_counts(torchvision_datasets: ModuleType, folder: Path) -> None:
    base = torchvision_datasets.ImageFolder(folder, target_transform=lambda y: 4 - y)
    served = [4 - y for y in base.targets]
    assert_array_equal(corrupt(base, RandomLabels()).clean_targets, served)


def test_fake_data_without_labels_is_read_once(torchvision_datasets: ModuleType) -> None:
    base = torchvision_datasets.FakeData(12, (3, 8, 9), 5)
    noisy = corrupt(base, UniformLabels(p=0.5), num_classes=5)
    assert noisy.clean_targets.tolist() == [int(base[i][1]) for i in range(12)]


def test_cifar10_s_lists_of_labels_are_found(torchvision_datasets: ModuleType) -> None:
    class Small(torchvision_datasets.CIFAR10):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.data, self.targets = PIXELS, LABELS.tolist()
            self.classes = CLASSES
            self.transform = self.target_transform = None

    noisy = corrupt(Small(), *NOISE, seed=1)
    assert_array_equal(noisy.targets, EXPECTED)
    assert_array_equal(np.asarray(noisy[7][0]), MOVED[7])


def hugging_face() -> Any:
    hf = pytest.importorskip(
        "datasets", reason="Hugging Face datasets cannot be imported", exc_type=ImportError
    )
    features = hf.Features({"img": hf.Image(), "label": hf.ClassLabel(names=CLASSES)})
    columns = {"img": [Image.fromarray(x) for x in PIXELS], "label": LABELS.tolist()}
    return hf.Dataset.from_dict(columns, features=features)


def test_hugging_face_columns_and_class_names_are_found() -> None:
    noisy = corrupt(hugging_face(), *NOISE, seed=1)
    assert noisy.num_classes == 5
    assert_array_equal(noisy.targets, EXPECTED)
    assert_array_equal(np.asarray(noisy[4]["img"]), MOVED[4])
    assert [item["label"] for item in noisy.__getitems__([3, 9])] == EXPECTED[[3, 9]].tolist()
    inputs, labels = materialize(noisy)
    assert_array_equal(inputs.permute(0, 2, 3, 1), MOVED)
    assert_array_equal(labels, EXPECTED)


def test_hugging_face_data_pickles_and_loads_in_batches() -> None:
    base = hugging_face().with_format("torch")
    noisy = pickle.loads(pickle.dumps(corrupt(base, *NOISE, seed=1)))
    batches = list(DataLoader(noisy, batch_size=10))
    assert_array_equal(torch.cat([batch["label"] for batch in batches]), EXPECTED)
    images = torch.cat([batch["img"] for batch in batches])
    assert_array_equal(images.permute(0, 2, 3, 1), MOVED)


@pytest.mark.parametrize(
    "method",
    ["fork", pytest.param("forkserver", marks=pytest.mark.slow)],
)
def test_every_start_method_serves_the_same(method: str) -> None:
    from .cases import tensors

    noisy = corrupt(tensors(), *NOISE, seed=1)
    loader = DataLoader(noisy, batch_size=20, num_workers=1, multiprocessing_context=method)
    images, labels = zip(*loader, strict=True)
    assert_array_equal(torch.cat(labels), noisy.targets)
    assert torch.equal(torch.cat(images), torch.stack([noisy[i][0] for i in range(60)]))
