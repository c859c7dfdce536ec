"""Gabor features against closed forms and a naive loop."""

import cmath
import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from corruptlab.capacity.kernels import gabor_features

WAVE = (0.0, -math.pi / 2)  # phases of cosine and sine
OCTAVE = math.sqrt(math.log(2) / 2) / math.pi * 3  # deviation over wavelength


def images(n: int = 3, height: int = 9, width: int = 7, channels: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(n, channels, height, width, generator=generator)


def naive(image: torch.Tensor, wavelength: float, orientations: int, pool: int) -> list[float]:
    """Moduli and averages of one channel, by loops, with Python's complex numbers."""
    height, width = image.shape
    deviation = OCTAVE * wavelength
    radius = math.ceil(2.5 * deviation)
    at = range(-radius, radius + 1)
    window = {(y, x): math.exp(-(x**2 + y**2) / (2 * deviation**2)) for y in at for x in at}
    total = sum(window.values())
    features = []
    for k in range(orientations):
        angle = math.pi * k / orientations
        wave = {
            (y, x): cmath.exp(
                2j * math.pi / wavelength * (x * math.cos(angle) + y * math.sin(angle))
            )
            for y, x in window
        }
        mean = sum(window[p] * wave[p] for p in window) / total
        filters = {p: window[p] / total * (wave[p] - mean) for p in window}
        moduli = np.zeros((height, width))
        for row in range(height):
            for column in range(width):
                moduli[row, column] = abs(
                    sum(
                        value
                        * float(
                            image[
                                min(max(row + y, 0), height - 1),
                                min(max(column + x, 0), width - 1),
                            ]
                        )
                        for (y, x), value in filters.items()
                    )
                )
        features += [
            moduli[top : top + pool, left : left + pool].mean()
            for top in range(0, height, pool)
            for left in range(0, width, pool)
        ]
    return features


@pytest.mark.parametrize("pool", [1, 3, 4])
def test_features_equal_a_naive_loop(pool: int) -> None:
    features = gabor_features(images(2, 5, 6), wavelengths=(2.0, 3.5), orientations=3, pool=pool)
    assert features.dtype is torch.float32
    for image, row in zip(images(2, 5, 6)[:, 0], features, strict=True):
        expected = [value for length in (2.0, 3.5) for value in naive(image, length, 3, pool)]
        assert_allclose(row.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("wavelength", [3.0, 4.5, 8.0])
def test_wave_of_its_own_frequency_gives_the_closed_form(wavelength: float) -> None:
    """|sum g (e^(iku) - m) cos(ku + p)| is half the Gaussian's sum, up to the filter's tails."""
    size = 64
    rows, columns = torch.meshgrid(*(torch.arange(size) * 1.0,) * 2, indexing="ij")
    for k, angle in enumerate([0, math.pi / 4, math.pi / 2, 3 * math.pi / 4]):
        along = columns * math.cos(angle) + rows * math.sin(angle)
        wave = torch.cos(2 * math.pi / wavelength * along + 0.7)
        features = gabor_features(wave[None], wavelengths=[wavelength], orientations=4, pool=8)
        found = features.reshape(4, 8, 8)[:, 3:5, 3:5]  # far from the border
        decay = 2 * (math.pi * OCTAVE) ** 2  # exp(-decay) = response to frequency 0 or sqrt(2)
        assert_allclose(found[k].numpy(), 0.5, atol=0.5 * 4 * math.exp(-decay / 2))
        assert int(found.mean((1, 2)).argmax()) == k
        assert float(found[(k + 2) % 4].max()) < 0.06


@pytest.mark.parametrize("octaves", [0.8, 1.0, 1.5])
def test_wavelets_have_the_given_bandwidth(octaves: float) -> None:
    size = 96
    at = torch.arange(float(size)).expand(size, size)

    def response(per_pixel: float) -> float:
        """The modulus in the middle for a complex wave of some frequency: of both its parts."""
        parts = torch.stack([(2 * math.pi * per_pixel * at + phase).cos() for phase in WAVE])
        even, odd = gabor_features(
            parts, wavelengths=[8.0], orientations=1, bandwidth=octaves, pool=size // 3
        ).reshape(2, 3, 3)[:, 1, 1]
        return float(even + odd)  # either has half of it, whatever the phase

    # The half-power frequencies lie `octaves` apart, those of half the amplitude too by design.
    low = 2 / 8.0 / (2**octaves + 1)
    assert response(low) == pytest.approx(0.5, abs=0.06)
    assert response(low * 2**octaves) == pytest.approx(0.5, abs=0.06)
    assert response(1 / 8.0) == pytest.approx(1.0, abs=0.03)


def test_even_light_leaves_no_trace_and_contrast_is_a_factor() -> None:
    x = images()
    assert float(gabor_features(torch.full((1, 9, 7), 0.8)).abs().max()) < 1e-6
    assert_allclose(gabor_features(x + 3.0), gabor_features(x), atol=2e-5)
    assert_allclose(gabor_features(-2 * x), 2 * gabor_features(x), atol=1e-6)


def test_turned_image_has_its_orientations_turned() -> None:
    x = images(2, 8, 8)
    shape = (2, 1, 1, 4, 2, 2)
    upright = gabor_features(x, wavelengths=[3.0], orientations=4, pool=4).reshape(shape)
    turned = gabor_features(x.rot90(1, (2, 3)), wavelengths=[3.0], orientations=4, pool=4)
    expected = upright.rot90(1, (4, 5)).roll(2, dims=3)
    assert_allclose(turned.reshape(shape).numpy(), expected.numpy(), atol=1e-6)


def test_axes_are_channels_then_wavelengths_then_orientations() -> None:
    x = images(2, 6, 6, channels=3)
    features = gabor_features(x, wavelengths=(2.0, 4.0), orientations=2, pool=3)
    assert features.shape == (2, 3 * 2 * 2 * 4)
    single = gabor_features(x[:, 1], wavelengths=[4.0], orientations=2, pool=3)
    block = features.reshape(2, 3, 2, 8)[:, 1, 1]
    assert_allclose(block.numpy(), single.numpy(), atol=1e-7)


def test_bytes_are_shares_of_255_and_blocks_do_not_matter() -> None:
    bytes_ = (images(130) * 255).to(torch.uint8)  # more than are filtered at once
    whole = gabor_features(bytes_, wavelengths=[3.0])
    assert_allclose(whole, gabor_features(bytes_.float() / 255, wavelengths=[3.0]), atol=1e-7)
    for few in (slice(0, 3), slice(62, 66), slice(128, 130)):
        assert_allclose(gabor_features(bytes_[few], wavelengths=[3.0]), whole[few], atol=1e-7)


def test_bad_arguments_are_quoted() -> None:
    with pytest.raises(ValueError, match=r"^`wavelengths` must be at least 2 each, got \(1\.0,\)"):
        gabor_features(images(), wavelengths=[1.0])
    with pytest.raises(ValueError, match=r"^`wavelengths` must be at least 2 each, got \(\)\.$"):
        gabor_features(images(), wavelengths=[])
    with pytest.raises(ValueError, match=r"^`orientations` must be at least 1, got 0\.$"):
        gabor_features(images(), orientations=0)
    with pytest.raises(ValueError, match=r"^`pool` must be at least 1, got -1\.$"):
        gabor_features(images(), pool=-1)
    with pytest.raises(ValueError, match=r"^`bandwidth` must be above 0, got 0\.$"):
        gabor_features(images(), bandwidth=0)
    with pytest.raises(TypeError, match=r"^`images` must be uint8 or floats, got torch\.int64\.$"):
        gabor_features(images().long())
    with pytest.raises(ValueError, match=r"^`images` must have shape .*, got \(9, 7\)\.$"):
        gabor_features(images()[0, 0])
    with pytest.raises(ValueError, match=r"^`images` must have shape .*, got \(0, 1, 9, 7\)\.$"):
        gabor_features(images()[:0])
    bad = images()
    bad[1, 0, 3, 3] = torch.nan
    with pytest.raises(ValueError, match=r"^`images` must be finite, got nan or inf in row 1\.$"):
        gabor_features(bad)
