"""Laws of masks: masked positions stay, and the others are corrupted as if they were alone."""

import itertools
import math
from collections import Counter, namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.stats import chisquare
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from corruptlab import (
    CorruptedStream,
    Draws,
    GaussianPixels,
    RandomPixels,
    ResampledValues,
    ShuffledPixels,
    Specification,
    corrupt,
    materialize,
)

Example = namedtuple("Example", ["input", "label", "mask"])
N, D = 500, 7
MASKS = np.random.default_rng(1).random((N, D)) < 0.6
PERMUTING = pytest.mark.parametrize("kind", [ShuffledPixels, RandomPixels])
ALL = pytest.mark.parametrize(
    "kind", [ShuffledPixels, RandomPixels, ResampledValues, GaussianPixels]
)


def tokens(n: int = N) -> Any:
    return np.arange(n * D).reshape(n, D)


def fitted(noise: Any, clean: Any, masks: Any = None) -> Any:
    """Return a noise with what it has to know of the data, if anything."""
    where = {} if masks is None else {"where": [masks]}
    return noise.estimated([clean], **where) if hasattr(noise, "estimated") else noise


def named(kind: Any) -> Any:
    return fitted(kind(where="mask"), tokens(), MASKS)


def items(masks: Any = MASKS) -> list[dict[str, Any]]:
    rows = zip(tokens(len(masks)), masks, strict=True)
    return [{"input": x, "mask": mask, "label": i % 2} for i, (x, mask) in enumerate(rows)]


@ALL
def test_masked_positions_stay_and_others_move(kind: Any) -> None:
    new = named(kind).inputs(tokens(), draws=Draws(0), where=MASKS)
    assert_array_equal(new[~MASKS], tokens()[~MASKS])
    assert (new[MASKS] != tokens()[MASKS]).mean() > 0.5


@PERMUTING
def test_values_of_free_positions_are_kept_as_a_multiset(kind: Any) -> None:
    new = named(kind).inputs(tokens(), draws=Draws(0), where=MASKS)
    for old_row, new_row, mask in zip(tokens(), new, MASKS, strict=True):
        assert sorted(old_row[mask]) == sorted(new_row[mask])


@ALL
def test_mask_of_all_positions_changes_nothing_of_the_noise(kind: Any) -> None:
    clean = tokens()
    bare, fixed = fitted(kind(), clean), fitted(kind(where=[True] * D), clean)
    whole = fitted(kind(where="mask"), clean, np.ones_like(MASKS))
    expected = bare.inputs(clean, draws=Draws(3))
    given = whole.inputs(clean, draws=Draws(3), where=np.ones_like(MASKS))
    assert_array_equal(given, expected)
    assert_array_equal(fixed.inputs(clean, draws=Draws(3)), expected)


class Enumerated(Draws):
    """Every permutation once, in place of random ones."""

    def permutations(self, stream: str, ids: Any, size: int) -> Any:
        return np.array(list(itertools.permutations(range(size))))[ids]


@pytest.mark.parametrize("free", list(itertools.product([False, True], repeat=4)))
def test_all_permutations_of_all_induce_those_of_the_free_equally_often(free: Any) -> None:
    numbered = np.tile(np.arange(4), (math.factorial(4), 1))
    moved = RandomPixels(where=free).inputs(numbered, draws=Enumerated(0))
    counts = Counter(map(tuple, moved.tolist()))
    assert len(counts) == math.factorial(sum(free))
    assert len(set(counts.values())) == 1
    assert all(row[i] == i for row in counts for i in range(4) if not free[i])


@PERMUTING
def test_permutations_of_the_free_positions_are_uniform(kind: Any) -> None:
    n, mask = 1200, (True, False, True, True, False)
    numbered = np.tile(np.arange(5), (n, 1))
    if kind is RandomPixels:
        moved = kind(where=mask).inputs(numbered, draws=Draws(0))
    else:
        moved = np.concatenate(
            [kind(where=mask).inputs(numbered[:1], draws=Draws(seed)) for seed in range(n)]
        )
    counts = Counter(map(tuple, moved[:, [0, 2, 3]].tolist()))
    assert len(counts) == 6
    assert chisquare(list(counts.values())).pvalue > 1e-4


def test_shuffled_inputs_with_equal_masks_move_alike() -> None:
    numbered = np.tile(np.arange(D), (N, 1))
    moved = ShuffledPixels(where="mask").inputs(numbered, draws=Draws(2), where=MASKS)
    by_mask: dict[tuple[bool, ...], set[tuple[int, ...]]] = {}
    for mask, row in zip(MASKS.tolist(), moved.tolist(), strict=True):
        by_mask.setdefault(tuple(mask), set()).add(tuple(row))
    assert len(by_mask) < N
    assert all(len(rows) == 1 for rows in by_mask.values())


def test_shuffled_free_positions_keep_the_order_of_the_one_permutation() -> None:
    order = Draws(5).permutations("shuffled_pixels/positions", [0], D)[0]
    numbered = np.arange(D)[None]
    for mask in MASKS[:20]:
        moved = ShuffledPixels(where=mask).inputs(numbered, draws=Draws(5))[0]
        assert moved[mask].tolist() == [i for i in order.tolist() if mask[i]]


def test_masked_values_are_never_drawn_and_marginals_hold() -> None:
    clean = np.random.default_rng(0).integers(0, 3, (N, D))
    clean[~MASKS] += 10
    noise = ResampledValues(where="mask").estimated([clean], where=[MASKS])
    new = noise.inputs(clean, draws=Draws(0), where=MASKS)
    assert new[MASKS].max() < 3
    for place in range(D):
        free = MASKS[:, place]
        law = np.bincount(clean[free, place], minlength=3) / free.sum()
        found = np.bincount(new[free, place], minlength=3)
        assert chisquare(found, free.sum() * law).pvalue > 1e-4


@ALL
def test_kept_values_and_masks_are_one_idea(kind: Any) -> None:
    clean = np.where(MASKS, tokens() + 1, 0)
    kept, masked = fitted(kind(keep=(0,)), clean), fitted(kind(where="mask"), clean, MASKS)
    assert_array_equal(
        kept.inputs(clean, draws=Draws(1)), masked.inputs(clean, draws=Draws(1), where=MASKS)
    )


@ALL
def test_both_leave_alone_what_either_does(kind: Any) -> None:
    clean = tokens() % 5
    noise = fitted(kind(where=MASKS[0], keep=(3,)), clean)
    new = noise.inputs(clean, draws=Draws(0))
    stays = (clean == 3) | ~MASKS[0]
    assert_array_equal(new[stays], clean[stays])
    assert (new != clean).any()


@PERMUTING
def test_a_pixel_stays_if_one_of_its_channels_must(kind: Any) -> None:
    clean = np.arange(5 * 3 * 30).reshape(5, 3, 5, 6)
    mask = np.ones((3, 5, 6), bool)
    mask[1, 0, 2] = mask[2, 1, 1] = False
    new = kind(where=mask).inputs(clean, draws=Draws(0))
    assert_array_equal(new[:, :, 0, 2], clean[:, :, 0, 2])
    assert_array_equal(new[:, :, 1, 1], clean[:, :, 1, 1])
    last = kind(where=np.moveaxis(mask, 0, 2)).inputs(np.moveaxis(clean, 1, 3), draws=Draws(0))
    assert_array_equal(np.moveaxis(last, 3, 1), new)
    values = kind(where=mask, move="values").inputs(clean, draws=Draws(0))
    assert_array_equal(values[:, ~mask], clean[:, ~mask])
    assert (values[:, 0, 0, 2] != clean[:, 0, 0, 2]).any()


@ALL
def test_items_batches_and_streams_read_the_field_alike(kind: Any) -> None:
    noisy = corrupt(items(), kind(where="mask"), seed=4)
    expected = named(kind).inputs(tokens(), draws=Draws(4), where=MASKS)
    assert_array_equal(materialize(noisy)[0].numpy(), expected)
    seen = list(noisy)
    assert_array_equal(np.stack([item["input"] for item in seen]), expected)
    assert_array_equal(np.stack([item["mask"] for item in seen]), MASKS)
    stream = CorruptedStream(items(), *noisy.corruptions, num_classes=2, seed=4)
    assert_array_equal(np.stack([item["input"] for item in stream]), expected)
    cut = corrupt(Subset(items(), [7, 3]), *noisy.corruptions, seed=4)  # type: ignore[arg-type]
    assert_array_equal(cut.inputs_at([0, 1]), expected[[7, 3]])


@ALL
def test_field_can_be_a_position_and_a_mask_of_zeros_and_ones(kind: Any) -> None:
    whole = torch.from_numpy(tokens()), torch.arange(N) % 2, torch.from_numpy(MASKS).long()
    noisy = corrupt(TensorDataset(*whole), kind(where=2), seed=4)
    expected = named(kind).inputs(tokens(), draws=Draws(4), where=MASKS)
    assert_array_equal(noisy.inputs_at(range(N)), expected)
    joined: Any = ConcatDataset([Subset(noisy, range(9)), Subset(noisy, range(9, N))])
    assert_array_equal(materialize(joined)[0].numpy(), expected)


def test_field_of_a_named_tuple_is_named() -> None:
    rows = zip(tokens(), np.arange(N) % 2, MASKS, strict=True)
    noisy = corrupt([Example(*row) for row in rows], RandomPixels(where="mask"), seed=4)
    expected = named(RandomPixels).inputs(tokens(), draws=Draws(4), where=MASKS)
    assert_array_equal(noisy.inputs_at(range(N)), expected)
    assert type(noisy[0]) is Example


def test_corruptions_of_two_masks_follow_one_another() -> None:
    both = [{**item, "other": ~mask} for item, mask in zip(items(), MASKS, strict=True)]
    noises = (RandomPixels(where="mask"), ShuffledPixels(where="other"))
    noisy = corrupt(both, *noises, ResampledValues(where="mask"), seed=1)
    once = noises[0].inputs(tokens(), draws=Draws(1), where=MASKS)
    twice = noises[1].inputs(once, draws=Draws(1), where=~MASKS)
    drawn = ResampledValues(where="mask").estimated([twice], where=[MASKS])
    assert noisy.corruptions[2] == drawn
    assert_array_equal(noisy.inputs_at(range(N)), drawn.inputs(twice, draws=Draws(1), where=MASKS))
    on_top = corrupt(corrupt(both, noises[0], seed=1), noises[1], seed=1)
    assert_array_equal(on_top.inputs_at(range(N)), twice)


@PERMUTING
def test_a_batch_equals_its_examples_one_by_one(kind: Any) -> None:
    noise = kind(where="mask")
    whole = noise.inputs(tokens(), draws=Draws(2), where=MASKS)
    for i in (0, 7, 59):
        one = noise.inputs(tokens()[[i]], draws=Draws(2), ids=[i], where=MASKS[[i]])
        assert_array_equal(one[0], whole[i])


@ALL
@pytest.mark.parametrize("where", ["mask", 2, (True, False, True), ((True, False), (True, True))])
def test_text_and_fingerprint_tell_the_mask(kind: Any, where: Any) -> None:
    noise = kind(where=where, keep=(0, 1))
    text = str(Specification((noise,), 3))
    assert f"where={where!r}" in text
    assert Specification.parse(text) == Specification((noise,), 3)
    assert kind(where=np.array(where) if isinstance(where, tuple) else where, keep=[0, 1]) == noise


@PERMUTING
def test_fingerprints_of_two_masks_differ(kind: Any) -> None:
    wheres: list[Any] = [None, "mask", [True] * D, [True] * (D - 1) + [False]]
    assert len({corrupt(items(), kind(where=each)).fingerprint for each in wheres}) == 4


@pytest.mark.parametrize("drawn", [0, 1])
def test_golden_values_hold(drawn: int) -> None:
    mask = [True, True, False, True, True, False, True, True]
    clean = np.arange(24).reshape(3, 8)
    noise = (RandomPixels, ShuffledPixels)[drawn](where=mask)
    assert noise.inputs(clean, draws=Draws(0)).tolist() == GOLDEN[drawn]


GOLDEN = [
    [
        [0, 1, 2, 7, 6, 5, 4, 3],
        [9, 12, 10, 14, 15, 13, 8, 11],
        [19, 20, 18, 22, 16, 21, 17, 23],
    ],
    [
        [6, 1, 2, 0, 7, 5, 4, 3],
        [14, 9, 10, 8, 15, 13, 12, 11],
        [22, 17, 18, 16, 23, 21, 20, 19],
    ],
]

BAD: dict[str, Any] = {
    "shape": (
        lambda: corrupt(items(), ShuffledPixels(where=[True, False])),
        ValueError,
        r"^`where` must have the shape of an input, \(7,\), got \(2,\)\.$",
    ),
    "shape of a field": (
        lambda: corrupt(items(MASKS[:, :5]), RandomPixels(where="mask")),
        ValueError,
        r"^`where` must name masks of the shape of the inputs, \(7,\), got \(5,\) at position 0\.$",
    ),
    "shape of a later field": (
        lambda: materialize(
            corrupt([*items(MASKS[:3]), *items(MASKS[:1, :5])], RandomPixels(where="mask"))
        ),
        ValueError,
        r"^`where` must name masks of the shape of the inputs, \(7,\), got \(5,\) at position 3\.$",
    ),
    "name": (
        lambda: corrupt(items(), ResampledValues(where="attention_mask")),
        ValueError,
        r"^`where` must name a field of the items, got 'attention_mask'; the fields are "
        r"\['input', 'label', 'mask'\] at position 0\.$",
    ),
    "position": (
        lambda: corrupt((tokens(), np.zeros(N, int)), RandomPixels(where=2)),
        ValueError,
        r"^`where` must name a field of the items, got 2; the fields are \[0, 1\] at position 0\.$",
    ),
    "negative": (
        lambda: RandomPixels(where=-1),
        ValueError,
        r"^`where` must be at least 0, got -1\.$",
    ),
    "numbers": (
        lambda: RandomPixels(where=[0, 1, 2]),
        ValueError,
        r"^`where` must hold booleans, or 0 and 1, got 2\.$",
    ),
    "floats": (
        lambda: corrupt(items(MASKS * 1.0), RandomPixels(where="mask")),
        TypeError,
        r"^`where` must hold booleans, or 0 and 1, got float64 at position 0\.$",
    ),
    "boolean": (
        lambda: RandomPixels(where=True),
        TypeError,
        r"^`where` must be a field of the items, or a mask of the shape of an input, got True\.$",
    ),
    "kept": (
        lambda: RandomPixels(keep=0),  # type: ignore[arg-type]
        TypeError,
        r"^`keep` must be a list of numbers, got 0\.$",
    ),
    "masks not given": (
        lambda: RandomPixels(where="mask").inputs(tokens(), draws=Draws(0)),
        ValueError,
        r"^`where` must hold the masks from the field 'mask', got None; `corrupt` reads them from",
    ),
    "masks of a bare noise": (
        lambda: RandomPixels().inputs(tokens(), draws=Draws(0), where=MASKS),
        ValueError,
        r"^`where` must be left out unless the corruption names a field, got a mask\.$",
    ),
    "too few masks": (
        lambda: RandomPixels(where="mask").inputs(tokens(), draws=Draws(0), where=MASKS[:3]),
        ValueError,
        r"^`where` must have one mask for each of 500 inputs, got 3\.$",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_masks_are_one_clear_error(case: str) -> None:
    act, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        act()
