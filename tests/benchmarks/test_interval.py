"""Means of ratios: Student's interval of the logarithms, against SciPy's."""

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks._interval import geometric_interval

RATIOS = [1.7, 2.9, 2.2, 3.1, 2.4]


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_interval_is_scipys_for_the_logarithms(confidence: float) -> None:
    found = geometric_interval(RATIOS, confidence=confidence)
    by_scipy = stats.ttest_1samp(np.log(RATIOS), 0).confidence_interval(confidence)
    assert found.mean == pytest.approx(stats.gmean(RATIOS))
    assert found.lowest == pytest.approx(math.exp(by_scipy.low))
    assert found.highest == pytest.approx(math.exp(by_scipy.high))


def test_interval_of_reciprocals_is_the_reciprocal_interval() -> None:
    mean, lowest, highest = geometric_interval(RATIOS)
    turned = geometric_interval([1 / ratio for ratio in RATIOS])
    assert lowest is not None
    assert highest is not None
    assert turned == pytest.approx((1 / mean, 1 / highest, 1 / lowest))


def test_interval_scales_with_the_ratios() -> None:
    mean, lowest, highest = geometric_interval(RATIOS)
    assert lowest is not None
    assert highest is not None
    tripled = geometric_interval([3 * ratio for ratio in RATIOS])
    assert tripled == pytest.approx((3 * mean, 3 * lowest, 3 * highest))


def test_equal_ratios_have_an_interval_of_no_width() -> None:
    assert geometric_interval([2.0] * 3) == pytest.approx((2.0, 2.0, 2.0))


def test_one_ratio_has_no_interval() -> None:
    mean, *ends = geometric_interval([2.5])
    assert mean == pytest.approx(2.5)
    assert ends == [None, None]


def test_interval_holds_the_median_as_often_as_it_says() -> None:
    logs = np.random.default_rng(0).normal(0.7, 0.3, (2000, 4))
    held = 0
    for row in np.exp(logs):
        _, lowest, highest = geometric_interval(row.tolist(), confidence=0.9)
        assert lowest is not None
        assert highest is not None
        held += lowest < math.exp(0.7) < highest
    assert stats.binomtest(held, len(logs), 0.9).pvalue > 1e-4


@pytest.mark.parametrize("ratio", [0.0, -1.5, math.nan, math.inf])
def test_ratio_that_is_none_is_quoted_in_the_error(ratio: float) -> None:
    with pytest.raises(ValueError, match=rf"^`ratios` must be finite and above 0, got {ratio}\.$"):
        geometric_interval([2.0, ratio])


def test_no_ratio_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"^`ratios` must hold at least one ratio, got none\.$"):
        geometric_interval([])


def test_confidence_out_of_range_is_quoted_in_the_error() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.0\.$"):
        geometric_interval(RATIOS, confidence=1.0)
