"""Padding is TensorFlow's, which is not the same on both sides."""

import pytest
import torch

from corruptlab.models._same_padding import SameConv2d, SameMaxPool2d, same_padding
from tests.models import naive
from tests.models.naive import images


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_padding_gives_the_least_that_holds_all_places_and_puts_the_odd_zero_last(
    kernel: int, stride: int
) -> None:
    for size in range(1, 12):
        before, after = same_padding(size, kernel=kernel, stride=stride)
        places, reach = -(-size // stride), size + before + after
        assert 0 <= after - before <= 1
        assert (reach - kernel) // stride + 1 == places or before == after == 0
        assert reach == size or reach == (places - 1) * stride + kernel


@pytest.mark.parametrize("size", [4, 5, 7, 8, 13])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1), (5, 3), (2, 2)])
def test_convolution_is_tensorflows(size: int, kernel: int, stride: int) -> None:
    layer = SameConv2d(2, 3, kernel, stride)
    x = images(2, 2, size, size + 1)
    expected = naive.conv(x, layer.weight, layer.bias, stride)
    torch.testing.assert_close(layer(x), expected)
    assert layer(x).shape[-2:] == (-(-size // stride), -(-(size + 1) // stride))


def test_convolution_of_an_even_image_looks_at_other_pixels_than_pytorchs_padding() -> None:
    layer = SameConv2d(1, 1, 3, stride=2, bias=False)
    with torch.no_grad():
        layer.weight.zero_()[0, 0, 0, 0] = 1  # gives the upper left pixel of each window
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert torch.equal(layer(x), x[:, :, ::2, ::2])


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 28])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (2, 2), (3, 3), (5, 2)])
def test_pooling_is_tensorflows(size: int, kernel: int, stride: int) -> None:
    x = images(2, 2, size, size + 1) - 5  # all negative: a zero of the padding would win
    torch.testing.assert_close(SameMaxPool2d(kernel, stride)(x), naive.pool(x, kernel, stride))
