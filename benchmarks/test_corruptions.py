"""Corruptions against what people use today."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import corruptlab as cl
from benchmarks._comparing import Compare
from benchmarks._limits import Rates
from benchmarks.conftest import Scale

pytestmark = pytest.mark.usefixtures("cpu_only")

DRAWS = cl.Draws(seed=0)
BATCHES = [
    np.random.default_rng(k).integers(0, 256, (256, 3, 32, 32)).astype(np.uint8) for k in range(10)
]
IDS = [np.arange(256) + 256 * k for k in range(10)]
N = 2560
BYTES = 3 * 32 * 32
IMAGENET = 1_281_167


@pytest.mark.parametrize("move", ["pixels", "values"])
def test_random_pixels(compare: Compare, rates: Rates, scale: Scale, move: Any) -> None:
    """Each image needs a random word for each of its places."""
    generator = np.random.default_rng(0)
    noise = cl.RandomPixels(move=move)

    def ours() -> None:
        for batch, ids in zip(BATCHES, IDS, strict=True):
            noise.inputs(batch, draws=DRAWS, ids=ids)

    def theirs() -> None:
        for batch in BATCHES:
            generator.permuted(batch.reshape(256, -1), axis=1)

    places = BYTES if move == "values" else BYTES // 3
    compare(
        f"`RandomPixels(move={move!r})`, 2,560 images of 3x32x32",
        ours,
        theirs,
        than="NumPy's `Generator.permuted`",
        rounds=scale(3, 7),
        limit=rates.limit(words=N * places, moved=2 * N * BYTES),
    )
    moved = noise.inputs(BATCHES[0], draws=DRAWS, ids=IDS[0])
    assert np.array_equal(np.sort(moved, axis=None), np.sort(BATCHES[0], axis=None))


def test_gaussian_pixels(compare: Compare, rates: Rates, scale: Scale) -> None:
    """Two numbers from each random word."""
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
        "`GaussianPixels`, 2,560 images of 3x32x32",
        ours,
        theirs,
        than="`standard_normal(dtype=float32)`",
        rounds=scale(3, 7),
        limit=rates.limit(words=N * BYTES / 2, moved=N * BYTES * 4),
    )
    drawn = noise.inputs(batch, draws=DRAWS, ids=IDS[0])
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01


@pytest.mark.parametrize("pool", ["position", "overall"])
def test_resampled_values(compare: Compare, rates: Rates, scale: Scale, pool: Any) -> None:
    """Tokens; two draws from each random word."""
    generator = np.random.default_rng(0)
    tokens = generator.integers(0, 30_000, (scale(5_000, 50_000), 64))
    noise = cl.ResampledValues(pool=pool).estimated([tokens])
    columns = np.ascontiguousarray(tokens.T)

    def theirs() -> None:
        if pool == "overall":
            generator.choice(tokens.reshape(-1), tokens.shape)
        else:
            np.stack([generator.choice(column, len(tokens)) for column in columns], axis=1)

    compare(
        f"`ResampledValues(pool={pool!r})`, {len(tokens):,} rows of 64 tokens",
        lambda: noise.inputs(tokens, draws=DRAWS),
        theirs,
        than="NumPy's `Generator.choice`",
        rounds=scale(3, 7),
        limit=rates.limit(words=tokens.size / 2, moved=2 * tokens.nbytes),
    )
    assert np.isin(noise.inputs(tokens[:100], draws=DRAWS), tokens).all()


def test_masked_positions(compare: Compare, rates: Rates, scale: Scale) -> None:
    """Words for all positions, also for those that stay."""
    generator = np.random.default_rng(0)
    tokens = generator.integers(0, 30_000, (scale(5_000, 50_000), 64))
    where = np.arange(64) < 48  # the rest is padding
    noise = cl.RandomPixels(where=where)

    def theirs() -> None:
        moved = tokens.copy()
        moved[:, where] = generator.permuted(tokens[:, where], axis=1)

    compare(
        f"`RandomPixels(where=)`, {len(tokens):,} rows of 48 tokens and 16 of padding",
        lambda: noise.inputs(tokens, draws=DRAWS),
        theirs,
        than="NumPy's `Generator.permuted` of the tokens",
        rounds=scale(3, 7),
        limit=rates.limit(words=tokens.size, moved=4 * tokens.nbytes),
    )
    assert np.array_equal(noise.inputs(tokens[:9], draws=DRAWS)[:, 48:], tokens[:9, 48:])


def test_uniform_labels(compare: Compare, rates: Rates, scale: Scale) -> None:
    """Two random words for each label, and both redraw as many."""
    generation = pytest.importorskip("cleanlab.benchmarking.noise_generation")
    clean = np.arange(scale(100_000, IMAGENET)) % 10
    noise = cl.UniformLabels(p=0.4)
    matrix = noise.matrix(10).T  # its columns are the true classes
    found = {}

    def ours() -> None:
        found["ours"] = noise.labels(clean, num_classes=10, draws=DRAWS)

    def theirs() -> None:
        found["theirs"] = generation.generate_noisy_labels(clean, matrix)

    compare(
        f"`UniformLabels`, {len(clean):,} labels of 10 classes",
        ours,
        theirs,
        than="cleanlab's `generate_noisy_labels`",
        rounds=5,
        limit=rates.limit(words=2 * len(clean), moved=2 * clean.nbytes),
    )
    for labels in found.values():
        assert abs((labels != clean).mean() - 0.36) < 0.01


def test_items(compare: Compare) -> None:
    bare = TensorDataset(torch.zeros(2000, 3, 32, 32), torch.arange(2000) % 10)
    noisy = cl.corrupt(bare, cl.UniformLabels(p=0.4))
    at = np.random.default_rng(0).permutation(2000).tolist()
    found = compare(
        "2,000 items of a label-corrupted `TensorDataset`",
        lambda: [noisy[i] for i in at],
        lambda: [bare[i] for i in at],
        than="the bare data set",
        part=True,
        rounds=51,
    )
    bare_seconds, noisy_seconds = found.fastest
    found.note(f"{1e6 * (noisy_seconds - bare_seconds) / 2000:.2f} us more an item, fastest rounds")


def test_batches_of_items(compare: Compare) -> None:
    bare = TensorDataset(torch.zeros(1920, 3, 32, 32), torch.arange(1920) % 10)
    noisy = cl.corrupt(bare, cl.UniformLabels(p=0.4))
    order = np.random.default_rng(0).permutation(1920).reshape(-1, 128).tolist()
    compare(
        "batches of 128 such items",
        lambda: [noisy.__getitems__(at) for at in order],
        lambda: [[bare[i] for i in at] for at in order],
        than="the bare data set",
        part=True,
        rounds=51,
    )


@pytest.mark.parametrize("kind", ["array", "objects", "list"])
@pytest.mark.parametrize("classes", [10, 1000])
def test_names_of_classes(compare: Compare, scale: Scale, kind: str, classes: int) -> None:
    """Names are numbered first."""
    numbers = np.random.default_rng(0).integers(0, classes, scale(1_000_000, 10_000_000))
    texts = np.array([f"class {k:03}" for k in range(classes)])
    names: Any = (texts.astype(object) if kind == "objects" else texts)[numbers]
    integers: Any = numbers
    if kind == "list":
        names, integers = names.tolist(), numbers.tolist()
    inputs = np.zeros((len(numbers), 1), np.uint8)
    found = {}

    def wrapped(what: str, labels: Any) -> None:
        found[what] = cl.corrupt(inputs, cl.UniformLabels(p=0.4), targets=labels).targets

    compare(
        f"`corrupt` with {len(numbers):,} names of {classes:,} classes, {kind}",
        lambda: wrapped("ours", names),
        lambda: wrapped("theirs", integers),
        than=f"integers, {'list' if kind == 'list' else 'array'}",
        rounds=scale(5, 7),
    )
    assert np.array_equal(found["ours"], found["theirs"])
