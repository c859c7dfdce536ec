"""Finite classes: the absolute value of Bartlett and Mendelson changes more than a factor."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from corruptlab.capacity.rademacher import Bound, Convention, Estimate, finite, linear
from tests.capacity.rademacher.naive import exact, largest, points

CONVENTIONS: list[Convention] = ["zhang", "bartlett_mendelson"]


def value(bound: Bound | None) -> float:
    assert bound is not None
    return bound.value


def truth(values: Any, convention: Convention) -> float:
    absolute = convention == "bartlett_mendelson"
    return exact(values.shape[1], largest(values, absolute=absolute), convention=convention)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize(("m", "n"), [(1, 5), (2, 9), (7, 1), (5, 12), (40, 6)])
def test_interval_that_fails_once_in_a_million_holds_the_mean_over_all_signs(
    m: int, n: int, convention: Convention
) -> None:
    values = points(m, n) + 0.5  # not symmetric
    estimate = finite(values, convention=convention, draws=3000, confidence=1 - 1e-6)
    expected = truth(values, convention)
    assert estimate.bounded_differences_interval is not None
    for low, high in (estimate.bounded_differences_interval, estimate.t_interval):
        assert low - 1e-12 <= expected <= high + 1e-12
    low, high = value(estimate.lower_bound), value(estimate.upper_bound)
    assert low - 1e-12 <= expected <= high + 1e-12


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("n", range(1, 11))
def test_mean_over_all_signs_lies_between_the_bounds(n: int, convention: Convention) -> None:
    values = points(4, n, seed=n) - 0.3
    estimate = finite(values, convention=convention, draws=2)
    low, high = value(estimate.lower_bound), value(estimate.upper_bound)
    assert low * (1 - 1e-12) <= truth(values, convention) <= high * (1 + 1e-12)


def test_one_function_has_complexity_zero_in_the_papers_convention_alone() -> None:
    one = finite(points(1, 8), draws=4000)
    assert abs(one.value) < 5 * one.standard_error
    assert value(one.lower_bound) == value(one.upper_bound) == 0
    absolute = finite(points(1, 8), convention="bartlett_mendelson", draws=4000)
    assert value(absolute.lower_bound) > 0.3
    assert absolute.value > value(absolute.lower_bound)


def test_absolute_value_is_the_class_with_its_negatives_twice() -> None:
    values = points(4, 9)
    both = finite(np.concatenate([values, -values]))
    absolute = finite(values, convention="bartlett_mendelson")
    assert_allclose(absolute.sups, 2 * np.array(both.sups))
    assert_allclose(value(absolute.upper_bound), 2 * value(both.upper_bound))


def test_all_sign_vectors_follow_every_draw() -> None:
    vertices = np.array(np.meshgrid(*[[-1.0, 1.0]] * 6)).reshape(6, -1).T
    estimate = finite(vertices, draws=20)
    assert estimate.sups == (1.0,) * 20
    assert estimate.standard_error == 0


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_repeated_functions_change_no_draw(convention: Convention) -> None:
    values = points(3, 20)
    once, often = (
        finite(each, convention=convention) for each in (values, np.repeat(values, 4, axis=0))
    )
    assert_allclose(once.sups, often.sups)
    assert value(once.upper_bound) < value(often.upper_bound)


def test_common_shift_moves_draws_but_not_their_mean_over_all_signs() -> None:
    values, shift = points(3, 8), points(1, 8, seed=9)
    assert_allclose(truth(values, "zhang"), truth(values + shift, "zhang"), atol=1e-12)


def test_signed_coordinates_are_the_l1_ball() -> None:
    x = points(25, 4)
    corners = finite(np.concatenate([x, -x], axis=1).T)
    assert_allclose(corners.sups, linear(x, ball="l1").sups)


def test_bounds_and_scale_equal_their_formulas() -> None:
    values = points(5, 30)
    norms = np.linalg.norm(values, axis=1)
    gaps = np.linalg.norm(values - values[0], axis=1)
    peaks = math.sqrt(sum(np.abs(values).max(axis=0) ** 2))
    one, two = (finite(values, convention=each) for each in CONVENTIONS)
    assert_allclose(value(one.upper_bound), norms.max() * math.sqrt(2 * math.log(5)) / 30)
    assert_allclose(value(one.lower_bound), gaps.max() / 30 / math.sqrt(8))
    assert_allclose(value(two.upper_bound), 2 * norms.max() * math.sqrt(2 * math.log(10)) / 30)
    assert_allclose(value(two.lower_bound), 2 * norms.max() / 30 / math.sqrt(2))
    assert_allclose([one.scale or 0, two.scale or 0], [peaks / 30, 2 * peaks / 30])
    normal = finite(values, gaussian=True)
    assert_allclose(normal.scale or 0, norms.max() / 30)
    assert_allclose(value(normal.lower_bound), gaps.max() / 30 / math.sqrt(2 * math.pi))


def test_gaussian_complexity_of_two_functions_is_half_the_mean_of_their_gap() -> None:
    values = points(2, 10)
    estimate = finite(values, gaussian=True, draws=4000, confidence=1 - 1e-6)
    expected = float(np.linalg.norm(values[0] - values[1])) / math.sqrt(2 * math.pi) / 10
    low, high = estimate.t_interval
    assert low < expected < high
    assert_allclose(value(estimate.lower_bound), expected)  # the bound is exact for two


def test_inputs_of_columns_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    values = points(6, 50)
    whole = finite(values)
    at_once = "corruptlab.capacity.rademacher._inputs._NUMBERS_AT_ONCE"
    monkeypatch.setattr(at_once, 1000)  # 9 examples
    parts = finite(torch.from_numpy(values))
    assert_allclose(parts.sups, whole.sups)
    assert_allclose(value(parts.upper_bound), value(whole.upper_bound))
    assert_allclose(value(parts.lower_bound), value(whole.lower_bound))
    assert_allclose(parts.scale or 0, whole.scale or 0)


@pytest.mark.parametrize("exponent", [-25, 30])
def test_squares_beyond_float32_neither_vanish_nor_overflow(exponent: int) -> None:
    values = (points(6, 50) * 10.0**exponent).astype(np.float32)
    one, other = finite(values), finite(values.astype(np.float64))
    assert_allclose(one.sups, other.sups)
    assert_allclose(value(one.upper_bound), value(other.upper_bound))
    assert_allclose(value(one.lower_bound), value(other.lower_bound))


def test_finite_class_refuses_the_other_convention_afterwards() -> None:
    estimate: Estimate = finite(points(2, 5))
    assert estimate.to_convention("zhang") is estimate
    text = r"^`convention` must be 'zhang' for a class .* got 'bartlett_mendelson'; estimate"
    with pytest.raises(ValueError, match=text):
        estimate.to_convention("bartlett_mendelson")


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        (np.ones(3), ValueError, r"shape \(m, n\) with at least .*, got shape \(3,\)\.$"),
        (np.ones((0, 3)), ValueError, r"shape \(m, n\) .*, got shape \(0, 3\)\.$"),
        (np.ones((3, 0)), ValueError, r"shape \(m, n\) .*, got shape \(3, 0\)\.$"),
        ([[1.0, 2.0]], TypeError, r"^`predictions` must be a tensor or an array, got list\.$"),
        (np.array([[1, 2], [0, np.nan]]), ValueError, r"^`predictions` must be finite .*example 1"),
        (np.ones((2, 2), complex), TypeError, r"^`predictions` must be real numbers, got complex"),
    ],
)
def test_bad_predictions_are_quoted(values: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        finite(values)
    with pytest.raises(ValueError, match=r"^`draws` must be at least 2, got 1\.$"):
        finite(np.ones((1, 2)), draws=1)
