"""Corruptions against what people use today."""

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import corruptlab as cl
from benchmarks.conftest import Comparison, tell
from corruptlab.corruptions._pixels import Move

DRAWS = cl.Draws(seed=0)
BATCHES = [
    np.random.default_rng(k).integers(0, 256, (256, 3, 32, 32)).astype(np.uint8) for k in range(10)
]
IDS = [np.arange(256) + 256 * k for k in range(10)]
IMAGENET = 1_281_167


@pytest.mark.parametrize("move", ["pixels", "values"])
def test_random_pixels(compare: Comparison, move: Move) -> None:
    generator = np.random.default_rng(0)
    noise = cl.RandomPixels(move=move)

    def ours() -> None:
        for batch, ids in zip(BATCHES, IDS, strict=True):
            noise.inputs(batch, draws=DRAWS, ids=ids)

    def theirs() -> None:
        for batch in BATCHES:
            generator.permuted(batch.reshape(256, -1), axis=1)

    name = f"RandomPixels(move={move!r}), 2,560 images of 3x32x32"
    compare(name, ours, theirs, than="NumPy's permuted")


def test_gaussian_pixels(compare: Comparison) -> None:
    generator = np.random.default_rng(0)
    noise = cl.GaussianPixels(mean=0.0, std=1.0)
    batch = np.zeros((256, 3, 32, 32), np.float32)

    def ours() -> None:
        for ids in IDS:
            noise.inputs(batch, draws=DRAWS, ids=ids)

    def theirs() -> None:
        for _ in IDS:
            generator.standard_normal(batch.shape, dtype=np.float32)

    compare(
        "GaussianPixels, 2,560 images of 3x32x32", ours, theirs, than="standard_normal(float32)"
    )


def test_uniform_labels(compare: Comparison) -> None:
    from cleanlab.benchmarking.noise_generation import generate_noisy_labels

    clean = np.arange(IMAGENET) % 10
    noise = cl.UniformLabels(p=0.4)
    matrix = noise.matrix(10).T  # its columns are the true classes
    compare(
        "UniformLabels, 1,281,167 labels of 10 classes",
        lambda: noise.labels(clean, num_classes=10, draws=DRAWS),
        lambda: generate_noisy_labels(clean, matrix),
        than="cleanlab's generate_noisy_labels",
        rounds=5,
    )


def test_items(compare: Comparison) -> None:
    bare = TensorDataset(torch.zeros(2000, 3, 32, 32), torch.arange(2000) % 10)
    noisy = cl.corrupt(bare, cl.UniformLabels(p=0.4))
    at = np.random.default_rng(0).permutation(2000).tolist()
    compare(
        "2,000 items of a label-corrupted TensorDataset",
        lambda: [noisy[i] for i in at],
        lambda: [bare[i] for i in at],
        than="the bare data set",
        rounds=51,
    )
    bare_seconds, noisy_seconds = compare.fastest
    tell(f"  {1e6 * (noisy_seconds - bare_seconds) / 2000:.2f} us more an item, fastest rounds")


def test_batches_of_items(compare: Comparison) -> None:
    bare = TensorDataset(torch.zeros(1920, 3, 32, 32), torch.arange(1920) % 10)
    noisy = cl.corrupt(bare, cl.UniformLabels(p=0.4))
    order = np.random.default_rng(0).permutation(1920).reshape(-1, 128).tolist()
    compare(
        "batches of 128 such items",
        lambda: [noisy.__getitems__(at) for at in order],
        lambda: [[bare[i] for i in at] for at in order],
        than="the bare data set",
        rounds=51,
    )
