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
        "planted": Fitted(55, 100),
        "planted_wrong": Fitted(5, 50),
        "held_out_wrong": Fitted(4, 50),
        "held_out_true": Fitted(90, 100),
        "clean": Fitted(880, 900),
        "noisy": 0,
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


def test_published_bound_is_the_formula_for_several_classes() -> None:
    found = ratt(num_classes=4, planted=Fitted(30, 100))
    c = 2 * 4 + 2 + 100 / (900 * 2)
    slack = c * math.sqrt(math.log(4 / 0.1) / 200)
    assert found.published == pytest.approx(20 / 900 + 3 * (1 - 4 / 3 * 0.7) + slack)


def test_bounds_without_their_slack_are_equal_where_all_shares_are_as_expected() -> None:
    # 1 / K of the canaries are right by luck and fitted like clean examples; the others are not.
    k, big = 4, 4 * 10**14
    found = ratt(
        num_classes=k,
        planted=Fitted(big // k * 9 // 10 + 3 * big // k // 10, big),
        planted_wrong=Fitted(3 * big // k // 10, 3 * big // k),
        held_out_wrong=Fitted(3 * big // k // 10, 3 * big // k),
        clean=Fitted(9 * big // 10, big),
    )
    assert found.bound == pytest.approx(found.published, abs=1e-5)
    assert found.bound == pytest.approx(3 * 0.1, abs=1e-5)


def test_bounds_grow_with_the_fit_the_confidence_and_fewer_canaries() -> None:
    assert bound() < bound(planted_wrong=Fitted(6, 50))
    assert bound() < bound(confidence=0.95)
    assert bound() < bound(planted_wrong=Fitted(1, 10))
    for change in ({"planted": Fitted(56, 100)}, {"clean": Fitted(870, 900)}, {"confidence": 0.95}):
        assert (ratt().published or 0) < (ratt(**change).published or 0)


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


def best_of_many(num_classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return true risks and planted counts of the 0-1 empirical risk minimizers of many samples.

    The class is finite, so the minimizer is found by looking at every function; the law is uniform
    over some points, so that the risk is known exactly.
    """
    rng = np.random.default_rng(num_classes)
    truth = rng.integers(num_classes, size=POINTS)
    # From nearly right to nearly random, so that there is something to choose.
    wrong = rng.random((FUNCTIONS, POINTS)) < rng.uniform(0.1, 0.9, (FUNCTIONS, 1))
    shifts = rng.integers(1, num_classes, (FUNCTIONS, POINTS))
    functions = (truth + wrong * shifts) % num_classes  # (functions, points)
    risks, counts = [], []
    for _ in range(TRIALS):
        x, z = rng.integers(POINTS, size=12), rng.integers(POINTS, size=24)
        random = rng.integers(num_classes, size=24)
        right, met = functions[:, x] == truth[x], functions[:, z] == random
        chosen = (right.sum(axis=1) + met.sum(axis=1)).argmax()
        false = random != truth[z]
        risks.append(np.mean(functions[chosen] != truth))
        counts.append(
            [met[chosen].sum(), (met[chosen] & false).sum(), false.sum(), right[chosen].sum()]
        )
    return np.array(risks), np.array(counts)


@pytest.mark.parametrize("num_classes", [2, 3])
def test_bounds_for_the_best_of_many_functions_hold_with_the_stated_probability(
    num_classes: int,
) -> None:
    risks, counts = best_of_many(num_classes)
    confidence = 0.7
    broken = published = plain = 0
    for risk, (met, false_met, false, right) in zip(risks, counts.tolist(), strict=True):
        found = ratt(
            planted=Fitted(met, 24),
            planted_wrong=Fitted(false_met, false),
            held_out_wrong=Fitted(0, 0),
            clean=Fitted(right, 12),
            num_classes=num_classes,
            confidence=confidence,
        )
        assert found.bound is not None
        assert found.published is not None
        broken += found.bound < risk
        published += found.published < risk
        plain += (num_classes - 1) * false_met / false < risk
    most = stats.binom.ppf(1 - 1e-4, TRIALS, 1 - confidence)
    assert broken <= most
    assert published <= most
    assert plain > 0  # the slack is not idle


def test_noise_in_the_data_leaves_no_bound_and_says_so() -> None:
    found = ratt(noisy=12)
    assert found.bound is found.published is None
    assert found.reason == "labels of the data are known to be wrong (12 of those trained on)"
    assert not found.vacuous


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
    assert ratt(noisy=3).held_out_bound == pytest.approx(expected)


def test_confidence_is_kept() -> None:
    assert ratt().confidence == 0.9
    assert replace(ratt(), confidence=0.5).confidence == 0.5
