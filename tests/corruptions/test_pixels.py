"""Laws of shuffled and of random pixels."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.stats import chisquare

from corruptlab import Draws, RandomPixels, ShuffledPixels

from .cases import images

BOTH = pytest.mark.parametrize("kind", [ShuffledPixels, RandomPixels])
CHW = images().numpy()
GOLDEN: dict[Any, list[list[int]]] = {
    ShuffledPixels: [
        [6, 1, 0, 7, 5, 2, 4, 3],
        [14, 9, 8, 15, 13, 10, 12, 11],
        [22, 17, 16, 23, 21, 18, 20, 19],
    ],
    RandomPixels: [
        [0, 1, 7, 6, 2, 4, 3, 5],
        [9, 13, 10, 12, 14, 15, 8, 11],
        [19, 20, 22, 16, 17, 23, 21, 18],
    ],
}


@BOTH
def test_pixels_keep_their_channels_together(kind: Any) -> None:
    moved = kind().inputs(CHW, draws=Draws(0))
    for old, new in zip(CHW.reshape(60, 3, 30), moved.reshape(60, 3, 30), strict=True):
        assert sorted(map(tuple, old.T.tolist())) == sorted(map(tuple, new.T.tolist()))
    assert (moved != CHW).any()


@BOTH
def test_values_move_across_channels_when_asked(kind: Any) -> None:
    moved = kind(move="values").inputs(CHW, draws=Draws(0))
    assert_array_equal(np.sort(moved.reshape(60, -1)), np.sort(CHW.reshape(60, -1)))
    assert (np.sort(moved[0].reshape(3, -1)) != np.sort(CHW[0].reshape(3, -1))).any()


@BOTH
@pytest.mark.parametrize("move", ["pixels", "values"])
def test_order_of_the_axes_does_not_matter(kind: Any, move: str) -> None:
    first = kind(move=move).inputs(CHW, draws=Draws(1))
    last = kind(move=move).inputs(np.moveaxis(CHW, 1, 3), draws=Draws(1))
    assert_array_equal(np.moveaxis(last, 3, 1), first)


@BOTH
def test_grey_images_move_alike_with_and_without_a_channel_axis(kind: Any) -> None:
    grey = CHW[:, :1]
    assert_array_equal(
        kind().inputs(grey[:, 0], draws=Draws(1)), kind().inputs(grey, draws=Draws(1))[:, 0]
    )
    flat = grey.reshape(60, 30)
    assert_array_equal(
        kind().inputs(flat, draws=Draws(1)),
        kind().inputs(grey, draws=Draws(1)).reshape(60, 30),
    )


@BOTH
def test_a_batch_equals_its_images_one_by_one(kind: Any) -> None:
    whole = kind().inputs(CHW, draws=Draws(2))
    for i in (0, 7, 59):
        one = kind().inputs(CHW[i : i + 1], draws=Draws(2), ids=[i])
        assert_array_equal(one[0], whole[i])


@BOTH
def test_seed_decides_the_permutation(kind: Any) -> None:
    one, two = (kind().inputs(CHW, draws=Draws(seed)) for seed in (1, 2))
    assert (one != two).any()


def test_shuffled_pixels_use_one_permutation_for_all_images() -> None:
    positions = np.tile(np.arange(20), (5, 1))
    moved = ShuffledPixels().inputs(positions, draws=Draws(3), ids=[4, 8, 15, 16, 23])
    assert (moved == moved[0]).all()
    assert_array_equal(moved[0], Draws(3).permutations("shuffled_pixels/positions", [0], 20)[0])


def test_random_pixels_use_a_permutation_for_each_image() -> None:
    positions = np.tile(np.arange(20), (5, 1))
    moved = RandomPixels().inputs(positions, draws=Draws(3))
    assert len({tuple(row) for row in moved.tolist()}) == 5


def test_random_pixels_put_each_pixel_anywhere_equally_often() -> None:
    positions = np.tile(np.arange(6), (12_000, 1))
    moved = RandomPixels().inputs(positions, draws=Draws(4))
    for place in range(6):
        assert chisquare(np.bincount(moved[:, place], minlength=6)).pvalue > 1e-4


@BOTH
def test_type_and_kind_are_kept_and_the_original_is_untouched(kind: Any) -> None:
    for dtype in (torch.uint8, torch.float32, torch.bfloat16, torch.float64):
        clean = torch.arange(75).reshape(1, 3, 5, 5).to(dtype)
        new = kind().inputs(clean, draws=Draws(0))
        assert (new.dtype, new.shape) == (dtype, clean.shape)
        assert clean.flatten()[:3].tolist() == [0, 1, 2]
        assert sorted(new.flatten().tolist()) == clean.flatten().tolist()


@BOTH
def test_golden_pixels_hold(kind: Any) -> None:
    moved = kind().inputs(np.arange(24).reshape(3, 8), draws=Draws(0))
    assert moved.tolist() == GOLDEN[kind]


@BOTH
def test_unclear_channels_are_refused_until_named(kind: Any) -> None:
    square = np.arange(27).reshape(1, 3, 3, 3)
    with pytest.raises(
        ValueError, match=r"^`channel_axis` must be given for inputs of shape \(3, 3, 3\)"
    ):
        kind().inputs(square, draws=Draws(0))
    assert kind(channel_axis=0).inputs(square, draws=Draws(0)).shape == square.shape


@BOTH
def test_bad_arguments_are_quoted(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"^`move` must be 'pixels' or 'values', got 'rows'\.$"):
        kind(move="rows")
    with pytest.raises(ValueError, match=r"^`channel_axis` must be an axis of one .* got 3\.$"):
        kind(channel_axis=3).inputs(CHW, draws=Draws(0))
    with pytest.raises(ValueError, match=r"^`inputs` must be a batch .* got shape \(4,\)"):
        kind().inputs(np.arange(4), draws=Draws(0))
    with pytest.raises(ValueError, match=r"^`ids` must hold one number for each of 60 examples"):
        kind().inputs(CHW, draws=Draws(0), ids=[1])
