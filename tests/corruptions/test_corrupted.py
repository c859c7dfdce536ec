"""Laws of the wrapper: structure kept, corruption follows the example, provenance in step."""

import pickle
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset, random_split

from corruptlab import (
    AsymmetricLabels,
    Corrupted,
    Draws,
    GaussianPixels,
    PairFlipLabels,
    RandomLabels,
    RandomPixels,
    ShuffledPixels,
    SymmetricLabels,
    TransitionLabels,
    UniformLabels,
    corrupt,
    mlp,
)
from corruptlab.datasets import load

from .cases import Items, images, items, tensors

Example = namedtuple("Example", ["image", "label", "name"])
HALF = UniformLabels(p=0.5)
ALL = (HALF, ShuffledPixels(), RandomPixels())


def equal(one: Any, two: Any) -> bool:
    return torch.equal(one[0], two[0]) and one[1] == two[1]


def test_items_are_what_the_corruptions_say_on_arrays() -> None:
    wrapped = corrupt(tensors(), *ALL, seed=3)
    labels = HALF.labels(np.arange(60) % 10, num_classes=10, draws=Draws(3))
    pixels = ShuffledPixels().inputs(images(), draws=Draws(3))
    pixels = RandomPixels().inputs(pixels, draws=Draws(3))
    assert [y for _, y in items(wrapped)] == labels.tolist()
    assert all(torch.equal(x, pixels[i]) for i, (x, _) in enumerate(items(wrapped)))


def test_a_corruption_done_again_has_draws_of_its_own() -> None:
    twice = corrupt(corrupt(tensors(), HALF, seed=3), HALF, ShuffledPixels(), seed=3)
    assert twice.draws == (Draws(3, repeat=1), Draws(3))
    labels = HALF.labels(twice.dataset.targets, num_classes=10, draws=twice.draws[0])
    assert_array_equal(twice.targets, labels)


def test_nothing_done_changes_nothing() -> None:
    assert all(
        equal(a, b) for a, b in zip(items(corrupt(tensors())), items(tensors()), strict=True)
    )


def test_the_wrapped_data_set_is_untouched() -> None:
    base = tensors()
    items(corrupt(base, *ALL))
    assert torch.equal(base.tensors[0], images())
    assert torch.equal(base.tensors[1], torch.arange(60) % 10)


def test_subset_and_corrupt_commute() -> None:
    picked = [59, 3, 3, 20]
    one = Subset(corrupt(tensors(), *ALL, seed=1), picked)
    two = corrupt(Subset(tensors(), picked), *ALL, seed=1)
    assert all(equal(one[i], two[i]) for i in range(4))


def test_subset_without_the_last_class_still_knows_all_classes() -> None:
    assert corrupt(Subset(tensors(), [0, 1]), RandomLabels()).num_classes == 10


def test_random_split_and_concatenation_follow_the_examples() -> None:
    generator = torch.Generator().manual_seed(0)
    whole = corrupt(tensors(), *ALL, seed=1)
    first, second = random_split(tensors(), [20, 40], generator=generator)
    joined: ConcatDataset[Any] = ConcatDataset(
        [corrupt(first, *ALL, seed=1), corrupt(second, *ALL, seed=1)]
    )
    order = [*first.indices, *second.indices]
    assert all(equal(joined[k], whole[i]) for k, i in enumerate(order))


def test_concatenated_parts_get_different_noise() -> None:
    both = corrupt(ConcatDataset([tensors(), tensors()]), RandomLabels())
    assert (both.targets[:60] != both.targets[60:]).any()
    assert_array_equal(both.targets[:60], corrupt(tensors(), RandomLabels()).targets)
    assert len(set(both.ids.tolist())) == 120


def test_corrupting_twice_equals_both_at_once_and_draws_anew() -> None:
    twice = corrupt(corrupt(tensors(), *ALL, seed=1), *ALL, seed=1)
    at_once = corrupt(tensors(), *ALL, *ALL, seed=1)
    assert all(equal(a, b) for a, b in zip(items(twice), items(at_once), strict=True))
    assert_array_equal(twice.clean_targets, np.arange(60) % 10)
    assert twice.realized_rate > corrupt(tensors(), *ALL, seed=1).realized_rate


def test_corrupting_a_cut_of_a_corrupted_set_draws_anew_too() -> None:
    inner = corrupt(tensors(), HALF, seed=1)
    outer = corrupt(Subset(inner, range(60)), HALF, seed=1)
    assert_array_equal(outer.targets, corrupt(tensors(), HALF, HALF, seed=1).targets)
    joined = corrupt(ConcatDataset([inner]), HALF, seed=1)
    assert_array_equal(joined.targets, outer.targets)


def test_labels_and_pixels_do_not_disturb_each_other() -> None:
    alone = corrupt(tensors(), HALF, seed=2)
    together = corrupt(tensors(), ShuffledPixels(), HALF, seed=2)
    assert_array_equal(alone.targets, together.targets)


def test_ids_decide_the_noise() -> None:
    moved = corrupt(tensors(), *ALL, ids=np.arange(60)[::-1])
    there = corrupt(TensorDataset(*(t.flip(0) for t in tensors().tensors)), *ALL)
    assert (moved.targets != there.targets).any()
    same = TensorDataset(images(), torch.full((60,), 3))
    repeated = corrupt(same, RandomLabels(), ids=[7] * 60, num_classes=10)
    assert repeated.targets.tolist() == [corrupt(tensors(), RandomLabels()).targets[7]] * 60


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_and_batches_do_not_matter(workers: int) -> None:
    wrapped = corrupt(tensors(), *ALL, seed=1)
    loader = DataLoader(wrapped, batch_size=7, num_workers=workers)
    x, y = (torch.cat(parts) for parts in zip(*loader, strict=True))
    assert torch.equal(x, torch.stack([item[0] for item in items(wrapped)]))
    assert_array_equal(y.numpy(), wrapped.targets)


def test_pickling_keeps_everything() -> None:
    wrapped = corrupt(Subset(tensors(), [5, 6, 7]), *ALL, GaussianPixels(), seed=1)
    again = pickle.loads(pickle.dumps(wrapped))
    assert again.fingerprint == wrapped.fingerprint
    assert all(equal(a, b) for a, b in zip(items(again), items(wrapped), strict=True))


def test_provenance_is_in_step_with_what_is_served() -> None:
    wrapped = corrupt(tensors(), HALF, seed=4)
    served = np.array([y for _, y in items(wrapped)])
    clean = np.arange(60) % 10
    assert_array_equal(wrapped.targets, served)
    assert_array_equal(wrapped.clean_targets, clean)
    assert_array_equal(wrapped.is_corrupted, served != clean)
    assert wrapped.realized_rate == (served != clean).mean()
    matrix = np.zeros((10, 10))
    for a, b in zip(clean, served, strict=True):
        matrix[a, b] += 1 / 6
    np.testing.assert_allclose(wrapped.transition_matrix, matrix)
    assert repr(wrapped) == (
        f"Corrupted(UniformLabels(p=0.5), seed=4; 60 examples, {wrapped.realized_rate:.2%} "
        "of labels changed, 45.00% expected)"
    )


def test_transition_row_of_an_absent_class_is_nan() -> None:
    wrapped = corrupt(tensors(), num_classes=12)
    assert np.isnan(wrapped.transition_matrix[11]).all()
    assert_array_equal(wrapped.transition_matrix[:10, :10], np.eye(10))


def test_provenance_cannot_be_written_to() -> None:
    wrapped = corrupt(tensors(), HALF)
    for array in (wrapped.targets, wrapped.clean_targets, wrapped.ids):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize(
    "make",
    [
        lambda x, y: (x, y),
        lambda x, y: [x, y],
        lambda x, y: (x, y, "name"),
        lambda x, y: Example(x, y, "name"),
        lambda x, y: {"img": x, "label": y, "name": "name"},
    ],
    ids=["tuple", "list", "triple", "named tuple", "dict"],
)
@pytest.mark.parametrize("corruptions", [(HALF,), ALL], ids=["labels", "all"])
def test_structure_of_items_is_kept(make: Any, corruptions: Any) -> None:
    base = Items([make(x, y) for x, y in items(tensors())])
    reference = corrupt(tensors(), *corruptions, seed=1)
    for i, item in enumerate(items(corrupt(base, *corruptions, seed=1))):
        assert type(item) is type(base.items[i])
        x, y = (item["img"], item["label"]) if isinstance(item, dict) else item[:2]
        assert equal((x, y), reference[i])
        assert type(y) is torch.Tensor
        rest = item["name"] if isinstance(item, dict) else item[-1]
        assert len(item) == 2 or rest == "name"


def test_keys_choose_the_fields() -> None:
    base = Items([{"left": 3, "right": x, "label": y} for x, y in items(tensors())])
    wrapped = corrupt(base, RandomPixels(), RandomLabels(), input_key="right", label_key="left",
                      num_classes=10)  # fmt: skip
    assert wrapped[0]["label"] == 0
    assert torch.equal(wrapped[5]["right"], corrupt(tensors(), RandomPixels())[5][0])
    named = corrupt(Items([Example("a", x, y) for x, y in items(tensors())]), RandomPixels(),
                    input_key="label", label_key="name")  # fmt: skip
    assert torch.equal(named[5].label, corrupt(tensors(), RandomPixels())[5][0])


def test_inputs_come_back_as_the_type_they_had() -> None:
    pixels = (images(20, (5, 6, 3)) % 256).to(torch.uint8).numpy()
    reference = RandomPixels().inputs(pixels, draws=Draws(0))
    arrays = corrupt(Items([(x, i % 10) for i, x in enumerate(pixels)]), RandomPixels())
    pictures = corrupt(
        Items([(Image.fromarray(x), i % 10) for i, x in enumerate(pixels)]), RandomPixels()
    )
    for i in range(20):
        assert isinstance(arrays[i][0], np.ndarray)
        assert isinstance(pictures[i][0], Image.Image)
        assert_array_equal(arrays[i][0], reference[i])
        assert_array_equal(np.asarray(pictures[i][0]), reference[i])


def test_labels_are_found_without_reading_all_images() -> None:
    base = Items([(x, y) for x, y in items(tensors(2000))])
    base.targets = [y for _, y in items(tensors(2000))]  # type: ignore[attr-defined]
    corrupt(base, HALF)
    assert base.reads < 300


@pytest.mark.parametrize("attribute", ["targets", "labels", "y"])
@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
def test_labels_are_found_in_any_container(attribute: str, kind: Any) -> None:
    base = Items([(x, int(y)) for x, y in items(tensors())])
    setattr(base, attribute, kind([y for _, y in base.items]))
    assert_array_equal(corrupt(base, HALF).targets, corrupt(tensors(), HALF).targets)


def test_labels_are_read_from_the_items_where_nothing_else_tells() -> None:
    base = Items([(x, y) for x, y in items(tensors())])
    assert_array_equal(corrupt(base, HALF).targets, corrupt(tensors(), HALF).targets)


def test_given_targets_replace_those_found() -> None:
    wrapped = corrupt(
        Items([(x, None) for x, _ in items(tensors())]), HALF, targets=np.arange(60) % 10
    )
    assert_array_equal(wrapped.targets, corrupt(tensors(), HALF).targets)


def test_number_of_classes_comes_from_the_data_set() -> None:
    base = Items([(x, y) for x, y in items(tensors())])
    base.classes = list("abcdefghijkl")  # type: ignore[attr-defined]
    assert corrupt(base, HALF).num_classes == 12
    assert corrupt(base, HALF, num_classes=15).num_classes == 15


def test_gaussian_moments_are_those_of_the_inputs_as_they_arrive() -> None:
    noise = corrupt(tensors(), ShuffledPixels(), GaussianPixels(per="pixel"), seed=1)
    arrived = np.stack([x.numpy() for x, _ in items(corrupt(tensors(), ShuffledPixels(), seed=1))])
    expected = GaussianPixels(per="pixel").estimated([arrived])
    assert noise.corruptions[1] == expected


def test_indices_work_as_those_of_a_list() -> None:
    wrapped = corrupt(tensors(), *ALL)
    assert equal(wrapped[-1], wrapped[59])
    assert equal(wrapped[np.int64(3)], wrapped[3])
    labels_only = corrupt(tensors(), HALF)
    assert equal(labels_only[-60], labels_only[0])
    assert equal(labels_only[-7], labels_only[53])
    for index in (60, -61):
        with pytest.raises(IndexError, match=rf"^`index` must lie in -60 \.\. 59, got {index}\.$"):
            labels_only[index]
    wrong: Any
    for wrong in ("a", slice(2), np.array([1, 2])):
        with pytest.raises(TypeError, match=r"^`index` must be an integer, got "):
            labels_only[wrong]


class Stream(Dataset[Any]):
    def __iter__(self) -> Any:
        return iter(())


class NotACorruption:
    pass


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "stream": (
        lambda: corrupt(Stream(), HALF)  # type: ignore[arg-type]
       ,
        TypeError,
        r"^`dataset` must be map-style, with __len__ and __getitem__, got Stream\.$",
    ),
    "empty": (
        lambda: corrupt(Items([]), HALF),
        ValueError,
        r"^`dataset` must hold at least one example, got none\.$",
    ),
    "bare": (
        lambda: corrupt(Items([torch.zeros(3)]), HALF),
        TypeError,
        r"^`dataset` must have items .* or be a pair of arrays \(inputs, labels\), got Tensor\.$",
    ),
    "single": (
        lambda: corrupt(Items([(1,)]), HALF),
        ValueError,
        r"^`label_key` must be a position in items of length 1, got 1\.$",
    ),
    "unnamed": (
        lambda: corrupt(Items([{"a": 1, "b": 2}]), HALF),
        ValueError,
        r"^`label_key` must name a field of the items, got None; the fields are \['a', 'b'\]\.$",
    ),
    "soft": (
        lambda: corrupt(Items([(0, torch.tensor([0.5, 0.5]))]), HALF),
        TypeError,
        r"one integer class, got tensor\(\[0\.5000, 0\.5000\]\) at position 0; turn soft or",
    ),
    "soft tensors": (
        lambda: corrupt(TensorDataset(torch.zeros(2, 3), torch.zeros(2, 4)), HALF),
        TypeError,
        r"^`dataset` must have labels that are one .* got tensor\(.*\) at position 0; turn soft",
    ),
    "length": (
        lambda: corrupt(tensors(), HALF, targets=[1, 2]),
        ValueError,
        r"^`targets` must have 60 labels, one for each example, got 2\.$",
    ),
    "classes": (
        lambda: corrupt(tensors(), HALF, num_classes=5),
        ValueError,
        r"^`labels` must lie in 0 \.\. 4, got 5 at position 5\.$",
    ),
    "unlabelled": (
        lambda: corrupt(Items([(0, -1), (0, -1)]), HALF),
        ValueError,
        r"^`dataset` must have labels that are at least 0, got -1 at position 0; leave out what ",
    ),
    "unlabelled, given": (
        lambda: corrupt(Items([(0, None)] * 60), HALF, targets=[*[0] * 59, -2]),
        ValueError,
        r"^`dataset` must have labels .* got -2 at position 59; leave out what has no label\.$",
    ),
    "seed": (
        lambda: corrupt(tensors(), HALF, seed=-1),
        ValueError,
        r"^`seed` must be at least 0, got -1\.$",
    ),
    "corruption": (
        lambda: corrupt(tensors(), NotACorruption()),  # type: ignore[arg-type]
        TypeError,
        r"^`corruptions` must have a stream and a `labels`, .* or `inputs` method, got <",
    ),
    "class": (
        lambda: corrupt(tensors(), RandomLabels),  # type: ignore[arg-type]
        TypeError,
        r"^`corruptions` must have .* got <class .*; write RandomLabels\(\.\.\.\)\.$",
    ),
    "text": (
        lambda: corrupt(Items([("a", 0), ("b", 1)]), RandomPixels())[0],
        TypeError,
        r"^`dataset` must have inputs that are tensors, arrays, or PIL images, got str at pos",
    ),
    "ragged": (
        lambda: corrupt(Items([(torch.zeros(2, 2), 0), (torch.zeros(3, 2), 1)]), RandomPixels())
        .__getitems__([0, 1]),
        ValueError,
        r"^`dataset` must have inputs of one shape, got \(2, 2\) at .* 0 and \(3, 2\) at .* 1;",
    ),
    "palette": (
        lambda: corrupt(Items([(Image.new("P", (2, 2)), 0)]), RandomPixels())[0],
        TypeError,
        r"^`dataset` must have PIL images of mode L, LA, RGB, or RGBA, got 'P' at .* 0; convert",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(case: str) -> None:
    act, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        act()


def test_corrupted_and_corrupt_are_the_same() -> None:
    assert (
        Corrupted(tensors(), HALF, seed=1).fingerprint
        == corrupt(tensors(), HALF, seed=1).fingerprint
    )


def test_wrapping_adds_at_most_32_bytes_an_example() -> None:
    n = 100_000
    base = TensorDataset(torch.zeros(n, 1, dtype=torch.uint8), torch.zeros(n, dtype=torch.int64))
    whole = len(pickle.dumps(base))
    for noisy, bare in (
        (corrupt(base, HALF, RandomPixels()), whole),
        (corrupt(cut := Subset(base, range(n)), HALF, RandomPixels()), len(pickle.dumps(cut))),
    ):
        assert len(pickle.dumps(noisy)) - bare <= 32 * n + 10_000


def test_nominal_rates_count_what_was_done_before() -> None:
    flips = PairFlipLabels(rate=0.5)
    inner = corrupt(tensors(), flips)
    twice = flips.matrix(10) @ flips.matrix(10)
    for outer in (
        corrupt(inner, flips),
        corrupt(Subset(inner, range(30)), flips),
        corrupt(ConcatDataset([inner, inner]), flips),
        corrupt(tensors(), flips, flips),
    ):
        assert outer.nominal_matrix is not None
        np.testing.assert_allclose(outer.nominal_matrix, twice)
        assert outer.nominal_rate == pytest.approx(0.75)
    assert corrupt(inner).nominal_rate == pytest.approx(0.5)
    assert repr(corrupt(inner)).endswith("50.00% expected)")
    assert corrupt(tensors()).nominal_rate == 0
    assert "expected" not in repr(corrupt(tensors(), ShuffledPixels()))


def test_parts_with_different_noise_have_no_nominal_rate() -> None:
    parts: ConcatDataset[Any] = ConcatDataset([corrupt(tensors(), HALF), tensors()])
    assert corrupt(parts).nominal_rate is None
    assert corrupt(parts, HALF).nominal_matrix is None


def test_classes_too_many_for_a_matrix_are_printed_without_a_nominal_rate() -> None:
    noisy = corrupt(tensors(), HALF, num_classes=2**20)
    assert noisy.nominal_rate is None
    assert repr(noisy).endswith("of labels changed)")
    for name in ("transition_matrix", "nominal_matrix"):
        with pytest.raises(ValueError, match=r"^`num_classes` must be at most 32768, got 1048576"):
            getattr(noisy, name)


def test_noise_made_for_fewer_classes_has_no_nominal_rate_among_more() -> None:
    inner = corrupt(tensors(), AsymmetricLabels(classes="cifar10", rate=0.5))
    outer = corrupt(inner, num_classes=12)
    assert outer.nominal_rate is None
    assert repr(outer).startswith("Corrupted(nothing, seed=0; 60 examples, ")
    assert corrupt(inner, num_classes=10).nominal_rate == inner.nominal_rate


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: UniformLabels(p="0.4"), r"^`p` must be a number, got '0\.4'\.$"),  # type: ignore[arg-type]
        (lambda: SymmetricLabels(rate=None), r"^`rate` must be a number, got None\.$"),  # type: ignore[arg-type]
        (lambda: corrupt(tensors(), ids=[0.5] * 60), r"^`ids` must be integers, got float64\.$"),
        (
            lambda: corrupt(tensors(), num_classes="x"),  # type: ignore[arg-type]
            r"^`num_classes` must be an integer, got 'x'\.$",
        ),
        (
            lambda: corrupt(tensors(), num_classes=10.5),  # type: ignore[arg-type]
            r"^`num_classes` must be an integer, got 10\.5\.$",
        ),
        (lambda: GaussianPixels(mean="a", std=1), r"^`mean` must hold numbers only, got 'a'\.$"),  # type: ignore[arg-type]
        (
            lambda: TransitionLabels([[1], [2, 3]]),
            r"^`transition` must hold numbers only, got \[\[1\], \[2, 3\]\]\.$",
        ),
        (
            lambda: corrupt(tensors(), RandomPixels(channel_axis="x"))[0],  # type: ignore[arg-type]
            r"^`channel_axis` must be an integer, got 'x'\.$",
        ),
        (lambda: mlp("5"), r"^`widths` must be an integer, got '5'\.$"),  # type: ignore[arg-type]
        (lambda: load(3), r"^`spec` must be a string such as 'cifar10:FOLDER', got 3\.$"),  # type: ignore[arg-type]
    ],
)
def test_wrong_kinds_are_one_clear_error(act: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        act()
