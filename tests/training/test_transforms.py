"""Color against colorsys and closed forms; crop, flip, and rotation against plain loops."""

import colorsys
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from corruptlab.training._transforms import (
    gather,
    mirrored,
    rotate,
    scale_saturation,
    shift_brightness,
    shift_hue,
    window,
)

# ----------------------------------------------------------------------------------------- color


N = 400


def colors() -> Tensor:
    """Random colors, colors with equal channels, grays, primaries, faint ones: (N, 3, 1, 1)."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.rand(N, 3, generator=generator)
    ties = torch.randint(0, 3, (N, 3), generator=generator) / 2
    faint = 0.5 + (drawn - 0.5) * 1e-3
    kind = torch.arange(N)[:, None] % 4
    chosen = torch.where(kind == 0, ties, torch.where(kind == 1, faint, drawn))
    return chosen.reshape(N, 3, 1, 1)


def amounts(low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(N, generator=torch.Generator().manual_seed(1))


def by_pixel(
    change: Callable[[float, float, float, float], tuple[float, float, float]], amount: Tensor
) -> Tensor:
    """Change hue, saturation, and value of each color by its own amount, with colorsys."""
    changed = []
    for rgb, by in zip(colors().flatten(1).tolist(), amount.tolist(), strict=True):
        changed.append(colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*rgb), by)))
    return torch.tensor(changed).reshape(N, 3, 1, 1)


def close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-6)


def one(*rgb: float) -> Tensor:
    return torch.tensor(rgb).reshape(1, 3, 1, 1)


def test_hue_equals_colorsys_pixel_by_pixel() -> None:
    turns = amounts(-0.5, 0.5)
    close(shift_hue(colors(), turns), by_pixel(lambda h, s, v, by: ((h + by) % 1, s, v), turns))


def test_saturation_equals_colorsys_pixel_by_pixel() -> None:
    factors = amounts(0, 2)
    expected = by_pixel(lambda h, s, v, by: (h, min(1.0, s * by), v), factors)
    close(scale_saturation(colors(), factors), expected)


def test_known_numbers_of_tensorflow() -> None:
    # The examples of the pages of tf.image.adjust_saturation and adjust_hue, over 12.
    image = torch.arange(1.0, 13).reshape(1, 2, 2, 3).permute(0, 3, 1, 2) / 12
    half = scale_saturation(image, torch.tensor([0.5])) * 12
    close(half[0, :, 0, 0], torch.tensor([2, 2.5, 3]))
    close(half[0, :, 1, 1], torch.tensor([11, 11.5, 12]))
    shifted = shift_hue(image, torch.tensor([0.2])) * 12
    close(shifted[0, :, 0, 0], torch.tensor([2.4, 1, 3]))
    torch.testing.assert_close(shifted[0, :, 1, 1], torch.tensor([11.4, 10, 12]))


def test_no_shift_and_factor_one_are_the_identity() -> None:
    close(shift_hue(colors(), torch.zeros(N)), colors())
    close(scale_saturation(colors(), torch.ones(N)), colors())
    assert torch.equal(shift_brightness(colors(), torch.zeros(N)), colors())


@pytest.mark.parametrize("turns", [-2.0, -1.0, 1.0, 3.0])
def test_full_turns_of_the_hue_are_the_identity(turns: float) -> None:
    close(shift_hue(colors(), torch.full((N,), turns)), colors())


def test_a_third_of_a_turn_exchanges_the_channels() -> None:
    third = torch.full((N,), 1 / 3)
    close(shift_hue(colors(), third), colors().roll(1, dims=1))
    close(shift_hue(colors(), -third), colors().roll(-1, dims=1))


def test_half_a_turn_is_the_complement_either_way() -> None:
    half = torch.full((N,), 0.5)
    complement = colors().amax(1, keepdim=True) + colors().amin(1, keepdim=True) - colors()
    close(shift_hue(colors(), half), complement)
    close(shift_hue(colors(), -half), complement)


def test_hue_comes_back() -> None:
    turns = amounts(-0.5, 0.5)
    close(shift_hue(shift_hue(colors(), turns), -turns), colors())


def test_hue_keeps_the_largest_and_the_smallest_value() -> None:
    shifted = shift_hue(colors(), amounts(-0.5, 0.5))
    close(shifted.amax(1), colors().amax(1))
    close(shifted.amin(1), colors().amin(1))


def test_gray_stays_gray_to_the_bit() -> None:
    gray = torch.linspace(0, 1, N).reshape(N, 1, 1, 1).expand(N, 3, 1, 1)
    assert torch.equal(shift_hue(gray, amounts(-0.5, 0.5)), gray)
    assert torch.equal(scale_saturation(gray, amounts(0, 2)), gray)


def test_no_saturation_is_gray_of_the_same_value() -> None:
    gray = scale_saturation(colors(), torch.zeros(N))
    assert torch.equal(gray, colors().amax(1, keepdim=True).expand(N, 3, 1, 1))


def test_saturation_stops_at_one_and_keeps_the_hue() -> None:
    full = scale_saturation(one(0.8, 0.6, 0.4), torch.tensor([1.9]))
    close(full, one(0.8, 0.42, 0.04))  # S from 0.5 to 0.95
    more = scale_saturation(one(0.8, 0.6, 0.4), torch.tensor([7.0]))
    close(more, one(0.8, 0.4, 0.0))  # S from 0.5 to 1
    assert more.min() >= 0


def test_results_lie_between_0_and_1() -> None:
    image = torch.rand(1, 3, 200, 200, generator=torch.Generator().manual_seed(2))
    for result in (
        scale_saturation(image, torch.tensor([1.9])),
        shift_hue(image, torch.tensor([0.3])),
        shift_brightness(image, torch.tensor([0.3])),
        shift_brightness(image, torch.tensor([-0.3])),
    ):
        low, high = result.aminmax()
        assert (low >= 0) & (high <= 1)


@pytest.mark.parametrize(
    ("offset", "expected"), [(0.25, 0.75), (-0.25, 0.25), (0.75, 1.0), (-0.75, 0.0)]
)
def test_brightness_moves_a_flat_image_and_clips_it(offset: float, expected: float) -> None:
    flat = torch.full((2, 1, 3, 3), 0.5)
    result = shift_brightness(flat, torch.tensor([offset, 0.0]))
    assert torch.equal(result[0], torch.full_like(flat[0], expected))
    assert torch.equal(result[1], flat[1])


@pytest.mark.parametrize("change", [shift_brightness, scale_saturation, shift_hue])
def test_each_pixel_is_changed_by_itself(change: Callable[[Tensor, Tensor], Tensor]) -> None:
    images = torch.rand(5, 3, 6, 7, generator=torch.Generator().manual_seed(3))
    by = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5])
    result = change(images, by)
    for i, row, column in ((0, 0, 0), (2, 5, 6), (4, 3, 1)):
        pixel = images[i : i + 1, :, row : row + 1, column : column + 1]
        assert torch.equal(change(pixel, by[i : i + 1]).flatten(), result[i, :, row, column])


# -------------------------------------------------------------------------------------- geometry


LARGEST = 1 - 2**-24


def pictures(n: int = 3, c: int = 2, h: int = 7, w: int = 7) -> Tensor:
    return torch.rand(n, c, h, w, generator=torch.Generator().manual_seed(0))


def turned(images: Tensor, degrees: float | list[float]) -> Tensor:
    """Whole images, all turned by the same angle or each by its own."""
    rows, columns = (window(None, length=s, size=s, like=images) for s in images.shape[2:])
    return rotate(images, rows, columns, torch.tensor(degrees).expand(len(images)))


@pytest.mark.parametrize("size", [6, 7, 28, 32])
@pytest.mark.parametrize("quarters", [-2, -1, 0, 1, 2, 3, 4])
def test_quarter_turns_are_those_of_torch(size: int, quarters: int) -> None:
    images = pictures(h=size, w=size)
    expected = torch.rot90(images, quarters, dims=(2, 3))  # counter-clockwise
    torch.testing.assert_close(turned(images, 90.0 * quarters), expected, rtol=0, atol=1e-5)


def test_half_a_turn_exchanges_the_ends_of_an_oblong() -> None:
    images = pictures(h=5, w=8)
    torch.testing.assert_close(turned(images, 180.0), images.flip(2, 3), rtol=0, atol=1e-5)
    torch.testing.assert_close(turned(images, 0.0), images, rtol=0, atol=1e-6)


def test_each_image_is_turned_by_its_own_angle() -> None:
    images = pictures()
    together = turned(images, [90.0, 0.0, 37.0])
    for i, degrees in enumerate([90.0, 0.0, 37.0]):
        assert torch.equal(together[i : i + 1], turned(images[i : i + 1], degrees))


@pytest.mark.parametrize("degrees", [10.0, 45.0, -100.0, 170.0])
def test_a_flat_image_stays_flat_up_to_its_corners(degrees: float) -> None:
    flat = torch.full((1, 1, 9, 6), 0.7)
    torch.testing.assert_close(turned(flat, degrees), flat)


def test_the_middle_stays_where_it_is() -> None:
    images = pictures(h=7, w=5)
    torch.testing.assert_close(turned(images, 31.0)[..., 3, 2], images[..., 3, 2])


def test_an_oblong_is_turned_without_being_stretched() -> None:
    # The ramp y + 2 x over pixel centres, turned about the middle, is a ramp again: exactly so
    # wherever nothing from beyond the edge is seen.
    y = (torch.arange(24) - 11.5)[:, None]
    x = torch.arange(30) - 14.5
    ramp = (y + 2 * x).reshape(1, 1, 24, 30)
    angle = math.radians(25)
    at_x, at_y = (
        math.cos(angle) * x - math.sin(angle) * y,
        math.sin(angle) * x + math.cos(angle) * y,
    )
    middle = (slice(None), slice(None), slice(7, 17), slice(10, 20))
    expected = (at_y + 2 * at_x).reshape(1, 1, 24, 30)
    torch.testing.assert_close(turned(ramp, 25.0)[middle], expected[middle], rtol=0, atol=1e-4)


def test_beyond_the_edge_lies_the_mirror_image() -> None:
    # After a quarter turn, column j of the result reads row j - 2 of two: 1 0 | 0 1 | 1 0.
    image = torch.tensor([10.0, 20.0])[:, None].expand(1, 1, 2, 6)
    expected = torch.tensor([20.0, 10.0, 10.0, 20.0, 20.0, 10.0]).expand(1, 1, 2, 6)
    torch.testing.assert_close(turned(image, 90.0), expected, rtol=0, atol=1e-4)


def test_crop_and_flip_of_a_turned_image_are_exact() -> None:
    images = pictures(h=9, w=8)
    degrees = torch.tensor([20.0, -75.0, 160.0])
    rows = window(torch.tensor([0.0, 0.5, LARGEST]), length=9, size=5, like=images)
    columns = window(torch.tensor([0.9, 0.2, 0.4]), length=8, size=5, like=images)
    columns = mirrored(columns, torch.tensor([True, False, True]))
    every_row, every_column = (window(None, length=s, size=s, like=images) for s in (9, 8))
    whole = rotate(images, every_row, every_column, degrees)
    assert torch.equal(rotate(images, rows, columns, degrees), gather(whole, rows, columns))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.bfloat16])
def test_gathered_pixels_are_slices_to_the_bit(dtype: torch.dtype) -> None:
    images = (pictures(h=9, w=8) * 255).to(dtype)
    tops, lefts = [0, 3, 4], [2, 0, 3]
    rows = torch.tensor(tops)[:, None] + torch.arange(5)
    columns = mirrored(
        torch.tensor(lefts)[:, None] + torch.arange(5), torch.tensor([True, False, True])
    )
    result = gather(images, rows, columns)
    assert result.dtype is dtype
    for i, flipped in enumerate([True, False, True]):
        part = images[i, :, tops[i] : tops[i] + 5, lefts[i] : lefts[i] + 5]
        assert torch.equal(result[i], part.flip(-1) if flipped else part)


def test_the_largest_draw_is_the_last_place() -> None:
    draws = torch.tensor([0.0, LARGEST])
    for places in [*range(1, 3000), 4097, 2**20 - 1, 2**20, 2**23 + 1, 2**24 - 3]:
        first = window(draws, length=places + 2, size=3, like=draws)[:, 0]
        assert first.tolist() == [0, places - 1]


@pytest.mark.parametrize(("length", "size", "first"), [(32, 28, 2), (31, 28, 1), (5, 5, 0)])
def test_without_draws_the_window_is_in_the_middle(length: int, size: int, first: int) -> None:
    rows = window(None, length=length, size=size, like=torch.empty(2))
    assert rows.tolist() == [list(range(first, first + size))] * 2
