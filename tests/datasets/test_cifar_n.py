"""CIFAR-10N and CIFAR-100N: the real files, and files that only look like them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from torch.utils.data import TensorDataset

from corruptlab import AsymmetricLabels, Draws, GivenLabels, corrupt
from corruptlab.datasets import DataFileError, HumanLabels, cifar_n

CIFAR_10 = ("aggregate", "random1", "random2", "random3", "worst")
CLEAN = np.arange(50_000) % 10


def saved(folder: Path, **changes: Any) -> Path:
    """A file like CIFAR-10's: every label right, unless changed; None leaves one out."""
    names = ("aggre_label", "random_label1", "random_label2", "random_label3", "worse_label")
    content = dict.fromkeys(("clean_label", *names), CLEAN) | changes
    path = folder / "CIFAR-10_human.pt"
    torch.save({key: value for key, value in content.items() if value is not None}, path)
    return path


def real(shared_data: Path, which: Any) -> HumanLabels:
    return cifar_n(shared_data / "cifar-n", which=which)


@pytest.mark.parametrize(
    ("which", "wrong", "rate"),
    [
        ("aggregate", 4_505, "9.01%"),
        ("random1", 8_617, "17.23%"),
        ("random2", 9_061, "18.12%"),
        ("random3", 8_820, "17.64%"),
        ("worst", 20_104, "40.21%"),
        ("fine", 20_100, "40.20%"),
        ("coarse", 13_202, "26.40%"),
    ],
)
def test_real_labels_have_the_published_noise_rates(
    shared_data: Path, which: str, wrong: int, rate: str
) -> None:
    people = real(shared_data, which)
    assert (people.noisy != people.clean).sum() == wrong
    assert f"{people.noise_rate:.2%}" == rate
    assert repr(people).endswith(
        f"N {which}': 50000 labels, {people.num_classes} classes, {rate} noisy, "
        "licence CC BY-NC 4.0)"
    )


@pytest.mark.parametrize(("which", "num_classes"), [*((w, 10) for w in CIFAR_10), ("fine", 100)])
def test_real_labels_are_int64_of_a_balanced_training_set(
    shared_data: Path, which: str, num_classes: int
) -> None:
    people = real(shared_data, which)
    assert people.num_classes == num_classes
    assert_array_equal(np.bincount(people.clean), np.full(num_classes, 50_000 // num_classes))
    for labels in (people.noisy, people.clean):
        assert labels.dtype == np.int64
        assert labels.shape == (50_000,)
        assert set(labels.tolist()) == set(range(num_classes))
        with pytest.raises(ValueError, match="read-only"):
            labels[0] = 0


@pytest.mark.parametrize("which", CIFAR_10)
def test_real_clean_labels_are_those_of_cifar10(shared_data: Path, which: str) -> None:
    with np.load(shared_data / "cifar10" / "cifar10-jpeg.npz") as pack:
        truth = pack["label"][:50_000]
    assert_array_equal(real(shared_data, which).clean, truth)


@pytest.mark.slow(seconds=1)
def test_real_clean_superclasses_are_those_of_the_clean_classes(shared_data: Path) -> None:
    fine, coarse = real(shared_data, "fine"), real(shared_data, "coarse")
    assert coarse.num_classes == 20
    superclass = np.full(100, -1)
    superclass[fine.clean] = coarse.clean
    assert_array_equal(coarse.clean, superclass[fine.clean])
    assert_array_equal(np.bincount(superclass), 5)
    # The superclasses that asymmetric noise knows are these.
    moves = AsymmetricLabels(classes="cifar100_superclass", rate=1.0)
    moved = moves.labels(np.arange(100), num_classes=100, draws=Draws(0))
    assert_array_equal(superclass[moved], superclass)


def test_real_aggregate_and_worst_follow_from_the_three(shared_data: Path) -> None:
    three = np.stack([real(shared_data, f"random{k}").noisy for k in (1, 2, 3)])
    aggregate, worst = real(shared_data, "aggregate"), real(shared_data, "worst")
    votes = (three[:, None] == three).sum(axis=0)  # how many of the three say what each one said
    agreed = votes.max(axis=0) >= 2
    majority = np.take_along_axis(three, votes.argmax(axis=0)[None], axis=0)[0]
    assert_array_equal(aggregate.noisy[agreed], majority[agreed])
    someone_was_wrong = (three != worst.clean).any(axis=0)
    assert_array_equal(worst.noisy != worst.clean, someone_was_wrong)


def test_real_labels_reach_the_data_set_and_refuse_another_order(shared_data: Path) -> None:
    people = real(shared_data, "worst")
    labels = torch.from_numpy(people.clean.copy())
    given = GivenLabels(people.noisy, clean=people.clean)
    noisy = corrupt(TensorDataset(torch.zeros(50_000, 1), labels), given)
    assert_array_equal(noisy.targets, people.noisy)
    assert noisy.realized_rate == people.noise_rate
    turned = TensorDataset(torch.zeros(50_000, 1), labels.flip(0))
    with pytest.raises(ValueError, match=r"^`dataset` must have the clean labels that the given"):
        corrupt(turned, given)


@pytest.mark.slow(seconds=1)
def test_file_or_the_folder_that_holds_it(shared_data: Path) -> None:
    folder = shared_data / "cifar-n"
    for which, name in (("random2", "CIFAR-10_human.pt"), ("fine", "CIFAR-100_human.pt")):
        named = cifar_n(str(folder / name), which=which)  # type: ignore[arg-type]  # of a loop
        assert_array_equal(named.noisy, real(shared_data, which).noisy)


@pytest.mark.parametrize(("which", "key"), [("worst", "worse_label"), ("random3", "random_label3")])
def test_each_name_reads_its_own_key(tmp_path: Path, which: Any, key: str) -> None:
    people = cifar_n(saved(tmp_path, **{key: (CLEAN + 1) % 10}), which=which)
    assert_array_equal(people.noisy, (CLEAN + 1) % 10)
    assert_array_equal(people.clean, CLEAN)
    assert people.name == f"CIFAR-10N {which}"
    by_key = cifar_n(tmp_path, which=key)  # type: ignore[arg-type]  # of a parameter
    assert_array_equal(by_key.noisy, people.noisy)
    assert by_key.name == people.name


def test_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    known = "aggregate, random1, random2, random3, worst, fine, coarse, aggre_label, .*"
    with pytest.raises(ValueError, match=rf"^`which` must be one of {known}, got 'worse'\.$"):
        cifar_n(tmp_path, which="worse")  # type: ignore[arg-type]  # that is the point


def refusal(path: Path, which: Any = "worst") -> str:
    with pytest.raises(DataFileError) as caught:
        cifar_n(path, which=which)
    return str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone.pt"
    assert refusal(gone) == f"{gone}: expected CIFAR-10_human.pt, found no such file."
    assert refusal(tmp_path, "fine") == (
        f"{tmp_path}: expected CIFAR-100_human.pt, found an empty folder."
    )


def test_file_of_the_other_data_set_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    assert refusal(path, "coarse") == (
        f"{path}: expected labels under the key clean_coarse_label, found only clean_label, "
        "aggre_label, random_label1, random_label2, random_label3, worse_label."
    )


def wrong_at(position: int, label: int) -> NDArray[np.int64]:
    labels = CLEAN.copy()
    labels[position] = label
    return labels


@pytest.mark.parametrize(
    ("changes", "expected", "found"),
    [
        ({"worse_label": None}, "labels under the key worse_label", "only clean_label, aggre_label,"
         " random_label1, random_label2, random_label3"),
        ({"worse_label": CLEAN[1:]}, "50,000 integers under the key worse_label", "49,999"),
        ({"worse_label": CLEAN * 1.0}, "50,000 integers under the key worse_label",
         "something else"),
        ({"worse_label": CLEAN > 3}, "50,000 integers under the key worse_label", "something else"),
        ({"worse_label": CLEAN.reshape(2, -1)}, "50,000 integers under the key worse_label",
         "something else"),
        ({"worse_label": wrong_at(7, 10)}, "labels 0 .. 9 under the key worse_label",
         "10 at position 7"),
        ({"worse_label": wrong_at(9, -1)}, "labels 0 .. 9 under the key worse_label",
         "-1 at position 9"),
        ({"clean_label": wrong_at(0, 1)}, "5,000 examples of each class in clean_label",
         "4,999 to 5,001"),
        ({"clean_label": np.zeros_like(CLEAN)}, "5,000 examples of each class in clean_label",
         "0 to 50,000"),
    ],
)  # fmt: skip
def test_content_that_is_not_the_published_is_refused(
    tmp_path: Path, changes: Any, expected: str, found: str
) -> None:
    path = saved(tmp_path, **changes)
    assert refusal(path) == f"{path}: expected {expected}, found {found}."
