"""One layer of random convolutions: random filters, a threshold, averages over quadrants."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, normalize

from corruptlab._checks import at_least, natural, not_negative
from corruptlab._draws import Draws
from corruptlab.capacity.kernels._images import image_block, read_images
from corruptlab.capacity.kernels._inputs import Values
from corruptlab.capacity.kernels._spans import spans

# Patches that means and covariances come from.
_PATCHES = 50_000
# Added to the variance of a patch, and to the eigenvalues of the covariance (Coates and Ng add 10
# on a scale of 0 .. 255, and 0.1).
_LEAST_VARIANCE = 10 / 255**2
_LEAST_EIGENVALUE = 0.1
# Responses that are in memory at once stay in the cache of a processor.
_IMAGES_AT_ONCE, _FILTERS_AT_ONCE = 16, 256


class Bank(NamedTuple):
    """Linear filters of normalized patches: the response is ``<filter, patch> / std - offset``.

    Args:
        filters: Shape ``(m, channels, size, size)``; each sums to 0.
        offsets: Shape ``(m,)``.
    """

    filters: Tensor
    offsets: Tensor


def random_conv_features(
    images: Values,
    *,
    num_filters: int,
    patches_from: Values | None,
    seed: int = 0,
    size: int = 6,
    threshold: float = 1.0,
    grid: int = 2,
) -> Tensor:
    """Convolve images with random filters, threshold the responses, and average them.

    Every patch of ``size`` x ``size`` pixels is shifted and scaled to mean 0 and variance 1 (10 /
    255**2 is added to the variance). A response ``r`` is its inner product with a filter of
    length 1, and gives ``max(r - threshold, 0)`` and ``max(-r - threshold, 0)``. Each is averaged
    over the fields of a ``grid`` x ``grid`` partition of the positions, which overlap by one
    where the division has a remainder.

    With ``patches_from``, patches are whitened with the mean and covariance of patches
    drawn from those images, and filters are such whitened patches. Without, patches are not
    whitened and filters are Gaussian.

    Args:
        images: Shape ``(n, height, width)`` or ``(n, channels, height, width)``; bytes are divided
            by 255, floats are taken as they are (the constants suit a scale of 0 to 1).
        num_filters: Number of filters, >= 1.
        patches_from: Images that filters are taken from: the *training* images, for test images
            too; None for Gaussian filters.
        seed: Decides the filters; any integer >= 0.
        size: Height and width of a patch, at least 2, at most that of the images.
        threshold: What is subtracted from a response, >= 0.
        grid: Fields a side, >= 1.

    Returns:
        ``float32`` of shape ``(n, 2 * num_filters * grid**2)``: positive parts first, filter by
        filter, then row by row; on the device of the images.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a number is out of its range, or images are empty, not finite, or do not
            suit.

    Example:
        >>> import corruptlab as cl
        >>> from corruptlab.capacity.kernels import random_conv_features
        >>> images = cl.datasets.fashion_mnist_mini("test").images[:20]
        >>> random_conv_features(images, num_filters=32, patches_from=images).shape
        torch.Size([20, 256])

    Source: Zhang et al. 2017, §5 and Table 3, which follows Coates and Ng 2012, "Learning feature
    representations with k-means", with filters at random; details that it does not give are
    theirs, with random patches for the centres of k-means.
    """
    given = read_images("images", images)
    at_least(1, "num_filters", num_filters)
    at_least(2, "size", size)
    at_least(1, "grid", grid)
    natural("seed", seed)
    not_negative("threshold", threshold)
    if size > min(given.shape[2:]):
        shape = tuple(given.shape[2:])
        raise ValueError(f"`size` must be at most that of the images, {shape}, got {size}.")
    channels, draws = given.shape[1], Draws(seed)
    if patches_from is None:
        bank = _gaussian_bank(channels, num_filters, size, draws)
    else:
        bank = _patch_bank(_source(patches_from, channels, size), num_filters, size, draws)
    bank = Bank(*(part.to(given.device) for part in bank))
    features = given.new_empty(len(given), 2, num_filters, grid, grid, dtype=torch.float32)
    for start, stop in spans(len(given), _IMAGES_AT_ONCE):
        block = image_block(given, start, stop)
        deviations = _deviations(block, size)
        for left, right in spans(num_filters, _FILTERS_AT_ONCE):
            some = Bank(bank.filters[left:right], bank.offsets[left:right])
            response = (conv2d(block, some.filters) / deviations).sub_(some.offsets[:, None, None])
            for sign in (0, 1):
                part = (response if sign == 0 else response.neg_()).sub(threshold).relu_()
                features[start:stop, sign, left:right] = adaptive_avg_pool2d(part, grid)
    return features.flatten(1)


def _source(patches_from: Values, channels: int, size: int) -> Tensor:
    source = read_images("patches_from", patches_from)
    if source.shape[1] != channels or min(source.shape[2:]) < size:
        raise ValueError(
            f"`patches_from` must have {channels} channels and patches of {size} x {size}, "
            f"got images of shape {tuple(source.shape[1:])}."
        )
    return source


def _deviations(images: Tensor, size: int) -> Tensor:
    """Return the standard deviation of every patch, shape ``(n, 1, rows, columns)``."""
    box = images.new_ones(1, images.shape[1], size, size) / (images.shape[1] * size**2)
    means = images.mean((1, 2, 3), keepdim=True)  # of whole images: keeps the difference accurate
    mean = conv2d(images - means, box)
    return (
        (conv2d((images - means).square_(), box) - mean.square())
        .clamp_(min=0)
        .add_(_LEAST_VARIANCE)
        .sqrt_()
    )


def _gaussian_bank(channels: int, num_filters: int, size: int, draws: Draws) -> Bank:
    drawn = draws.normals("kernels/filter", range(num_filters), channels * size**2)
    filters = normalize(torch.from_numpy(drawn).double())
    return _bank(filters, torch.zeros(num_filters), channels, size)


def _patch_bank(source: Tensor, num_filters: int, size: int, draws: Draws) -> Bank:
    """Return whitened patches as filters of patches yet to be whitened."""
    patches = _normalized(_random_patches(source, _PATCHES, size, draws, "kernels/whitening"))
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
    whitener = (vectors / (values.clamp(min=0) + _LEAST_EIGENVALUE).sqrt()) @ vectors.T
    own = _normalized(_random_patches(source, num_filters, size, draws, "kernels/filter"))
    filters = normalize((own - mean) @ whitener) @ whitener
    return _bank(filters, filters @ mean, source.shape[1], size)


def _bank(filters: Tensor, offsets: Tensor, channels: int, size: int) -> Bank:
    # A filter that sums to 0 does not see the mean of a patch, so that nobody has to subtract it.
    level = filters - filters.mean(1, keepdim=True)
    return Bank(level.float().reshape(-1, channels, size, size), offsets.float())


def _normalized(patches: Tensor) -> Tensor:
    """Return patches, shape ``(m, k)``, with mean 0 and nearly variance 1 each."""
    level = patches - patches.mean(1, keepdim=True)
    return level / (level.square().mean(1, keepdim=True) + _LEAST_VARIANCE).sqrt()


def _random_patches(source: Tensor, count: int, size: int, draws: Draws, stream: str) -> Tensor:
    """Return patches at uniform places of uniform images, ``float64`` of shape ``(count, k)``."""
    n, _, height, width = source.shape
    ids = np.arange(count)
    images, tops, lefts = (
        torch.from_numpy(draws.integers(f"{stream}/{name}", ids, high))
        for name, high in (("image", n), ("top", height - size + 1), ("left", width - size + 1))
    )
    window = torch.arange(size)
    rows, columns = tops[:, None] + window, lefts[:, None] + window
    picked = source.cpu()[images[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    patches = picked.permute(0, 3, 1, 2).reshape(count, -1).double()
    return patches / 255 if source.dtype == torch.uint8 else patches
