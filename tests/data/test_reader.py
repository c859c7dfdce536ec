"""The reader's other laws: types kept, noise that follows examples, checks that find, costs."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset

import corruptlab as cl

from .kinds import LABELS, Forwarding, Rows, Transformed, Y, hugging_face, rows, tensors

HALF = cl.UniformLabels(p=0.5)


class Counted(Rows):
    """Counts how often an item is read."""

    reads = 0

    def __getitem__(self, index: int) -> Any:
        self.reads += 1
        return self.items[index]


class Shrinking(Rows):
    left = 60

    def __len__(self) -> int:
        self.left -= 1
        return self.left


class Negative(Rows):
    def __len__(self) -> int:
        return -3


class Named(Rows):
    """Items by name, as the columns of a data frame."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self.items: Any = columns


class Long(Rows):
    def __len__(self) -> int:
        return len(self.items) + 5


@pytest.mark.parametrize("name", LABELS)
def test_labels_keep_their_type(name: str) -> None:
    kind = LABELS[name]()
    noisy = cl.corrupt(kind.dataset, HALF, seed=1)
    for served in ([noisy[i] for i in range(60)], noisy.__getitems__(range(60))):
        for (_, new), (_, old), label in zip(served, kind.dataset, noisy.targets, strict=False):
            assert type(new) is type(old)
            assert getattr(new, "dtype", None) == getattr(old, "dtype", None)
            assert np.shape(new) == np.shape(old)
            assert int(np.asarray(new).item()) == label


def test_a_label_that_does_not_fit_its_type_gets_a_larger_one() -> None:
    many = cl.corrupt(rows(np.uint8), cl.GivenLabels(np.full(60, 300)), num_classes=301)
    assert many[0][1] == np.int64(300)
    bytes_ = cl.corrupt(tensors(Y.astype(np.int8)), cl.GivenLabels([300] * 60), num_classes=301)
    assert bytes_[0][1].dtype is torch.int64


def test_clean_and_corrupted_data_make_one_batch() -> None:
    both: ConcatDataset[Any] = ConcatDataset([tensors(), cl.corrupt(tensors(), HALF)])
    ((_, labels),) = DataLoader(both, batch_size=120)
    assert labels.shape == (120,)


def test_a_label_that_is_changed_in_place_is_changed_for_nobody_else() -> None:
    noisy = cl.corrupt(tensors(), HALF)
    before = noisy.targets.copy()
    for _, label in [noisy[0], *noisy.__getitems__([0, 1])]:
        label.fill_(7)
    assert_array_equal(noisy.targets, before)
    assert noisy[0][1] == before[0]


@pytest.mark.parametrize(
    ("change", "at"),
    [
        (lambda d: d.shuffle(seed=0), None),
        (lambda d: d.select([5, 3, 3, 50]), [5, 3, 3, 50]),
        (lambda d: d.select(range(20, 40)), list(range(20, 40))),
        (lambda d: d.select(range(20, 40)).select(range(5, 9)), [25, 26, 27, 28]),
        (lambda d: d.select(range(20, 40)).select([3, 0]), [23, 20]),
        (lambda d: d.train_test_split(0.3, seed=1)["train"], None),
        (lambda d: d.train_test_split(0.3, seed=1)["test"], None),
        (lambda d: d.train_test_split(0.3, shuffle=False)["test"], list(range(42, 60))),
    ],
)
def test_noise_follows_the_examples_of_hugging_face(
    change: Callable[[Any], Any], at: list[int] | None
) -> None:
    whole = hugging_face(lambda d: d.add_column("at", list(range(60)))).dataset
    part = change(whole)
    at = part["at"][:].tolist() if at is None else at
    noisy = cl.corrupt(whole, cl.RandomLabels(), seed=3)
    assert_array_equal(cl.corrupt(part, cl.RandomLabels(), seed=3).targets, noisy.targets[at])
    assert_array_equal(cl.corrupt(part).ids, at)


def test_hugging_face_files_keep_count_too(tmp_path: Any) -> None:
    library = pytest.importorskip(
        "datasets", reason="Hugging Face datasets cannot be imported", exc_type=ImportError
    )
    hugging_face(lambda d: d).dataset.save_to_disk(str(tmp_path / "saved"))
    whole = library.load_from_disk(str(tmp_path / "saved"))
    assert_array_equal(cl.corrupt(whole.select(range(20, 40))).ids, np.arange(20, 40))
    assert_array_equal(cl.corrupt(whole.select(range(20, 40)).select([4])).ids, [24])
    given, too_many = cl.GivenLabels(np.zeros(60, int)), cl.GivenLabels(np.zeros(61, int))
    for part in (whole, whole.select(range(20))):
        assert not cl.corrupt(part, given).targets.any()
    with pytest.raises(ValueError, match=r"got 61 labels, .* and 60 examples"):
        cl.corrupt(whole, too_many)


def test_what_is_known_of_the_noise_is_found_beneath_a_transform() -> None:
    noisy = cl.corrupt(tensors(), HALF, seed=1)
    for top in (Transformed(noisy), Transformed(Transformed(Subset(noisy, range(60))))):
        found = cl.corrupt(top)
        assert_array_equal(found.is_corrupted, noisy.is_corrupted)
        assert found.nominal_rate == noisy.nominal_rate
        again = cl.corrupt(top, HALF, seed=1)
        assert_array_equal(again.targets, cl.corrupt(noisy, HALF, seed=1).targets)


def test_noise_beneath_a_wrapper_that_changes_labels_is_not_known() -> None:
    noisy = cl.corrupt(tensors(), HALF, seed=1)
    assert not cl.corrupt(Forwarding(noisy)).is_corrupted.any()


def test_a_list_that_is_right_spares_reading_the_items() -> None:
    items = [(0, i % 10) for i in range(5000)]
    labels = [y for _, y in items]
    right = Counted(items, targets=labels)
    assert_array_equal(cl.corrupt(right).targets, labels)
    assert right.reads < 300
    wrong = Counted(items, targets=[0 if y == 9 else y for _, y in items])
    assert_array_equal(cl.corrupt(wrong).targets, labels)
    assert wrong.reads > 5000


def test_parts_without_examples_do_not_matter() -> None:
    nothing = Rows([], targets=np.zeros(0, np.int64))
    joined: ConcatDataset[Any] = ConcatDataset([nothing, rows(), Subset(tensors(), []), nothing])
    assert_array_equal(cl.corrupt(joined).targets, Y)
    assert_array_equal(cl.materialize(joined)[1], Y)


def test_one_item_of_every_class_is_compared_however_rare() -> None:
    items = [(0, 0)] * 4999 + [(0, 1)]
    listed = Rows(items, targets=[0] * 4999 + [2])
    assert cl.corrupt(listed).targets[-1] == 1


def test_checks_leave_the_global_generators_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    cl.corrupt(rows(targets=Y))
    assert torch.equal(torch.rand(3), expected)


def test_targets_that_are_given_count_and_are_compared() -> None:
    with pytest.warns(
        UserWarning, match=r"^`targets` gives label . to item ., which has label . it"
    ):
        noisy = cl.corrupt(rows(), targets=(Y + 1) % 3)
    assert_array_equal(noisy.targets, (Y + 1) % 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cl.corrupt(rows(), targets=Y)
        cl.corrupt(Rows([(0, "cat"), (0, None)]), targets=[0, 1])


def test_classes_from_1_on_are_pointed_out() -> None:
    data = tensors(Y + 1)
    with pytest.warns(UserWarning, match=r"^`dataset` has no example of class 0, and the .* num_c"):
        cl.corrupt(data, cl.RandomLabels())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cl.corrupt(data)
        cl.corrupt(data, cl.RandomLabels(), num_classes=4)
        cl.corrupt(Subset(tensors(), np.flatnonzero(Y > 0).tolist()), cl.RandomLabels())
        cl.corrupt(rows(lambda y: y + 1, classes=list("abcd")), cl.RandomLabels())


def test_a_corruption_of_labels_needs_no_input() -> None:
    texts = Rows([{"text": "a", "label": y} for y in Y.tolist()])
    noisy = cl.corrupt(texts, cl.RandomLabels())
    assert noisy[3] == {"text": "a", "label": noisy.targets[3]}
    with pytest.raises(ValueError, match=r"^`input_key` must name a field of the items, got None"):
        cl.corrupt(texts, cl.RandomPixels())[0]


def item(change: Any, at: int = 7) -> Rows:
    """Return good items but for one."""
    return Rows([(torch.zeros(2), int(y)) if i != at else change for i, y in enumerate(Y)])


def image(mode: str) -> Rows:
    return Rows([(Image.new("RGBA", (2, 2)).convert(mode), 0)] * 3)


def late(width: int) -> Rows:
    first = [(torch.zeros(2, 2), 0)] * 1024
    return Rows(first + [(torch.zeros(2, width), 0)] * 1024)


ONE_CLASS = r"^`dataset` must have labels that are one integer class, got "

BAD: dict[str, tuple[Any, str]] = {
    "None": (item(None), r"^`dataset` must have items .* got NoneType at position 7\.$"),
    "no label": (item((0, None)), ONE_CLASS + r"None at position 7; leave out what has no label"),
    "short": (item((0,)), r"^`dataset` must have .* 1, got a tuple of length 1 at position 7"),
    "name": (item((0, "cat")), ONE_CLASS + r"'cat' at position 7; give all labels one type"),
    "bool": (item((0, True)), ONE_CLASS + r"True at position 7; give all labels one type"),
    "float": (item((0, 1.0)), ONE_CLASS + r"1\.0 at position 7; map them first, .* int\(label\)"),
    "soft": (item((0, [0.5, 0.5])), ONE_CLASS + r".* at position 7; turn soft .* argmax\.$"),
    "huge": (item((0, 2**70)), ONE_CLASS + r"\d+ at position 7; number the classes from 0 first"),
    "large": (item((0, 2**40)), r"^`dataset` must have labels below 2147483648, got \d+ at .* 7;"),
    "unsigned": ((np.zeros(2), np.array([2**63, 0], np.uint64)), ONE_CLASS + r".* at position 0;"),
    "late number": (
        Rows([(0, "a"), (0, "b"), (0, 3)]),
        r"^`dataset` must be one class for each example, got 3 at position 2; give all labels one",
    ),
    "shrinking": (Shrinking(rows().items), r"^`dataset` must keep its length, got 59 at first and"),
    "negative": (Negative([]), r"^`dataset` must have a length that is at least 0: "),
    "long": (Long(rows().items), r"^`dataset` must serve an item at every .* at position 60: "),
    "meta": (
        TensorDataset(torch.empty(3, 2, device="meta"), torch.zeros(3).long()),
        r"^`dataset` must hold dense tensors with values, got a meta tensor\.$",
    ),
    "sparse": (
        TensorDataset(torch.eye(3).to_sparse(), torch.zeros(3).long()),
        r"^`dataset` must hold dense tensors with values, got a tensor of layout .*sparse_coo\.$",
    ),
    "sparse item": (item((torch.eye(2).to_sparse(), 0)), r"^`dataset` must hold dense .* 7\.$"),
    "sizes": (item((torch.zeros(3), 0)), r"^`dataset` must have inputs of one sh.* position 7;"),
    "sizes, late": (late(1), r"^`dataset` .* got \(2, 2\) at position 0 and \(2, 1\) at .* 1024;"),
    "16 bits": (
        Rows([(Image.new("I;16", (2, 2)), 0)]),
        r"^`dataset` must have PIL .*, got 'I;16' at position 0; turn .*np\.asarray\(image\)",
    ),
    "palette": (image("PA"), r"^`dataset` .*; convert them with image\.convert\('RGBA'"),
    "black": (image("1"), r"^`dataset` .*; convert them with image\.convert\('L'\)"),
    "ink": (image("CMYK"), r"^`dataset` .*; convert them with image\.convert\('RGB'\)"),
    "two labels": (
        Rows([{"x": np.zeros(2), "fine_label": 3, "coarse_label": 1}]),
        r"^`label_key` must say which field is the label, .* 'fine_label' and 'coarse_label'; ",
    ),
    "columns": ({"x": [1, 2], "y": [0, 1]}, r"^`dataset` must have items by position, got a dict"),
    "by name": (Named({"a": 1}), r"^`dataset` must serve .* got KeyError at position 0: 0$"),
    "ambiguous": (((3, 0), (5, 1)), r"^`dataset` must be either two items or a pair \(X, y\), and"),
    "unequal": ((np.zeros(3), np.zeros(2, int)), r"one label for each .* 3 inputs and 2 labels"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_one_clear_error(case: str) -> None:
    dataset, message = BAD[case]
    with pytest.raises((TypeError, ValueError), match=message):
        cl.materialize(cl.corrupt(dataset, cl.RandomLabels()))


def fitted(data: Any) -> None:
    cl.fit(cl.mlp(2), data, recipe=cl.Recipe(learning_rate=0.1, epochs=1))


@pytest.mark.parametrize("act", [cl.materialize, fitted])
@pytest.mark.parametrize("kind", [str, object, "datetime64[D]"])
def test_inputs_of_which_no_tensor_can_be_made_are_one_clear_error(act: Any, kind: Any) -> None:
    data = np.arange(6).reshape(3, 2).astype(kind), np.array([0, 1, 0])
    message = r"^`(train|dataset)` must have inputs of numbers where tensors are made of them, got "
    with pytest.raises(TypeError, match=message):
        act(data)


def test_ids_name_one_example_each() -> None:
    with pytest.raises(
        ValueError, match=r"^`ids` must give one number to one example, got 0 at .*"
    ):
        cl.corrupt(rows(lambda y: y), ids=[0] * 60)


def test_lists_of_numbers_and_frames_are_pairs_of_arrays() -> None:
    inputs, labels = cl.materialize(([[1.5, 2], [3, 4], [5, 6]], [0, 1, 1]))
    assert inputs.tolist() == [[1.5, 2], [3, 4], [5, 6]]
    assert labels.tolist() == [0, 1, 1]
    assert len(cl.corrupt(([3, 1, 4, 1, 5], [0, 1, 0, 1, 1]), cl.RandomLabels())) == 5
    pd = pytest.importorskip("pandas", reason="pandas cannot be imported", exc_type=ImportError)
    frame = pd.DataFrame({"a": [1.0, 2, 3], "b": [4.0, 5, 6]}, index=[7, 7, 9])
    inputs, labels = cl.materialize((frame, pd.Series([0, 1, 1], index=frame.index)))
    assert inputs.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert labels.tolist() == [0, 1, 1]


def test_two_items_stay_two_items() -> None:
    noisy = cl.corrupt(((torch.zeros(2), 0), (torch.ones(2), 1)))
    assert noisy.targets.tolist() == [0, 1]
    assert cl.corrupt(([torch.zeros(2), 0], [torch.ones(2), 1])).targets.tolist() == [0, 1]


def test_inputs_of_a_wider_type_later_on_lose_nothing() -> None:
    mixed = [(torch.zeros(1, dtype=torch.uint8), 0)] * 1024 + [(torch.full((1,), 0.5), 0)]
    assert cl.materialize(mixed)[0][-1] == 0.5


def test_tensors_that_are_stored_in_other_ways_are_read_by_value() -> None:
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    negative = torch.complex(x, x).conj().imag
    assert negative.is_neg()
    for stored in (negative, x.bfloat16(), x.T.contiguous().T, x.clone().requires_grad_()):
        plain = stored.detach().clone().float()
        one, other = (
            cl.corrupt(TensorDataset(inputs, torch.tensor(Y)), cl.RandomPixels(), seed=1)
            for inputs in (stored, plain)
        )
        assert all(torch.equal(one[i][0].float(), other[i][0]) for i in range(60))
