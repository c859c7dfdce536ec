"""Laws that hold for every label noise drawn by a transition matrix."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare

from corruptlab import (
    AsymmetricLabels,
    Draws,
    PairFlipLabels,
    RandomLabels,
    SymmetricLabels,
    TransitionLabels,
    UniformLabels,
)
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._transition_labels import _elsewhere

from .cases import CLEAN, N

MATRIX = np.array(
    [[0.7, 0.3, 0, 0, 0, 0, 0, 0, 0, 0], [0.1] * 10, *np.eye(10)[[2, 3, 4, 5, 6, 7, 8, 0]]]
)
KINDS: dict[str, Any] = {
    "uniform": lambda r, **drawing: UniformLabels(p=r, **drawing),
    "symmetric": lambda r, **drawing: SymmetricLabels(rate=r, **drawing),
    "pair flip": lambda r, **drawing: PairFlipLabels(rate=r, **drawing),
    "asymmetric": lambda r, **drawing: AsymmetricLabels(classes="cifar10", rate=r, **drawing),
    "transition": lambda r, **drawing: TransitionLabels(
        r * MATRIX + (1 - r) * np.eye(10), **drawing
    ),
}
GOLDEN = {
    "uniform": "07514364431783825789",
    "symmetric": "75747651425253426585",
    "pair flip": "12335678901234567790",
    "asymmetric": "01237367810105736781",
    "transition": "06234567890023456780",
}
EVERY = pytest.mark.parametrize("kind", KINDS)
DRAWINGS = pytest.mark.parametrize("drawing", ["independent", "exact", "exact_per_class"])


def noisy(noise: Any, *, seed: int = 0, ids: Ids | None = None) -> Labels:
    ids = np.arange(N) if ids is None else ids
    new: Labels = noise.labels(CLEAN[ids % N], num_classes=10, ids=ids, draws=Draws(seed))
    return new


@EVERY
def test_rows_of_the_matrix_are_the_law_of_each_class(kind: str) -> None:
    noise = KINDS[kind](0.6)
    new, matrix = noisy(noise), noise.matrix(10)
    assert_allclose(matrix.sum(axis=1), 1)
    for c in range(10):
        counts = np.bincount(new[c == CLEAN], minlength=10)
        possible = matrix[c] > 0
        assert not counts[~possible].any()
        if possible.sum() > 1:
            assert chisquare(counts[possible], 2000 * matrix[c][possible]).pvalue > 1e-4


@EVERY
@DRAWINGS
def test_rate_zero_is_the_identity(kind: str, drawing: str) -> None:
    assert_array_equal(noisy(KINDS[kind](0.0, drawing=drawing)), CLEAN)


@EVERY
@DRAWINGS
@given(st.integers(0, 10**9), st.floats(0, 1), st.floats(0, 1))
def test_smaller_rates_hit_a_subset_and_to_the_same_classes(
    kind: str, drawing: str, seed: int, one: float, two: float
) -> None:
    ids = np.arange(500)
    few, many = (
        noisy(KINDS[kind](rate, drawing=drawing), seed=seed, ids=ids) for rate in sorted([one, two])
    )
    changed = few != CLEAN[ids]
    assert_array_equal(few[changed], many[changed])


@EVERY
@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=40))
def test_noise_follows_the_example_in_any_order_and_batch(
    kind: str, seed: int, numbers: list[int]
) -> None:
    noise = KINDS[kind](0.7)
    ids = np.array(numbers)
    together = noisy(noise, seed=seed, ids=ids)
    alone = [noisy(noise, seed=seed, ids=ids[i : i + 1])[0] for i in range(len(ids))]
    assert together.tolist() == alone


@EVERY
def test_equal_seeds_agree_and_different_ones_differ(kind: str) -> None:
    noise = KINDS[kind](0.5)
    assert_array_equal(noisy(noise, seed=3), noisy(noise, seed=3))
    assert (noisy(noise, seed=3) != noisy(noise, seed=4)).mean() > 0.1


@EVERY
def test_kinds_draw_independently_of_each_other(kind: str) -> None:
    changed = noisy(KINDS[kind](0.5)) != CLEAN
    moving = changed.reshape(-1, 10).any(axis=0)
    for other in set(KINDS) - {kind}:
        also = noisy(KINDS[other](0.5)) != CLEAN
        both = moving & also.reshape(-1, 10).any(axis=0)
        a, b = (x.reshape(-1, 10)[:, both].ravel() for x in (changed, also))
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(a)) + 0.15


@EVERY
def test_class_decides_nothing_else(kind: str) -> None:
    noise = KINDS[kind](0.5)
    alone = noise.labels(CLEAN[:50] * 0 + 4, num_classes=10, draws=Draws(0))
    mixed = noisy(noise, ids=np.arange(50))
    assert_array_equal(alone[4::10], mixed[4::10])


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.123, 0.5, 1.0])
def test_exact_drawing_changes_exactly_so_many(rate: float) -> None:
    symmetric = SymmetricLabels(rate=rate, drawing="exact")
    assert (noisy(symmetric) != CLEAN).sum() == round(rate * N)
    paired = PairFlipLabels(rate=rate, drawing="exact_per_class")
    assert_array_equal(np.bincount(CLEAN[noisy(paired) != CLEAN], minlength=10), round(rate * 2000))
    half = AsymmetricLabels(classes="cifar10", rate=rate, drawing="exact")
    assert (noisy(half) != CLEAN).sum() == round(rate * N / 2)


def test_exact_drawing_keeps_small_rates_with_many_classes() -> None:
    clean = np.arange(1000) % 100
    noise = SymmetricLabels(rate=0.1, drawing="exact_per_class")
    changed = noise.labels(clean, num_classes=100, draws=Draws(0)) != clean
    assert_array_equal(np.bincount(clean[changed], minlength=100), 1)


def test_exact_transition_hits_classes_in_proportion_to_their_rates() -> None:
    noise = TransitionLabels(MATRIX, drawing="exact")
    changed = noisy(noise) != CLEAN
    assert changed.sum() == round(2000 * (1 - np.diag(MATRIX)).sum())
    per_class = TransitionLabels(MATRIX, drawing="exact_per_class")
    counts = np.bincount(CLEAN[noisy(per_class) != CLEAN], minlength=10)
    assert_array_equal(counts, np.round(2000 * (1 - np.diag(MATRIX))).astype(int))


def test_uniform_and_symmetric_are_one_law_at_the_stated_rates() -> None:
    assert_allclose(UniformLabels(p=0.3 * 10 / 9).matrix(10), SymmetricLabels(rate=0.3).matrix(10))
    assert_allclose(RandomLabels().matrix(10), np.full((10, 10), 0.1))


def test_random_labels_law_is_that_of_uniform_at_one() -> None:
    assert_allclose(RandomLabels().matrix(7), UniformLabels(p=1).matrix(7))


def test_asymmetric_maps_are_those_of_the_papers() -> None:
    ten = np.arange(10)
    cifar = AsymmetricLabels(classes="cifar10", rate=1.0)
    assert cifar.labels(ten, num_classes=10, draws=Draws(0)).tolist() == [
        0, 1, 0, 5, 7, 3, 6, 7, 8, 1,
    ]  # fmt: skip
    mnist = AsymmetricLabels(classes="mnist", rate=1.0)
    assert mnist.labels(ten, num_classes=10, draws=Draws(0)).tolist() == [
        0, 1, 7, 8, 4, 6, 5, 1, 8, 9,
    ]  # fmt: skip


def cifar100(name: Any, seed: int = 0) -> Labels:
    noise = AsymmetricLabels(classes=name, rate=1.0)
    return noise.labels(np.arange(100), num_classes=100, draws=Draws(seed))


def test_cifar100_superclass_moves_in_circles_of_five() -> None:
    target = cifar100("cifar100_superclass")
    assert_array_equal(np.sort(target), np.arange(100))
    walk = np.arange(100)
    for step in range(1, 6):
        walk = target[walk]
        assert (walk == np.arange(100)).all() == (step == 5)
    # aquatic mammals: beaver 4, dolphin 30, otter 55, seal 72, whale 95
    assert target[[4, 30, 55, 72, 95]].tolist() == [30, 55, 72, 95, 4]
    # large carnivores: bear 3, leopard 42, lion 43, tiger 88, wolf 97
    assert target[[3, 42, 43, 88, 97]].tolist() == [42, 43, 88, 97, 3]


def test_cifar100_block_hardly_ever_stays_in_the_superclass() -> None:
    block, superclass = cifar100("cifar100_block"), cifar100("cifar100_superclass")
    assert block[:6].tolist() == [1, 2, 3, 4, 0, 6]
    circle = [superclass]
    for _ in range(3):
        circle.append(superclass[circle[-1]])
    assert (np.array(circle) == block).any(axis=0).sum() == 6


def test_cifar100_pair_exchanges_two_classes_of_each_superclass() -> None:
    target = cifar100("cifar100_pair")
    moved = np.flatnonzero(target != np.arange(100))
    assert len(moved) == 40
    assert_array_equal(target[target], np.arange(100))
    superclass = cifar100("cifar100_superclass")
    circle = superclass[np.arange(100)]
    same = circle == target
    for _ in range(3):
        circle = superclass[circle]
        same |= circle == target
    assert same[moved].all()
    assert (cifar100("cifar100_pair", seed=1) != target).any()


def test_flips_never_cascade() -> None:
    new = noisy(AsymmetricLabels(classes="cifar10", rate=1.0))
    assert (new[CLEAN == 3] == 5).all()
    assert (new[CLEAN == 5] == 3).all()


BAD: list[tuple[Any, str]] = [
    (lambda: SymmetricLabels(rate=1.1), r"^`rate` must lie in \[0, 1\], got 1\.1\.$"),
    (lambda: PairFlipLabels(rate=-0.1), r"^`rate` must lie in \[0, 1\], got -0\.1\.$"),
    (
        lambda: AsymmetricLabels(classes="cifar10", rate=float("nan")),
        r"^`rate` must lie in \[0, 1\], got nan\.$",
    ),
    (
        lambda: UniformLabels(p=0.1, drawing="twice"),  # type: ignore[arg-type]
        r"^`drawing` must be 'independent', 'exact', or 'exact_per_class', got 'twice'\.$",
    ),
    (
        lambda: AsymmetricLabels(classes="cifar", rate=0.1),  # type: ignore[arg-type]
        r"^`classes` must be one of 'cifar10', 'mnist', .*, got 'cifar'\.$",
    ),
    (lambda: cifar100_on_ten(), r"^`num_classes` must be 100 for classes='cifar100_block', got 10"),
    (
        lambda: SymmetricLabels(rate=0.1).labels(CLEAN * 0, num_classes=1, draws=Draws(0)),
        r"^`num_classes` must be at least 2 for another class, got 1\.$",
    ),
    (
        lambda: TransitionLabels([[1.0, 0.0]]),
        r"^`transition` must be a square .* got shape \(1, 2\)",
    ),
    (
        lambda: TransitionLabels([[1.5, -0.5], [0.0, 1.0]]),
        r"^`transition` must hold .* got 1\.5 at \(0, 0",
    ),
    (
        lambda: TransitionLabels([[np.nan, 1.0], [0.0, 1.0]]),
        r"^`transition` must hold .* got nan at \(0, 0",
    ),
    (
        lambda: TransitionLabels([[1.0, 0.0], [0.5, 0.4]]),
        r"^`transition` must have rows that sum to 1, got 0\.9 for row 1\.$",
    ),
    (
        lambda: noisy(TransitionLabels(np.eye(3))),
        r"^`transition` must have 10 rows, one for each class, got 3\.$",
    ),
]


def cifar100_on_ten() -> Labels:
    return noisy(AsymmetricLabels(classes="cifar100_block", rate=0.1))


@pytest.mark.parametrize(("act", "message"), BAD)
def test_bad_arguments_are_quoted(act: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        act()


@EVERY
def test_golden_labels_hold(kind: str) -> None:
    assert "".join(map(str, noisy(KINDS[kind](0.8))[:20])) == GOLDEN[kind]


def test_a_class_of_probability_zero_is_not_met_at_the_ends_of_the_uniform_law() -> None:
    matrix = np.array([[0.5, 0.0, 0.5, 0.0]] + [[0.0, 0.0, 1.0, 0.0]] * 3)
    at_the_ends = _elsewhere(matrix, np.array([0, 0, 1, 1]), np.array([0.0, 1 - 2**-53] * 2))
    assert at_the_ends.tolist() == [2, 2, 2, 2]
