"""Laws of uniform and of random labels."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.stats import binomtest, chisquare

from corruptlab import Draws, RandomLabels, UniformLabels

from .cases import CLEAN, Ids, Labels, N

GOLDEN = [0, 1, 5, 1, 4, 3, 6, 4, 4, 3, 1, 7, 2, 3, 8, 2, 5, 7, 8, 9]


def noisy(p: float = 0.5, *, seed: int = 0, ids: Ids | None = None) -> Labels:
    ids = np.arange(N) if ids is None else ids
    return UniformLabels(p=p).labels(CLEAN[ids], num_classes=10, ids=ids, draws=Draws(seed))


def test_p_zero_is_the_identity() -> None:
    assert_array_equal(noisy(0), CLEAN)


def test_changed_share_follows_the_binomial_law() -> None:
    changed = int((noisy(0.5) != CLEAN).sum())
    assert binomtest(changed, N, 0.5 * (1 - 1 / 10)).pvalue > 1e-4


@pytest.mark.parametrize("cls", range(10))
def test_redrawn_labels_of_each_class_are_uniform(cls: int) -> None:
    counts = np.bincount(noisy(1)[cls == CLEAN], minlength=10)
    assert chisquare(counts).pvalue > 1e-4


def test_redrawing_does_not_depend_on_the_class_drawn() -> None:
    redrawn_to = noisy(1)
    changed = noisy(0.5) != CLEAN
    share = chisquare(np.bincount(redrawn_to[changed], minlength=10)).pvalue
    assert share > 1e-4


def test_smaller_p_changes_a_subset_and_to_the_same_classes() -> None:
    few, many = noisy(0.2), noisy(0.7)
    changed = few != CLEAN
    assert changed.any()
    assert_array_equal(few[changed], many[changed])


def test_noise_follows_the_example_and_not_its_position() -> None:
    picked = np.array([N - 1, 7, 7, 0])
    assert_array_equal(noisy(ids=picked), noisy()[picked])


def test_seed_decides_the_noise() -> None:
    assert_array_equal(noisy(seed=1), noisy(seed=1))
    assert (noisy(seed=1) != noisy(seed=2)).any()


def test_random_labels_are_uniform_labels_at_p_one() -> None:
    random = RandomLabels().labels(CLEAN, num_classes=10, draws=Draws(5))
    assert_array_equal(random, noisy(1, seed=5))


def test_random_labels_do_not_depend_on_the_clean_ones() -> None:
    draws = Draws(0)
    ones = RandomLabels().labels(np.ones_like(CLEAN), num_classes=10, draws=draws)
    assert_array_equal(ones, RandomLabels().labels(CLEAN, num_classes=10, draws=draws))


def test_golden_labels_hold() -> None:
    assert noisy(0.5)[:20].tolist() == GOLDEN


def test_tensors_come_back_as_tensors_of_their_type() -> None:
    clean = torch.tensor([1, 2, 3], dtype=torch.uint8)
    new = UniformLabels(p=1).labels(clean, num_classes=10, draws=Draws(0))
    assert isinstance(new, torch.Tensor)
    assert new.dtype is torch.uint8
    assert clean.tolist() == [1, 2, 3]
    assert new.tolist() == noisy(1)[:3].tolist()


@pytest.mark.parametrize("p", [-0.1, 1.5, math.nan])
def test_p_out_of_range_is_quoted_in_the_error(p: float) -> None:
    with pytest.raises(ValueError, match=rf"^`p` must lie in \[0, 1\], got {p}\.$"):
        UniformLabels(p=p)


@pytest.mark.parametrize(
    ("labels", "kind", "message"),
    [
        ([0, 10], ValueError, r"^`labels` must lie in 0 \.\. 9, got 10 at position 1\.$"),
        ([-1, 0], ValueError, r"^`labels` must lie in 0 \.\. 9, got -1 at position 0\.$"),
        ([0.5], TypeError, r"^`labels` must be one integer class .* got float64 of shape \(1,\); "),
        (
            [[0, 1]],
            TypeError,
            r"^`labels` must be one integer class .* got int64 of shape \(1, 2\)",
        ),
    ],
)
def test_bad_labels_are_quoted(labels: list[int], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        RandomLabels().labels(np.array(labels), num_classes=10, draws=Draws(0))


def test_ids_of_the_wrong_length_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^`ids` must hold one number for each of 2 examples, got "
    ):
        RandomLabels().labels(np.zeros(2, int), num_classes=2, draws=Draws(0), ids=[1, 2, 3])
