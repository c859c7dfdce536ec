"""Each image is changed by its own draws, as it says, in any batch, wherever it is stored."""

import colorsys
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, chisquare, kstest, uniform
from torch import Tensor

from corruptlab._draws import Draws
from corruptlab._types import Array
from corruptlab.training._transforms import Augmentation, augment, augmentation_draws

from .cases import ALL, EACH, IDS

EVERY = pytest.mark.parametrize("changes", [*EACH, ALL], ids=[*IDS, "all"])
EVERY_AND_NONE = pytest.mark.parametrize(
    "changes", [*EACH, ALL, Augmentation()], ids=[*IDS, "all", "none"]
)


def bytes_(n: int = 37, c: int = 3, h: int = 9, w: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, c, h, w), generator=generator, dtype=torch.uint8)


def augmented(
    images: Tensor, changes: Augmentation, *, crop: int | None = None, seed: int = 0, epoch: int = 0
) -> Tensor:
    draws = augmentation_draws(changes, seed=seed, epoch=epoch, n=len(images))
    return augment(images, draws, augmentation=changes, crop=crop)


def naive(image: Array, draws: list[float], changes: Augmentation, crop: int) -> Array:
    """All changes of one image of bytes, pixel by pixel, in float64."""
    top, left, flip, angle, brightness, saturation, hue = draws
    channels, height, width = image.shape
    angle = math.radians((2 * angle - 1) * changes.rotation)
    result = np.empty((channels, crop, crop))
    for i in range(crop):
        for j in range(crop):
            row = int(top * (height - crop + 1)) + i
            column = int(left * (width - crop + 1)) + (crop - 1 - j if flip < 0.5 else j)
            # The y axis points down: counter-clockwise on paper is clockwise in these axes.
            z = complex(column - (width - 1) / 2, row - (height - 1) / 2)
            z *= complex(math.cos(angle), math.sin(angle))
            rgb = interpolated(image / 255, z.imag + (height - 1) / 2, z.real + (width - 1) / 2)
            rgb = np.clip(rgb + (2 * brightness - 1) * changes.brightness, 0, 1)
            h, s, v = colorsys.rgb_to_hsv(*rgb)
            s = min(1.0, s * (1 + (2 * saturation - 1) * changes.saturation))
            h = (h + (2 * hue - 1) * changes.hue) % 1
            result[:, i, j] = colorsys.hsv_to_rgb(h, s, v)
    return result


def interpolated(image: Array, y: float, x: float) -> Array:
    """The bilinear mean of the four pixels around a place of the image and its mirror images."""
    row, column = math.floor(y), math.floor(x)
    total = np.zeros(len(image))
    for i, a in ((row, row + 1 - y), (row + 1, y - row)):
        for j, b in ((column, column + 1 - x), (column + 1, x - column)):
            k, m = mirrored(i, image.shape[1]), mirrored(j, image.shape[2])
            total += a * b * image[:, k, m]
    return total


def mirrored(i: int, size: int) -> int:
    """Pixel ``i`` of ``... 1 0 | 0 1 2 ... size - 1 | size - 1 ...``."""
    i %= 2 * size
    return min(i, 2 * size - 1 - i)


@pytest.mark.parametrize(("rotation", "crop"), [(25, 6), (180, 8)])
def test_all_changes_together_equal_the_naive_version(rotation: float, crop: int) -> None:
    images, changes = bytes_(6), replace(ALL, rotation=rotation)
    draws = augmentation_draws(changes, seed=0, epoch=0, n=6)
    result = augment(images, draws, augmentation=changes, crop=crop)
    assert result.dtype is torch.float32
    for image, row, got in zip(images, draws, result, strict=True):
        expected = naive(image.numpy(), row.tolist(), changes, crop)
        np.testing.assert_allclose(got.numpy(), expected, atol=2e-5)


@EVERY
def test_an_image_is_changed_alike_in_any_batch_to_the_bit(changes: Augmentation) -> None:
    images, crop = bytes_(37, h=11, w=13), 7
    draws = augmentation_draws(changes, seed=0, epoch=0, n=37)
    together = augment(images, draws, augmentation=changes, crop=crop)
    for some in ([5], [36], [3, 4, 5], [7, 7, 0], list(range(36, -1, -1)), list(range(1, 20))):
        apart = augment(images[some], draws[some], augmentation=changes, crop=crop)
        assert torch.equal(apart, together[some])


def test_angles_are_the_same_in_any_batch_to_the_bit() -> None:
    images, changes = torch.rand(999, 1, 2, 2, generator=torch.Generator().manual_seed(0)), EACH[2]
    draws = augmentation_draws(changes, seed=0, epoch=0, n=999)
    together = augment(images, draws, augmentation=changes, crop=None)
    apart = [
        augment(images[i:][:1], draws[i:][:1], augmentation=changes, crop=None) for i in range(999)
    ]
    assert torch.equal(torch.cat(apart), together)


@EVERY
def test_each_change_changes_images_and_anew_in_each_epoch(changes: Augmentation) -> None:
    still = augmented(bytes_(), Augmentation(), crop=5)
    first, again, later = (augmented(bytes_(), changes, crop=5, epoch=epoch) for epoch in (0, 0, 1))
    assert torch.equal(first, again)
    assert (first != still).any()
    assert (first != later).any()


@EVERY
def test_results_lie_between_0_and_1(changes: Augmentation) -> None:
    result = augmented(bytes_(500), changes, crop=7)
    # Bilinear weights add up to 1 to rounding.
    slack = 1e-6 if changes.rotation else 0
    assert -slack <= result.min()
    assert result.max() <= 1 + slack


@EVERY_AND_NONE
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_input_is_neither_changed_nor_shared(changes: Augmentation, dtype: torch.dtype) -> None:
    images = bytes_(4) if dtype == torch.uint8 else (bytes_(4).double() / 255).to(dtype)
    before = images.clone()
    result = augmented(images, changes, crop=8 if changes.random_crop else None)
    result.zero_()
    assert torch.equal(images, before)


@EVERY
@pytest.mark.parametrize("layout", ["floats", "float64", "channels_last", "strided"])
def test_storage_of_the_images_does_not_matter(changes: Augmentation, layout: str) -> None:
    images = bytes_()
    stored = {
        "floats": images / 255,
        "float64": (images / 255).double(),
        "channels_last": images.to(memory_format=torch.channels_last),
        "strided": images.repeat_interleave(2, dim=3)[..., ::2],
    }[layout]
    torch.testing.assert_close(
        augmented(stored, changes, crop=5), augmented(images, changes, crop=5), rtol=0, atol=0
    )


def test_no_change_is_the_centre_crop_of_pixels_over_255() -> None:
    images = bytes_(4)
    assert torch.equal(augmented(images, Augmentation(), crop=5), images[..., 2:7, 1:6] / 255)
    assert torch.equal(augmented(images, Augmentation()), images / 255)


def test_crops_lie_at_each_place_with_the_same_probability() -> None:
    grid = torch.arange(8 * 9, dtype=torch.uint8).reshape(1, 1, 8, 9).expand(8_000, 1, 8, 9)
    cropped = augmented(grid, Augmentation(random_crop=True), crop=5) * 255
    first = cropped[:, 0, 0, 0].round().long()
    counts = np.bincount(first, minlength=72).reshape(8, 9)
    assert counts[:4, :5].sum() == 8_000
    assert chisquare(counts[:4, :5].ravel()).pvalue > 1e-4
    # Whatever the place, all pixels of a crop are neighbours.
    inside = first[:, None, None] + torch.arange(5)[:, None] * 9 + torch.arange(5)
    assert torch.equal(cropped[:, 0].round().long(), inside)


def test_half_of_the_images_are_flipped_and_the_rest_is_left_alone() -> None:
    images = bytes_(4_000, h=2, w=3)
    result = augmented(images, Augmentation(flip=True))
    flipped = (result == images.flip(-1) / 255).flatten(1).all(1)
    kept = (result == images / 255).flatten(1).all(1)
    assert (flipped ^ kept).all()
    assert binomtest(int(flipped.sum()), 4_000).pvalue > 1e-4


def test_an_image_is_flipped_for_exactly_one_half_of_the_draws() -> None:
    images, draws = bytes_(1).expand(4, 3, 9, 8), torch.tensor([[0], [0.5 - 2**-24], [0.5], [0.9]])
    result = augment(images, draws, augmentation=Augmentation(flip=True), crop=None)
    assert torch.equal(result[:2], images[:2].flip(-1) / 255)
    assert torch.equal(result[2:], images[2:] / 255)


def test_angles_are_uniform() -> None:
    # A ramp, turned, is a ramp whose direction tells the angle; the middle sees no mirror.
    ramp = (torch.arange(16) / 15).expand(2_000, 1, 16, 16)
    turned = augmented(ramp, Augmentation(rotation=150), crop=4)[:, 0]
    right = turned[:, 1, 2] - turned[:, 1, 1]
    up = turned[:, 1, 1] - turned[:, 2, 1]
    degrees = torch.rad2deg(torch.atan2(up, right))
    assert kstest(degrees.numpy(), uniform(-150, 300).cdf).pvalue > 1e-4


def test_offsets_are_uniform_and_scale_with_the_range() -> None:
    gray = torch.full((2_000, 1, 1, 1), 0.5)
    narrow, wide = (
        augmented(gray, Augmentation(brightness=b)).flatten() - 0.5 for b in (0.125, 0.5)
    )
    assert kstest(wide.numpy(), uniform(-0.5, 1).cdf).pvalue > 1e-4
    torch.testing.assert_close(4 * narrow, wide)


def test_saturation_factors_are_uniform() -> None:
    color = torch.tensor([1.0, 0.75, 0.5]).reshape(1, 3, 1, 1).expand(2_000, 3, 1, 1)
    result = augmented(color, Augmentation(saturation=0.5))
    factors = (1 - result[:, 2].flatten()) / 0.5
    assert kstest(factors.numpy(), uniform(0.5, 1).cdf).pvalue > 1e-4


def test_hue_shifts_are_uniform() -> None:
    green = torch.tensor([0.0, 1.0, 0.0]).reshape(1, 3, 1, 1).expand(2_000, 3, 1, 1)
    result = augmented(green, Augmentation(hue=0.125)).flatten(1).tolist()
    shifts = [colorsys.rgb_to_hsv(*color)[0] - 1 / 3 for color in result]
    assert kstest(shifts, uniform(-0.125, 0.25).cdf).pvalue > 1e-4


def test_no_value_is_read_on_the_host() -> None:
    # Tensors on the meta device have shapes and no values, so that reading one is an error.
    draws = augmentation_draws(ALL, seed=0, epoch=0, n=37).to("meta")
    result = augment(bytes_().to("meta"), draws, augmentation=ALL, crop=5)
    assert result.shape == (37, 3, 5, 5)
    for changes in EACH:
        draws = augmentation_draws(changes, seed=0, epoch=0, n=37).to("meta")
        assert augment(bytes_().to("meta"), draws, augmentation=changes, crop=5).is_meta


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_never_waited_for_and_agrees() -> None:
    draws = augmentation_draws(ALL, seed=0, epoch=0, n=37)
    images, there = bytes_().cuda(), draws.cuda()
    augment(images, there, augmentation=ALL, crop=5)  # what is set up once may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        result = augment(images, there, augmentation=ALL, crop=5)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    expected = augment(bytes_(), draws, augmentation=ALL, crop=5)
    torch.testing.assert_close(result.cpu(), expected, rtol=0, atol=2e-5)


@EVERY_AND_NONE
def test_an_empty_batch_stays_empty(changes: Augmentation) -> None:
    assert augmented(bytes_(0), changes, crop=5).shape == (0, 3, 5, 5)


@pytest.mark.parametrize("channels", [1, 4])
def test_color_needs_three_channels_and_nothing_else_does(channels: int) -> None:
    for changes in EACH[:4]:
        assert augmented(bytes_(2, channels), changes, crop=5).shape == (2, channels, 5, 5)
    message = rf"^`images` must have 3 channels for saturation and hue, got {channels}\.$"
    for changes in EACH[4:]:
        with pytest.raises(ValueError, match=message):
            augmented(bytes_(2, channels), changes)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"images": [0]}, TypeError, r"^`images` must be a tensor, got list\.$"),
        ({"draws": np.zeros(2)}, TypeError, r"^`draws` must be a tensor, got ndarray\.$"),
        ({"images": torch.zeros(2, 3, 9)}, ValueError, r"shape \(b, c, h, w\), got \(2, 3, 9\)\.$"),
        (
            {"images": bytes_(2).int()},
            TypeError,
            r"^`images` must be uint8 .*, got torch\.int32\.$",
        ),
        ({"draws": torch.zeros(2, 6)}, ValueError, r"have shape \(2, 7\), got \(2, 6\)\.$"),
        ({"draws": torch.zeros(3, 7)}, ValueError, r"have shape \(2, 7\), got \(3, 7\)\.$"),
        ({"draws": torch.zeros(2, 7).double()}, TypeError, r"be float32, got torch\.float64\.$"),
        (
            {"draws": torch.zeros(2, 7).to("meta")},
            ValueError,
            r"^`draws` must be on cpu, got meta\.$",
        ),
        ({"augmentation": {"flip": True}}, TypeError, r"an Augmentation, got \{'flip': True\}\.$"),
        ({"crop": 9}, ValueError, r"^`crop` must lie in 1 \.\. 8, got 9\.$"),
        ({"crop": 0}, ValueError, r"^`crop` must lie in 1 \.\. 8, got 0\.$"),
        ({"crop": 2.5}, TypeError, r"^`crop` must be an integer, got 2\.5\.$"),
        ({"crop": None}, ValueError, r"^`crop` must be a size for a random crop, got None\.$"),
    ],
)
def test_arguments_that_do_not_fit_are_quoted(
    arguments: dict[str, Any], kind: type[Exception], message: str
) -> None:
    given: dict[str, Any] = {"images": bytes_(2), "draws": torch.zeros(2, 7), "crop": 5}
    with pytest.raises(kind, match=message):
        augment(**{"augmentation": ALL, **given, **arguments})


# ------------------------------------------------------------------------------------- the draws


def test_draws_are_the_upper_bits_of_the_words_of_their_streams() -> None:
    drawn = augmentation_draws(ALL, seed=3, epoch=2, n=5)
    assert drawn.dtype is torch.float32
    names = ["top", "left", "flip", "rotation", "brightness", "saturation", "hue"]
    for column, name in enumerate(names):
        words = Draws(3).words(f"fit/augmentation/{name}", range(10, 15))[:, 0].tolist()
        expected = [(word // 2**40) / 2**24 for word in words]
        assert drawn[:, column].tolist() == expected


def test_largest_word_does_not_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def largest(_: Draws, __: str, ids: Array) -> Array:
        return np.full((len(ids), 1), 2**64 - 1, np.uint64)

    monkeypatch.setattr(Draws, "words", largest)
    drawn = augmentation_draws(ALL, seed=0, epoch=0, n=2)
    assert (drawn == 1 - 2**-24).all()


def test_draws_are_uniform() -> None:
    drawn = augmentation_draws(ALL, seed=0, epoch=0, n=5_000)
    for column in drawn.unbind(1):
        assert kstest(column.numpy(), "uniform").pvalue > 1e-4


def test_changes_are_drawn_independently_of_one_another() -> None:
    correlation = np.corrcoef(augmentation_draws(ALL, seed=0, epoch=0, n=10_000).numpy().T)
    # Six standard deviations of a correlation of independent columns.
    assert np.abs(correlation - np.eye(7)).max() < 0.06


def test_epochs_continue_one_stream() -> None:
    whole = augmentation_draws(ALL, seed=0, epoch=0, n=6)
    first, second = (augmentation_draws(ALL, seed=0, epoch=epoch, n=3) for epoch in (0, 1))
    assert torch.equal(torch.cat((first, second)), whole)
    assert (first != second).all()


def test_seed_decides_the_draws_and_no_global_generator_moves() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    one, same, other = (augmentation_draws(ALL, seed=seed, epoch=0, n=4) for seed in (1, 1, 2))
    augment(torch.zeros(4, 3, 9, 8), one, augmentation=ALL, crop=5)
    assert torch.equal(one, same)
    assert (one != other).all()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # type: ignore[index]  # noqa: NPY002


def test_switching_a_change_on_does_not_disturb_the_others() -> None:
    together = augmentation_draws(ALL, seed=0, epoch=0, n=4)
    for columns, alone in zip([[0, 1], [2], [3], [4], [5], [6]], EACH, strict=True):
        drawn = augmentation_draws(alone, seed=0, epoch=0, n=4)
        assert torch.equal(drawn, together[:, columns])


def test_no_change_draws_nothing() -> None:
    assert augmentation_draws(Augmentation(), seed=0, epoch=0, n=4).shape == (4, 0)
    assert augmentation_draws(ALL, seed=0, epoch=0, n=0).shape == (0, 7)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"epoch": -1}, ValueError, r"^`epoch` must be at least 0, got -1\.$"),
        ({"epoch": 0.5}, TypeError, r"^`epoch` must be an integer, got 0\.5\.$"),
        ({"n": -2}, ValueError, r"^`n` must be at least 0, got -2\.$"),
        ({"n": "3"}, TypeError, r"^`n` must be an integer, got '3'\.$"),
        ({"seed": -3}, ValueError, r"^`seed` must be at least 0, got -3\.$"),
        ({"seed": None}, TypeError, r"^`seed` must be an integer, got None\.$"),
    ],
)
def test_bad_draws_are_quoted(
    arguments: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        augmentation_draws(ALL, **{"seed": 0, "epoch": 0, "n": 1, **arguments})


def test_draws_for_something_else_are_quoted() -> None:
    message = r"^`augmentation` must be an Augmentation, got 'flip'\.$"
    with pytest.raises(TypeError, match=message):
        augmentation_draws("flip", seed=0, epoch=0, n=1)  # type: ignore[arg-type]  # the point
