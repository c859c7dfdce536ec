"""Clothing1M, on trees in its layout with a few small images."""

import pickle
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from corruptlab import GivenLabels, corrupt
from corruptlab.datasets import DataFileError, ImageFiles, clothing1m

# Label of each image as shops and as experts say it; None where nobody did.
LABELS: dict[str, tuple[int | None, int | None]] = {
    "images/0/00/1,2.jpg": (0, 0),
    "images/1/01/3,4.jpg": (5, None),
    "images/9/99/with space.jpg": (13, 12),
    "images/2/02/5.jpg": (None, 7),
    "images/3/03/6.jpg": (2, None),
}
NAMES = list(LABELS)
LISTS = {
    "noisy_train": [NAMES[4], NAMES[1], NAMES[0]],
    "clean_train": [NAMES[2], NAMES[3], NAMES[0]],
    "clean_val": [NAMES[0]],
    "clean_test": [NAMES[3]],
}


def colour(name: str) -> tuple[int, int, int]:
    return (40 * NAMES.index(name), 100, 200)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_texts(tmp_path)
    return tmp_path


def write_texts(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for kind, name in enumerate(("noisy_label_kv.txt", "clean_label_kv.txt")):
        pairs = [(key, both[kind]) for key, both in LABELS.items() if both[kind] is not None]
        (folder / name).write_text("".join(f"{key} {label}\n" for key, label in pairs))
    for split, keys in LISTS.items():
        (folder / f"{split}_key_list.txt").write_text("".join(f"{key}\n" for key in keys))


def write_images(folder: Path) -> None:
    from PIL import Image

    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5, 3), colour(name)).save(folder / name, format="PNG")


@pytest.mark.parametrize("split", ["noisy_train", "clean_train", "clean_val", "clean_test"])
@pytest.mark.parametrize("below", [".", "annotations"])
def test_labels_are_those_of_the_listed_images(tmp_path: Path, split: Any, below: str) -> None:
    write_texts(tmp_path / below)
    images = clothing1m(tmp_path, split=split)
    assert list(images.paths) == LISTS[split]
    expected = [[-1 if each is None else each for each in LABELS[key]] for key in LISTS[split]]
    assert_array_equal(np.stack([images.noisy, images.clean], axis=1), expected)
    served = images.noisy if split == "noisy_train" else images.clean
    assert_array_equal(images.targets, served)
    assert images.name == f"Clothing1M {split}"


def test_classes_are_the_fourteen(tree: Path) -> None:
    images = clothing1m(tree, split="clean_val")
    assert len(images.classes) == 14
    assert (images.classes[0], images.classes[8], images.classes[13]) == (
        "T-Shirt",
        "Downcoat",
        "Underwear",
    )


def test_items_are_the_images_at_their_paths(tree: Path) -> None:
    write_images(tree)
    images = clothing1m(tree, split="clean_train")
    for i, name in enumerate(LISTS["clean_train"]):
        image, label = images[i]
        assert (image.mode, image.size, image.getpixel((4, 2))) == ("RGB", (5, 3), colour(name))
        assert type(label) is int
        assert label == LABELS[name][1]


def test_transform_is_applied_and_survives_pickling(tree: Path) -> None:
    write_images(tree)
    images = clothing1m(tree, split="clean_train", transform=first_value)
    items = [(colour(name)[0], LABELS[name][1]) for name in LISTS["clean_train"]]
    for each in (images, pickle.loads(pickle.dumps(images))):
        assert [each[i] for i in range(3)] == items


def first_value(image: Any) -> int:
    return int(np.asarray(image)[0, 0, 0])


def test_examples_with_both_labels_have_known_noise(tree: Path) -> None:
    write_images(tree)
    train = clothing1m(tree, split="clean_train")
    known = train.both()
    assert list(known.paths) == [NAMES[2], NAMES[0]]
    assert repr(train) == (
        "ImageFiles('Clothing1M clean_train': 3 images with clean labels, 14 classes, "
        "2 with both labels)"
    )
    noisy = corrupt(known, GivenLabels(known.noisy, clean=known.clean))
    assert noisy.num_classes == 14
    assert_array_equal(noisy.targets, [13, 0])
    assert_array_equal(noisy.clean_targets, [12, 0])
    assert noisy.realized_rate == 0.5


def test_both_of_the_noisy_split_serves_the_clean_labels(tree: Path) -> None:
    noisy_train = clothing1m(tree, split="noisy_train")
    assert noisy_train.both().serves == "clean"
    assert_array_equal(noisy_train.both().targets, [0])
    assert len(clothing1m(tree, split="clean_test").both()) == 0


class NoPillow:
    """Stands first among the importers."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "PIL":
            raise ModuleNotFoundError("No module named 'PIL'", name="PIL")


def test_labels_need_neither_pillow_nor_images(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [NoPillow(), *sys.meta_path])
    images = clothing1m(tree, split="clean_val")
    assert images.targets.tolist() == [0]
    message = "`PIL` is not installed; install it with: pip install 'corruptlab[vision]'."
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        images[0]


def test_windows_line_ends_blank_lines_and_byte_order_marks_do_no_harm(tree: Path) -> None:
    before = clothing1m(tree, split="clean_train")
    for path in tree.glob("*.txt"):
        text = path.read_text().replace("\n", " \r\n\r\n").replace(" 12", "\t12")
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    after = clothing1m(tree, split="clean_train")
    assert list(after.paths) == list(before.paths)
    assert_array_equal(after.clean, before.clean)


def test_an_image_listed_twice_counts_twice(tree: Path) -> None:
    (tree / "clean_val_key_list.txt").write_text(f"{NAMES[0]}\n{NAMES[2]}\n{NAMES[0]}\n")
    assert clothing1m(tree, split="clean_val").targets.tolist() == [0, 12, 0]


def test_unknown_split_lists_the_known_ones(tree: Path) -> None:
    known = "noisy_train, clean_train, clean_val, clean_test"
    with pytest.raises(ValueError, match=rf"^`split` must be one of {known}, got 'train'\.$"):
        clothing1m(tree, split="train")  # type: ignore[arg-type]  # that is the point


def refusal(folder: Path, split: Any = "clean_train") -> str:
    with pytest.raises(DataFileError) as caught:
        clothing1m(folder, split=split)
    return str(caught.value)


@pytest.mark.parametrize("name", ["clean_train_key_list.txt", "clean_label_kv.txt"])
def test_missing_text_file_is_named(tree: Path, name: str) -> None:
    (tree / name).unlink()
    assert refusal(tree).startswith(
        f"{tree}: expected {name}, there or in annotations, found only "
    )


@pytest.mark.parametrize("split", ["noisy_train", "clean_train"])
def test_labels_that_are_not_served_may_be_missing(tree: Path, split: Any) -> None:
    served, other = "noisy_label_kv.txt", "clean_label_kv.txt"
    if split != "noisy_train":
        served, other = other, served
    (tree / other).unlink()
    images = clothing1m(tree, split=split)
    column = 0 if split == "noisy_train" else 1
    assert_array_equal(images.targets, [LABELS[key][column] for key in LISTS[split]])
    assert repr(images).endswith("14 classes, 0 with both labels)")
    (tree / other).symlink_to(tree / "gone")
    assert refusal(tree, split).startswith(f"{tree}: expected {other}, there or in annotations")
    (tree / other).unlink()
    (tree / served).unlink()
    assert refusal(tree, split).startswith(f"{tree}: expected {served}, there or in annotations")


@pytest.mark.parametrize("below", [".", "annotations"])
@pytest.mark.parametrize("absent", [0, 2])
def test_images_may_lie_in_folders_beside_the_lists(
    tmp_path: Path, below: str, absent: int
) -> None:
    write_texts(tmp_path / below)
    write_images(tmp_path)
    for each in (tmp_path / "images").iterdir():
        each.rename(tmp_path / each.name)  # 0, 1, ... instead of images/0, images/1, ...
    images = clothing1m(tmp_path, split="clean_train")
    assert list(images.paths) == [key.removeprefix("images/") for key in LISTS["clean_train"]]
    assert images[1][0].getpixel((4, 2)) == colour(LISTS["clean_train"][1])
    (tmp_path / images.paths[absent]).unlink()  # one alone does not tell where the others are
    assert list(clothing1m(tmp_path, split="clean_train").paths) == list(images.paths)


def test_lists_may_leave_out_the_folder_of_all_images(tree: Path) -> None:
    write_images(tree)
    for path in tree.glob("*.txt"):
        path.write_text(path.read_text().replace("images/", ""))
    images = clothing1m(tree, split="clean_train")
    assert list(images.paths) == LISTS["clean_train"]
    assert images[1][0].getpixel((4, 2)) == colour(LISTS["clean_train"][1])


def test_missing_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    assert refusal(folder) == (
        f"{folder}: expected clean_train_key_list.txt, there or in annotations, "
        "found no such folder."
    )


@pytest.mark.parametrize(
    "line", ["images/0/00/1,2.jpg", "7", "a.jpg 14", "a.jpg -1", "a.jpg 3.0", "a.jpg ²", "a.jpg x"]
)
@pytest.mark.parametrize("name", ["clean_label_kv.txt", "noisy_label_kv.txt"])
def test_malformed_line_is_named_with_file_and_number(tree: Path, name: str, line: str) -> None:
    path = tree / name
    lines = [*path.read_text().splitlines(), "", line]
    path.write_text("\n".join(lines))
    assert refusal(tree) == (
        f"{path}: expected lines `path label` with a label 0 .. 13, "
        f"found {line!r} in line {len(lines)}."
    )


def test_listed_image_without_a_label_is_named(tree: Path) -> None:
    path = tree / "noisy_train_key_list.txt"
    path.write_text(f"{NAMES[0]}\n\n{NAMES[3]}\n")
    assert refusal(tree, "noisy_train") == (
        f"{path}: expected images that have a label in noisy_label_kv.txt, "
        f"found none for {NAMES[3]!r} in line 3."
    )


def test_two_labels_for_one_image_are_refused(tree: Path) -> None:
    path = tree / "clean_label_kv.txt"
    path.write_text(f"{path.read_text()}{NAMES[0]} 0\n{NAMES[0]} 4\n")
    assert refusal(tree) == (
        f"{path}: expected one label for each image, found 0 and 4 for {NAMES[0]!r} in line 5."
    )


@pytest.mark.parametrize(
    "key",
    ["/etc/passwd", "../other.jpg", "images/../../x.jpg", "..", "C:x.jpg", "a\\..\\b", "a\0b"],
)
def test_paths_that_leave_the_folder_are_refused(tree: Path, key: str) -> None:
    path = tree / "clean_val_key_list.txt"
    path.write_text(f"{NAMES[0]}\n{key}\n")
    assert refusal(tree, "clean_val") == (
        f"{path}: expected paths below the folder, found {key!r} in line 2."
    )


@pytest.mark.parametrize(
    ("content", "expected", "found"),
    [
        (b"", "at least one path", "none"),
        (b"\n \n", "at least one path", "none"),
        (b"ok.jpg\n\xff\xfe\n", "UTF-8 text", "other bytes in line 2"),
        (b"x" * 5_000, "lines of at most 4,096 bytes", "a longer one, line 1"),
    ],
)
def test_list_that_is_no_list_is_refused(
    tree: Path, content: bytes, expected: str, found: str
) -> None:
    path = tree / "clean_val_key_list.txt"
    path.write_bytes(content)
    assert refusal(tree, "clean_val") == f"{path}: expected {expected}, found {found}."


def test_long_lines_are_not_quoted_whole(tree: Path) -> None:
    path = tree / "clean_label_kv.txt"
    path.write_text("x" * 4_000)
    assert refusal(tree).endswith(f"found {'x' * 60!r}... in line 1.")


def test_missing_image_is_reported_when_it_is_opened(tree: Path) -> None:
    images = clothing1m(tree, split="clean_train")
    path = tree / LISTS["clean_train"][1]
    with pytest.raises(DataFileError) as caught:
        images[1]
    assert str(caught.value) == f"{path}: expected an image, found no such file."


@pytest.mark.parametrize("content", [b"", b"no picture", b"P6 1 1 255\n123"])
def test_broken_or_outlandish_image_is_reported_when_it_is_opened(
    tree: Path, content: bytes
) -> None:
    write_images(tree)
    path = tree / NAMES[0]
    path.write_bytes(content)
    images = clothing1m(tree, split="clean_val")
    with pytest.raises(DataFileError) as caught:
        images[0]
    assert str(caught.value).startswith(f"{path}: expected a whole image, found this: cannot iden")


def test_truncated_image_is_reported_when_it_is_opened(tree: Path) -> None:
    write_images(tree)
    path = tree / NAMES[0]
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataFileError, match=r": expected a whole image, found this: .+\.$"):
        clothing1m(tree, split="clean_val")[0]


def files(**changes: Any) -> ImageFiles:
    arguments: dict[str, Any] = {
        "folder": Path("shop"),
        "paths": ["a.jpg", "ü.jpg"],
        "noisy": [0, 1],
        "clean": [-1, 1],
        "serves": "noisy",
        "classes": ["shirt", "dress"],
        "name": "shop",
    }
    return ImageFiles(**arguments | changes)


def test_paths_are_a_sequence() -> None:
    paths = files().paths
    assert [paths[0], paths[1], paths[-1], len(paths)] == ["a.jpg", "ü.jpg", "ü.jpg", 2]
    assert list(paths[1:]) == ["ü.jpg"]
    assert list(pickle.loads(pickle.dumps(files())).paths) == ["a.jpg", "ü.jpg"]
    with pytest.raises(IndexError):
        paths[2]


def test_a_hundred_thousand_paths_take_little_memory() -> None:
    names = [f"images/{i % 10}/{i % 100:02}/{i:09},{i:09}.jpg" for i in range(100_000)]
    paths = files(paths=names, noisy=np.zeros(100_000), clean=np.zeros(100_000)).paths
    assert paths[77_777] == names[77_777]
    assert len(pickle.dumps(paths)) < 100_000 * (len(names[0]) + 8) + 1_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"serves": "both"}, r"^`serves` must be 'noisy' or 'clean', got 'both'\.$"),
        (
            {"noisy": [0]},
            r"^`noisy` must hold one label for each of the 2 paths, got shape \(1,\)\.$",
        ),
        ({"noisy": [0, -1]}, r"^`noisy` must lie in 0 \.\. 1, got -1 at position 1\.$"),
        ({"clean": [2, 0]}, r"^`clean` must lie in -1 \.\. 1, got 2 at position 0\.$"),
        ({"serves": "clean"}, r"^`clean` must lie in 0 \.\. 1, got -1 at position 0\.$"),
    ],
)
def test_image_files_that_do_not_fit_together_are_refused(changes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        files(**changes)
