"""torchvision's data sets by name; the trees are tiny, the library is the real one."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from corruptlab.datasets import DataFileError, torchvision
from tests.datasets.trees import TINY, TINY_LABELS, write_idx

pytestmark = pytest.mark.usefixtures("torchvision_datasets")


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    for prefix, images in (("train", TINY), ("t10k", 200 + TINY)):
        write_idx(tmp_path / "MNIST" / "raw", images, prefix=prefix, packed=False)
    return tmp_path


def write_pictures(root: Path, split: str, pictures: dict[str, Any]) -> None:
    """The tree of RenderedSST2: root/rendered-sst2/<split>/<class>/<name>.png"""
    from PIL import Image

    for kind in ("negative", "positive"):
        folder = root / "rendered-sst2" / split / kind
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures.items():
            Image.fromarray(np.asarray(picture)).save(folder / f"{name}.png")


COLOUR = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3)  # height 4, width 3
GRAY = np.arange(4 * 3, dtype=np.uint8).reshape(4, 3)


def test_gray_images_keep_one_channel_and_every_byte(mnist: Path) -> None:
    train = torchvision("MNIST", mnist, split="train")
    assert train.images.equal(torch.from_numpy(TINY)[:, None])
    assert train.targets.tolist() == TINY_LABELS.tolist()
    assert train.classes[7] == "7 - seven"
    assert train.name == "MNIST"
    assert torchvision("MNIST", mnist, split="test").images[0, 0, 0, 0] == 200


def test_colour_images_come_channels_first_from_a_split_by_name(tmp_path: Path) -> None:
    write_pictures(tmp_path, "train", {"a": COLOUR})
    write_pictures(tmp_path, "valid", {"a": 255 - COLOUR})
    train = torchvision("RenderedSST2", tmp_path, split="train")
    assert train.images.shape == (2, 3, 4, 3)
    assert train.images[0].permute(1, 2, 0).equal(torch.from_numpy(COLOUR))
    assert train.targets.tolist() == [0, 1]
    assert train.classes == ("negative", "positive")
    val = torchvision("RenderedSST2", tmp_path, split="val")
    assert val.images[0].permute(1, 2, 0).equal(torch.from_numpy(255 - COLOUR))


def test_classes_without_names_are_numbered(
    mnist: Path, monkeypatch: pytest.MonkeyPatch, torchvision_datasets: ModuleType
) -> None:
    monkeypatch.setattr(torchvision_datasets.MNIST, "classes", None)
    assert torchvision("MNIST", mnist, split="train").classes == tuple("0123456789")


def test_synonyms_of_a_class_are_joined(
    mnist: Path, monkeypatch: pytest.MonkeyPatch, torchvision_datasets: ModuleType
) -> None:
    names = [("tench", "Tinca tinca"), *"123456789"]
    monkeypatch.setattr(torchvision_datasets.MNIST, "classes", names)
    assert torchvision("MNIST", mnist, split="train").classes[:2] == ("tench, Tinca tinca", "1")


def test_one_colour_image_among_gray_ones_makes_all_three_channels(
    mnist: Path, monkeypatch: pytest.MonkeyPatch, torchvision_datasets: ModuleType
) -> None:
    from PIL import Image

    pictures = [Image.fromarray(each) for each in (GRAY, COLOUR, GRAY)]
    items = [(picture, label) for label, picture in enumerate(pictures)]
    monkeypatch.setattr(torchvision_datasets.MNIST, "__getitem__", lambda _, place: items[place])
    images = torchvision("MNIST", mnist, split="train").images
    assert images[1].permute(1, 2, 0).equal(torch.from_numpy(COLOUR))
    assert images[2].equal(torch.from_numpy(GRAY).expand(3, 4, 3))


def test_a_label_that_is_no_class_takes_no_memory(
    mnist: Path, monkeypatch: pytest.MonkeyPatch, torchvision_datasets: ModuleType
) -> None:
    from PIL import Image

    item = Image.fromarray(GRAY), 2**40
    monkeypatch.setattr(torchvision_datasets.MNIST, "classes", None)
    monkeypatch.setattr(torchvision_datasets.MNIST, "__getitem__", lambda _, place: item)
    with pytest.raises(ValueError, match=r"^`name` must be .* got the label 1099511627776\.$"):
        torchvision("MNIST", mnist, split="train")


def test_nothing_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(DataFileError) as caught:
        torchvision("MNIST", tmp_path, split="train")
    assert str(caught.value) == (
        f"{tmp_path}: expected the files of torchvision's MNIST, found this: Dataset not found."
    )
    assert list(tmp_path.rglob("*ubyte*")) == []


def test_missing_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    with pytest.raises(DataFileError) as caught:
        torchvision("MNIST", folder, split="train")
    assert str(caught.value) == (
        f"{folder}: expected a folder with the files of torchvision's MNIST, found no such folder."
    )


def test_truncated_file_is_a_data_file_error(mnist: Path) -> None:
    path = mnist / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataFileError, match="expected the files of torchvision's MNIST, found"):
        torchvision("MNIST", mnist, split="train")


@pytest.mark.parametrize("content", [b"", b"\0\0\x08\x01" + bytes(9), b"\xff" * 20, b"\0" * 20])
def test_file_of_another_kind_is_a_data_file_error(mnist: Path, content: bytes) -> None:
    (mnist / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(DataFileError, match=r"torchvision's MNIST, found this: .+\.$"):
        torchvision("MNIST", mnist, split="train")


def test_empty_data_set_is_refused(
    mnist: Path, monkeypatch: pytest.MonkeyPatch, torchvision_datasets: ModuleType
) -> None:
    monkeypatch.setattr(torchvision_datasets.MNIST, "__len__", lambda _: 0)
    with pytest.raises(DataFileError, match="expected images of torchvision's MNIST, found none"):
        torchvision("MNIST", mnist, split="train")


def test_broken_picture_is_a_data_file_error(tmp_path: Path) -> None:
    write_pictures(tmp_path, "train", {"a": COLOUR})
    (tmp_path / "rendered-sst2" / "train" / "positive" / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataFileError, match="found this: cannot identify image file"):
        torchvision("RenderedSST2", tmp_path, split="train")


def test_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"^`name` must be one of CIFAR10, .*, got 'Nope'\.$"
    ) as caught:
        torchvision("Nope", tmp_path, split="train")
    known = re.findall(r"\w+", str(caught.value))
    assert {"CIFAR100", "MNIST", "SVHN", "STL10", "Food101"} <= set(known)
    assert not {"FakeData", "ImageFolder", "VisionDataset", "HMDB51"} & set(known)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MNIST", "`split` must be 'train' or 'test', got 'extra'."),
        ("RenderedSST2", "`split` must be one that RenderedSST2 has, got 'extra': Unknown value"),
    ],
)
def test_unknown_split_is_refused(mnist: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        torchvision(name, mnist, split="extra")


def test_images_of_several_sizes_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path, "train", {"a": COLOUR, "b": COLOUR[:2]})
    message = (
        "`name` must be a data set with images of one size, got RenderedSST2 with sizes "
        "(width, height) from (3, 2) to (3, 4)."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        torchvision("RenderedSST2", tmp_path, split="train")


def relabelled(label: Any) -> Callable[[Any, int], Any]:
    return lambda self, index: (self.__dict__.get("none"), label)


def test_targets_that_are_no_integers_are_refused(
    mnist: Path, monkeypatch: pytest.MonkeyPatch, torchvision_datasets: ModuleType
) -> None:
    monkeypatch.setattr(torchvision_datasets.MNIST, "__getitem__", relabelled({"boxes": []}))
    message = (
        "`name` must be a data set of pairs (image, integer label), got MNIST with items of type "
        "(NoneType, dict)."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        torchvision("MNIST", mnist, split="train")


class Refuse:
    """Stands first among the importers and fails the import of torchvision."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "torchvision":
            raise self.error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ModuleNotFoundError("No module named 'torchvision'", name="torchvision"),
            "`torchvision` is not installed; install it with: pip install 'corruptlab[vision]'.",
        ),
        (
            RuntimeError("operator torchvision::nms does not exist"),
            "`torchvision` is installed and does not fit this PyTorch "
            f"({torch.__version__}): operator torchvision::nms does not exist.",
        ),
    ],
)
def test_torchvision_that_cannot_be_imported_is_one_clear_error(
    mnist: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    for module in ("torchvision", "torchvision.datasets"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [Refuse(error), *sys.meta_path])
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        torchvision("MNIST", mnist, split="train")
