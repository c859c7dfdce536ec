"""The table of `docs/howto/noisy-labels.md`: which of our noises is which public code's.

Each public definition is written here again, from its description, with a generator of its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

import corruptlab as cl

Labels = NDArray[np.int64]
Definition = Callable[[Labels, np.random.Generator], Labels]

N, K, RATE = 600, 10, 0.4
CLEAN: Labels = np.arange(N) % K
REPEATS = 300
SIMILAR = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}  # truck, bird, deer, cat, dog


def anew_with_probability(clean: Labels, rng: np.random.Generator) -> Labels:
    """Each label by itself, with this probability, becomes any class."""
    redrawn = rng.random(len(clean)) <= RATE
    return np.where(redrawn, rng.integers(0, K, len(clean)), clean)


def anew_in_a_fixed_share(clean: Labels, rng: np.random.Generator) -> Labels:
    """The first labels of a random order, a fixed share of all, become any class."""
    noisy = clean.copy()
    chosen = rng.permutation(len(clean))[: int(RATE * len(clean))]
    noisy[chosen] = rng.integers(0, K, len(chosen))
    return noisy


def similar_in_a_fixed_share(clean: Labels, rng: np.random.Generator) -> Labels:
    """A fixed share of all labels moves, those that have a similar class."""
    noisy = clean.copy()
    for i in rng.permutation(len(clean))[: int(RATE * len(clean))]:
        noisy[i] = SIMILAR.get(int(clean[i]), clean[i])
    return noisy


def similar_class_after_class(clean: Labels, rng: np.random.Generator) -> Labels:
    """A share of each class moves, counting those that came from a class before."""
    noisy = clean.copy()
    for label in range(K):
        members = rng.permutation(np.flatnonzero(noisy == label))
        moved = members[: int(np.ceil(RATE * len(members)))]
        noisy[moved] = SIMILAR.get(label, label)
    return noisy


def by_matrix(matrix: NDArray[np.float64]) -> Definition:
    """Each label is drawn from the row of its class."""

    def define(clean: Labels, rng: np.random.Generator) -> Labels:
        steps = matrix.cumsum(axis=1)[clean]
        drawn: Labels = (rng.random((len(clean), 1)) > steps).sum(axis=1)
        return drawn.clip(max=len(matrix) - 1)

    return define


def to_others() -> NDArray[np.float64]:
    return np.where(np.eye(K) > 0, 1 - RATE, RATE / (K - 1))


def to_next(k: int = K, block: int = K) -> NDArray[np.float64]:
    """Return the matrix of moves to the next class of a block, in a circle."""
    matrix = (1 - RATE) * np.eye(k)
    for c in range(k):
        matrix[c, c // block * block + (c + 1) % block] += RATE
    return matrix


def class_after_class() -> NDArray[np.float64]:
    """Return the matrix that flips in sequence come to: cats that became dogs may turn back."""
    matrix = cl.AsymmetricLabels(classes="cifar10", rate=RATE).matrix(K)
    matrix[3, [3, 5]] = 1 - RATE + RATE**2, RATE * (1 - RATE)
    return matrix


# The public code, our noise, and whether the number of changed labels has the same law, too.
TABLE: Mapping[str, tuple[Definition, Any, bool]] = {
    "fitting-random-labels": (anew_with_probability, cl.UniformLabels(p=RATE), True),
    "DivideMix, ELR: symmetric": (
        anew_in_a_fixed_share,
        cl.UniformLabels(p=RATE, drawing="exact"),
        True,
    ),
    "DivideMix: asymmetric": (
        similar_in_a_fixed_share,
        cl.AsymmetricLabels(classes="cifar10", rate=RATE),
        False,
    ),
    "ELR: asymmetric": (
        similar_class_after_class,
        cl.TransitionLabels(class_after_class()),
        False,
    ),
    "Co-teaching, T-Revision: symmetric": (
        by_matrix(to_others()),
        cl.SymmetricLabels(rate=RATE),
        True,
    ),
    "Co-teaching, T-Revision: pair flip": (
        by_matrix(to_next()),
        cl.PairFlipLabels(rate=RATE),
        True,
    ),
}


def theirs(define: Definition) -> list[Labels]:
    return [define(CLEAN, np.random.default_rng(seed)) for seed in range(REPEATS)]


def ours(noise: Any) -> list[Labels]:
    return [noise.labels(CLEAN, num_classes=K, draws=cl.Draws(seed)) for seed in range(REPEATS)]


def counts(noisy: list[Labels]) -> list[int]:
    return [int((labels != CLEAN).sum()) for labels in noisy]


def matrix_fits(noisy: list[Labels], matrix: NDArray[np.float64]) -> bool:
    """Test the classes that each class went to, all repetitions together."""
    together = np.concatenate(noisy)
    for label in range(K):
        found = np.bincount(together[np.tile(CLEAN, REPEATS) == label], minlength=K)
        possible = matrix[label] > 0
        if found[~possible].any():
            return False
        if possible.sum() > 1:
            expected = matrix[label][possible] * found.sum()
            if stats.chisquare(found[possible], expected).pvalue <= 1e-4 / K:
                return False
    return True


@pytest.mark.parametrize("name", TABLE)
def test_public_code_and_ours_follow_one_matrix(name: str) -> None:
    define, noise, _ = TABLE[name]
    matrix = noise.matrix(K)
    assert matrix_fits(theirs(define), matrix)
    assert matrix_fits(ours(noise), matrix)


@pytest.mark.parametrize("name", TABLE)
def test_numbers_of_changed_labels_agree_where_the_table_says_so(name: str) -> None:
    define, noise, same = TABLE[name]
    one, two = counts(theirs(define)), counts(ours(noise))
    if same:
        assert stats.ks_2samp(one, two).pvalue > 1e-4
    else:  # the same mean, and they spread less
        assert stats.levene(one, two).pvalue < 1e-4
        assert np.var(one) < np.var(two)


def test_what_the_table_tells_apart_differs() -> None:
    symmetric = theirs(anew_in_a_fixed_share)
    assert not matrix_fits(symmetric, cl.SymmetricLabels(rate=RATE).matrix(K))
    independent = counts(ours(cl.UniformLabels(p=RATE)))
    assert stats.ks_2samp(counts(symmetric), independent).pvalue < 1e-4
    in_sequence = theirs(similar_class_after_class)
    assert not matrix_fits(in_sequence, cl.AsymmetricLabels(classes="cifar10", rate=RATE).matrix(K))


def test_elr_s_noise_on_cifar100_moves_inside_blocks() -> None:
    noise = cl.AsymmetricLabels(classes="cifar100_block", rate=RATE)
    np.testing.assert_allclose(noise.matrix(100), to_next(100, 5))
