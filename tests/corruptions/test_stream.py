"""Laws of the corrupted stream: the noise of `corrupt`, by key, in any order and any worker."""

import pickle
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

import corruptlab as cl

from .cases import images

N = 600
HALF = cl.UniformLabels(p=0.5)
KEYS = np.random.default_rng(0).integers(0, 1 << 60, N)
TUPLES: list[Any] = [(torch.full((2,), i), i % 10, int(KEYS[i])) for i in range(N)]
NAMES = [f"n{i:05}" for i in range(N)]
DICTIONARIES: list[Any] = [
    {"__key__": NAMES[i], "npy": np.full(2, i), "cls": i % 10, "txt": "kept"} for i in range(N)
]


class Sharded(IterableDataset[Any]):
    """Each worker reads its share, as streams do."""

    def __init__(self, samples: list[Any]) -> None:
        self.samples = samples

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        share = slice(None) if worker is None else slice(worker.id, None, worker.num_workers)
        return iter(self.samples[share])


def whole(seed: int = 3, *corruptions: Any) -> cl.Corrupted:
    return cl.corrupt(TUPLES, *(corruptions or (HALF,)), seed=seed, ids=KEYS)


def stream(samples: Any = TUPLES, *corruptions: Any, **told: Any) -> cl.CorruptedStream:
    told = {"key": 2, "num_classes": 10, "seed": 3} | told
    return cl.CorruptedStream(samples, *(corruptions or (HALF,)), **told)


KINDS = [
    HALF,
    cl.SymmetricLabels(rate=0.3),
    cl.PairFlipLabels(rate=0.3),
    cl.AsymmetricLabels(classes="cifar10", rate=0.4),
    cl.TransitionLabels(np.full((10, 10), 0.1)),
    cl.RandomLabels(),
]


@pytest.mark.parametrize("noise", KINDS)
def test_labels_are_those_of_corrupt(noise: Any) -> None:
    assert [y for _, y, _ in stream(TUPLES, noise)] == whole(3, noise).targets.tolist()


def test_order_and_part_do_not_matter() -> None:
    some = [5, 599, 3, 260, 4]
    found = [y for _, y, _ in stream([TUPLES[i] for i in some])]
    assert_array_equal(found, whole().targets[some])


def test_every_pass_is_the_same() -> None:
    noisy = stream()
    assert repr(list(noisy)) == repr(list(noisy))


def test_corruptions_done_twice_draw_anew() -> None:
    found = [y for _, y, _ in stream(TUPLES, HALF, HALF)]
    assert_array_equal(found, whole(3, HALF, HALF).targets)


def test_names_are_keys_and_items_keep_their_structure() -> None:
    noisy = stream(DICTIONARIES, key="__key__", label_key="cls")
    ids = [cl.CorruptedStream.example_id(name) for name in NAMES]
    expected = cl.corrupt(DICTIONARIES, HALF, seed=3, ids=ids, label_key="cls")
    for new, old, label in zip(noisy, DICTIONARIES, expected.targets, strict=True):
        assert {**new, "cls": 0} == {**old, "cls": 0} or (new["npy"] == old["npy"]).all()
        assert list(new) == list(old)
        assert new["cls"] == label


def test_a_function_of_the_sample_is_a_key() -> None:
    noisy = stream(TUPLES, key=lambda sample: sample[2] // 2)
    expected = cl.corrupt(TUPLES, HALF, seed=3, ids=KEYS // 2)
    assert [y for _, y, _ in noisy] == expected.targets.tolist()


def test_without_a_key_samples_are_counted() -> None:
    found = [y for _, y, _ in stream(key=None)]
    assert_array_equal(found, cl.corrupt(TUPLES, HALF, seed=3).targets)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_workers_do_not_matter(workers: int) -> None:
    loader = DataLoader(stream(Sharded(TUPLES)), batch_size=None, num_workers=workers)
    found = {int(key): int(label) for _, label, key in loader}
    assert found == dict(zip(KEYS.tolist(), whole().targets.tolist(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_fields_are_added_in_any_worker(workers: int) -> None:
    noisy = stream(Sharded(TUPLES)).with_fields("id", "clean_label").with_fields("is_corrupted")
    loader = DataLoader(noisy, batch_size=None, num_workers=workers)
    expected = whole()
    position = {int(key): i for i, key in enumerate(KEYS)}
    for _, label, key, number, clean, changed in loader:
        i = position[key]
        assert (label, clean) == (expected.targets[i], expected.clean_targets[i])
        assert (number, changed) == (key, bool(expected.is_corrupted[i]))
        del position[key]
    assert not position
    assert len(next(iter(stream()))) == 3  # as it was


def test_fields_of_dictionaries_have_names_and_the_types_of_the_labels() -> None:
    samples = [{**x, "cls": np.array([x["cls"]])} for x in DICTIONARIES]
    options: dict[str, Any] = {"key": "__key__", "label_key": "cls", "input_key": "npy"}
    noisy = stream(samples, **options).with_fields("clean_label", "is_corrupted")
    for new, old in zip(noisy, samples, strict=True):
        assert_array_equal(new["clean_label"], old["cls"])
        assert new["is_corrupted"] is bool(new["cls"][0] != old["cls"][0])
        assert list(new)[-2:] == ["clean_label", "is_corrupted"]
    names = [{**x, "cls": "abcdefghij"[x["cls"]]} for x in DICTIONARIES]
    for new, old in zip(
        stream(names, classes="abcdefghij", **options).with_fields("clean_label"),
        names,
        strict=True,
    ):
        assert new["clean_label"] == old["cls"]
    with pytest.raises(ValueError, match=r"^`names` must be names that items do not have yet, got"):
        list(stream([{**x, "id": 3} for x in samples], **options).with_fields("id"))
    with pytest.raises(ValueError, match=r"^`names` must only name id, clean_label, is_corrupted,"):
        stream().with_fields("index")  # type: ignore[arg-type]


@pytest.mark.slow(seconds=1)
def test_several_workers_need_a_key() -> None:
    message = ""
    try:
        list(DataLoader(stream(Sharded(TUPLES), key=None), batch_size=None, num_workers=2))
    except ValueError as error:
        message = str(error)
        error.__traceback__ = None  # it keeps the workers alive, which die slowly out of order
    assert re.search("`key` must name what tells samples apart .* 2 workers", message)
    list(DataLoader(stream(Sharded(TUPLES[:3]), key=None), batch_size=None, num_workers=1))


def test_names_of_classes_and_their_types_are_kept() -> None:
    classes = list("abcdefghij")
    named = [(x, classes[y], key) for x, y, key in TUPLES]
    found = [y for _, y, _ in stream(named, classes=classes)]
    assert found == [classes[k] for k in whole().targets]
    tensors = [(x, torch.tensor(y, dtype=torch.uint8), key) for x, y, key in TUPLES]
    label = list(stream(tensors))[5][1]
    assert label.dtype is torch.uint8
    assert label == whole().targets[5]


def test_inputs_are_corrupted_too() -> None:
    pictures = images(N)
    samples = [(pictures[i], 0, i) for i in range(N)]
    moved = cl.RandomPixels().inputs(pictures, draws=cl.Draws(3))
    found = [x for x, _, _ in stream(samples, cl.RandomPixels())]
    assert torch.equal(torch.stack(found), moved)


def test_labels_that_follow_inputs_are_corrupted() -> None:
    noise = cl.InstanceDependentLabels(rate=0.4, mean=(1.0,), std=(2.0,))
    floats = [(x.float(), y, key) for x, y, key in TUPLES]
    expected = cl.corrupt(floats, noise, seed=3, ids=KEYS)
    assert [y for _, y, _ in stream(floats, noise)] == expected.targets.tolist()


def test_streams_pickle_and_print() -> None:
    again = pickle.loads(pickle.dumps(stream()))
    assert repr(list(again)) == repr(list(stream()))
    assert repr(again) == "CorruptedStream(list, UniformLabels(p=0.5), seed=3)"


def test_nothing_yields_nothing() -> None:
    assert list(stream([])) == []


def test_a_key_that_repeats_is_an_error_wherever_it_comes_again() -> None:
    for at in (1, 255, 256, 599):
        samples = [*TUPLES[:at], (torch.zeros(2), 3, int(KEYS[0])), *TUPLES[at:]]
        with pytest.raises(
            ValueError, match=rf"^`key` must name .* once .* {KEYS[0]} .* sample {at};"
        ):
            list(stream(samples))
        assert len(list(stream(samples, repeats=True))) == N + 1


BAD: dict[str, tuple[Any, str]] = {
    "no stream": (lambda: stream(3), r"^`stream` must be iterable, anew in each pass, got int\.$"),
    "iterator": (lambda: stream(iter(TUPLES)), r"^`stream` must be iterable, anew in each pass, g"),
    "no classes": (lambda: stream(num_classes=None), r"^`num_classes` must be given, or `classes`"),
    "other classes": (
        lambda: stream(classes=["a", "b"]),
        r"^`num_classes` must be the number of `classes`, 2, got 10\.$",
    ),
    "exchange": (
        lambda: stream(TUPLES, cl.ExchangedLabels()),
        r"^`corruptions` must need one sample at a time .* which permutes the labels of all\.$",
    ),
    "exact": (
        lambda: stream(TUPLES, cl.UniformLabels(p=0.1, drawing="exact")),
        r"^`corruptions` must need one sample at a time .* picks an exact number of all\.$",
    ),
    "estimated": (
        lambda: stream(TUPLES, cl.GaussianPixels()),
        r"^`corruptions` must need one sample at a time .* estimates numbers from all; give them",
    ),
    "no corruption": (lambda: stream(TUPLES, 3), r"^`corruptions` must have a stream and a `label"),
    "field": (lambda: list(stream(key=7)), r"^`key` must name a field .* got 7, which sample 0 do"),
    "float": (
        lambda: list(stream([(0, 1, 0.5)])),
        r"^`key` must be an integer or a text for each sample, got 0\.5\.$",
    ),
    "negative": (lambda: list(stream([(0, 1, -3)])), r"^`key` must lie in 0 \.\. 2\*\*62 - 1, got"),
    "range": (
        lambda: list(stream([*TUPLES[:300], (0, 12, 5)])),
        r"^`stream` must have labels in 0 \.\. 9, got 12 in sample 300\.$",
    ),
    "no class": (
        lambda: list(stream([*TUPLES[:300], (0, None, 5)])),
        r"^`stream` must have labels that are one integer class, got None at position 300; leave o",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_streams_are_one_clear_error(case: str) -> None:
    act, message = BAD[case]
    with pytest.raises((TypeError, ValueError), match=message):
        act()
