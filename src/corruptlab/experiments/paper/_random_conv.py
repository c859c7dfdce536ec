"""A Gaussian kernel on one layer of random convolutions, whose features are never held at once."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from corruptlab._duplicates import equal_groups
from corruptlab._errors import DataFileError
from corruptlab._io import whole_file
from corruptlab._memory import available_memory
from corruptlab._modules import first_line
from corruptlab._progress import Progress
from corruptlab.capacity.kernels import GaussianKernel, random_conv_features

# 512 filters have 4096 features: 1 GB for all images of CIFAR-10.
_FILTERS_AT_ONCE = 512
_ROWS_AT_ONCE = 2000
_SECONDS_BETWEEN_SAVES = 600.0
_FILE = "sums.npz"


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


def distances_operations(n: int, m: int, filters: int) -> int:
    """Return the operations of `squared_distances` beside those of the features."""
    return (n + 2 * m) * n * 8 * filters


def memory_beside_distances(device: torch.device, n: int, m: int) -> float:
    """Return how many bytes a computation may take beside the distances of n + m images."""
    available, needed = available_memory(device), (n + m) * n * torch.float32.itemsize
    if available <= needed:
        raise MemoryError(
            f"`points` must be few enough for the memory: the distances of {n:,} images for "
            f"training and {m:,} others take {needed / 1e9:.3g} GB, got {available / 1e9:.3g}."
        )
    return available - needed


def squared_distances(
    images: Tensor,
    n: int,
    *,
    filters: int,
    size: int,
    threshold: float,
    seed: int,
    show: bool = False,
    kept: Path | None = None,
) -> Tensor:
    """Return squared distances, divided by the number of filters: all images by the first ``n``.

    They are those of the square roots of features. Sums over blocks of filters that took long are
    kept in a folder, and resumed from there, also for more filters.
    """
    sums = _Sums.of(images, n, kept)
    if sums.filters > filters:  # they stay for those who ask for as many
        sums, kept = _Sums.of(images, n, None), None
    pieces = [slice(at, at + _ROWS_AT_ONCE) for at in range(0, len(images), _ROWS_AT_ONCE)]
    begun = last_kept = time.monotonic()
    with Progress(filters, "random convolutions, filters", show=show, least_seconds=1) as line:
        line.update(sums.filters)
        while sums.filters < filters:
            features = random_conv_features(
                images,
                num_filters=min(_FILTERS_AT_ONCE, filters - sums.filters),
                patches_from=images[:n],
                first_filter=sums.filters,
                seed=seed,
                size=size,
                threshold=threshold,
            ).sqrt_()
            features -= features[:n].mean(0)  # changes no distance, and keeps the terms small
            for rows in pieces:
                before = features[: min(rows.stop, n)]
                sums.products[rows, : len(before)].addmm_(features[rows], before.T)
            sums.lengths += torch.linalg.vecdot(features, features)
            sums.filters = min(sums.filters + _FILTERS_AT_ONCE, filters)
            since = begun if sums.filters == filters else last_kept
            if kept is not None and time.monotonic() - since >= _SECONDS_BETWEEN_SAVES:
                sums.save(kept)
                last_kept = time.monotonic()
            line.update(sums.filters)
    return sums.distances()


@dataclass
class _Sums:
    """Sums over the first filters, which become the distances where they are."""

    filters: int
    products: Tensor  # lower triangle for training images, and rows for the others, (n + m, n)
    lengths: Tensor  # squared, (n + m,)

    @classmethod
    def of(cls, images: Tensor, n: int, kept: Path | None) -> "_Sums":
        """Return those in a folder, or zeros."""
        if kept is None or not (path := kept / _FILE).exists():
            lengths = torch.zeros(len(images), device=images.device)
            return cls(0, lengths.new_zeros(len(images), n), lengths)
        try:
            with np.load(path) as file:  # which compares checksums
                found = [torch.from_numpy(file[name]) for name in ("products", "lengths")]
                filters = int(file["filters"])
        except (OSError, MemoryError):
            raise
        except Exception as error:  # a damaged file can be the cause of almost any
            raise DataFileError(path, "sums over random filters", first_line(error)) from None
        return cls(filters, *(each.to(images.device) for each in found))

    def save(self, kept: Path) -> None:
        """Write them to a folder."""
        kept.mkdir(parents=True, exist_ok=True)
        products, lengths = self.products.cpu().numpy(), self.lengths.cpu().numpy()
        with whole_file(kept / _FILE) as path:
            np.savez(path, products=products, lengths=lengths, filters=self.filters)

    def distances(self) -> Tensor:
        """Return squared distances, in the place of the products."""
        total, n = self.products, self.products.shape[1]
        for start in range(0, n, _ROWS_AT_ONCE):
            rows = slice(start, min(start + _ROWS_AT_ONCE, n))
            total[:start, rows] = total[rows, :start].T
        total.mul_(-2).add_(self.lengths[:n]).add_(self.lengths[:, None])
        total.clamp_(min=0).div_(self.filters)
        total[:n].fill_diagonal_(0)
        return total
