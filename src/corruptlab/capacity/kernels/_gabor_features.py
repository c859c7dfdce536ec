"""Gabor wavelets: how much of each orientation and scale there is where in an image."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from corruptlab._checks import at_least, positive
from corruptlab.capacity.kernels._images import image_block, read_images
from corruptlab.capacity.kernels._inputs import Values
from corruptlab.capacity.kernels._spans import spans

# The Gaussian is cut off where it has fallen to exp(-2.5**2 / 2) = 4 %.
_DEVIATIONS = 2.5
_IMAGES_AT_ONCE = 64


def gabor_features(
    images: Values,
    *,
    wavelengths: Sequence[float] = (3.0, 6.0, 12.0),
    orientations: int = 8,
    bandwidth: float = 1.0,
    pool: int = 4,
) -> Tensor:
    """Filter images with a bank of Gabor wavelets, take moduli, and pool them.

    A wavelet of wavelength ``l`` and angle ``t`` is ``g exp(2 pi i u / l)`` with ``u = x cos t +
    y sin t`` and a Gaussian ``g`` that sums to 1. Its standard deviation ``s`` gives the wavelet
    a bandwidth of ``b`` octaves: ``s / l = sqrt(log(2) / 2) / pi * (2**b + 1) / (2**b - 1)``. A
    multiple of ``g`` is subtracted so that the sum is 0: even light leaves no trace. The modulus
    of what a wavelet finds, which does not depend on the phase, is averaged over squares of
    ``pool`` x ``pool`` pixels. Pixels beyond the border are taken to be those on it.

    What the defaults give on MNIST, and for which widths of a kernel, is in ``docs/kernels.md``.

    Args:
        images: Shape ``(n, height, width)`` or ``(n, channels, height, width)``; bytes are divided
            by 255, floats are taken as they are.
        wavelengths: Wavelengths in pixels, each at least 2.
        orientations: Number of angles, evenly spaced in ``[0, pi)``, >= 1.
        bandwidth: Bandwidth in octaves, > 0.
        pool: Side of the squares in pixels, >= 1; those at the bottom and right may be cut.

    Returns:
        ``float32`` of shape ``(n, channels * wavelengths * orientations * rows * columns)``, the
        axes in this order, ``rows = ceil(height / pool)``; on the device of the images.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a number is out of its range, or the images are empty or not finite.

    Example:
        >>> import torch
        >>> from corruptlab.capacity.kernels import gabor_features
        >>> stripes = (torch.arange(12) % 4 < 2).float().expand(1, 12, 12)  # they stand upright
        >>> features = gabor_features(stripes, wavelengths=[4.0], orientations=2, pool=12)
        >>> upright, lying = features[0]
        >>> bool(upright > 100 * lying)
        True

    Source: Zhang et al. 2017, Table 3, which does not give its bank. The wavelets are those of
    Daugman 1985; modulus and average are the first layer of Bruna and Mallat 2013, "Invariant
    scattering convolution networks".
    """
    given = read_images("images", images)
    positive("bandwidth", bandwidth)
    if len(wavelengths) == 0 or not all(wavelength >= 2 for wavelength in wavelengths):
        raise ValueError(f"`wavelengths` must be at least 2 each, got {tuple(wavelengths)}.")
    for name, value in (("orientations", orientations), ("pool", pool)):
        at_least(1, name, value)
    n, channels = given.shape[:2]
    pooled = []
    for wavelength in wavelengths:
        waves = gabor_wavelets(wavelength, orientations, bandwidth).to(given.device)
        maps = [
            _pooled_moduli(image_block(given, start, stop).flatten(0, 1), waves, pool)
            for start, stop in spans(n, _IMAGES_AT_ONCE)
        ]
        pooled.append(torch.cat(maps).reshape(n, channels, 1, orientations, -1))
    return torch.cat(pooled, dim=2).flatten(1)


def gabor_wavelets(wavelength: float, orientations: int, bandwidth: float) -> Tensor:
    """Return wavelets of one wavelength as ``complex64`` of shape ``(orientations, side, side)``.

    Rows are ``y``, columns ``x``; the middle is the origin.
    """
    ratio = math.sqrt(math.log(2) / 2) / math.pi * (2**bandwidth + 1) / (2**bandwidth - 1)
    deviation = ratio * wavelength
    radius = math.ceil(_DEVIATIONS * deviation)
    at = torch.arange(-radius, radius + 1, dtype=torch.float64)
    gaussian = torch.exp(-at.square() / (2 * deviation**2))
    window = torch.outer(gaussian, gaussian) / gaussian.sum() ** 2
    angles = torch.arange(orientations, dtype=torch.float64)[:, None, None] * math.pi / orientations
    phase = 2 * math.pi / wavelength * (at * angles.cos() + at[:, None] * angles.sin())
    waves = torch.polar(torch.ones_like(phase), phase)
    means = (window * waves).sum((1, 2), keepdim=True)
    return (window * (waves - means)).to(torch.complex64)


def _pooled_moduli(images: Tensor, waves: Tensor, pool: int) -> Tensor:
    """Return moduli of shape ``(m, orientations, rows, columns)`` for ``m`` plain images."""
    radius = waves.shape[-1] // 2
    padded = pad(images[:, None], (radius,) * 4, mode="replicate")
    filters = torch.cat([waves.real, waves.imag])[:, None]
    even, odd = conv2d(padded, filters).chunk(2, dim=1)
    return avg_pool2d(torch.hypot(even, odd), pool, ceil_mode=True)
