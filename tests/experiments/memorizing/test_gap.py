"""Planted against held-out canaries, compared with scipy, with enumeration, and with the law."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from corruptlab.experiments import Fitted, Gap

COUNTS = [(0, 5, 0, 5), (5, 5, 0, 5), (0, 5, 5, 5), (7, 10, 3, 8), (40, 50, 6, 50), (2, 3, 9, 9)]


@pytest.mark.parametrize("counts", COUNTS)
def test_p_value_is_fishers(counts: tuple[int, int, int, int]) -> None:
    right, total, other_right, other_total = counts
    squares = [[right, total - right], [other_right, other_total - other_right]]
    expected = stats.fisher_exact(squares, alternative="greater").pvalue
    found = Gap.of(Fitted(right, total), Fitted(other_right, other_total), confidence=0.95)
    assert found.p_value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("counts", COUNTS[:4])
def test_p_value_is_the_share_of_the_divisions_that_do_as_well(
    counts: tuple[int, int, int, int],
) -> None:
    right, total, other_right, other_total = counts
    fitted = [True] * (right + other_right)
    fitted += [False] * (total + other_total - len(fitted))
    divisions = [sum(some) >= right for some in itertools.combinations(fitted, total)]
    found = Gap.of(Fitted(right, total), Fitted(other_right, other_total), confidence=0.95)
    assert found.p_value == pytest.approx(np.mean(divisions), rel=1e-9)


def test_p_value_of_thousands_of_canaries_is_accurate() -> None:
    found = Gap.of(Fitted(600, 5000), Fitted(500, 5000), confidence=0.95)
    expected = stats.hypergeom.sf(599, 10_000, 1100, 5000)
    assert found.p_value == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize(("n", "m"), [(6, 6), (12, 5)])
def test_interval_covers_the_difference_with_the_stated_probability(
    confidence: float, n: int, m: int
) -> None:
    intervals = {
        (i, j): Gap.of(Fitted(i, n), Fitted(j, m), confidence=confidence).interval
        for i in range(n + 1)
        for j in range(m + 1)
    }
    for p, q in itertools.product(np.linspace(0, 1, 11), repeat=2):
        weights = np.outer(stats.binom.pmf(range(n + 1), n, p), stats.binom.pmf(range(m + 1), m, q))
        covered = sum(
            weights[i, j]
            for (i, j), (low, high) in intervals.items()
            if low - 1e-12 <= p - q <= high + 1e-12
        )
        assert covered >= confidence - 1e-12


def test_interval_is_made_of_four_limits_that_share_the_doubt() -> None:
    found = Gap.of(Fitted(8, 10), Fitted(3, 12), confidence=0.9)
    each = 0.1 / 4
    low = stats.beta.ppf(each, 8, 3) - stats.beta.ppf(1 - each, 4, 9)
    high = stats.beta.ppf(1 - each, 9, 2) - stats.beta.ppf(each, 3, 10)
    assert found.interval == pytest.approx((low, high), rel=1e-9)
    assert found.value == pytest.approx(0.8 - 0.25)


def test_exchanging_the_groups_turns_gap_and_interval_round() -> None:
    one, two = Fitted(8, 10), Fitted(3, 12)
    gap, back = (Gap.of(a, b, confidence=0.9) for a, b in ((one, two), (two, one)))
    assert back.value == -gap.value
    assert back.interval == pytest.approx((-gap.interval[1], -gap.interval[0]))


def test_interval_shrinks_with_less_confidence_and_with_more_canaries() -> None:
    def width(n: int, confidence: float) -> float:
        low, high = Gap.of(Fitted(n // 2, n), Fitted(n // 4, n), confidence=confidence).interval
        return high - low

    assert width(40, 0.8) < width(40, 0.95) < width(40, 0.99)
    assert width(400, 0.95) < width(40, 0.95)
    assert width(4000, 0.95) / width(40_000, 0.95) == pytest.approx(math.sqrt(10), rel=0.02)


def test_fitted_counts_only_its_group() -> None:
    predicted, labels = np.array([1, 1, 0, 2]), np.array([1, 0, 0, 2])
    group = np.array([True, True, False, True])
    assert Fitted.of(predicted, labels, group) == Fitted(2, 3)


def test_fitted_interval_is_that_of_scipy() -> None:
    expected = stats.binomtest(7, 20).proportion_ci(0.9, method="exact")
    assert Fitted(7, 20).interval(0.9) == pytest.approx((expected.low, expected.high))
    assert Fitted(0, 0).interval(0.9) == (0.0, 1.0)
