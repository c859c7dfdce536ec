"""p-values that are exact, and limits that hold."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import ArrayLike
from scipy.stats import binom, binomtest, nbinom

from corruptlab.experiments import PermutationTest

from .problem import points, run

RUN = run(points(20), folds=2)


def found(null: ArrayLike, observed: float = 0.0, **changes: Any) -> PermutationTest:
    """Return a test with that null distribution."""
    return replace(RUN, null=np.array(null, float), observed=observed, **changes)


def counted(hits: int, drawn: int, **changes: Any) -> PermutationTest:
    """Return a test with that many exceedances among the permutations drawn."""
    return found([1.0] * hits + [-1.0] * (drawn - hits), **changes)


def test_no_p_value_is_zero() -> None:
    assert counted(0, 199).p_value == 1 / 200
    assert counted(199, 199).p_value == 1.0
    assert counted(4, 99).p_value == 0.05


def exceed(null: ArrayLike, observed: float) -> list[bool]:
    """Return which permutations count as doing at least as well."""
    return [found([value], observed).exceedances == 1 for value in np.array(null)]


def test_a_tie_counts_even_if_rounding_hides_it() -> None:
    null = [0.3, 0.1 + 0.2, 0.2, 0.3 - 1e-12, 0.3 - 1e-6]
    assert exceed(null, 0.1 + 0.2) == [True, True, False, True, False]


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e12])
def test_ties_do_not_depend_on_the_unit(unit: float) -> None:
    null = unit * np.array([-2.0, -1.0, -1.0 - 1e-10, -1.0 - 1e-6, 0.0])
    assert exceed(null, -unit) == [False, True, True, False, True]


def test_around_zero_rounding_counts_as_a_tie() -> None:
    assert exceed([0.0, -1e-16, -1e-12], 0.1 + 0.2 - 0.3) == [True, True, False]


@pytest.mark.parametrize("values", [[0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 1, 2], [0, 0, 0, 0, 0, 1]])
def test_under_the_null_a_small_p_value_is_as_rare_as_it_says(values: list[int]) -> None:
    """All ways to choose which of B + 1 exchangeable values is the observed one."""
    levels = []
    for observed, *null in itertools.permutations(values):
        levels.append(found(null, observed).p_value)
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
        levels.append(found(null[:drawn], observed, stop_after=2).p_value)
    for alpha in np.unique(levels):
        assert np.mean(np.array(levels) <= alpha) <= alpha + 1e-12
    assert np.mean(np.array(levels) <= 1 / 3) == pytest.approx(1 / 3)  # 2 / 6 and 1 / 6 are reached


@pytest.mark.parametrize("hits", [0, 1, 7, 20])
def test_limits_are_those_of_clopper_and_pearson(hits: int) -> None:
    theirs = binomtest(hits, 20).proportion_ci(0.9, method="exact")
    assert_allclose(counted(hits, 20, confidence=0.9).interval, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("p", [0.01, 0.05, 0.2, 0.5, 0.9])
def test_limits_of_a_sequential_test_cover(p: float) -> None:
    """The chance of each outcome, h-th exceedance at draw m or fewer than h in all, added up."""
    h, most, level, inside, total = 4, 60, 0.9, 0.0, 0.0
    outcomes = [(h, m, float(nbinom.pmf(m - h, h, p))) for m in range(h, most + 1)]
    for hits in range(h):
        outcomes.append((hits, most, float(binom.pmf(hits, most, p))))
    for hits, drawn, chance in outcomes:
        low, high = counted(hits, drawn, stop_after=h, confidence=level).interval
        total += chance
        inside += chance * (low <= p <= high)
    assert total == pytest.approx(1)
    assert inside >= level


def test_a_test_that_stopped_says_so() -> None:
    assert counted(3, 10, stop_after=3).stopped
    assert counted(3, 10, stop_after=3).p_value == 0.3
    assert not counted(2, 10, stop_after=3).stopped
    assert counted(2, 10, stop_after=3).p_value == 3 / 11
    assert counted(3, 3, stop_after=3).interval[1] == 1.0


def test_limits_of_a_test_that_stopped_are_where_exact_tails_are_half_of_what_is_left() -> None:
    """The third exceedance at draw 10: the tails of all draws, and of those before the last."""
    low, high = counted(3, 10, stop_after=3, confidence=0.9).interval
    assert binom.sf(2, 10, low) == pytest.approx(0.05)
    assert binom.cdf(2, 9, high) == pytest.approx(0.05)
