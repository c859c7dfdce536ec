"""RATT: exact laws for one function, simulated ones for the best of many, and its assumption."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from corruptlab.experiments import Fitted, Ratt


def ratt(**changes: Any) -> Ratt:
    counts: dict[str, Any] = {
        "planted_wrong": Fitted(5, 50),
        "held_out_wrong": Fitted(4, 50),
        "held_out_true": Fitted(90, 100),
        "num_classes": 2,
        "confidence": 0.9,
    }
    return Ratt.of(**{**counts, **changes})


def bound(**changes: Any) -> float:
    found = ratt(**changes).bound
    assert found is not None
    return found


def test_bound_is_the_formula() -> None:
    assert bound() == pytest.approx(0.1 + math.sqrt(math.log(10) / 100))
    assert bound(num_classes=5) == pytest.approx(4 * (0.1 + math.sqrt(math.log(10) / 100)))


def test_bound_grows_with_the_fit_the_confidence_and_fewer_canaries() -> None:
    assert bound() < bound(planted_wrong=Fitted(6, 50))
    assert bound() < bound(confidence=0.95)
    assert bound() < bound(planted_wrong=Fitted(1, 10))


def test_bound_of_one_or_more_is_vacuous_and_not_cut_off() -> None:
    found = ratt(num_classes=10)
    assert found.bound == pytest.approx(9 * (0.1 + math.sqrt(math.log(10) / 100)))
    assert found.vacuous
    assert not ratt().vacuous


@pytest.mark.parametrize("num_classes", [2, 3])
@pytest.mark.parametrize("risk", [0.05, 0.3, 0.6])
def test_bound_for_one_function_holds_with_the_stated_probability(
    num_classes: int, risk: float
) -> None:
    # Nothing is trained: a wrong label is met with probability R / (K - 1), and the law is exact.
    m, confidence = 40, 0.8
    weights = stats.binom.pmf(range(m + 1), m, risk / (num_classes - 1))
    bounds = [
        bound(planted_wrong=Fitted(i, m), num_classes=num_classes, confidence=confidence,
              held_out_wrong=Fitted(0, 0))
        for i in range(m + 1)
    ]  # fmt: skip
    broken = sum(w for w, b in zip(weights, bounds, strict=True) if b < risk)
    assert broken <= 1 - confidence


POINTS, FUNCTIONS, TRIALS = 30, 60, 1500


def best_of_many(num_classes: int, noise: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return true errors, and counts of planted wrong labels, of many empirical risk minimizers.

    The class is finite, so that the minimizer is found by looking at every function; inputs are
    uniform over some points, so that the true error is known exactly. Labels of the data set are
    true, but a share ``noise`` of those that are trained on is wrong.
    """
    rng = np.random.default_rng(num_classes)
    truth = rng.integers(num_classes, size=POINTS)
    # From nearly right to nearly random, so that there is something to choose.
    wrong = rng.random((FUNCTIONS, POINTS)) < rng.uniform(0.1, 0.9, (FUNCTIONS, 1))
    shifts = rng.integers(1, num_classes, (FUNCTIONS, POINTS))
    functions = (truth + wrong * shifts) % num_classes  # (functions, points)
    errors, counts = [], []
    for _ in range(TRIALS):
        x, z = rng.integers(POINTS, size=12), rng.integers(POINTS, size=24)
        given = (truth[x] + (rng.random(12) < noise)) % num_classes
        random = rng.integers(num_classes, size=24)
        right, met = functions[:, x] == given, functions[:, z] == random
        chosen = (right.sum(axis=1) + met.sum(axis=1)).argmax()
        false = random != truth[z]
        errors.append(np.mean(functions[chosen] != truth))
        counts.append([(met[chosen] & false).sum(), false.sum()])
    return np.array(errors), np.array(counts)


@pytest.mark.parametrize("noise", [0.0, 0.4])
@pytest.mark.parametrize("num_classes", [2, 3])
def test_bound_for_the_best_of_many_functions_holds_with_the_stated_probability(
    num_classes: int, noise: float
) -> None:
    errors, counts = best_of_many(num_classes, noise)
    confidence = 0.7
    broken = plain = 0
    for error, (met, wrong) in zip(errors, counts.tolist(), strict=True):
        limit = bound(
            planted_wrong=Fitted(met, wrong),
            held_out_wrong=Fitted(0, 0),
            num_classes=num_classes,
            confidence=confidence,
        )
        broken += limit < error
        plain += (num_classes - 1) * met / wrong < error
    assert broken <= stats.binom.ppf(1 - 1e-4, TRIALS, 1 - confidence)
    assert plain > 0  # the slack is not idle


@pytest.mark.parametrize("num_classes", [2, 5])
def test_fresh_wrong_labels_are_fitted_as_often_as_the_proof_says(num_classes: int) -> None:
    # Exactly, over all pairs of a point and a wrong label: e(f) = 1 - R / (K - 1).
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(num_classes, size=(2, 40))
    fitted = [
        guess[i] == label for i in range(40) for label in range(num_classes) if label != truth[i]
    ]
    assert np.mean(fitted) == pytest.approx(np.mean(guess != truth) / (num_classes - 1))


def test_canaries_without_a_wrong_label_leave_no_bound() -> None:
    found = ratt(planted_wrong=Fitted(0, 0))
    assert found.bound is None
    assert found.reason == "no planted canary has a wrong label"


def test_network_that_shuns_what_it_was_shown_contradicts_the_assumption() -> None:
    found = ratt(planted_wrong=Fitted(0, 200), held_out_wrong=Fitted(60, 200))
    assert found.contradicted
    assert found.bound is None
    assert found.reason == (
        "unseen wrong labels are fitted more often (60 of 200) than planted ones (0 of 200), "
        "against its assumption"
    )
    assert not ratt(planted_wrong=Fitted(60, 200), held_out_wrong=Fitted(60, 200)).contradicted


def test_contradiction_begins_where_the_exact_limit_passes_the_slack() -> None:
    slack = math.sqrt(math.log(10) / 400)
    for right in range(0, 200, 3):
        low = stats.beta.ppf(0.1, right, 201 - right) if right else 0.0
        found = ratt(planted_wrong=Fitted(20, 200), held_out_wrong=Fitted(right, 200))
        assert found.contradicted == (low > 0.1 + slack)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_assumption_that_holds_is_contradicted_no_more_often_than_stated(rate: float) -> None:
    n, confidence = 25, 0.8
    weights = stats.binom.pmf(range(n + 1), n, rate)
    alarms = sum(
        weights[i] * weights[j]
        for i in range(n + 1)
        for j in range(n + 1)
        if ratt(
            planted_wrong=Fitted(i, n), held_out_wrong=Fitted(j, n), confidence=confidence
        ).contradicted
    )
    assert 0 < alarms <= 2 * (1 - confidence)


def test_held_out_labels_bound_the_error_exactly() -> None:
    expected = stats.beta.ppf(0.9, 11, 90)
    assert ratt().held_out_bound == pytest.approx(expected)
    assert ratt(planted_wrong=Fitted(0, 0)).held_out_bound == pytest.approx(expected)


def test_confidence_is_kept() -> None:
    assert ratt().confidence == 0.9
    assert replace(ratt(), confidence=0.5).confidence == 0.5
