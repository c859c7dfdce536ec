"""The permutation test against fits by hand, SciPy, scikit-learn, and its own law."""

import copy
import dataclasses
import functools
import itertools
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy import stats
from torch.utils.data import Subset, TensorDataset

import corruptlab as cl
from corruptlab.experiments import permutation

from .problem import (
    RECIPE,
    D,
    Untrained,
    accuracy_by_hand,
    fit_by_hand,
    logits_by_hand,
    network,
    permuted_by_hand,
    points,
    run,
    train_nothing,
    watch_training,
)

FOLDS = np.arange(40) % 4


# ------------------------------------------------------------------------------------ the statistic


def test_with_a_test_set_it_is_what_fits_by_hand_give() -> None:
    train, test = points(30), points(50, seed=1)
    found = run(train, test, seed=3)
    x, y = (torch.cat(pair).numpy() for pair in zip(train.tensors, test.tensors, strict=True))
    at = np.arange(80)
    by_hand = [
        accuracy_by_hand(x, np.concatenate([row, y[30:]]), at[:30], at[30:], seed=3)
        for row in permuted_by_hand(y[:30], seed=3, numbers=range(20))
    ]
    assert_allclose([found.observed, *found.null], by_hand)
    assert found.folds is None


def test_with_folds_it_is_their_mean() -> None:
    data = points(40)
    found = run(data, folds=FOLDS)
    x, y = (tensor.numpy() for tensor in data.tensors)
    parts = [(np.flatnonzero(k != FOLDS), np.flatnonzero(k == FOLDS)) for k in range(4)]
    by_hand = [
        np.mean([accuracy_by_hand(x, row, *part) for part in parts])
        for row in permuted_by_hand(y, numbers=range(20))
    ]
    assert_allclose([found.observed, *found.null], by_hand)
    assert found.folds == 4


def held_out(monkeypatch: pytest.MonkeyPatch, data: TensorDataset, **options: Any) -> list[Any]:
    """Return which examples each fold holds out, told by their first coordinate."""
    everyone = set(data.tensors[0][:, 0].tolist())
    seen = train_nothing(monkeypatch)
    run(data, permutations=1, level=0.5, **options)
    return [everyone - set(each.inputs[:, 0].tolist()) for each in seen]


def test_folds_are_drawn_by_the_seed_as_even_parts_whatever_the_labels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uneven = held_out(monkeypatch, points(11), folds=3, seed=1)
    assert sorted(map(len, uneven)) == [3, 4, 4]
    one, two = (
        held_out(monkeypatch, points(40, signal=signal), folds=4, seed=5) for signal in (0.0, 9.0)
    )
    assert one == two
    assert set.union(*one) == set(points(40).tensors[0][:, 0].tolist())
    assert list(map(len, one)) == [10] * 4
    assert held_out(monkeypatch, points(40), folds=4, seed=6) != one


def test_folds_may_leave_one_out_and_have_any_numbers() -> None:
    data, few = points(40), points(6)
    assert run(few, folds=6).folds == 6
    named = run(data, folds=np.where(FOLDS < 2, 7, -3))
    assert named.folds == 2
    assert_array_equal(named.null, run(data, folds=(FOLDS < 2).astype(int)).null)


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


@pytest.mark.parametrize(
    "number", [2.5, np.float32(2.5), torch.tensor(2.5), torch.tensor([2.5]), np.array([2.5])]
)
def test_a_statistic_may_give_its_number_as_an_array_of_one(number: Any) -> None:
    assert run(points(20), folds=2, statistic=lambda *_: number).observed == 2.5


def test_a_partial_function_is_called_by_the_name_of_the_function() -> None:
    own = functools.partial(torch.nn.functional.cross_entropy)
    assert run(points(20), folds=2, statistic=own).statistic == "cross_entropy"


def test_the_log_likelihood_of_a_sure_network_is_not_rounded_to_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train_nothing(monkeypatch, scores=(20.0, 0.0))
    test = TensorDataset(torch.ones(5, D), torch.zeros(5, dtype=torch.int64))
    found = run(points(20), test, statistic="log-likelihood")
    assert found.observed == pytest.approx(-np.log1p(np.exp(-20)))


def test_log_likelihood_is_that_of_numpy() -> None:
    train, test = points(30), points(50, seed=1)
    found = run(train, test, statistic="log-likelihood")
    logits = logits_by_hand(fit_by_hand(*train.tensors), test.tensors[0])
    normalized = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    expected = normalized[np.arange(50), test.tensors[1]].mean()
    assert found.observed == pytest.approx(expected, rel=1e-5)


# ---------------------------------------------------------------------------- other implementations


def test_scipy_agrees_on_all_orders_of_a_small_problem() -> None:
    x, y = (tensor.numpy() for tensor in points(7, seed=5).tensors)

    def statistic(labels: NDArray[Any]) -> float:
        found = logits_by_hand(fit_by_hand(x[:5], labels.astype(np.int64)), x).argmax(axis=1)
        return float((found == y).mean())

    by_scipy = stats.permutation_test(
        (y[:5],),
        statistic,
        permutation_type="pairings",
        n_resamples=np.inf,  # all 5!
        alternative="greater",
        vectorized=False,
    )
    whole = TensorDataset(*map(torch.from_numpy, (x, y)))
    found = run(Subset(whole, range(5)), whole, permutations=999, confidence=0.999)
    assert found.observed == pytest.approx(by_scipy.statistic)
    low, high = found.interval
    assert low <= by_scipy.pvalue <= high
    values = np.unique(np.round(by_scipy.null_distribution, 9))
    shares = [np.mean(np.isclose(by_scipy.null_distribution, value)) for value in values]
    counts = [int(np.isclose(found.null, value).sum()) for value in values]
    assert sum(counts) == 999
    assert stats.chisquare(counts, 999 * np.array(shares)).pvalue > 1e-3


def test_scikit_learn_agrees_within_the_interval() -> None:
    base = pytest.importorskip("sklearn.base")
    selection = pytest.importorskip("sklearn.model_selection")

    class Fitted(base.ClassifierMixin, base.BaseEstimator):  # type: ignore[misc, name-defined]  # untyped
        def fit(self, x: NDArray[Any], y: NDArray[Any]) -> "Fitted":
            self.classes_, self.weights_ = np.unique(y), fit_by_hand(x, y)
            return self

        def predict(self, x: NDArray[Any]) -> NDArray[Any]:
            found: NDArray[Any] = logits_by_hand(self.weights_, x).argmax(axis=1)
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
    """160 data sets without signal: rejections at 0.2 lie within their binomial interval.

    Rates from 0.36 on and to 0.075 would be found nine times in ten.
    """
    rejected = 0
    for number in range(160):
        data = points(48, seed=1000 + number, signal=0.0)
        train, test = Subset(data, range(24)), Subset(data, range(24, 48))
        found = run(train, test, statistic="log-likelihood", seed=number)
        rejected += found.p_value <= 0.2
    low, high = stats.binom.interval(0.999, 160, 0.2)
    assert low <= rejected <= high


@pytest.mark.slow
def test_weak_signal_is_found_the_more_often_the_more_examples_there_are() -> None:
    """The figures of docs/permutation.md; other machines may round a few orders the other way."""

    def power(n: int, signal: float) -> int:
        tests = [run(points(n, seed=s, signal=signal), folds=2, seed=s) for s in range(20)]
        return sum(found.p_value <= 0.05 for found in tests)

    assert power(40, 0.0) <= 5  # the chance of more is 3e-4
    assert_allclose([power(40, 0.5), power(120, 0.5)], [4, 12], atol=2)


@pytest.mark.slow
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


@pytest.mark.slow(seconds=1)
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


class Jittered(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    """Points with a random transform, as torchvision's are."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        x, label = points(40)[i]
        return x + torch.rand(D), int(label)


def test_random_transforms_draw_by_the_seed_and_leave_no_trace() -> None:
    before = torch.get_rng_state()
    first = run(Jittered(), folds=4)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert_array_equal(run(Jittered(), folds=4).null, first.null)


@pytest.mark.slow(seconds=1)
def test_a_sequential_test_is_the_whole_one_cut_at_its_last_exceedance() -> None:
    data = points(40, signal=0.0)
    whole = run(data, folds=4, permutations=99)
    good = np.flatnonzero(whole.null >= whole.observed - 1e-12)
    found = run(data, folds=4, permutations=99, stop_after=5)
    assert found.stopped
    assert_array_equal(found.null, whole.null[: good[4] + 1])
    assert found.p_value == 5 / (good[4] + 1)
    assert (found.permutations, found.smallest_p_value) == (99, 0.01)
    assert f"{good[4] + 1} permutations, stopped at 5 exceedances" in repr(found)


@pytest.mark.parametrize("h", range(1, 8))
def test_a_sequential_test_stops_at_that_exceedance_wherever_batches_end(h: int) -> None:
    data = points(20, signal=0.0)
    whole = run(data, folds=2, permutations=29)
    good = np.flatnonzero(whole.null >= whole.observed - 1e-12)
    found = run(data, folds=2, permutations=29, stop_after=h)
    assert_array_equal(found.null, whole.null[: good[h - 1] + 1])


def test_a_sequential_test_of_a_clear_signal_draws_all() -> None:
    found = run(points(60, signal=3.0), folds=4, permutations=40, stop_after=5)
    assert (len(found.null), found.stopped, found.p_value) == (40, False, 1 / 41)


def sizes_of_batches(
    monkeypatch: pytest.MonkeyPatch, *, seconds: float = 0.0, model: Any = None, **options: Any
) -> list[int]:
    """Return how many networks are trained together where each batch takes so many seconds."""
    seen, clock = train_nothing(monkeypatch), itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: seconds * next(clock))
    given = {"recipe": RECIPE, "permutations": 99, **options}
    cl.permutation_test(model or network(), points(40), points(20, seed=1), **given)
    return [len(each.labels) for each in seen]


def test_batches_grow_as_long_as_they_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sizes_of_batches(monkeypatch, seconds=29.0) == [4, 16, 64, 16]
    assert sizes_of_batches(monkeypatch, seconds=31.0, permutations=19) == [4] * 5
    assert sizes_of_batches(monkeypatch, seconds=5.0) == [4, 24, 72]
    assert sizes_of_batches(monkeypatch, seconds=1.0) == [4, 96]
    assert sizes_of_batches(monkeypatch, permutations=599) == [4, 256, 256, 84]


@pytest.mark.slow(seconds=1)
def test_batches_do_not_change_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(points(40), folds=4)
    clock = itertools.count(step=60)
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert_allclose(run(points(40), folds=4).null, whole.null)


def test_batches_of_a_sequential_test_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = sizes_of_batches(monkeypatch, stop_after=100)
    assert sizes == [4, 16, 32, 32, 16]


def with_ballast(numbers: int) -> torch.nn.Module:
    """Return the network with so many parameters more, of a byte each."""
    model = network()
    ballast = torch.zeros(numbers, dtype=torch.uint8)
    model.ballast = torch.nn.Parameter(ballast, requires_grad=False)
    return model


def test_batches_of_a_large_network_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = 1 << 26
    third, all_of_it = with_ballast(at_once // 3 - 8), with_ballast(at_once)
    sizes = sizes_of_batches(monkeypatch, model=third, permutations=4, level=0.2)
    assert sizes == [3, 2]
    sizes = sizes_of_batches(monkeypatch, model=all_of_it, permutations=1, level=0.5)
    assert sizes == [1, 1]  # and never none


def test_equal_orders_are_trained_once_and_tie_to_the_last_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = itertools.count()  # a statistic that never gives the same number twice
    train = TensorDataset(torch.randn(4, D), torch.tensor([0, 1, 0, 1]))  # 6 orders
    found = run(train, points(9), statistic=lambda *_: next(calls), permutations=99)
    rows = permuted_by_hand(train.tensors[1].numpy(), numbers=range(100))
    by_order: dict[bytes, set[float]] = {}
    for row, value in zip(rows, [found.observed, *found.null], strict=True):
        by_order.setdefault(row.tobytes(), set()).add(value)
    assert all(len(values) == 1 for values in by_order.values())
    assert next(calls) == len(by_order) == 6
    assert found.ties == sum((row == rows[0]).all() for row in rows[1:]) > 0


def interrupt_at(number: int) -> Callable[[int], None]:
    def act(call: int) -> None:
        if call == number:
            raise KeyboardInterrupt

    return act


@pytest.mark.slow(seconds=1)
def test_ctrl_c_keeps_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(points(40), folds=4, permutations=39)
    with monkeypatch.context() as patch:  # a batch of 4 orders, then one of more, four parts each
        watch_training(patch, interrupt_at(6))
        found = run(points(40), folds=4, permutations=39, baselines=[cl.GaussianPixels()])
    assert found.interrupted
    assert found.baselines == ()
    assert_array_equal(found.null, whole.null[:3])
    assert found.p_value == (found.exceedances + 1) / 4
    assert "interrupted; p = " in repr(found)
    watch_training(monkeypatch, interrupt_at(2))
    with pytest.raises(KeyboardInterrupt):
        run(points(40), folds=4)


def test_ctrl_c_before_the_first_exchange_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = itertools.count(1)

    def stopped(model: Any, inputs: Any, labels: Any, **_: Any) -> Any:
        assert len(labels) == 1  # the labels as they are were alone in the first batch
        if next(calls) == 2:
            raise KeyboardInterrupt
        return Untrained(1)

    monkeypatch.setattr(cl.training, "fit_replicas", stopped)
    with pytest.raises(KeyboardInterrupt):
        cl.permutation_test(
            with_ballast(1 << 26), points(40), points(9), recipe=RECIPE, permutations=19
        )
    assert next(calls) == 3


def test_ctrl_c_in_a_fit_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = cl.fit_replicas

    def cut(*args: Any, **options: Any) -> Any:
        report = real(*args, **options)
        if len(report) == 4:
            return report
        return dataclasses.replace(report, stopped_by=(*report.stopped_by[:-1], "interrupted"))

    monkeypatch.setattr(cl.training, "fit_replicas", cut)
    found = run(points(40), points(20, seed=1))
    assert found.interrupted
    assert len(found.null) == 3


@pytest.mark.slow(seconds=1)
def test_ctrl_c_during_a_baseline_keeps_the_test_and_what_was_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Two batches of exchanges, two repeats of one baseline and one more.
    watch_training(monkeypatch, interrupt_at(6))
    found = run(
        points(40),
        points(20, seed=1),
        baselines=[cl.GaussianPixels(), cl.ShuffledPixels()],
        repeats=2,
    )
    assert found.interrupted
    assert len(found.null) == 19
    assert [each.name for each in found.baselines] == ["GaussianPixels()"]
    assert len(found.baselines[0].statistics) == 2


@pytest.mark.slow(seconds=1)
def test_progress_counts_orders_and_parts(capsys: pytest.CaptureFixture[str]) -> None:
    run(points(40), folds=4, baselines=[cl.GaussianPixels()], repeats=3, progress=True)
    assert "permutation test  92/92" in capsys.readouterr().err  # (20 + 3) * 4
    run(points(4), points(20), progress=True)
    assert "permutation test  20/20" in capsys.readouterr().err  # repeated orders included
    run(points(4), folds=2, progress=True)
    assert "permutation test  40/40" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------- baselines


@pytest.mark.slow
def test_baselines_lose_what_they_take_away() -> None:
    train, test = cl.datasets.load("fashion-mnist-mini")
    few = torch.utils.data.Subset(train, range(0, 4000, 20))
    held_out = torch.utils.data.Subset(test, range(0, 1000, 5))
    recipe = cl.Recipe(learning_rate=0.05, decay=1.0, epochs=10, batch_size=20, whiten=True)
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


def test_the_mean_of_a_baseline_is_over_its_repeats() -> None:
    assert permutation.Baseline("shuffled", np.array([0.0, 0.0, 3.0]), None).mean == 1.0


def test_a_baseline_is_what_its_specification_says() -> None:
    train, test = points(30), TensorDataset(points(50, seed=1).tensors[0], torch.arange(50) % 2)
    found = run(train, test, baselines=[cl.RandomPixels()], repeats=2, seed=3).baselines[0]
    assert found.specification is not None
    what = cl.Specification.parse(found.specification)
    stream = "permutation_test/baseline/RandomPixels()"
    assert what.seed == cl.Draws(3).integers(stream, np.array([0]), 2**31)[0]
    seen = cl.corrupt(train, *what.corruptions, seed=what.seed)
    new = cl.corrupt(test, *what.corruptions, seed=what.seed, ids=np.arange(30, 80))
    x, y = (np.concatenate(pair) for pair in zip(*map(cl.materialize, (seen, new)), strict=True))
    by_hand = accuracy_by_hand(x, y, np.arange(30), np.arange(30, 80), seed=3)
    assert found.statistics[0] == pytest.approx(by_hand)


def test_baselines_are_measured_on_the_folds_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = train_nothing(monkeypatch, scores=(0.0,) * 20)
    data = TensorDataset(points(20).tensors[0], torch.arange(20))  # labels that name examples
    options: dict[str, Any] = {"folds": 2, "permutations": 1, "level": 0.5, "seed": 3}
    model, baselines = cl.mlp(input_shape=(D,), num_classes=20), [cl.GaussianPixels()]
    cl.permutation_test(model, data, recipe=RECIPE, baselines=baselines, repeats=2, **options)
    folds = [each.labels[0].tolist() for each in seen]
    assert len(folds) == 6  # the labels as they are, and two repeats of the baseline
    assert folds[:2] == folds[2:4] == folds[4:] != folds[:1] * 2


def test_baselines_do_not_mind_a_class_that_only_the_test_set_has() -> None:
    train, test = points(30), points(20, seed=1)
    test.tensors[1][0] = 2
    model = cl.mlp(input_shape=(D,), num_classes=3)
    found = cl.permutation_test(
        model, train, test, recipe=RECIPE, permutations=19, baselines=[cl.GaussianPixels()]
    )
    assert len(found.baselines[0].statistics) == 5


# ------------------------------------------------------------------------------------ ways to train


@pytest.mark.slow(seconds=1)
def test_networks_that_only_fit_can_train_are_those_that_fit_makes() -> None:
    """Dropout draws by seed and step: the same masks for every order."""
    model = torch.nn.Sequential(*network(), torch.nn.Dropout(0.5))
    train, test = points(30), points(50, seed=1)
    found = cl.permutation_test(
        model, train, test, recipe=RECIPE, permutations=5, level=0.2, stop=(), seed=4
    )
    by_hand = []
    for row in permuted_by_hand(train.tensors[1].numpy(), seed=4, numbers=range(6)):
        own, data = copy.deepcopy(model), TensorDataset(train.tensors[0], torch.from_numpy(row))
        report = cl.fit(own, data, test, recipe=RECIPE, stop=(), seed=4, measure="loss")
        by_hand.append(report.test_accuracy or 0.0)
    assert_allclose([found.observed, *found.null], by_hand)


@pytest.mark.slow(seconds=1)
def test_a_training_stops_when_it_interpolates_unless_told_otherwise() -> None:
    apart = TensorDataset(torch.tensor([[-1.0] * D, [1.0] * D] * 9), torch.arange(18) % 2)
    test, long = points(50, seed=1), dataclasses.replace(RECIPE, epochs=30)

    def observed(**stop: Any) -> float:
        found = cl.permutation_test(
            network(), apart, test, recipe=long, permutations=19, statistic="log-likelihood", **stop
        )
        return found.observed

    rule = cl.stopping.interpolated()
    assert observed() == observed(stop=rule) == observed(stop=[rule]) != observed(stop=())


# ------------------------------------------------------------------------------------------ results


@pytest.mark.slow(seconds=1)
def test_the_report_goes_through_json() -> None:
    found = run(
        points(40, signal=0.0),
        folds=4,
        permutations=99,
        stop_after=3,
        baselines=[cl.GaussianPixels()],
        repeats=2,
        seed=2,
    )
    told = json.loads(json.dumps(found.to_dict()))
    assert told["null"] == found.null.tolist()
    assert cl.Recipe.from_dict(told["recipe"]) == RECIPE
    assert told["interval"] == list(found.interval)
    assert told["environment"] == found.environment.to_dict()
    assert (told["seed"], told["permutations"], told["interrupted"]) == (2, 99, False)
    assert told["stopped"]
    assert told["seconds"] > 0
    assert told["ties"] < told["exceedances"] == 3
    for name in ("observed", "p_value", "ties", "folds", "confidence", "seconds", "statistic"):
        assert told[name] == getattr(found, name)
    (baseline,) = found.baselines
    assert told["baselines"] == [
        {
            "name": "GaussianPixels()",
            "statistics": baseline.statistics.tolist(),
            "p_value": baseline.p_value(found.observed),
            "specification": baseline.specification,
        }
    ]


def test_a_baseline_has_a_p_value_of_its_own() -> None:
    worse = permutation.Baseline("worse", np.array([-1.0, -1.0]), None)
    found = dataclasses.replace(run(points(40), folds=4), baselines=(worse,))
    assert found.to_dict()["baselines"][0]["p_value"] == 1 / 3 != found.p_value


def test_the_report_is_one_line_with_the_numbers_that_count() -> None:
    found = run(points(40), folds=4, confidence=0.9, seed=7)
    low, high = found.interval
    assert repr(found) == (
        f"PermutationTest(accuracy {found.observed:.4g}, on permuted labels "
        f"{found.null.mean():.4g} on average; p = {found.p_value:.4g} (90% interval {low:.2g} to "
        f"{high:.2g}), 19 permutations; inputs plain; seed=7)"
    )


def test_a_training_is_asked_for_where_it_shall_be(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watch_training(monkeypatch)
    run(points(20), points(9), device="cpu:0")
    assert {each.device for each in seen} == {torch.device("cpu")}


@pytest.mark.slow
def test_the_figure_shows_the_null_the_observed_value_and_the_baselines() -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    found = run(points(40), folds=4, baselines=[cl.GaussianPixels()], repeats=2)
    found = dataclasses.replace(found, permutations=99)  # more were asked for than were drawn
    axes = found.plot(title="points").axes[0]
    assert axes.get_xlabel() == "accuracy"
    assert axes.texts[0].get_text() == f"p = {found.p_value:.3g}, 19 permutations"
    assert sum(float(plt.getp(bar, "height")) for bar in axes.patches) == 19
    assert np.asarray(axes.lines[0].get_xdata())[0] == found.observed
    assert len(axes.lines) == 2
    assert_array_equal(axes.lines[1].get_xdata(), found.baselines[0].statistics)
    assert axes.get_title() == "points"


# ---------------------------------------------------------------------------------------- bad input


def test_too_few_permutations_for_the_level_are_told() -> None:
    few = r"= 18 is 0\.0526, .* at least 19 permutations\.$"
    with pytest.warns(UserWarning, match=few) as told:
        run(points(20), folds=2, permutations=18)
    assert told[0].filename.endswith("problem.py")  # the line that calls
    with pytest.warns(UserWarning, match=r"level of 0\.01; use at least 99 permutations\.$"):
        run(points(20), folds=2, level=0.01)
    with pytest.warns(UserWarning, match=r"least 48 permutations\.$"):  # though 1 / (1 / 49) > 49
        run(points(20), folds=2, level=1 / 49)
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
        ({"folds": 2, "level": 0}, r"^`level` must lie strictly between 0 and 1, got 0\.$"),
        ({"folds": 2, "confidence": 0}, r"^`confidence` must lie strictly between .* got 0\.$"),
        (
            {"folds": 2, "statistic": "auc"},
            r"^`statistic` must be one of 'accuracy', .* got 'auc'\.$",
        ),
        (
            {"folds": 2, "statistic": lambda *_: float("nan")},
            r"^`statistic` must return a finite number, got nan from <lambda>\.$",
        ),
        (
            {"folds": 2, "statistic": lambda *_: float("inf")},
            r"^`statistic` must return a finite number, got inf from <lambda>\.$",
        ),
        (
            {"folds": 2, "groups": [float("nan")] * 40},
            r"^`groups` must name the group of every example, got nan or inf\.$",
        ),
        (
            {"test": TensorDataset(torch.ones(3, D), torch.tensor([0, 1, 2]))},
            r"^`test` labels must lie in 0 \.\. 1, the 2 outputs of `model`, got 2\.$",
        ),
        (
            {"test": TensorDataset(torch.ones(3, D).double(), torch.zeros(3).long())},
            r"^`test` must have inputs like .* got \(3,\) of torch\.float64\.$",
        ),
        (
            {"folds": 2, "baselines": [cl.GaussianPixels()] * 2},
            r"^`baselines` must differ .* twice\.$",
        ),
        ({"folds": 2, "groups": [0] * 39}, r"^`groups` must have shape \(40,\)"),
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
        (
            {"folds": 2, "statistic": 3},
            r"^`statistic` must be a name, a function, or .* got int\.$",
        ),
        (
            {"folds": 2, "baselines": [cl.RandomLabels()]},
            r"^`baselines` must hold corruptions of inp",
        ),
        (
            {"folds": 2, "baselines": cl.GaussianPixels()},
            r"^`baselines` must be a list of .* got GaussianPixels\(\)\.$",
        ),
        (
            {"folds": 2, "baselines": [cl.GaussianPixels]},
            r"^`baselines` must hold corruptions of inputs, got <class",
        ),
        ({"folds": 2, "permutations": 19.5}, r"^`permutations` must be an integer, got 19\.5\.$"),
        ({"folds": 2, "seed": 0.5}, r"^`seed` must be an integer, got 0\.5\.$"),
        ({"folds": 2, "stop": None}, r"^`stop` must hold stopping rules, .* got None\.$"),
        ({"folds": 2, "level": "5%"}, r"^`level` must be a number, got '5%'\.$"),
        ({"folds": 2, "recipe": 3}, r"^`recipe` must be a Recipe, got int\.$"),
        (
            {"folds": 2, "groups": ["a", None] * 20},
            r"^`groups` must hold numbers only or strings only, got a mixture\.$",
        ),
        (
            {"folds": 2, "statistic": lambda logits, _: logits},
            r"^`statistic` must return a number, got Tensor of shape \(20, 2\) from <lambda>\.$",
        ),
        (
            {"folds": 2, "statistic": lambda *_: "0.5"},
            r"^`statistic` must return a number, got str from <lambda>\.$",
        ),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        run(points(40), **options)


def test_a_model_must_be_a_network() -> None:
    with pytest.raises(TypeError, match=r"^`model` must be .* that makes one, got int\.$"):
        cl.permutation_test(3, points(40), folds=2, recipe=RECIPE)
    with pytest.raises(ValueError, match=r"^`model` must have weights to be copied, got lazy"):
        cl.permutation_test(torch.nn.LazyLinear(2), points(40), folds=2, recipe=RECIPE)


class Picky:
    """A corruption of inputs that suits none."""

    stream = "picky"

    def inputs(self, *_: Any, **__: Any) -> Any:
        raise ValueError("`inputs` must be something else.")


def test_what_does_not_fit_is_refused_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a network is trained")

    monkeypatch.setattr(cl.training, "fit_replicas", never)
    data, x = points(40), points(40).tensors[0]
    with pytest.raises(ValueError, match="nothing to permute, got 40 of class 1"):
        run(TensorDataset(x, torch.ones(40).long()), folds=3)
    with pytest.raises(ValueError, match=r"^`train` labels must lie in 0 \.\. 1, .* got 39\.$"):
        run(TensorDataset(x, torch.arange(40)), folds=3)
    with pytest.raises(ValueError, match=r"^`model` must accept inputs of shape \(2, 2\)"):
        run(TensorDataset(x[:, 1:], data.tensors[1]), folds=3)
    with pytest.raises(ValueError, match=r"^`model` must have one output for real-valued targets"):
        run(TensorDataset(x, x[:, 0]), folds=3)
    with pytest.raises(TypeError, match=r"^`recipe\.whiten` must be False .* for torch\.int64"):
        run(
            TensorDataset(x.long(), data.tensors[1]),
            folds=3,
            recipe=dataclasses.replace(RECIPE, whiten=True),
        )
    with pytest.raises(ValueError, match=r"^`inputs` must be something else\.$"):
        run(data, folds=3, baselines=[Picky()])


def test_the_room_exports_what_it_names() -> None:
    assert permutation.permutation_test is cl.permutation_test


@pytest.mark.slow(seconds=1)
def test_print_has_a_line_for_each_number_that_counts() -> None:
    found = run(points(40), folds=4, permutations=19, baselines=[cl.ShuffledPixels()])
    lines = str(found).splitlines()
    names = [
        *(line.split("  ")[0] for line in lines[:6]),
        *(line.split(" ")[0] for line in lines[6:]),
    ]
    assert names == [
        "accuracy",
        "on permuted labels",
        "p-value",
        "drawn",
        "ShuffledPixels()",
        "",
        "learner",
        "split",
        "run",
        "with",
    ]
    assert f"{found.p_value:.4g}, 95% interval" in lines[2]
    assert "19 of 19 permutations; 0 at least as good, 0 tied" in lines[3]
    assert lines[7] == "split   4 folds"
    cut = dataclasses.replace(found, interrupted=True, learner="forest", folds=None)
    assert "permutations, interrupted; " in str(cut)
    assert "learner forest\nsplit   test set" in str(cut)
