"""Fixed features of images: Gabor wavelets, and one layer of random convolutions."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as nnf

from corruptlab._checks import at_least, natural, not_negative, positive
from corruptlab._draws import Draws
from corruptlab._threads import in_threads
from corruptlab._types import Ids
from corruptlab.capacity.kernels._inputs import Values, read_images

# The Gaussian of a wavelet is cut off where it has fallen to exp(-2.5**2 / 2) = 4 %.
_DEVIATIONS = 2.5
_IMAGES_AT_ONCE = 64

# Patches that means and covariances come from.
_PATCHES = 50_000
# Added to the variance of a patch, and to the eigenvalues of the covariance (Coates and Ng add 10
# on a scale of 0 .. 255, and 0.1).
_LEAST_VARIANCE = 10 / 255**2
_LEAST_EIGENVALUE = 0.1
# Images and filters at a time. The responses of 4 images to 128 filters, 1.5 MB, stay in a
# processor's cache, and in memory that is used again: 256 filters take 1.6 times as long each.
_BLOCK, _BLOCK_ON_A_GPU = (4, 128), (64, 256)


def gabor_features(
    images: Values,
    *,
    wavelengths: Sequence[float] = (3.0, 6.0, 12.0),
    orientations: int = 8,
    bandwidth: float = 1.0,
    pool: int = 4,
) -> Tensor:
    """Return pooled moduli of Gabor filter responses.

    A wavelet of wavelength ``l`` and angle ``t`` is ``g exp(2 pi i u / l)`` with
    ``u = x cos t + y sin t`` and a Gaussian ``g`` that sums to 1. The standard deviation ``s`` of
    ``g`` follows from the bandwidth ``b`` in octaves:
    ``s / l = sqrt(log(2) / 2) / pi * (2**b + 1) / (2**b - 1)``. A multiple of ``g`` is subtracted
    so that the wavelet sums to 0 and does not respond to constant images. The modulus of the
    response, which does not depend on the phase, is averaged over squares of ``pool`` x ``pool``
    pixels. Images are padded with their border pixels.

    ``docs/kernels.md`` shows results with the defaults on MNIST for several kernel widths.

    Args:
        images: Shape ``(n, height, width)`` or ``(n, channels, height, width)``; ``uint8`` is
            divided by 255, floats are used unchanged.
        wavelengths: Wavelengths in pixels, each at least 2.
        orientations: Number of angles, evenly spaced in ``[0, pi)``, >= 1.
        bandwidth: Bandwidth in octaves, > 0.
        pool: Side length of the squares in pixels, >= 1; squares at the bottom and right may be
            smaller.

    Returns:
        ``float32`` of shape ``(n, channels * wavelengths * orientations * rows * columns)``, with
        the axes in this order and ``rows = ceil(height / pool)``; on the device of the images.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the images are empty or not finite.

    Example:
        >>> import torch
        >>> from corruptlab.capacity.kernels import gabor_features
        >>> stripes = (torch.arange(12) % 4 < 2).float().expand(1, 12, 12)  # vertical
        >>> features = gabor_features(stripes, wavelengths=[4.0], orientations=2, pool=12)
        >>> vertical, horizontal = features[0]
        >>> bool(vertical > 100 * horizontal)
        True

    Source: Zhang et al. 2017, Table 3, which does not specify the filter bank. The wavelets follow
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
        waves = _gabor_wavelets(wavelength, orientations, bandwidth).to(given.device)
        maps = [
            _pooled_moduli(_scaled(block).flatten(0, 1), waves, pool)
            for block in torch.split(given, _IMAGES_AT_ONCE)
        ]
        pooled.append(torch.cat(maps).reshape(n, channels, 1, orientations, -1))
    return torch.cat(pooled, dim=2).flatten(1)


def _gabor_wavelets(wavelength: float, orientations: int, bandwidth: float) -> Tensor:
    """Return wavelets of one wavelength as ``complex64`` of shape ``(orientations, y, x)``."""
    ratio = math.sqrt(math.log(2) / 2) / math.pi * (2**bandwidth + 1) / (2**bandwidth - 1)
    deviation = ratio * wavelength
    radius = math.ceil(_DEVIATIONS * deviation)
    at = torch.arange(-radius, radius + 1, dtype=torch.float64)  # the middle is the origin
    gaussian = torch.exp(-at.square() / (2 * deviation**2))
    window = torch.outer(gaussian, gaussian) / gaussian.sum() ** 2
    angles = torch.arange(orientations, dtype=torch.float64)[:, None, None] * math.pi / orientations
    phase = 2 * math.pi / wavelength * (at * angles.cos() + at[:, None] * angles.sin())
    waves = torch.polar(torch.ones_like(phase), phase)
    means = (window * waves).sum((1, 2), keepdim=True)
    return (window * (waves - means)).to(torch.complex64)


def _pooled_moduli(images: Tensor, waves: Tensor, pool: int) -> Tensor:
    """Return moduli of shape ``(m, orientations, rows, columns)`` for ``m`` images."""
    radius = waves.shape[-1] // 2
    padded = nnf.pad(images[:, None], (radius,) * 4, mode="replicate")
    filters = torch.cat([waves.real, waves.imag])[:, None]
    even, odd = nnf.conv2d(padded, filters).chunk(2, dim=1)
    return nnf.avg_pool2d(torch.hypot(even, odd), pool, ceil_mode=True)


def random_conv_features(
    images: Values,
    *,
    num_filters: int,
    patches_from: Values | None,
    first_filter: int = 0,
    seed: int = 0,
    size: int = 6,
    threshold: float = 1.0,
    grid: int = 2,
) -> Tensor:
    """Return averages of thresholded responses to random convolution filters.

    Every patch of ``size`` x ``size`` pixels is normalized to mean 0 and variance 1, with 10 /
    255**2 added to the variance. The response ``r`` is the inner product of the patch and a filter
    of norm 1. It contributes two features, ``max(r - threshold, 0)`` and
    ``max(-r - threshold, 0)``. Each feature is averaged over the cells of a ``grid`` x ``grid``
    partition of the positions; cells overlap by one position where the division has a remainder.

    With ``patches_from``, patches are whitened with the mean and covariance of patches drawn from
    these images, and the filters are such whitened patches. Without it, patches are not whitened
    and the filters are Gaussian.

    Args:
        images: Shape ``(n, height, width)`` or ``(n, channels, height, width)``; ``uint8`` is
            divided by 255, floats are used unchanged (the constants assume values from 0 to 1).
        num_filters: Number of filters, >= 1.
        patches_from: Images from which filters are drawn: the *training* images, also for the
            features of test images. None for Gaussian filters.
        first_filter: Number of the first filter, >= 0. The filter of a number is the same in every
            call, so a layer whose features do not fit in memory can be computed in blocks of
            filters.
        seed: Seed of the filters; any integer >= 0.
        size: Height and width of a patch, at least 2, at most that of the images.
        threshold: Threshold of the responses, >= 0.
        grid: Number of cells per side, >= 1.

    Returns:
        ``float32`` of shape ``(n, 2 * num_filters * grid**2)``: positive parts first; within them,
        filter by filter, then cell by cell in row-major order. The device is that of the images.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or images are empty, not finite, or have the wrong
            shape.

    Example:
        >>> import corruptlab as cl
        >>> from corruptlab.capacity.kernels import random_conv_features
        >>> images = cl.datasets.fashion_mnist_mini("test").images[:20]
        >>> random_conv_features(images, num_filters=32, patches_from=images).shape
        torch.Size([20, 256])

    Source: Zhang et al. 2017, §5 and Table 3, with the method of Coates and Ng 2012, "Learning
    feature representations with k-means", and random filters. Details that the paper does not
    specify follow Coates and Ng, with random patches in place of k-means centres.
    """
    given = read_images("images", images)
    for name, value, least in (
        ("num_filters", num_filters, 1),
        ("size", size, 2),
        ("grid", grid, 1),
    ):
        at_least(least, name, value)
    natural("first_filter", first_filter)
    natural("seed", seed)
    not_negative("threshold", threshold)
    ids = np.arange(first_filter, first_filter + num_filters)
    if size > min(given.shape[2:]):
        shape = tuple(given.shape[2:])
        raise ValueError(f"`size` must be at most that of the images, {shape}, got {size}.")
    channels, draws = given.shape[1], Draws(seed)
    if patches_from is None:
        bank = _gaussian_bank(channels, ids, size, draws)
    else:
        source = read_images("patches_from", patches_from)
        if source.shape[1] != channels or min(source.shape[2:]) < size:
            raise ValueError(
                f"`patches_from` must have {channels} channels and patches of {size} x {size}, "
                f"got images of shape {tuple(source.shape[1:])}."
            )
        bank = _patch_bank(source, ids, size, draws)
    bank = _Bank(*(part.to(given.device) for part in bank))
    features = given.new_empty(len(given), 2, num_filters, grid, grid, dtype=torch.float32)
    on_cpu = given.device.type == "cpu"
    few, width = _BLOCK if on_cpu else _BLOCK_ON_A_GPU

    def convolve(rows: slice) -> None:
        block = _scaled(given[rows])
        features[rows] = _pooled_responses(block, bank, threshold, grid, width)

    blocks = [slice(at, at + few) for at in range(0, len(given), few)]
    if on_cpu:
        in_threads(convolve, blocks)
    else:
        for rows in blocks:
            convolve(rows)
    return features.flatten(1)


class _Bank(NamedTuple):
    """Filters of normalized patches: the response is ``<filter, patch> / std - offset``."""

    filters: Tensor  # (m, channels, size, size), each sums to 0
    offsets: Tensor  # (m,)

    @classmethod
    def of(cls, filters: Tensor, offsets: Tensor, channels: int, size: int) -> "_Bank":
        # A filter that sums to 0 does not see the mean of a patch, which need not be subtracted.
        level = filters - filters.mean(1, keepdim=True)
        return cls(level.float().reshape(-1, channels, size, size), offsets.float())


def _pooled_responses(
    images: Tensor, bank: _Bank, threshold: float, grid: int, width: int
) -> Tensor:
    """Return averages of both signs, shape ``(n, 2, filters, grid, grid)``."""
    deviations = _deviations(images, bank.filters.shape[-1])
    pooled = images.new_empty(len(images), 2, len(bank.filters), grid, grid)
    for left in range(0, len(bank.filters), width):
        some = slice(left, left + width)
        response = nnf.conv2d(images, bank.filters[some]).div_(deviations)
        response.sub_(bank.offsets[some, None, None])
        above, below = response.sub(threshold).relu_(), response.add_(threshold).neg_().relu_()
        pooled[:, 0, some] = nnf.adaptive_avg_pool2d(above, grid)
        pooled[:, 1, some] = nnf.adaptive_avg_pool2d(below, grid)
    return pooled


def _gaussian_bank(channels: int, ids: Ids, size: int, draws: Draws) -> _Bank:
    drawn = draws.normals("kernels/filter", ids, channels * size**2)
    filters = nnf.normalize(torch.from_numpy(drawn).double())
    return _Bank.of(filters, torch.zeros(len(ids)), channels, size)


def _patch_bank(source: Tensor, ids: Ids, size: int, draws: Draws) -> _Bank:
    """Return whitened patches as filters of patches yet to be whitened."""
    some = np.arange(_PATCHES)
    patches = _normalized(_random_patches(source, some, size, draws, "kernels/whitening"))
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
    whitener = (vectors / (values.clamp(min=0) + _LEAST_EIGENVALUE).sqrt()) @ vectors.T
    own = _normalized(_random_patches(source, ids, size, draws, "kernels/filter"))
    filters = nnf.normalize((own - mean) @ whitener) @ whitener
    return _Bank.of(filters, filters @ mean, source.shape[1], size)


def _normalized(patches: Tensor) -> Tensor:
    """Return patches, shape ``(m, k)``, with mean 0 and nearly variance 1 each."""
    level = patches - patches.mean(1, keepdim=True)
    return level / (level.square().mean(1, keepdim=True) + _LEAST_VARIANCE).sqrt()


def _random_patches(source: Tensor, ids: Ids, size: int, draws: Draws, stream: str) -> Tensor:
    """Return patches at uniform places of uniform images, ``float64`` of shape ``(m, k)``."""
    n, _, height, width = source.shape
    images, tops, lefts = (
        torch.from_numpy(draws.integers(f"{stream}/{name}", ids, high))
        for name, high in (("image", n), ("top", height - size + 1), ("left", width - size + 1))
    )
    window = torch.arange(size)
    rows, columns = tops[:, None] + window, lefts[:, None] + window
    picked = source.cpu()[images[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    patches = picked.permute(0, 3, 1, 2).reshape(len(ids), -1).double()
    return patches / 255 if source.dtype == torch.uint8 else patches


def _deviations(images: Tensor, size: int) -> Tensor:
    """Return the standard deviation of every patch, shape ``(n, 1, rows, columns)``."""
    box = images.new_ones(1, images.shape[1], size, size) / (images.shape[1] * size**2)
    means = images.mean((1, 2, 3), keepdim=True)  # of whole images: keeps the difference accurate
    mean = nnf.conv2d(images - means, box)
    variance = nnf.conv2d((images - means).square_(), box) - mean.square()
    return variance.clamp_(min=0).add_(_LEAST_VARIANCE).sqrt_()


def _scaled(images: Tensor) -> Tensor:
    """Return images as ``float32``, bytes divided by 255."""
    scaled = images.to(torch.float32)
    return scaled / 255 if images.dtype == torch.uint8 else scaled
