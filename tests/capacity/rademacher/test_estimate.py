"""What an estimate says of itself: intervals, limits, conventions, and its record."""

import json
import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binomtest, t

from corruptlab.capacity.rademacher import Bound, finite, linear
from tests.capacity.rademacher.naive import exact, l2, largest, points

ESTIMATE = linear(points(50), draws=30, confidence=0.9)


def test_value_and_error_are_those_of_the_draws() -> None:
    sups = np.array(ESTIMATE.sups)
    assert ESTIMATE.draws == 30
    assert_allclose(ESTIMATE.value, sups.mean())
    assert_allclose(ESTIMATE.standard_error, sups.std(ddof=1) / math.sqrt(30))


def test_t_interval_is_students() -> None:
    expected = t.interval(0.9, 29, loc=ESTIMATE.value, scale=ESTIMATE.standard_error)
    assert_allclose(ESTIMATE.t_interval, expected)


def test_t_interval_is_finite_at_a_confidence_next_to_one() -> None:
    low, high = replace(ESTIMATE, confidence=math.nextafter(1, 0)).t_interval
    quantile = float(t.isf(2.0**-54, 29))
    assert_allclose((high - low) / 2, quantile * ESTIMATE.standard_error)


def test_bounded_differences_interval_is_mcdiarmids() -> None:
    # |error| <= M sqrt(2 log(2/delta) / (n T)), with the mean square of M_i in place of M^2
    norms = np.linalg.norm(points(50), axis=1)
    half = math.sqrt((norms**2).mean() * 2 * math.log(2 / 0.1) / (50 * 30))
    expected = ESTIMATE.value - half, ESTIMATE.value + half
    assert_allclose(ESTIMATE.bounded_differences_interval or (), expected)
    assert ESTIMATE.lipschitz_interval is None


@pytest.mark.slow(seconds=1)
def test_t_interval_covers_at_its_level() -> None:
    x = points(12)
    truth = exact(12, l2(x))
    hits = 0
    for seed in range(400):
        low, high = linear(x, draws=100, seed=seed, confidence=0.8).t_interval
        hits += low <= truth <= high
    assert binomtest(hits, 400, 0.8).pvalue > 1e-4


def test_mcdiarmid_covers_at_least_at_its_level_where_it_is_almost_sharp() -> None:
    # One vector of ones: sums of signs, to which Hoeffding's inequality is all but sharp.
    ones = np.ones((1, 4))
    assert exact(4, largest(ones)) == 0
    misses = 0
    for seed in range(400):
        estimate = finite(ones, draws=40, seed=seed, confidence=0.5)
        assert estimate.bounded_differences_interval is not None
        low, high = estimate.bounded_differences_interval
        misses += not low <= 0 <= high
    assert binomtest(misses, 400, 0.5, alternative="greater").pvalue > 1e-4
    assert misses > 20  # 38 are expected; a constant half as large again would give 5


@pytest.mark.parametrize("confidence", [None, 0.5, 0.999])
def test_upper_limit_is_one_sided(confidence: float | None) -> None:
    loose = replace(ESTIMATE, upper_bound=None)
    delta = 1 - (confidence or 0.9)
    limit = loose.upper_limit(confidence)
    assert loose.scale is not None
    expected = loose.value + loose.scale * math.sqrt(2 * math.log(1 / delta) / 30)
    assert_allclose(limit.value, expected)
    assert (limit.confidence, limit.n) == (confidence or 0.9, 50)


def test_closed_form_is_the_limit_where_it_is_smaller() -> None:
    closed = ESTIMATE.upper_bound
    assert closed is not None
    assert closed.confidence == 1
    assert ESTIMATE.upper_limit(0.999) == replace(closed, confidence=0.999)


def test_without_a_scale_there_is_a_t_interval_and_no_sure_one() -> None:
    trained = replace(ESTIMATE, scale=None, lower_bound=None, upper_bound=None, name="networks")
    assert trained.bounded_differences_interval is None
    assert trained.t_interval == ESTIMATE.t_interval
    assert "bounds [unknown, unknown]" in repr(trained)
    with pytest.raises(
        ValueError, match=r"^`scale` must be known for a concen.* None for networks"
    ):
        trained.upper_limit()
    other = trained.to_convention("bartlett_mendelson")
    assert (other.scale, other.lower_bound) == (None, None)
    assert_allclose(other.value, 2 * trained.value)


def test_conventions_lead_back_to_where_they_start() -> None:
    other = ESTIMATE.to_convention("bartlett_mendelson")
    assert_allclose(other.t_interval, 2 * np.array(ESTIMATE.t_interval))
    assert other.upper_bound is not None
    assert other.upper_bound.convention == other.convention == "bartlett_mendelson"
    assert other.to_convention("zhang") == ESTIMATE
    with pytest.raises(ValueError, match=r"^`convention` must be one of zhang, .*, got 'paper'"):
        ESTIMATE.to_convention("paper")  # type: ignore[arg-type]


def test_record_survives_json_and_holds_what_was_found() -> None:
    for estimate in (ESTIMATE, linear(points(5), gaussian=True)):
        record = json.loads(json.dumps(estimate.to_dict()))
        assert record["value"] == estimate.value
        assert tuple(record["t_interval"]) == estimate.t_interval
        assert record["upper_bound"]["name"] == "second moment"
        assert (record["bounded_differences_interval"] is None) == estimate.gaussian
        assert (record["lipschitz_interval"] is None) == (not estimate.gaussian)
        assert tuple(record["sups"]) == estimate.sups
        assert record["environment"]["device"] == "cpu"


def test_estimate_reads_as_one_line_and_cannot_be_changed() -> None:
    text = repr(ESTIMATE)
    assert text.startswith("Estimate(Rademacher complexity of linear functions in the l2 ball of")
    assert "90% t-interval [" in text
    assert text.endswith("n=50, draws=30, seed=0, convention='zhang')")
    assert "Gaussian complexity" in repr(linear(points(5), gaussian=True))
    with pytest.raises(FrozenInstanceError):
        ESTIMATE.n = 3  # type: ignore[misc]


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5])
def test_limits_at_no_level_are_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match=rf"^`confidence` must lie strictly .*, got {confidence}"):
        ESTIMATE.upper_limit(confidence)


def test_bounds_check_what_they_are_given() -> None:
    bound = Bound(0.5, n=3, convention="zhang", gaussian=True, confidence=0.9)
    assert float(bound) == 0.5
    assert repr(bound) == ("Bound(0.5, n=3, convention='zhang', gaussian, confidence=0.9; given)")
    assert json.loads(json.dumps(bound.to_dict()))["source"] == "the caller"
    with pytest.raises(ValueError, match=r"^`value` must be at least 0, got -1\.$"):
        Bound(-1, n=3, convention="zhang")
    with pytest.raises(ValueError, match=r"^`value` must be finite, got inf\.$"):
        Bound(math.inf, n=3, convention="zhang")
    with pytest.raises(TypeError, match=r"^`value` must be a number, got '1'\.$"):
        Bound("1", n=3, convention="zhang")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^`n` must be at least 1, got 0\.$"):
        Bound(1, n=0, convention="zhang")
    with pytest.raises(ValueError, match=r"^`convention` must be one of .*, got 'mohri'\.$"):
        Bound(1, n=3, convention="mohri")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^`confidence` must lie in \(0, 1\], got 1\.5\.$"):
        Bound(1, n=3, convention="zhang", confidence=1.5)
