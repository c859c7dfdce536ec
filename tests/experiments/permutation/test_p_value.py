"""p-values that are exact, and limits that hold."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binom, binomtest, nbinom

from corruptlab.experiments.permutation._p_value import PValue, at_least_as_good


def test_no_p_value_is_zero() -> None:
    assert PValue(0, 199).value == 1 / 200
    assert PValue(199, 199).value == 1.0
    assert PValue(4, 99).value == 0.05


def test_a_tie_counts_even_if_rounding_hides_it() -> None:
    null = np.array([0.3, 0.1 + 0.2, 0.2, 0.3 - 1e-12, 0.3 - 1e-6])
    assert at_least_as_good(null, 0.1 + 0.2).tolist() == [True, True, False, True, False]


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e12])
def test_ties_do_not_depend_on_the_unit(unit: float) -> None:
    null = unit * np.array([-2.0, -1.0, -1.0 - 1e-10, -1.0 - 1e-6, 0.0])
    assert at_least_as_good(null, -unit).tolist() == [False, True, True, False, True]


def test_around_zero_rounding_counts_as_a_tie() -> None:
    null = np.array([0.0, -1e-16, -1e-12])
    assert at_least_as_good(null, 0.1 + 0.2 - 0.3).tolist() == [True, True, False]


@pytest.mark.parametrize("values", [[0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 1, 2], [0, 0, 0, 0, 0, 1]])
def test_under_the_null_a_small_p_value_is_as_rare_as_it_says(values: list[int]) -> None:
    """All ways to choose which of B + 1 exchangeable values is the observed one."""
    levels = []
    for observed, *null in itertools.permutations(values):
        good = int(at_least_as_good(np.array(null, float), observed).sum())
        levels.append(PValue(good, len(null)).value)
    for alpha in np.unique(levels):
        assert np.mean(np.array(levels) <= alpha) <= alpha + 1e-12
    if len(set(values)) == len(values):  # and exactly so without ties
        assert_allclose(
            [np.mean(np.array(levels) <= k / 6) for k in range(1, 7)], np.arange(1, 7) / 6
        )


def test_the_sequential_p_value_is_valid_too() -> None:
    """h = 2 of at most 5: every order of six values without ties."""
    levels = []
    for observed, *null in itertools.permutations(range(6)):
        good = np.cumsum(np.array(null) >= observed)
        drawn = int(np.searchsorted(good, 2)) + 1 if good[-1] >= 2 else 5
        levels.append(PValue(int(good[drawn - 1]), drawn, stop_after=2).value)
    for alpha in np.unique(levels):
        assert np.mean(np.array(levels) <= alpha) <= alpha + 1e-12
    assert np.mean(np.array(levels) <= 1 / 3) == pytest.approx(1 / 3)  # 2 / 6 and 1 / 6 are reached


@pytest.mark.parametrize("hits", [0, 1, 7, 20])
def test_limits_are_those_of_clopper_and_pearson(hits: int) -> None:
    theirs = binomtest(hits, 20).proportion_ci(0.9, method="exact")
    assert_allclose(PValue(hits, 20).interval(0.9), theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("p", [0.01, 0.05, 0.2, 0.5, 0.9])
def test_limits_of_a_sequential_test_cover(p: float) -> None:
    """The chance of each outcome, h-th exceedance at draw m or fewer than h in all, added up."""
    h, most, level, inside, total = 4, 60, 0.9, 0.0, 0.0
    outcomes = [(h, m, float(nbinom.pmf(m - h, h, p))) for m in range(h, most + 1)]
    for hits in range(h):
        outcomes.append((hits, most, float(binom.pmf(hits, most, p))))
    for hits, drawn, chance in outcomes:
        low, high = PValue(hits, drawn, stop_after=h).interval(level)
        total += chance
        inside += chance * (low <= p <= high)
    assert total == pytest.approx(1)
    assert inside >= level


def test_a_test_that_stopped_says_so() -> None:
    assert PValue(3, 10, stop_after=3).stopped
    assert PValue(3, 10, stop_after=3).value == 0.3
    assert not PValue(2, 10, stop_after=3).stopped
    assert PValue(2, 10, stop_after=3).value == 3 / 11
    assert PValue(3, 3, stop_after=3).interval(0.95)[1] == 1.0
