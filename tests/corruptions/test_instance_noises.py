"""Noise that depends on the input, against loops written from the papers."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest, kstest, truncnorm
from torch.utils.data import Subset

from corruptlab import Draws, InstanceDependentLabels, PMDLabels, ShuffledPixels, corrupt

from .cases import Array, Labels, images, tensors

CLEAN = np.arange(60) % 10
IDS = np.arange(60)
CHW = images().numpy()


def known(rate: float = 0.4) -> InstanceDependentLabels:
    return InstanceDependentLabels(rate=rate).estimated([CHW])


def naive_law(x: Array, y: int, q: float, projections: Array) -> Array:
    """Algorithm 2 of Xia et al. 2020 for one example, on plain numbers."""
    a = x @ projections[y]
    a[y] = -np.inf
    e = np.exp(a - a.max())
    p = q * e / e.sum()
    p[y] = 1 - q
    return np.asarray(p)


def test_law_equals_the_papers_algorithm() -> None:
    draws = Draws(2)
    wide = CHW.astype(np.float64)
    x = (wide - wide.mean((0, 2, 3), keepdims=True)) / wide.std((0, 2, 3), keepdims=True)
    stream = "instance_dependent_labels/projection"
    projections = draws.normals(stream, range(10), 90 * 10).reshape(10, 90, 10)
    u = draws.uniform("instance_dependent_labels/rate", IDS)
    q = truncnorm(-4, 6, loc=0.4, scale=0.1).ppf(u)
    law = known().probabilities(CHW, CLEAN, num_classes=10, draws=draws, ids=IDS)
    for i in IDS:
        expected = naive_law(x[i].ravel(), CLEAN[i], q[i], projections.astype(np.float64))
        assert_allclose(law[i], expected, atol=1e-9)
    assert_allclose(law.sum(axis=1), 1)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_flip_rates_follow_the_truncated_normal_law(rate: float) -> None:
    law = truncnorm(-rate / 0.1, (1 - rate) / 0.1, loc=rate, scale=0.1)
    q = InstanceDependentLabels(rate=rate)._flip_rates(Draws(0), np.arange(20_000))
    assert kstest(q, law.cdf).pvalue > 1e-4
    assert abs(q.mean() - law.mean()) < 0.003


def test_small_rates_realize_as_more_than_they_say() -> None:
    q = InstanceDependentLabels(rate=0.1)._flip_rates(Draws(0), np.arange(100_000))
    assert abs(q.mean() - 0.129) < 0.001


def test_labels_are_drawn_from_the_law() -> None:
    draws = Draws(3)
    ids = np.arange(30_000)
    x, y = CHW[ids % 60], CLEAN[ids % 60]
    law = known().probabilities(x, y, num_classes=10, draws=draws, ids=ids)
    new = known().labels_for(x, y, num_classes=10, draws=draws, ids=ids)
    changed = int((new != y).sum())
    assert abs(changed - (1 - law[ids, y]).sum()) < 4 * np.sqrt(30_000 / 4)
    favourite = np.argsort(law, axis=1)[:, -2:]
    share = law[ids[:, None], favourite].sum()
    hits = int((new[:, None] == favourite).sum())
    assert binomtest(hits, 30_000, min(1, share / 30_000)).pvalue > 1e-6


def test_the_wrapper_estimates_the_moments_and_draws_the_same() -> None:
    wrapped = corrupt(tensors(), InstanceDependentLabels(rate=0.4), seed=2)
    assert wrapped.corruptions == (known(),)
    expected = known().labels_for(CHW, CLEAN, num_classes=10, draws=Draws(2))
    assert_array_equal(wrapped.targets, expected)
    assert wrapped.realized_rate > 0.2


def test_noise_follows_the_example_once_the_moments_are_given() -> None:
    picked = [5, 59, 5, 0]
    cut = corrupt(Subset(tensors(), picked), known(), seed=2)
    assert_array_equal(cut.targets, corrupt(tensors(), known(), seed=2).targets[picked])


def test_the_inputs_are_those_that_arrive() -> None:
    shuffled = ShuffledPixels().inputs(CHW, draws=Draws(2))
    expected = known().labels_for(shuffled, CLEAN, num_classes=10, draws=Draws(2))
    wrapped = corrupt(tensors(), ShuffledPixels(), known(), seed=2)
    assert_array_equal(wrapped.targets, expected)
    before = corrupt(tensors(), known(), ShuffledPixels(), seed=2)
    assert_array_equal(before.targets, corrupt(tensors(), known(), seed=2).targets)


def test_equal_inputs_lean_to_equal_classes() -> None:
    x = np.repeat(CHW[:1], 4000, axis=0)
    y: Labels = np.zeros(4000, np.int64)
    new = known(0.5).labels_for(x, y, num_classes=10, draws=Draws(1))
    counts = np.sort(np.bincount(new[new != 0], minlength=10))
    assert counts[-2:].sum() > 0.9 * counts.sum()


ETA = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.0, 0.0, 1.0], [0.4, 0.4, 0.2]])


@pytest.mark.parametrize(
    ("kind", "polynomial"),
    [
        ("I", lambda m: -0.5 * m**2 + 0.5),
        ("II", lambda m: 1 - m**3),
        ("III", lambda m: 1 - (m**3 + m**2 + m) / 3),
    ],
)
def test_pmd_rates_equal_the_papers_polynomials(kind: Any, polynomial: Any) -> None:
    u, s, tau = PMDLabels(ETA, kind=kind).flip_rates(np.arange(4))
    assert u.tolist() == [0, 2, 2, 0]
    assert s.tolist() == [1, 0, 0, 1]
    assert_allclose(tau, [polynomial(m) for m in (0.2, 0.7, 1.0, 0.0)])


def test_pmd_flips_at_its_rate_and_only_from_the_likeliest_to_the_second() -> None:
    ids = np.arange(20_000)
    eta = ETA[ids % 4]
    clean = ids % 3
    noise = PMDLabels(eta, kind="I")
    new = noise.labels(clean, num_classes=3, draws=Draws(0))
    u, s, tau = noise.flip_rates(ids)
    changed = new != clean
    assert (clean[changed] == u[changed]).all()
    assert (new[changed] == s[changed]).all()
    for row in range(4):
        able = (clean == u) & (ids % 4 == row)
        assert binomtest(int(changed[able].sum()), int(able.sum()), tau[row]).pvalue > 1e-4


def test_pmd_follows_the_example() -> None:
    noise = PMDLabels(ETA, kind="I")
    whole = noise.labels(np.array([0, 2, 2, 0]), num_classes=3, draws=Draws(0))
    part = noise.labels(np.array([0, 2]), num_classes=3, draws=Draws(0), ids=[3, 1])
    assert part.tolist() == whole[[3, 1]].tolist()


BAD: list[tuple[Any, str]] = [
    (lambda: InstanceDependentLabels(rate=2), r"^`rate` must lie in \[0, 1\], got 2\.$"),
    (
        lambda: InstanceDependentLabels(rate=0.1, mean=(1.0,)),
        r"^`mean` and `std` must be given together, or neither, got mean=\(1\.0,\) and std=None\.$",
    ),
    (
        lambda: InstanceDependentLabels(rate=0.1, mean=(1.0,), std=(0.0,)),
        r"^`std` must be finite and above 0 for each channel, got \(0\.0,\)\.$",
    ),
    (
        lambda: InstanceDependentLabels(rate=0.1, mean=(np.inf,), std=(1.0,)),
        r"^`mean` must be finite for each channel, got \(inf,\)\.$",
    ),
    (
        lambda: InstanceDependentLabels(rate=0.1).labels_for(
            CHW, CLEAN, num_classes=10, draws=Draws(0)
        ),
        r"^`mean` and `std` must be known before labels are drawn, got None; ",
    ),
    (
        lambda: InstanceDependentLabels(rate=0.1, mean=(1.0,), std=(1.0,)).labels_for(
            CHW, CLEAN, num_classes=10, draws=Draws(0)
        ),
        r"^`mean` must hold 3 numbers, one for each channel, got 1\.$",
    ),
    (
        lambda: known().labels_for(CHW[:5], CLEAN, num_classes=10, draws=Draws(0)),
        r"^`inputs` must hold 60 examples, got 5\.$",
    ),
    (
        lambda: known().labels_for(CHW, CLEAN * 0, num_classes=1, draws=Draws(0)),
        r"^`num_classes` must be at least 2, got 1\.$",
    ),
    (
        lambda: InstanceDependentLabels(rate=0.1, mean=(0.0,), std=(1.0,)).labels_for(
            np.full((1, 4), np.nan), CLEAN[:1], num_classes=10, draws=Draws(0)
        ),
        r"^`inputs` must be finite, got NaN or infinity\.$",
    ),
    (
        lambda: InstanceDependentLabels(rate=0.1, mean=(0.0,), std=(1.0,)).labels_for(
            np.zeros((1, 150_528), np.uint8), CLEAN[:1], num_classes=1000, draws=Draws(0)
        ),
        r"^`inputs` must be small enough for projections of 1 GiB, got 150528 values an example ",
    ),
    (
        lambda: PMDLabels(ETA, kind="IV"),  # type: ignore[arg-type]
        r"^`kind` must be 'I', 'II', or 'III', got 'IV'\.$",
    ),
    (lambda: PMDLabels(ETA[0], kind="I"), r"^`eta` must hold a row .* got shape \(3,\)\.$"),
    (
        lambda: PMDLabels(2 * ETA, kind="I"),
        r"^`eta` must have rows of .* \[1\. .* in row 0",
    ),
    (lambda: PMDLabels(ETA * np.nan, kind="I"), r"^`eta` must have rows of probabilities .* row 0"),
    (
        lambda: corrupt(tensors(), PMDLabels(np.eye(10), kind="I")),
        r"^`eta` must have a row for every example, got 10 rows and example 59\.$",
    ),
    (
        lambda: corrupt(tensors(), PMDLabels(ETA[IDS % 4], kind="I")),
        r"^`eta` must have 10 columns, one for each class, got 3\.$",
    ),
]


@pytest.mark.parametrize(("act", "message"), BAD)
def test_bad_arguments_are_quoted(act: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        act()
