"""Laws of Gaussian pixels, and their moments against NumPy's."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from scipy.stats import kstest, norm

from corruptlab import Draws, GaussianPixels, Specification, corrupt

from .cases import Array, images

CHW = images(50).numpy()
GOLDEN = [[83, 109, 82, 148, 135, 157], [170, 44, 197, 148, 204, 182]]


def moments_of(batch: Any, per: Any) -> GaussianPixels:
    return GaussianPixels(per=per).estimated([batch])


def test_draws_follow_the_given_normal_law() -> None:
    clean = np.zeros((200, 500), np.float32)
    z = GaussianPixels(mean=3.0, std=2.0).inputs(clean, draws=Draws(0))
    assert kstest(z.ravel(), norm(3, 2).cdf).pvalue > 1e-4


@pytest.mark.parametrize("per", ["overall", "channel", "pixel"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_estimated_moments_equal_numpys(per: Any, dtype: type[np.generic]) -> None:
    batch: Array = (CHW % 250).astype(dtype)
    axes = {"overall": (0, 1, 2, 3), "channel": (0, 2, 3), "pixel": (0,)}[per]
    wide = batch.astype(np.float64)
    found = moments_of(batch, per)
    assert_allclose(np.ravel(found.mean), wide.mean(axes).ravel(), rtol=1e-12)  # type: ignore[arg-type]
    assert_allclose(np.ravel(found.std), wide.std(axes).ravel(), rtol=1e-12)  # type: ignore[arg-type]


def test_integer_moments_do_not_depend_on_the_batches() -> None:
    batch = CHW.astype(np.uint8)
    cut = GaussianPixels().estimated([batch[:7], batch[7:8], batch[8:]])
    assert cut == GaussianPixels().estimated([batch])


@pytest.mark.parametrize("per", ["overall", "channel", "pixel"])
def test_sums_of_many_large_integers_do_not_overflow(per: Any) -> None:
    # n times the sum of squares is 1e20, of which 64 bits hold a tenth.
    batch = np.tile(np.array([-32768, 32767], np.int16), (160_000, 1)).reshape(160_000, 1, 1, 2)
    found = GaussianPixels(per=per).estimated([batch, batch[:, :, :, ::-1]])
    assert_allclose(np.ravel(found.std), 32767.5, rtol=1e-12)  # type: ignore[arg-type]


def test_float_moments_survive_a_large_mean() -> None:
    wide = np.random.default_rng(0).normal(1e8, 1.0, (1000, 4))
    found = GaussianPixels().estimated(np.array_split(wide, 7))
    assert_allclose(found.std, wide.std(), rtol=1e-9)  # type: ignore[arg-type]


def test_moments_per_channel_and_pixel_are_served_where_they_belong() -> None:
    clean = np.zeros((3000, 2, 1, 2), np.float32)
    by_channel = GaussianPixels(mean=(0.0, 50.0), std=(1.0, 2.0), per="channel", channel_axis=0)
    z = by_channel.inputs(clean, draws=Draws(1))
    assert_allclose(z.mean((0, 2, 3)), [0, 50], atol=0.15)
    assert_allclose(z.std((0, 2, 3)), [1, 2], rtol=0.05)
    by_pixel = GaussianPixels(
        mean=(0.0, 1.0, 2.0, 3.0), std=(0.0,) * 4, per="pixel", channel_axis=0
    )
    assert_array_equal(by_pixel.inputs(clean, draws=Draws(1))[0].ravel(), [0, 1, 2, 3])


def test_order_of_the_axes_does_not_matter() -> None:
    noise = GaussianPixels(mean=(1.0, 2.0, 3.0), std=(1.0, 1.0, 1.0), per="channel")
    first = noise.inputs(CHW, draws=Draws(1))
    last = noise.inputs(np.moveaxis(CHW, 1, 3), draws=Draws(1))
    assert_array_equal(np.moveaxis(last, 3, 1), first)


def test_noise_follows_the_example_and_nothing_of_the_image_is_left() -> None:
    noise = GaussianPixels(mean=0.0, std=30.0)
    whole = noise.inputs(CHW, draws=Draws(2))
    assert_array_equal(noise.inputs(CHW[:1] * 0, draws=Draws(2), ids=[9])[0], whole[9])


def test_large_batches_are_the_same_draws_block_by_block() -> None:
    n = 4_000  # more values than are drawn at once
    whole = GaussianPixels(mean=0.0, std=1.0).inputs(np.zeros((n, 100), np.float32), draws=Draws(2))
    assert_array_equal(whole, Draws(2).normals("gaussian_pixels/values", np.arange(n), 100))


def test_integers_are_rounded_and_clipped_and_floats_are_not() -> None:
    draws = Draws(3)
    noise = GaussianPixels(mean=0.0, std=200.0)
    bare = noise.inputs(np.zeros((4, 100), np.float32), draws=draws)
    byte = noise.inputs(np.zeros((4, 100), np.uint8), draws=draws)
    assert byte.dtype == np.uint8
    assert_array_equal(byte, np.clip(np.rint(bare), 0, 255))
    assert bare.min() < 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, np.float64])
def test_draws_of_another_type_are_bare_and_those_in_place_of_bytes_are_scaled(
    dtype: Any, kind: Any
) -> None:
    draws = Draws(3)
    bare = GaussianPixels(mean=30.0, std=80.0).inputs(np.zeros((4, 100), np.float32), draws=draws)
    noise = GaussianPixels(mean=30.0, std=80.0, dtype=dtype)
    new = noise.inputs(np.zeros((4, 100), kind), draws=draws)
    assert new.dtype == dtype
    assert_array_equal(new, bare / np.float32(255) if kind is np.uint8 else bare)
    assert new.min() < 0
    tensor = noise.inputs(torch.zeros(4, 100, dtype=torch.uint8), draws=draws)
    assert tensor.dtype is getattr(torch, dtype)


def test_floats_keep_the_moments_that_clipped_bytes_lose() -> None:
    dark = np.where(np.arange(200_000) % 10 < 8, 0, 200).astype(np.uint8).reshape(2_000, 100)
    bare = GaussianPixels(dtype="float32").estimated([dark])
    assert (bare.mean, bare.std) == (40, 80)
    n = dark.size
    z = bare.inputs(dark, draws=Draws(0)) * 255.0
    assert norm.sf(abs(z.mean() - 40) / (80 / math.sqrt(n))) > 1e-4
    assert norm.sf(abs(z.std() - 80) / (80 / math.sqrt(2 * n))) > 1e-4
    clipped = GaussianPixels().estimated([dark]).inputs(dark, draws=Draws(0))
    assert clipped.mean() > 53
    assert clipped.std() < 60


MASKS = np.random.default_rng(3).random(CHW.shape) < 0.4


@pytest.mark.parametrize("per", ["overall", "channel", "pixel"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
def test_moments_are_those_of_the_values_that_a_mask_names(per: Any, dtype: Any) -> None:
    batch = (CHW % 250).astype(dtype)
    batches, masks = [batch[:7], batch[7:]], [MASKS[:7], MASKS[7:]]
    axes = {"overall": (0, 1, 2, 3), "channel": (0, 2, 3), "pixel": (0,)}[per]
    expected = np.ma.masked_array(batch, ~MASKS)
    found: Any = GaussianPixels(per=per, where="mask").estimated(batches, where=masks)
    assert_allclose(found.mean, np.ravel(expected.mean(axes, dtype=np.float64)), rtol=1e-6)
    assert_allclose(found.std, np.ravel(expected.std(axes, dtype=np.float64)), rtol=1e-6)


def test_values_that_are_replaced_are_the_same_samples_with_and_without_a_mask() -> None:
    moments: Any = {"mean": 100.0, "std": 20.0}
    whole = GaussianPixels(**moments).inputs(CHW, draws=Draws(5))
    new = GaussianPixels(where="mask", **moments).inputs(CHW, draws=Draws(5), where=MASKS)
    assert_array_equal(new, np.where(MASKS, whole, CHW))


def test_what_stays_among_floats_in_place_of_bytes_has_their_scale() -> None:
    batch = (CHW % 250).astype(np.uint8)
    noise = GaussianPixels(mean=100.0, std=20.0, where=MASKS[0], dtype="float32")
    new = noise.inputs(batch, draws=Draws(5))
    as_recipes = (torch.from_numpy(batch).float() / 255).numpy()
    assert_array_equal(new[:, ~MASKS[0]], as_recipes[:, ~MASKS[0]])
    assert (new[:, MASKS[0]] != as_recipes[:, MASKS[0]]).all()


def test_gaps_that_a_mask_names_stay_gaps() -> None:
    gaps = ~MASKS.reshape(len(MASKS), -1)
    batch = np.where(gaps, math.nan, CHW.reshape(len(CHW), -1))
    noise = GaussianPixels(per="pixel", where="mask").estimated([batch], where=[~gaps])
    new = noise.inputs(batch, draws=Draws(0), where=~gaps)
    assert_array_equal(np.isnan(new), gaps)
    with pytest.raises(ValueError, match=r"^`inputs` must be finite, got NaN or infinity\.$"):
        GaussianPixels().estimated([batch])


def test_a_pixel_of_which_no_value_counts_has_moments_0() -> None:
    noise = GaussianPixels(per="pixel", where=[True, False, True]).estimated([np.eye(3) + 4])
    assert noise.mean == pytest.approx((13 / 3, 0, 13 / 3))
    assert noise.std == pytest.approx((math.sqrt(2) / 3, 0, math.sqrt(2) / 3))
    assert GaussianPixels(keep=(5,)).estimated([np.full((2, 3), 5)]).mean == 0


@pytest.mark.parametrize("form", ["tensor", "array", "image"])
def test_items_have_the_type_that_is_asked_for(form: str) -> None:
    images = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    make: Any = {"tensor": torch.from_numpy, "array": np.asarray, "image": Image.fromarray}[form]
    noisy = corrupt([(make(x), 0) for x in images], GaussianPixels(dtype="float32"), seed=1)
    item = noisy[1][0]
    assert isinstance(item, torch.Tensor if form == "tensor" else np.ndarray)
    assert tuple(item.shape) == (4, 5, 3)
    batch = noisy.inputs_at([0, 1])
    assert batch.dtype == np.float32
    assert_array_equal(item, np.moveaxis(batch[1], 0, -1) if form == "image" else batch[1])
    line = Specification.parse(str(noisy.specification))
    assert line.corruptions == noisy.corruptions


def test_tensors_come_back_as_tensors_of_their_type() -> None:
    new = GaussianPixels(mean=0.0, std=1.0).inputs(torch.zeros(2, 3).bfloat16(), draws=Draws(0))
    assert new.dtype is torch.bfloat16


def test_golden_pixels_hold() -> None:
    noise = GaussianPixels(mean=128.0, std=50.0)
    assert noise.inputs(np.zeros((2, 6), np.uint8), draws=Draws(0)).tolist() == GOLDEN


def test_equal_moments_make_equal_corruptions() -> None:
    assert GaussianPixels(mean=1, std=2) == GaussianPixels(mean=1.0, std=2.0)
    assert hash(moments_of(CHW, "channel")) == hash(moments_of(CHW, "channel"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": 1.0}, r"^`mean` and `std` must be given together, .* mean=1\.0 and std=None\.$"),
        ({"mean": math.nan, "std": 1.0}, r"^`mean` must be finite, got nan\.$"),
        ({"mean": 0.0, "std": -1.0}, r"^`std` must be finite and at least 0, got -1\.0\.$"),
        ({"mean": (1.0,), "std": (1.0,)}, r"^`mean` must be one number for per='overall', got \("),
        (
            {"mean": 1.0, "std": 1.0, "per": "channel"},
            r"^`mean` must be one number for each channel for per='channel', got 1\.0\.$",
        ),
        ({"dtype": "int8"}, r"^`dtype` must be 'float32' or 'float64', got 'int8'\.$"),
        ({"per": "row"}, r"^`per` must be 'overall', 'channel', or 'pixel', got 'row'\.$"),
    ],
)
def test_bad_arguments_are_quoted(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianPixels(**arguments)


def test_moments_that_do_not_fit_or_are_missing_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^`std` must hold 3 numbers for per='channel' .* got 2\.$"
    ):
        GaussianPixels(mean=(1.0, 2.0), std=(1.0, 2.0), per="channel").inputs(CHW, draws=Draws(0))
    with pytest.raises(ValueError, match=r"^`mean` and `std` must be known before .* got None; "):
        GaussianPixels().inputs(CHW, draws=Draws(0))
    with pytest.raises(ValueError, match=r"^`inputs` must be finite, got NaN or infinity\.$"):
        GaussianPixels().estimated([np.array([[math.nan]])])
    with pytest.raises(ValueError, match=r"^`inputs` must hold at least one example, got none\.$"):
        GaussianPixels().estimated([])
