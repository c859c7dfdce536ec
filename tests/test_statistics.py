"""Intervals against their definition, SciPy's own, and exact coverage."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.stats import binom, binomtest

from corruptlab._statistics import clopper_pearson, mean_and_half_width, t_quantile

CASES = [(hits, trials) for trials in (1, 2, 10, 137) for hits in {0, 1, trials // 2, trials}]


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("n", [2, 3, 30])
def test_interval_is_that_of_scipy(n: int, confidence: float) -> None:
    values = np.random.default_rng(n).normal(3, 2, n)
    mean, half = mean_and_half_width(values, confidence)
    ends = stats.t.interval(confidence, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert_allclose([mean - half, mean + half], ends, rtol=1e-12)


def test_one_value_has_no_interval_and_missing_ones_show() -> None:
    mean, half = mean_and_half_width([7.0], 0.95)
    assert mean == 7
    assert np.isnan(half)
    assert np.isnan(mean_and_half_width([1.0, float("nan")], 0.95)).all()


def test_quantile_keeps_its_digits_near_confidence_one() -> None:
    # Beside 1, the upper tail's 1 - 2**-54 is no number of 53 bits.
    assert_allclose(t_quantile(1 - 2**-53, 5), stats.t.isf(2**-54, 5), rtol=1e-12)


@pytest.mark.parametrize(("hits", "trials"), CASES)
@pytest.mark.parametrize("confidence", [0.6, 0.95, 0.9999])
def test_each_limit_is_where_the_tail_has_its_chance(
    hits: int, trials: int, confidence: float
) -> None:
    low, high = clopper_pearson(hits, trials, confidence=confidence)
    if hits > 0:
        assert binom.sf(hits - 1, trials, low) == pytest.approx(1 - confidence, rel=1e-9)
    if hits < trials:
        assert binom.cdf(hits, trials, high) == pytest.approx(1 - confidence, rel=1e-9)
    assert (low == 0.0) == (hits == 0)
    assert (high == 1.0) == (hits == trials)


@pytest.mark.parametrize(("hits", "trials"), CASES)
def test_two_limits_are_the_exact_interval_of_scipy(hits: int, trials: int) -> None:
    ours = clopper_pearson(hits, trials, confidence=0.95)
    theirs = binomtest(hits, trials).proportion_ci(confidence_level=0.9, method="exact")
    assert ours == pytest.approx(tuple(theirs), abs=1e-12)


def test_unanimous_trials_have_a_closed_form() -> None:
    assert clopper_pearson(10, 10, confidence=0.95)[0] == pytest.approx(0.05**0.1)
    assert clopper_pearson(0, 10, confidence=0.95)[1] == pytest.approx(1 - 0.05**0.1)


@pytest.mark.parametrize(("hits", "trials"), CASES)
def test_misses_mirror_hits(hits: int, trials: int) -> None:
    low, high = clopper_pearson(hits, trials, confidence=0.9)
    assert clopper_pearson(trials - hits, trials, confidence=0.9) == pytest.approx(
        (1 - high, 1 - low), abs=1e-12
    )


@pytest.mark.parametrize("p", np.linspace(0.01, 0.99, 25))
def test_each_limit_holds_as_often_as_it_says(p: float) -> None:
    limits = [clopper_pearson(hits, 12, confidence=0.9) for hits in range(13)]
    chances = binom.pmf(np.arange(13), 12, p)
    assert sum(c for c, (low, _) in zip(chances, limits, strict=True) if low <= p) >= 0.9 - 1e-12
    assert sum(c for c, (_, high) in zip(chances, limits, strict=True) if p <= high) >= 0.9 - 1e-12
