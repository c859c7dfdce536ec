"""The embedded images are the ones they are said to be."""

import gzip
import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

import corruptlab.datasets
from corruptlab.datasets import fashion_mnist_mini, idx
from tests.datasets.trees import idx_bytes

DATA = Path(corruptlab.datasets.__file__).parent / "data"
ORIGINAL = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package puts it
SUMS = {  # of the unpacked files: the packed bytes may depend on zlib
    "t10k-images-idx3": "7cee33c3c6414b1b86c25e665a6c4f41584269de3b7cc9768b1d351922845eef",
    "t10k-labels-idx1": "3128d790775889812b73c4f13923559c8b9e281d112c6ea7862acf60a206a909",
    "train-images-idx3": "79d623aea6e7cb0a26f39b67b8f6ab9a128a528d86fb83ae6a2dadd855d235f7",
    "train-labels-idx1": "772372ea466aaed0dd35563ab81842183d895343685c455be5aa62268fc52044",
}
SHA256 = {f"{stem}-ubyte.gz": checksum for stem, checksum in SUMS.items()}


@pytest.mark.parametrize("name", SHA256)
def test_embedded_file_has_its_checksum(name: str) -> None:
    content = gzip.decompress((DATA / name).read_bytes())
    assert hashlib.sha256(content).hexdigest() == SHA256[name]


def test_embedded_folder_holds_nothing_else_and_stays_small() -> None:
    files = {path.name: path.stat().st_size for path in DATA.iterdir()}
    assert set(files) == {*SHA256, "LICENSE-fashion-mnist.txt", "README.md"}
    assert sum(files.values()) < 3_000_000


def test_embedded_licence_names_its_owner() -> None:
    text = (DATA / "LICENSE-fashion-mnist.txt").read_text(encoding="utf-8")
    assert "Copyright (c) 2017 Zalando SE" in text
    assert "Permission is hereby granted, free of charge" in text


@pytest.mark.parametrize(("split", "per_class"), [("train", 400), ("test", 100)])
def test_embedded_subset_is_balanced(split: Any, per_class: int) -> None:
    images = fashion_mnist_mini(split)
    assert images.images.shape == (10 * per_class, 1, 28, 28)
    assert torch.bincount(images.targets).tolist() == [per_class] * 10
    assert images.name == "fashion-mnist-mini"
    names = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"
    assert images.classes == tuple(names.split(","))


def test_embedded_images_are_all_different() -> None:
    rows = np.concatenate([fashion_mnist_mini(split).images for split in ("train", "test")])
    assert len(np.unique(rows.reshape(len(rows), -1), axis=0)) == 5_000


def test_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^`split` must be 'train' or 'test', got 'all'\.$"):
        fashion_mnist_mini("all")  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(("split", "count"), [("train", 400), ("test", 100)])
def test_embedded_subset_is_the_first_of_each_class_of_the_original(split: Any, count: int) -> None:
    if not ORIGINAL.is_dir():
        pytest.skip(f"the whole of Fashion-MNIST is not there: {ORIGINAL}")
    whole, mini = idx(ORIGINAL, split=split), fashion_mnist_mini(split)
    seen = [0] * 10
    kept = []
    for position, label in enumerate(whole.targets.tolist()):
        seen[label] += 1
        if seen[label] <= count:
            kept.append(position)
    assert_array_equal(mini.images, whole.images[kept])
    assert_array_equal(mini.targets, whole.targets[kept])


@pytest.mark.slow
def test_cutting_again_gives_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load_script("cut_fashion_mnist_mini")
    monkeypatch.setattr(script, "TARGET", tmp_path)
    script.main(str(DATA))  # the first 400 of each class of the subset are the subset
    for name in SHA256:
        assert gzip.decompress((tmp_path / name).read_bytes()) == gzip.decompress(
            (DATA / name).read_bytes()
        )


def test_cut_takes_the_first_of_each_class_in_file_order() -> None:
    script = load_script("cut_fashion_mnist_mini")
    labels = np.array([2, 0, 2, 1, 0, 2, 1, 0])
    assert script.first_of_each_class(labels, 2).tolist() == [0, 1, 2, 3, 4, 6]


def test_cut_writes_plain_idx(tmp_path: Path) -> None:
    script = load_script("cut_fashion_mnist_mini")
    values = np.arange(12, dtype=np.uint8).reshape(2, 3, 2)
    script.write(tmp_path / "values.gz", values)
    assert gzip.decompress((tmp_path / "values.gz").read_bytes()) == idx_bytes(values)


def load_script(name: str) -> Any:
    path = Path(__file__).parents[2] / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
