"""What training loops put on top of a corrupted data set, or look for in it."""

import copy
import pickle
import warnings
from collections import namedtuple
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset

import corruptlab as cl

from .cases import Items, images, tensors

HALF = cl.UniformLabels(p=0.5)
Named = namedtuple("Named", ["image", "label"])


def doubled(image: Any) -> Any:
    return 2 * image


def two_views(image: Any) -> Any:
    return image, image + 1


class Transforming(Dataset[Any]):
    """The shape of torchvision's data sets."""

    def __init__(self, transform: Any = None) -> None:
        self.data, self.targets = images(), [i % 10 for i in range(60)]
        self.transform, self.target_transform = transform, None
        self.classes = list("abcdefghij")
        self.class_to_idx = {name: k for k, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> Any:
        image = self.data[index]
        return image if self.transform is None else self.transform(image), self.targets[index]


@pytest.mark.parametrize("corruptions", [(HALF,), (HALF, cl.RandomPixels())])
def test_a_transform_on_top_sees_the_corrupted_input(corruptions: Any) -> None:
    noisy = cl.corrupt(tensors(), *corruptions, seed=1)
    on_top = noisy.with_transform(doubled).with_transform(two_views)
    for i in (0, 7):
        image, label = noisy[i]
        (one, two), same = on_top[i]
        assert torch.equal(one, 2 * image)
        assert torch.equal(two, 2 * image + 1)
        assert same == label
    batch = on_top.__getitems__([3, 3])
    assert torch.equal(batch[1][0][1], on_top[3][0][1])
    assert torch.equal(noisy[3][0], cl.corrupt(tensors(), *corruptions, seed=1)[3][0])  # as it was
    assert on_top.fingerprint == noisy.fingerprint


def test_a_transform_on_top_is_read_by_all() -> None:
    noisy = cl.corrupt(tensors(), HALF, seed=1).with_transform(doubled)
    inputs, labels = cl.materialize(noisy)
    assert_array_equal(inputs, 2 * images())
    assert_array_equal(labels, noisy.targets)
    again = cl.corrupt(Subset(noisy, range(60)), cl.ShuffledPixels())
    assert_array_equal(again.is_corrupted, noisy.is_corrupted)
    moved = cl.ShuffledPixels().inputs(2 * images(), draws=cl.Draws(0))
    assert_array_equal(cl.materialize(again)[0], moved)
    assert torch.equal(pickle.loads(pickle.dumps(noisy))[5][0], noisy[5][0])


ITEMS: dict[str, Any] = {
    "tuple": lambda y: (torch.zeros(2), y),
    "list": lambda y: [torch.zeros(2), y],
    "named tuple": lambda y: Named(torch.zeros(2), y),
    "triple": lambda y: (torch.zeros(2), y, "path"),
    "dictionary": lambda y: {"image": torch.zeros(2), "label": y},
}


@pytest.mark.parametrize("kind", ITEMS)
@pytest.mark.parametrize("label", [int, np.uint8, lambda y: "abcdefghij"[y]])
def test_fields_are_added_to_items(kind: str, label: Any) -> None:
    items = [ITEMS[kind](label(i % 10)) for i in range(60)]
    part = cl.corrupt(Subset(items, range(20, 60)), HALF, seed=2)  # type: ignore[arg-type]  # anything with a length
    more = part.with_fields("index", "id", "clean_label").with_fields("is_corrupted")
    for served in ([more[i] for i in range(40)], more.__getitems__(range(40))):
        for i, item in enumerate(served):
            names = ["index", "id", "clean_label", "is_corrupted"]
            added = [item[name] for name in names] if kind == "dictionary" else list(item[-4:])
            clean = label((20 + i) % 10)
            assert added == [i, 20 + i, clean, bool(part.is_corrupted[i])]
            assert type(added[2]) is type(clean)
            kinds: dict[str, type] = {"list": list, "dictionary": dict}
            assert kinds.get(kind, tuple) in type(item).__mro__
            assert not hasattr(item, "_fields")
            start = dict(list(item.items())[:2]) if kind == "dictionary" else item[:-4]
            assert repr(start) == repr(part[i] if kind != "named tuple" else tuple(part[i]))


def test_added_fields_make_batches() -> None:
    noisy = cl.corrupt(tensors(), HALF).with_fields("index", "clean_label")
    (_, labels, index, clean), *_ = DataLoader(noisy, batch_size=60)
    assert_array_equal(index, np.arange(60))
    assert_array_equal(labels, noisy.targets)
    assert_array_equal(clean, noisy.clean_targets)
    assert_array_equal(cl.corrupt(noisy).targets, noisy.targets)


def test_the_transform_of_the_wrapped_data_set_is_read_and_set() -> None:
    base = Transforming()
    noisy = cl.corrupt(cl.corrupt(base, HALF), HALF)
    assert noisy.transform is None
    noisy.transform = doubled
    assert base.transform is doubled
    assert torch.equal(noisy[2][0], 2 * images()[2])
    assert noisy.classes == base.classes
    assert cl.corrupt(Subset(base, range(5))).class_to_idx == base.class_to_idx
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert noisy.data is base.data


def test_data_below_a_corruption_of_inputs_is_said_to_be_clean() -> None:
    noisy = cl.corrupt(Transforming(), cl.ShuffledPixels())
    with pytest.warns(UserWarning, match=r"^`data` holds the inputs from before the corruption; "):
        assert torch.equal(noisy.data, images())


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (tensors, "transform", r"^`transform` cannot be set, as the wrapped TensorDataset has non"),
        (
            lambda: Subset(Transforming(), range(3)),
            "transform",
            r"^`transform` cannot be set, as the wrapped Subset has none of its own; use with_tra",
        ),
        (Transforming, "target_transform", r"^`target_transform` cannot be set on a corrupted dat"),
        (Transforming, "targets", r"^`targets` cannot be set on a corrupted data set, where it wo"),
        (Transforming, "data", r"^`data` cannot be set on a corrupted data set, where it would do"),
        (Transforming, "classes", r"^`classes` cannot be set on a corrupted data set, where it wo"),
    ],
)
def test_what_would_do_nothing_cannot_be_set(make: Any, name: str, message: str) -> None:
    noisy = cl.corrupt(make(), HALF)
    with pytest.raises(AttributeError, match=message):
        setattr(noisy, name, None)


def test_other_attributes_are_the_user_s_own() -> None:
    noisy = cl.corrupt(tensors(), HALF)
    noisy.note = "mine"  # type: ignore[attr-defined]  # that is the point
    assert copy.copy(noisy).note == "mine"  # type: ignore[attr-defined]  # likewise


@pytest.mark.parametrize("name", ["labels", "tensors", "transform", "classes", "nonsense"])
def test_what_is_not_there_is_no_attribute(name: str) -> None:
    assert not hasattr(cl.corrupt(tensors(), HALF), name)


def test_two_views_below_a_corruption_of_inputs_are_one_clear_error() -> None:
    views = Transforming(two_views)
    assert len(cl.corrupt(views, HALF)[0][0]) == 2
    with pytest.raises(TypeError, match=r"^`dataset` must serve one .* got a tuple of 2; put .*_t"):
        cl.corrupt(views, cl.RandomPixels())


def test_a_label_that_stands_elsewhere_has_to_be_named() -> None:
    views = Items([(torch.zeros(2), torch.ones(2), i % 3, i) for i in range(9)])
    with pytest.raises(ValueError, match=r"^`label_key` must say which part .* pass label_key=2, "):
        cl.corrupt(views, HALF)
    noisy = cl.corrupt(views, HALF, label_key=2)
    assert noisy[4][2] == noisy.targets[4]
    assert cl.corrupt(Items([(torch.zeros(2), 1, "path", 5)])).targets.tolist() == [1]


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (lambda d: d.with_transform(3), TypeError, r"^`transform` must be a function .* got int\."),
        (lambda d: d.with_fields("clean"), ValueError, r"^`names` must only name index, id, clean"),
    ],
)
def test_bad_additions_are_one_clear_error(act: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        act(cl.corrupt(tensors(), HALF))


def test_a_field_that_items_have_is_not_added() -> None:
    noisy = cl.corrupt([{"image": 0, "label": 1, "index": 7}])
    with pytest.raises(ValueError, match=r"^`names` must be names that items do not have yet, got"):
        noisy.with_fields("index")


def test_torchvision_data_sets_take_a_transform_through_the_wrapper(
    torchvision_datasets: ModuleType,
) -> None:
    noisy = cl.corrupt(torchvision_datasets.FakeData(6, (3, 4, 4), num_classes=3), HALF)
    noisy.transform = lambda image: "seen"
    assert noisy.transform is noisy.dataset.transform


def memorizes(data: Any, **told: Any) -> cl.MemorizationReport:
    def constant(_: Any, __: Any) -> Any:
        return lambda inputs: torch.zeros(len(inputs), 10)

    return cl.memorization_report(constant, data, canaries=6, **told)


class Hiding(Dataset[Any]):
    """A wrapper of another length."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __len__(self) -> int:
        return 2 * len(self.inner)

    def __getitem__(self, index: int) -> Any:
        x, y = self.inner[index // 2]
        return x + index % 2, y


def test_noise_is_found_through_what_lies_on_top() -> None:
    noisy = cl.corrupt(tensors(), HALF, seed=1)
    parts: ConcatDataset[Any] = ConcatDataset(
        [Subset(noisy, range(20)), Subset(noisy.with_transform(doubled), range(20, 60))]
    )
    expected = memorizes(noisy).noisy
    assert expected > 10
    assert memorizes(parts).noisy > 10  # canaries, which do not count, are others there
    assert memorizes(noisy.with_fields("index")).noisy == expected


def test_noise_that_cannot_be_followed_is_said_or_told() -> None:
    noisy = cl.corrupt(tensors(), HALF, seed=1)
    with pytest.warns(UserWarning, match=r"^`train` holds a corrupted data set in a wrapper throu"):
        assert memorizes(Hiding(noisy)).noisy == 0
    mask = np.repeat(noisy.is_corrupted, 2)
    report = memorizes(Hiding(noisy), noisy=mask)
    assert 0 < report.noisy <= mask.sum()
    assert report.final.noisy.total == report.noisy
    assert report.final.noisy_true.total == 0  # the true labels are not known
    assert report.final.clean.total == 120 - 12 + 6 - 6 - report.noisy
    print(report)
    with pytest.raises(ValueError, match=r"^`noisy` must be a mask of booleans, .* got bool of sh"):
        memorizes(Hiding(noisy), noisy=mask[:5])
