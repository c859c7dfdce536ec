"""The permutation test against fits by hand, SciPy, scikit-learn, and its own law."""

import json
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy import stats
from torch.utils.data import TensorDataset

import corruptlab as cl
from corruptlab.experiments import permutation
from corruptlab.experiments.permutation import _scores
from corruptlab.experiments.permutation._exchange import Exchange

from .problem import RECIPE, D, accuracy_by_hand, network, points, run

FOLDS = np.arange(40) % 4


# ------------------------------------------------------------------------------------ the statistic


def test_with_a_test_set_it_is_what_fits_by_hand_give() -> None:
    train, test = points(30), points(50, seed=1)
    found = run(train, test, seed=3)
    x, y = (torch.cat(pair) for pair in zip(train.tensors, test.tensors, strict=True))
    rows = Exchange(train.tensors[1].numpy()).drawn(3, range(20))
    at = torch.arange(80)
    by_hand = [
        accuracy_by_hand(x, torch.cat([torch.from_numpy(row), y[30:]]), at[:30], at[30:], seed=3)
        for row in rows
    ]
    assert_allclose([found.observed, *found.null], by_hand)


def test_with_folds_it_is_their_mean() -> None:
    data = points(40)
    found = run(data, folds=FOLDS)
    x, y = data.tensors
    by_hand = []
    for row in Exchange(y.numpy()).drawn(0, range(20)):
        parts = [(np.flatnonzero(k != FOLDS), np.flatnonzero(k == FOLDS)) for k in range(4)]
        labels = torch.from_numpy(row)
        by_hand.append(
            np.mean([accuracy_by_hand(x, labels, *map(torch.from_numpy, part)) for part in parts])
        )
    assert_allclose([found.observed, *found.null], by_hand)
    assert found.folds == 4


def test_the_p_value_counts_exchanges_that_did_as_well() -> None:
    found = run(points(40, signal=0.3), folds=5)
    count = sum(value >= found.observed - 1e-12 for value in found.null)
    assert found.exceedances == count
    assert found.ties == sum(abs(value - found.observed) < 1e-12 for value in found.null)
    assert found.p_value == (count + 1) / 20
    low, high = found.interval
    assert low <= count / 19 <= high


def test_any_function_of_logits_and_labels_is_a_statistic() -> None:
    def margin(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        own = logits.gather(1, labels[:, None])[:, 0]
        return (2 * own - logits.sum(1)).mean()

    found = run(points(40), folds=4, statistic=margin)
    assert found.statistic == "margin"
    assert found.observed > found.null.max()


def test_log_likelihood_is_that_of_numpy() -> None:
    train, test = points(30), points(50, seed=1)
    found = run(train, test, statistic="log-likelihood", permutations=19)
    model = network()
    cl.fit(model, train, recipe=RECIPE, stop=())
    logits = model(test.tensors[0]).detach().double().numpy()
    normalized = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    assert found.observed == pytest.approx(
        normalized[np.arange(50), test.tensors[1]].mean(), rel=1e-5
    )


# ---------------------------------------------------------------------------- other implementations


def test_scipy_agrees_on_all_orders_of_a_small_problem() -> None:
    x, y = points(7, seed=5).tensors

    def statistic(labels: NDArray[Any]) -> float:
        model, own = network(), torch.from_numpy(labels.astype(np.int64))
        cl.fit(model, TensorDataset(x[:5], own), recipe=RECIPE, stop=())
        with torch.no_grad():
            return float((model(x).argmax(1) == y).double().mean())

    by_scipy = stats.permutation_test(
        (y[:5].numpy(),),
        statistic,
        permutation_type="pairings",
        n_resamples=np.inf,  # all 5!
        alternative="greater",
        vectorized=False,
    )
    train = TensorDataset(x[:5], y[:5])
    found = run(train, TensorDataset(x, y), permutations=399, confidence=0.999)
    assert found.observed == pytest.approx(by_scipy.statistic)
    low, high = found.interval
    assert low <= by_scipy.pvalue <= high
    values = np.unique(np.round(by_scipy.null_distribution, 9))
    shares = [np.mean(np.isclose(by_scipy.null_distribution, value)) for value in values]
    counts = [int(np.isclose(found.null, value).sum()) for value in values]
    assert sum(counts) == 399
    assert stats.chisquare(counts, 399 * np.array(shares)).pvalue > 1e-3


def test_scikit_learn_agrees_within_the_interval() -> None:
    base = pytest.importorskip("sklearn.base")
    selection = pytest.importorskip("sklearn.model_selection")

    class Fitted(base.ClassifierMixin, base.BaseEstimator):  # type: ignore[misc, name-defined]  # untyped
        def fit(self, x: NDArray[Any], y: NDArray[Any]) -> "Fitted":
            self.classes_, self.model_ = np.unique(y), network()
            data = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
            cl.fit(self.model_, data, recipe=RECIPE, stop=())
            return self

        def predict(self, x: NDArray[Any]) -> NDArray[Any]:
            found: NDArray[Any] = self.model_(torch.from_numpy(x)).argmax(1).numpy()
            return found

    data = points(40, signal=0.4)
    x, y = (tensor.numpy() for tensor in data.tensors)
    score, null, p = selection.permutation_test_score(
        Fitted(), x, y, cv=selection.PredefinedSplit(FOLDS), n_permutations=99, random_state=0
    )
    found = run(data, folds=FOLDS, permutations=199, confidence=0.999)
    assert found.observed == pytest.approx(score)
    assert stats.ks_2samp(found.null, null).pvalue > 1e-3
    low, high = found.interval
    assert low <= p <= high


# -------------------------------------------------------------------------------------- laws


@pytest.mark.slow
def test_the_false_positive_rate_is_the_level() -> None:
    """400 data sets without signal: rejections at 0.05 lie within their binomial interval."""
    rejected = 0
    for number in range(400):
        data = points(24, seed=1000 + number, signal=0.0)
        found = run(data, folds=2, statistic="log-likelihood", seed=number)
        rejected += found.p_value <= 0.05
    low, high = stats.binom.interval(0.999, 400, 0.05)
    assert low <= rejected <= high


def test_weak_signal_is_found_more_often_than_none() -> None:
    def power(signal: float) -> int:
        tests = [run(points(60, seed=s, signal=signal), folds=2, seed=s) for s in range(12)]
        return sum(found.p_value <= 0.05 for found in tests)

    assert power(0.0) <= 2
    assert power(1.0) >= 10


def test_a_dependence_on_the_group_alone_is_not_found_within_groups() -> None:
    """Labels that follow a site, and inputs that show it: a signal only across sites."""
    site, found = torch.arange(60) % 2, []
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(60, D, generator=generator)
        x[:, 0] += 4 * site
        y = (torch.rand(60, generator=generator) < torch.where(site == 1, 0.9, 0.1)).long()
        data = TensorDataset(x, y)
        across, within = (run(data, folds=2, groups=groups).p_value for groups in (None, site))
        found.append((across <= 0.05, within <= 0.05))
    assert sum(across for across, _ in found) == 12
    assert sum(within for _, within in found) <= 2


def test_the_same_seed_gives_the_same_test_and_another_seed_another() -> None:
    one, two, other = (run(points(40), folds=4, seed=seed) for seed in (1, 1, 2))
    assert_array_equal(one.null, two.null)
    assert (one.null != other.null).any()


def test_the_model_and_the_global_generators_stay_as_they_were() -> None:
    model = network()
    before, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    cl.permutation_test(model, points(20), folds=2, recipe=RECIPE, permutations=19)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


# ------------------------------------------------------------------------------ drawing, stopping


def test_a_sequential_test_is_the_whole_one_cut_at_its_last_exceedance() -> None:
    data = points(40, signal=0.0)
    whole = run(data, folds=4, permutations=99)
    good = np.flatnonzero(whole.null >= whole.observed - 1e-12)
    found = run(data, folds=4, permutations=99, stop_after=5)
    assert found.stopped
    assert_array_equal(found.null, whole.null[: good[4] + 1])
    assert found.p_value == 5 / (good[4] + 1)
    assert "stopped at 5 exceedances" in repr(found)


def test_a_sequential_test_of_a_clear_signal_draws_all() -> None:
    found = run(points(60, signal=3.0), folds=4, permutations=40, stop_after=5)
    assert (len(found.null), found.stopped, found.p_value) == (40, False, 1 / 41)


def test_batches_do_not_change_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(points(40), folds=4)
    monkeypatch.setattr("corruptlab.experiments.permutation._drawing._AT_ONCE", 3)
    assert_allclose(run(points(40), folds=4).null, whole.null)


def test_ctrl_c_keeps_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corruptlab.experiments.permutation._drawing._AT_ONCE", 4)
    whole, calls, real = run(points(40), folds=4), [], cl.fit_replicas

    def stopped(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 9:  # in the third batch of four parts
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(_scores, "fit_replicas", stopped)
    found = run(points(40), folds=4, baselines=[cl.GaussianPixels()])
    assert found.interrupted
    assert found.baselines == ()
    assert_array_equal(found.null, whole.null[:7])
    assert found.p_value == (found.exceedances + 1) / 8
    calls[:] = [1] * 7
    with pytest.raises(KeyboardInterrupt):
        run(points(40), folds=4)


# ---------------------------------------------------------------------------------------- baselines


def test_baselines_lose_what_they_take_away() -> None:
    train, test = cl.datasets.load("fashion-mnist-mini")
    few = torch.utils.data.Subset(train, range(0, 4000, 20))
    held_out = torch.utils.data.Subset(test, range(0, 1000, 5))
    recipe = cl.Recipe(learning_rate=0.05, decay=1.0, epochs=10, batch_size=20)
    found = cl.permutation_test(
        cl.mlp(16, input_shape=(1, 28, 28)),
        few,
        held_out,
        recipe=recipe,
        permutations=19,
        baselines=[cl.ShuffledPixels(), cl.GaussianPixels()],
        repeats=3,
    )
    shuffled, gaussian = found.baselines
    assert (shuffled.name, gaussian.name[:14]) == ("ShuffledPixels()", "GaussianPixels")
    assert shuffled.mean > 0.5  # a perceptron hardly cares
    assert gaussian.mean < 0.3 < found.observed
    assert len({*shuffled.statistics.tolist(), *gaussian.statistics.tolist()}) > 2
    assert gaussian.p_value(found.observed) == 0.25
    assert gaussian.p_value(0.0) == 1.0
    assert json.loads(json.dumps(found.to_dict()))["baselines"][0]["name"] == "ShuffledPixels()"
    again = cl.Specification.parse(str(shuffled.specification))
    assert again.corruptions == (cl.ShuffledPixels(),)


# ------------------------------------------------------------------------------------------ results


def test_the_report_goes_through_json() -> None:
    found = run(points(40), folds=4)
    told = json.loads(json.dumps(found.to_dict()))
    assert told["p_value"] == found.p_value
    assert told["null"] == found.null.tolist()
    assert cl.Recipe.from_dict(told["recipe"]) == RECIPE


def test_the_figure_shows_the_null_the_observed_value_and_the_baselines() -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    found = run(points(40), folds=4, baselines=[cl.GaussianPixels()], repeats=2)
    axes = found.plot(title="points").axes[0]
    assert sum(float(plt.getp(bar, "height")) for bar in axes.patches) == 19
    assert np.asarray(axes.lines[0].get_xdata())[0] == found.observed
    assert len(axes.lines) == 2
    assert axes.get_title() == "points"


# ---------------------------------------------------------------------------------------- bad input


def test_too_few_permutations_for_the_level_are_told() -> None:
    with pytest.warns(UserWarning, match=r"= 18 cannot give a p-value below 0\.0526.*takes 19\.$"):
        run(points(20), folds=2, permutations=18)
    with pytest.warns(UserWarning, match=r"at most 0\.01; that takes 99\.$"):
        run(points(20), folds=2, level=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(points(20), folds=2, permutations=19)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"^`test` or `folds` must be given, and not both, got neither\.$"),
        ({"test": points(9), "folds": 2}, r"^`test` or `folds` .* got both\.$"),
        ({"folds": 1}, r"^`folds` must lie in 2 \.\. 40, the number of examples, got 1\.$"),
        ({"folds": [0, 1]}, r"^`folds` must have shape \(40,\), .* got \(2,\)\.$"),
        ({"folds": [3] * 40}, r"^`folds` must name at least 2 parts, got 3 for all examples\.$"),
        ({"folds": 2, "permutations": 0}, r"^`permutations` must be at least 1, got 0\.$"),
        ({"folds": 2, "stop_after": 0}, r"^`stop_after` must be at least 1, got 0\.$"),
        ({"folds": 2, "repeats": 0}, r"^`repeats` must be at least 1, got 0\.$"),
        ({"folds": 2, "level": 1.0}, r"^`level` must lie strictly between 0 and 1, got 1\.0\.$"),
        ({"folds": 2, "confidence": 0}, r"^`confidence` must lie strictly between .* got 0\.$"),
        (
            {"folds": 2, "statistic": "auc"},
            r"^`statistic` must be one of 'accuracy', .* got 'auc'\.$",
        ),
        ({"folds": 2, "statistic": lambda *_: float("nan")}, r"^`statistic` must return a finite"),
        (
            {"folds": 2, "baselines": [cl.GaussianPixels()] * 2},
            r"^`baselines` must differ .* twice\.$",
        ),
        ({"folds": 2, "groups": [0] * 39}, r"^`groups` must have shape \(40,\)"),
        (
            {"folds": 2, "stop": (cl.stopping.target(0.9),)},
            r"^`stop` must be \(interpolated\(\),\) or",
        ),
        (
            {"test": TensorDataset(torch.ones(3, 4), torch.zeros(3).long())},
            r"^`test` must have inputs",
        ),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    test = options.pop("test", None)
    with pytest.raises(ValueError, match=message):
        run(points(40), test, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 2.5}, r"^`folds` must be an integer or one an example, got 2\.5\.$"),
        ({"folds": 2, "statistic": 3}, r"^`statistic` must be a name or a function, got int\.$"),
        (
            {"folds": 2, "baselines": [cl.RandomLabels()]},
            r"^`baselines` must hold corruptions of inp",
        ),
        ({"folds": 2, "permutations": 19.5}, r"^`permutations` must be an integer"),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        run(points(40), **options)


def test_labels_that_are_all_alike_are_refused_before_anything_is_trained() -> None:
    alike = TensorDataset(torch.randn(9, D), torch.ones(9, dtype=torch.long))
    with pytest.raises(ValueError, match="nothing to exchange, got 9 of class 1"):
        run(alike, folds=3)


def test_the_room_exports_what_it_names() -> None:
    assert permutation.permutation_test is cl.permutation_test
