"""Closed forms by author, contraction, and what they say about the risk on new data."""

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import comb

from corruptlab.capacity.rademacher import (
    Bound,
    finite,
    gaussian_to_rademacher,
    linear,
    massart,
    maurer,
    risk_bound,
    sauer,
    talagrand,
)
from tests.capacity.rademacher.naive import exact, largest, points

HALF = Bound(0.5, n=100, convention="zhang")


@pytest.mark.parametrize(("m", "n"), [(1, 4), (2, 8), (30, 6)])
def test_massart_is_its_formula_and_holds(m: int, n: int) -> None:
    values = points(m, n)
    longest = max(math.sqrt(sum(row**2)) for row in values)
    bound = massart(longest, size=m, n=n)
    assert_allclose(bound.value, longest * math.sqrt(2 * math.log(m)) / n)
    assert exact(n, largest(values)) <= bound.value + 1e-12


def test_massart_holds_for_all_sign_vectors() -> None:
    assert massart(math.sqrt(7), size=2**7, n=7).value >= 1


@pytest.mark.parametrize(("d", "n"), [(1, 1), (1, 50), (3, 3), (3, 40), (10, 1000)])
def test_sauer_is_massart_for_the_largest_number_of_sign_vectors(d: int, n: int) -> None:
    assert_allclose(sauer(d, n=n).value, math.sqrt(2 * d * math.log(math.e * n / d) / n))
    vectors = sum(int(comb(n, k, exact=True)) for k in range(d + 1))
    assert massart(math.sqrt(n), size=vectors, n=n).value <= sauer(d, n=n).value + 1e-12


def test_sauer_holds_for_thresholds() -> None:
    n = 10  # x -> +1 from some point on: VC dimension 1 on a line
    thresholds = np.array([[1.0 if i >= k else -1.0 for i in range(n)] for k in range(n + 1)])
    assert exact(n, largest(thresholds)) <= sauer(1, n=n).value


def test_talagrand_holds_for_losses_that_know_the_label() -> None:
    values, labels = points(6, 9), np.sign(points(1, 9, seed=1))
    truth = Bound(exact(9, largest(values)), n=9, convention="zhang")
    hinge, quarter = np.maximum(0, 1 - labels * values), abs(labels * values) / 4
    for lipschitz, losses in ((1.0, hinge), (0.25, quarter)):
        bound = talagrand(truth, lipschitz=lipschitz)
        assert_allclose(bound.value, lipschitz * truth.value)
        assert exact(9, largest(losses)) <= bound.value + 1e-12


def test_zero_one_loss_has_half_the_complexity_of_its_classifiers() -> None:
    signs = np.array(list(itertools.islice(itertools.product((-1.0, 1.0), repeat=6), 20)))
    truth = Bound(exact(6, largest(signs)), n=6, convention="zhang")
    assert_allclose(
        exact(6, largest((1 - signs) / 2)), talagrand(truth, lipschitz=0.5).value, rtol=1e-12
    )


def test_maurer_holds_for_a_loss_of_two_outputs() -> None:
    n = 5
    one, two = points(4, n), points(4, n, seed=1)  # outputs of four functions
    joint = exact(2 * n, lambda s: 2 * largest(np.concatenate([one, two], axis=1))(s))
    bound = maurer(Bound(joint, n=n, convention="zhang"), lipschitz=1.0, outputs=1)
    assert_allclose(bound.value, math.sqrt(2) * joint)
    norm = np.sqrt(one**2 + two**2)  # 1-Lipschitz in the two outputs
    assert exact(n, largest(norm)) <= bound.value
    worst = max(exact(n, largest(one)), exact(n, largest(two)))
    each = maurer(Bound(worst, n=n, convention="zhang"), lipschitz=1.0, outputs=2)
    assert_allclose(each.value, math.sqrt(2) * 2 * worst)
    assert bound.value <= each.value


@pytest.mark.parametrize(
    "theorem", [lambda c: talagrand(c, lipschitz=1), lambda c: risk_bound(0, c).complexity]
)
def test_bartlett_and_mendelsons_numbers_are_halved_and_say_so(theorem: Any) -> None:
    bound = theorem(Bound(0.5, n=100, convention="bartlett_mendelson"))
    assert (bound.value, bound.convention) == (0.25, "zhang")
    values = points(3, 7) + 1
    absolute = exact(7, largest(values, absolute=True), convention="bartlett_mendelson")
    assert exact(7, largest(values)) <= absolute / 2


def test_names_and_sources_tell_the_way() -> None:
    bound = maurer(talagrand(massart(2, size=3, n=9), lipschitz=2), lipschitz=1, outputs=3)
    assert bound.name == "Massart, Talagrand, Maurer"
    assert bound.source.startswith("Massart 2000")
    assert bound.source.endswith("Maurer 2016")


def test_gaussian_complexity_bounds_the_rademacher_one() -> None:
    x = points(10)
    normal = linear(x, gaussian=True, draws=2000)
    bound = gaussian_to_rademacher(normal.upper_limit(0.999))
    assert_allclose(bound.value, math.sqrt(math.pi / 2) * normal.upper_limit(0.999).value)
    assert not bound.gaussian
    assert linear(x, draws=2000).value < bound.value
    assert gaussian_to_rademacher(normal) == gaussian_to_rademacher(normal.upper_limit())


def test_risk_bound_is_the_formula_of_the_book() -> None:
    bound = risk_bound(0.1, Bound(0.02, n=400, convention="zhang"), confidence=0.9)
    assert_allclose(bound.value, 0.1 + 2 * 0.02 + 3 * math.sqrt(math.log(2 / 0.1) / 800))
    assert (bound.confidence, bound.is_vacuous) == (0.9, False)


def test_risk_bound_grows_with_the_loss() -> None:
    one = risk_bound(0.1, Bound(0.02, n=400, convention="zhang"))
    ten = risk_bound(1.0, Bound(0.2, n=400, convention="zhang"), bound=10)
    assert_allclose(ten.value, 10 * one.value)


def test_half_of_the_doubt_is_spent_on_the_draws_of_an_estimate() -> None:
    estimate = finite(points(50, 200), draws=500)
    bound = risk_bound(0.0, estimate, bound=8.0, confidence=0.9)
    limit = estimate.upper_limit(0.95)
    assert limit.confidence == 0.95
    expected = 2 * limit.value + 24 * math.sqrt(math.log(2 / 0.05) / 400)
    assert_allclose(bound.value, expected)


def test_doubt_is_shared_out_before_the_draws_choose_between_limit_and_closed_form() -> None:
    # Massart's closed form is far off, that of orthonormal inputs is reached by every draw.
    wide, sharp = finite(points(50, 200), draws=500), linear(np.eye(200), draws=2)
    assert wide.upper_bound is not None
    assert wide.upper_limit(0.95).value < wide.upper_bound.value
    for estimate in (wide, sharp):
        bound = risk_bound(0.0, estimate, bound=8.0, confidence=0.9)
        assert_allclose(bound.deviation, 24 * math.sqrt(math.log(2 / 0.05) / 400))
    assert sharp.upper_bound is not None
    certain = risk_bound(0.0, sharp.upper_bound, bound=8.0, confidence=0.9)
    assert_allclose(certain.deviation, 24 * math.sqrt(math.log(2 / 0.1) / 400))


def test_what_a_bound_leaves_of_the_doubt_is_spent_on_the_sample() -> None:
    bound = risk_bound(0, Bound(0.1, n=400, convention="zhang", confidence=0.99), confidence=0.9)
    assert_allclose(bound.deviation, 3 * math.sqrt(math.log(2 / 0.09) / 800))
    with pytest.raises(ValueError, match=r"^`complexity` .* above the 0\.9 asked for, got 0\.9\.$"):
        risk_bound(0, Bound(0.1, n=400, convention="zhang", confidence=0.9), confidence=0.9)


def test_risk_bound_reads_as_the_sum_it_is_and_survives_json() -> None:
    bound = risk_bound(0.1, HALF)
    assert repr(bound).startswith("RiskBound(1.50743 = 0.1 + 2 * 0.5 + 0.40743; n=100, ")
    assert repr(bound).endswith("vacuous)")
    assert json.loads(json.dumps(bound.to_dict()))["is_vacuous"] is True


@pytest.mark.parametrize(
    "theorem",
    [
        risk_bound.__get__(0.1),
        lambda c: talagrand(c, lipschitz=1),
        lambda c: maurer(c, lipschitz=1, outputs=2),
    ],
)
def test_what_is_no_rademacher_complexity_is_refused(theorem: Any) -> None:
    with pytest.raises(TypeError, match=r"^`complexity` must be an Estimate .*, got 0\.1; make"):
        theorem(0.1)
    with pytest.raises(ValueError, match=r"^`complexity` must be a Rademacher .*Gaussian Bound"):
        theorem(linear(points(9), gaussian=True))


def test_other_bad_arguments_are_quoted() -> None:
    with pytest.raises(ValueError, match=r"^`complexity` must be a Gaussian .*, got Bound\(0\.5"):
        gaussian_to_rademacher(HALF)
    with pytest.raises(TypeError, match=r"^`complexity` must be an Estimate or a Bound, got 1\.$"):
        gaussian_to_rademacher(1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^`lipschitz` must be above 0, got 0\.$"):
        talagrand(HALF, lipschitz=0)
    with pytest.raises(ValueError, match=r"^`outputs` must be at least 1, got 0\.$"):
        maurer(HALF, lipschitz=1, outputs=0)
    with pytest.raises(ValueError, match=r"^`n` must be at least the VC dimension 9 .*, got 8\.$"):
        sauer(9, n=8)
    with pytest.raises(ValueError, match=r"^`vc_dimension` must be at least 1, got 0\.$"):
        sauer(0, n=8)
    with pytest.raises(ValueError, match=r"^`size` must be at least 1, got 0\.$"):
        massart(1, size=0, n=8)
    with pytest.raises(ValueError, match=r"^`norm` must be at least 0, got -2\.$"):
        massart(-2, size=1, n=8)
    with pytest.raises(ValueError, match=r"^`train_risk` must lie in \[0, 2\], got 3\.0\.$"):
        risk_bound(3, HALF, bound=2)
    with pytest.raises(ValueError, match=r"^`train_risk` must be at least 0, got -1\.$"):
        risk_bound(-1, HALF)
    with pytest.raises(ValueError, match=r"^`bound` must be above 0, got 0\.$"):
        risk_bound(0, HALF, bound=0)
    with pytest.raises(ValueError, match=r"^`confidence` must lie strictly .*, got 1\.$"):
        risk_bound(0, HALF, confidence=1)
