"""Student's interval, against SciPy's own distribution."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from corruptlab._student import mean_and_half_width, t_quantile


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
