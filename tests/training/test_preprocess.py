"""Crop and whitening against a float64 reference."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from corruptlab.training import center_crop, whiten


def reference(image: NDArray[Any]) -> NDArray[Any]:
    """TensorFlow's per_image_standardization of one image on a 0 .. 1 scale, in float64."""
    x = image.astype(np.float64)
    return np.asarray((x - x.mean()) / max(x.std(), 1 / np.sqrt(x.size)))


def images(n: int = 700) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, 6, 5), generator=torch.Generator().manual_seed(0))


def test_whitening_equals_the_float64_reference() -> None:
    bytes_ = images().to(torch.uint8)
    white = whiten(bytes_)
    assert white.dtype is torch.float32
    for i in (0, 1, 511, 512, 699):
        assert_allclose(white[i].numpy(), reference(bytes_[i].numpy() / 255), atol=2e-6)


def test_whitened_images_have_mean_zero_and_deviation_one() -> None:
    white = whiten(images().to(torch.uint8)).flatten(1).double()
    assert_allclose(white.mean(1).numpy(), 0, atol=1e-6)
    assert_allclose(white.std(1, correction=0).numpy(), 1, atol=1e-5)


def test_flat_images_become_zero_and_faint_ones_are_held_down() -> None:
    faint = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    faint[1, 0, 0, 0] = 1
    white = whiten(faint)
    assert not white[0].any()
    assert_allclose(white[1].numpy(), reference(faint[1].numpy() / 255), atol=1e-7)
    assert white[1].abs().max() < 0.02


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_floats_are_taken_as_they_are(dtype: torch.dtype) -> None:
    floats = (images(4).double() / 100 - 1).to(dtype)
    white = whiten(floats)
    assert white.dtype is torch.float32
    assert_allclose(white[3].numpy(), reference(floats[3].double().numpy()), atol=1e-5)


def test_whitening_leaves_its_input_alone() -> None:
    floats = images(4).float()
    whiten(floats)
    assert torch.equal(floats, images(4).float())


@pytest.mark.parametrize(("size", "top"), [(28, 2), (31, 0), (32, 0), (1, 15)])
def test_crop_takes_the_middle(size: int, top: int) -> None:
    grid = torch.arange(32 * 32).reshape(1, 32, 32)
    cropped = center_crop(grid, size)
    assert torch.equal(cropped, grid[:, top : top + size, top : top + size])


def test_bad_images_are_quoted() -> None:
    with pytest.raises(ValueError, match=r"^`size` must lie in 1 \.\. 5, got 6\.$"):
        center_crop(images(), 6)
    with pytest.raises(ValueError, match=r"^`images` must have height and width, got shape \(3,\)"):
        center_crop(torch.zeros(3), 1)
    with pytest.raises(TypeError, match=r"^`images` must be uint8 or floats .*, got torch\.int64"):
        whiten(images())
    with pytest.raises(ValueError, match=r"^`images` must have shape \(n, \.\.\.\), got \(3,\)\.$"):
        whiten(torch.zeros(3))
