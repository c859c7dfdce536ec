"""Exact limits on a probability: against their definition, SciPy, and exact coverage."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from corruptlab.capacity._clopper_pearson import clopper_pearson

CASES = [(hits, trials) for trials in (1, 2, 10, 137) for hits in {0, 1, trials // 2, trials}]


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
