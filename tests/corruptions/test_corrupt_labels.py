"""Labels alone: the container kept, the noise of `corrupt`, and one clear error for the rest."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch.utils.data import ConcatDataset, Subset

import corruptlab as cl

N, K = 90, 3
Y = np.random.default_rng(0).permutation(np.arange(N) % K)
NAMES = np.array(["ant", "bee", "cat"])
HALF = cl.UniformLabels(p=0.5)
NOISY = cl.corrupt((np.zeros(N), Y), HALF, seed=3).targets
BINARY = cl.corrupt((np.zeros(N), 1 * (Y > 0)), HALF, seed=3).targets


def pandas() -> Any:
    return pytest.importorskip("pandas", reason="pandas cannot be imported", exc_type=ImportError)


def series(values: Any, **kwargs: Any) -> Any:
    index = [f"row {k % 50}" for k in range(N)]
    return pandas().Series(values, index=index, name="kind", **kwargs)


# Labels in a container, and what stands there for class 0, 1, ...
CONTAINERS: dict[str, tuple[Callable[[], Any], Any]] = {
    "array": (lambda: Y, [0, 1, 2]),
    "array of bytes": (lambda: Y.astype(np.uint8), [0, 1, 2]),
    "column": (lambda: Y[:, None], [0, 1, 2]),
    "list": (lambda: Y.tolist(), [0, 1, 2]),
    "tuple": (lambda: tuple(Y.tolist()), [0, 1, 2]),
    "list of NumPy's": (lambda: list(Y.astype(np.int16)), [0, 1, 2]),
    "tensor": (lambda: torch.from_numpy(Y), [0, 1, 2]),
    "tensor of bytes": (lambda: torch.from_numpy(Y).to(torch.uint8), [0, 1, 2]),
    "names": (lambda: NAMES[Y], NAMES),
    "wide names": (lambda: NAMES.astype("U40")[Y], NAMES),
    "names as bytes": (lambda: NAMES.astype("S")[Y], [b"ant", b"bee", b"cat"]),
    "names as objects": (lambda: NAMES.astype(object)[Y], NAMES),
    "every other name": (lambda: np.repeat(NAMES[Y], 2)[::2], NAMES),
    "list of names": (lambda: NAMES[Y].tolist(), NAMES),
    "list of NumPy's names": (lambda: list(NAMES[Y]), NAMES),
    "integers as objects": (lambda: Y.astype(object), [0, 1, 2]),
    "booleans": (lambda: Y > 0, [False, True]),
    "list of booleans": (lambda: (Y > 0).tolist(), [False, True]),
    "tensor of booleans": (lambda: torch.from_numpy(Y > 0), [False, True]),
    "-1 and +1": (lambda: 2 * (Y > 0) - 1, [-1, 1]),
    "tensor of -1 and +1": (lambda: torch.from_numpy(2 * (Y > 0) - 1), [-1, 1]),
    "list of -1 and +1": (lambda: (2 * (Y > 0) - 1).tolist(), [-1, 1]),
    "Series": (lambda: series(Y), [0, 1, 2]),
    "Series of bytes": (lambda: series(Y.astype(np.uint8)), [0, 1, 2]),
    "Series of names": (lambda: series(NAMES[Y]), NAMES),
    "Series of objects": (lambda: series(NAMES[Y], dtype=object), NAMES),
    "Series of strings": (lambda: series(NAMES[Y], dtype="string"), NAMES),
    "Series of booleans": (lambda: series(Y > 0), [False, True]),
    "nullable booleans": (lambda: series(Y > 0, dtype="boolean"), [False, True]),
    "nullable integers": (lambda: series(Y, dtype="Int32"), [0, 1, 2]),
    "categories": (lambda: series(pandas().Categorical.from_codes(Y, ["z", "a", "f"])), "zaf"),
    "Categorical": (lambda: pandas().Categorical.from_codes(Y, [7, 3, 5]), [7, 3, 5]),
    "Index": (lambda: pandas().Index(NAMES[Y], name="kind"), NAMES),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_container_is_kept_and_the_labels_are_those_of_corrupt(name: str) -> None:
    make, classes = CONTAINERS[name]
    y, expected = make(), NOISY if len(classes) == K else BINARY
    noisy, mask = cl.corrupt_labels(y, HALF, seed=3)
    assert type(noisy) is type(y)
    assert getattr(noisy, "dtype", None) == getattr(y, "dtype", None)
    assert np.shape(noisy) == np.shape(y)
    assert [type(label) for label in noisy] == [type(label) for label in y]
    assert np.ravel(np.asarray(noisy)).tolist() == [list(classes)[k] for k in expected]
    assert_array_equal(mask, np.ravel(np.asarray(noisy)) != np.ravel(np.asarray(y)))
    # The same labels in a data set have the same noise, and are served as they came.
    wrapped = cl.corrupt((np.zeros(N), y), HALF, seed=3)
    assert_array_equal(wrapped.targets, expected)
    assert_array_equal(wrapped.is_corrupted, mask)
    served = [np.ravel(np.asarray(wrapped[i][1])).tolist() for i in range(N)]
    assert served == [[list(classes)[k]] for k in expected]


def test_index_and_name_of_a_series_are_kept() -> None:
    y = series(NAMES[Y])
    noisy = cl.corrupt_labels(y, HALF, seed=3).labels
    assert noisy.index.equals(y.index)
    assert noisy.name == "kind"


def test_what_came_in_is_left_alone() -> None:
    for y in (Y.copy(), Y.tolist(), NAMES[Y], torch.from_numpy(Y.copy())):
        before = np.asarray(y).copy()
        cl.corrupt_labels(y, cl.RandomLabels(), seed=1)
        assert_array_equal(before, np.asarray(y))


def test_unused_categories_are_classes() -> None:
    y = pandas().Categorical(["a"] * 200, categories=["b", "a"])
    assert set(cl.corrupt_labels(y, cl.RandomLabels()).labels) == {"a", "b"}


@pytest.mark.parametrize("y", [Y, NAMES[Y]])
def test_ids_give_a_part_the_noise_of_the_whole(y: Any) -> None:
    at = np.array([5, 80, 7])
    part = cl.corrupt_labels(y[at], HALF, seed=3, ids=at, **_all_classes(y)).labels
    assert_array_equal(part, cl.corrupt_labels(y, HALF, seed=3).labels[at])


def _all_classes(y: Any) -> dict[str, Any]:
    return {"num_classes": K} if y.dtype.kind == "i" else {"classes": NAMES.tolist()}


def test_classes_say_what_the_numbers_stand_for() -> None:
    noisy = cl.corrupt_labels(Y + 1, HALF, seed=3, classes=[1, 2, 3]).labels
    assert_array_equal(noisy, NOISY + 1)
    order = ["cat", "ant", "dog", "bee"]
    codes = np.array([1, 3, 0])[Y]
    expected = cl.corrupt((np.zeros(N), codes), HALF, num_classes=4).targets
    noisy = cl.corrupt_labels(NAMES[Y], HALF, classes=order).labels
    assert_array_equal(noisy, np.array(order)[expected])


def test_an_integer_that_does_not_fit_gets_a_larger_type() -> None:
    given = cl.GivenLabels(np.full(N, 300))
    for y in (Y.astype(np.uint8), torch.from_numpy(Y).to(torch.uint8)):
        noisy = cl.corrupt_labels(y, given, num_classes=301).labels
        assert noisy.dtype in (np.int64, torch.int64)
        assert noisy[0] == 300


def test_longer_names_than_the_array_had_are_whole() -> None:
    noisy = cl.corrupt_labels(np.array(["a", "b"] * 50), HALF, classes=["a", "b", "centipede"])
    assert "centipede" in noisy.labels.tolist()


BAD: dict[str, tuple[Callable[[], Any], dict[str, Any], str]] = {
    "text": (lambda: "abc", {}, r"^`y` must be an array, a tensor, a list, .* got str\.$"),
    "dictionary": (lambda: {0: 1}, {}, r"^`y` must be an array, .* got dict\.$"),
    "nothing": (list, {}, r"^`y` must hold at least one label, got none\.$"),
    "one": (lambda: np.array(3), {}, r"^`y` must have 1 labels, .* got a single value\.$"),
    "floats": (lambda: [0.5, 1.0], {}, r"^`y` must be one class for each .* got 0\.5 at position "),
    "soft": (lambda: np.eye(3), {}, r"^`y` must be one class for each .* shape \(3, 3\); turn sof"),
    "ragged": (lambda: [[1], [2, 3]], {}, r"^`y` must be one class .* got a ragged list; turn sof"),
    "None": (lambda: ["a", None], {}, r"^`y` .* got None at position 1; leave out what has no lab"),
    "NaN": (lambda: series(["a", np.nan] * 45), {}, r"^`y` .* got nan at position 1; leave out"),
    "NA": (lambda: series([1, None] * 45, dtype="Int64"), {}, r"^`y` .* <NA> at position 1; leave"),
    "no category": (
        lambda: pandas().Categorical(["a", None, "a"]),
        {},
        r"^`y` .* got nan at position 1; leave out what has no label",
    ),
    "mixed": (lambda: ["a", 1], {}, r"^`y` .* got 1 at position 1; give all labels one type"),
    "mixed numbers": (lambda: [1, "a"], {}, r"^`y` .* got 'a' at position 1; give all labels one"),
    "negative": (lambda: [0, -1, 1], {}, r"^`y` must hold .* at least 0, got -1 at position 1; le"),
    "num_classes": (
        lambda: ["a", "b"],
        {"num_classes": 3},
        r"^`num_classes` must be 2, the number of classes in `y`, got 3; name all with `classes`",
    ),
    "classes lack one": (
        lambda: ["a", "b"],
        {"classes": ["b"]},
        r"^`classes` must hold every label of `y`, got 'b', and label 'a' at position 0\.$",
    ),
    "classes twice": (lambda: ["a"], {"classes": ["a", "a"]}, r"^`classes` must list every class "),
    "classes mixed": (lambda: ["a"], {"classes": ["a", 1]}, r"^`classes` must list names, boolea"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_labels_are_one_clear_error(case: str) -> None:
    make, told, message = BAD[case]
    y = make()
    with pytest.raises((TypeError, ValueError), match=message):
        cl.corrupt_labels(y, HALF, **told)


@pytest.mark.parametrize("wrong", [cl.RandomPixels(), cl.InstanceDependentLabels(rate=0.1), 3])
def test_corruptions_that_need_inputs_are_refused(wrong: Any) -> None:
    with pytest.raises(
        TypeError, match=r"^`corruptions` must change labels by the labels alone, .*"
    ):
        cl.corrupt_labels(Y, wrong)


def test_names_in_any_number_are_numbered_by_their_order() -> None:
    names = [f"class {k}" for k in range(5000)]
    labels = np.random.default_rng(1).integers(0, 5000, 70_000)
    expected = np.unique(np.array(names)[labels], return_inverse=True)[1]
    arrays = [np.array(names), np.array(names).astype("S"), np.array(names, object)]
    lists = [[names[k] for k in labels], list(np.array(names)[labels])]
    for y in (*(array[labels] for array in arrays), *lists):
        assert_array_equal(cl.corrupt((np.zeros(70_000), y)).targets, expected)


def test_names_with_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    from corruptlab._data import _encoding

    monkeypatch.setattr(_encoding, "_hashes", lambda words: np.zeros(len(words), np.uint64))
    assert_array_equal(cl.corrupt((np.zeros(N), NAMES[Y])).targets, Y)


def test_inputs_and_labels_side_by_side() -> None:
    inputs = np.arange(2.0 * N).reshape(N, 2)
    for data in (inputs, torch.from_numpy(inputs), list(inputs)):
        noisy = cl.corrupt(data, HALF, seed=3, targets=NAMES[Y])
        assert_array_equal(noisy.targets, NOISY)
        x, label = noisy[7]
        assert_array_equal(np.asarray(x), inputs[7])
        assert label == NAMES[NOISY[7]]


def test_a_column_of_a_table_is_the_label() -> None:
    frame = pandas().DataFrame(
        {"a": np.arange(N), "b": 0.5, "kind": NAMES[Y]}, index=range(9, 9 + N)
    )
    noisy = cl.corrupt(frame, HALF, seed=3, label_key="kind")
    assert_array_equal(noisy.targets, NOISY)
    assert noisy[4][0].tolist() == [4, 0.5]
    assert noisy[4][1] == NAMES[NOISY[4]]
    assert cl.corrupt(frame, label_key="kind", input_key=["b"])[4][0].tolist() == [0.5]
    wrong: list[dict[str, Any]] = [{}, {"label_key": "c"}]
    for told in wrong:
        with pytest.raises(
            ValueError, match=r"^`label_key` must name the column of `dataset` .* are \["
        ):
            cl.corrupt(frame, **told)
    with pytest.raises(
        ValueError, match=r"^`input_key` must name columns of `dataset`, got 'c'; the"
    ):
        cl.corrupt(frame, label_key="kind", input_key="c")


def test_parts_with_other_names_make_one_data_set() -> None:
    one = np.ones(2)
    ants = cl.corrupt([(one, "ant"), (one, "bee")] * 20, HALF, seed=1)
    joined: ConcatDataset[Any] = ConcatDataset([ants, [(one, "aphid")] * 3])  # type: ignore[list-item]  # anything with a length
    noisy = cl.corrupt(joined)
    assert noisy.provenance.encoding is not None
    assert noisy.provenance.encoding.classes == ("ant", "aphid", "bee")
    assert [noisy[i][1] for i in range(43)] == [joined[i][1] for i in range(43)]
    assert_array_equal(noisy.is_corrupted[:40], ants.is_corrupted)
    assert_array_equal(cl.materialize(joined)[1], noisy.targets)
    mixed: ConcatDataset[Any] = ConcatDataset([ants, cl.corrupt([(one, True), (one, False)])])
    with pytest.raises(
        ValueError, match=r"^`dataset` must join parts whose labels are of one type, "
    ):
        cl.corrupt(mixed)


def test_a_part_without_some_names_keeps_their_numbers() -> None:
    items = [(k, str(NAMES[y])) for k, y in enumerate(Y)]
    part = cl.corrupt(Subset(items, np.flatnonzero(Y == 2).tolist()))  # type: ignore[arg-type]  # likewise
    assert set(part.targets) == {2}
    assert part.num_classes == 3


def test_data_sets_of_a_fit_must_have_the_same_names() -> None:
    inputs = torch.from_numpy(np.eye(N, dtype=np.float32))
    recipe = cl.Recipe(learning_rate=0.1, epochs=1)
    train, test = (inputs, NAMES[Y]), (inputs[:2], np.array(["bee", "cat"]))
    model = cl.mlp(4, input_shape=(N,), num_classes=3)
    with pytest.raises(
        ValueError, match=r"^`test` must have the classes of `train`, \('ant', 'bee', "
    ):
        cl.fit(model, train, test, recipe=recipe)
    cl.fit(model, train, cl.corrupt(test, classes=NAMES.tolist()), recipe=recipe)


def test_classes_must_be_those_of_the_corrupted_data_set() -> None:
    noisy = cl.corrupt((np.zeros(N), NAMES[Y]), HALF)
    cl.corrupt(noisy, classes=NAMES.tolist())
    with pytest.raises(
        ValueError, match=r"^`classes` must be those that the data set was corrupted"
    ):
        cl.corrupt(noisy, classes=["cat", "bee", "ant"])


def test_names_decide_the_fingerprint() -> None:
    some, others = (
        cl.corrupt((np.zeros(N), each[Y])) for each in (NAMES, np.array(["a", "b", "c"]))
    )
    assert some.fingerprint != others.fingerprint


@pytest.mark.parametrize("y", [["a", None, "b"], [0, None, 1], np.array(["a", None], object)])
def test_a_missing_label_is_one_error_without_an_argument_that_there_is_not(y: Any) -> None:
    message = (
        r"^`y` must be one class for each example, got None at position 1; leave out .*label\.$"
    )
    with pytest.raises(TypeError, match=message):
        cl.corrupt_labels(y, cl.RandomLabels())
