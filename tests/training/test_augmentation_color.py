"""Brightness, saturation, and hue against colorsys, closed forms, and known numbers."""

import colorsys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from corruptlab.training._transforms import scale_saturation, shift_brightness, shift_hue

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
