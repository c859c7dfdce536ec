"""Crop and flip move pixels to the bit; rotation agrees with quarter turns and with plain loops."""

import math

import pytest
import torch
from torch import Tensor

from corruptlab.training._transforms import gather, mirrored, rotate, window

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
