"""A Gaussian kernel on one layer of random convolutions, whose features are never held at once."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from corruptlab._duplicates import equal_groups
from corruptlab._memory import free_memory
from corruptlab._progress import Progress
from corruptlab.capacity.kernels import GaussianKernel, random_conv_features

# 512 filters have 4096 features: 1 GB for all images of CIFAR-10.
_FILTERS_AT_ONCE = 512
_ROWS_AT_ONCE = 2000
# What is free is never all to be had: others allocate too.
_USABLE = 0.9


@dataclass(frozen=True, eq=False)
class ImageKernel:
    """A Gaussian kernel of images that are given by their numbers, shape ``(m, 1)``."""

    gaussian: GaussianKernel
    distances: Tensor  # squared, of all images from those for training, (n + m, n)

    def __call__(self, a: Tensor, b: Tensor, /) -> Tensor:
        """Return the kernel matrix of shape ``(len(a), len(b))``."""
        squared = self.distances[a.long(), b.long().T].to(a.dtype)
        return squared.mul_(-self.gaussian.gamma).exp_()


def numbered(train: Tensor) -> Tensor:
    """Return a number for each image, shape ``(n, 1)``: that of the first image equal to it."""
    _, first, group = np.unique(equal_groups(train), return_index=True, return_inverse=True)
    return torch.from_numpy(first[group]).float()[:, None]


def distances_bytes(n: int, m: int) -> int:
    """Return how many bytes `squared_distances` returns for n + m images."""
    return (n + m) * n * torch.float32.itemsize


def distances_operations(n: int, m: int, filters: int) -> int:
    """Return how many operations `squared_distances` takes for features that are there."""
    return (n + 2 * m) * n * 8 * filters


def memory_beside_distances(device: torch.device, n: int, m: int) -> float | None:
    """Return the bytes that distances leave free; None if nobody knows what is free."""
    free, needed = free_memory(device), distances_bytes(n, m)
    if free is None:
        return None
    left = _USABLE * free - needed
    if left <= 0:
        raise MemoryError(
            f"`points` must be few enough for the memory: the distances of {n:,} images for "
            f"training and {m:,} others take {needed / 1e9:.3g} GB, got {_USABLE * free / 1e9:.3g}."
        )
    return left


def squared_distances(
    images: Tensor, n: int, *, filters: int, size: int, threshold: float, seed: int, show: bool
) -> Tensor:
    """Return squared distances, divided by the number of filters: all images by the first ``n``.

    They are those of the square roots of features.
    """
    # The inner products of blocks of filters are added up. The mean over training images is
    # subtracted first, which changes no distance and keeps the terms small.
    total = torch.zeros(len(images), n, device=images.device)
    lengths = torch.zeros(len(images), device=images.device)
    pieces = [slice(at, at + _ROWS_AT_ONCE) for at in range(0, len(images), _ROWS_AT_ONCE)]
    with Progress(filters, "random convolutions, filters", show=show, least_seconds=1) as line:
        for first in range(0, filters, _FILTERS_AT_ONCE):
            count = min(_FILTERS_AT_ONCE, filters - first)
            features = random_conv_features(
                images,
                num_filters=count,
                patches_from=images[:n],
                first_filter=first,
                seed=seed,
                size=size,
                threshold=threshold,
            ).sqrt_()
            features -= features[:n].mean(0)
            for rows in pieces:
                columns = min(rows.stop, n)
                total[rows, :columns].addmm_(features[rows], features[:columns].T)
            lengths += torch.linalg.vecdot(features, features)
            line.update(first + count)
    for start in range(0, n, _ROWS_AT_ONCE):
        rows = slice(start, min(start + _ROWS_AT_ONCE, n))
        total[:start, rows] = total[rows, :start].T
    total.mul_(-2).add_(lengths[:n]).add_(lengths[:, None]).clamp_(min=0).div_(filters)
    total[:n].fill_diagonal_(0)
    return total
