"""The permutation test of estimators and training functions."""

import functools
import json
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy import sparse, stats
from torch.utils.data import TensorDataset

import corruptlab as cl

from . import learners
from .learners import Centroids, LeastSquares, points
from .problem import permuted_by_hand

FOLDS = np.arange(40) % 4
LEARNERS: dict[str, Any] = {
    "estimator": Centroids(),
    "function of classes": learners.classes,
    "function of probabilities": learners.probabilities,
    "partial": functools.partial(learners.classes),
}


def run(model: Any, *args: Any, **options: Any) -> cl.experiments.PermutationTest:
    return cl.permutation_test(model, *args, **{"permutations": 19, **options})


def by_hand(
    measure: Callable[[Any, Any, Any], float], x: Any, y: Any, *, numbers: Any = range(20)
) -> list[float]:
    """Return the mean over FOLDS of a statistic of centroids, inputs, and labels."""
    found = []
    for row in permuted_by_hand(y, numbers=numbers):
        parts = []
        for k in range(4):
            model = Centroids().fit(x[k != FOLDS], row[k != FOLDS])
            parts.append(measure(model, x[k == FOLDS], row[k == FOLDS]))
        found.append(float(np.mean(parts)))
    return found


def accuracy(model: Any, x: Any, y: Any) -> float:
    return float((model.predict(x) == y).mean())


# ---------------------------------------------------------------------------------- the statistic


@pytest.mark.parametrize("model", LEARNERS.values(), ids=LEARNERS)
def test_every_kind_of_learner_gives_what_fits_by_hand_give(model: Any) -> None:
    x, y = points(40)
    found = run(model, (x, y), folds=FOLDS)
    assert_allclose([found.observed, *found.null], by_hand(accuracy, x, y))
    assert (found.statistic, found.folds, found.recipe) == ("accuracy", 4, None)


def test_with_a_test_set_its_labels_stay() -> None:
    (x, y), (new, truth) = points(30), points(20, seed=1)
    found = run(Centroids(), (x, y), (new, truth))
    expected = [
        accuracy(Centroids().fit(x, row), new, truth)
        for row in permuted_by_hand(y, numbers=range(20))
    ]
    assert_allclose([found.observed, *found.null], expected)
    assert found.folds is None


def pairwise_auroc(model: Any, x: Any, y: Any) -> float:
    scores = model.predict_proba(x)[:, 1]
    pairs = [(p > q) + (p == q) / 2 for p in scores[y == 1] for q in scores[y == 0]]
    return float(np.mean(pairs)) if pairs else 0.5


def mean_recall(model: Any, x: Any, y: Any) -> float:
    return float(np.mean([(model.predict(x)[y == k] == k).mean() for k in np.unique(y)]))


def mean_log(model: Any, x: Any, y: Any) -> float:
    return float(np.log(model.predict_proba(x)[np.arange(len(y)), y]).mean())


@pytest.mark.parametrize(
    ("statistic", "naive"),
    [("auroc", pairwise_auroc), ("balanced_accuracy", mean_recall), ("log-likelihood", mean_log)],
)
@pytest.mark.parametrize("model", [Centroids(), learners.probabilities], ids=["object", "function"])
def test_named_statistics_are_what_they_say(model: Any, statistic: Any, naive: Any) -> None:
    x, y = points(40)
    found = run(model, (x, y), folds=FOLDS, statistic=statistic)
    assert_allclose([found.observed, *found.null], by_hand(naive, x, y))


@pytest.mark.parametrize("statistic", ["accuracy", "balanced_accuracy", "log-likelihood", "auroc"])
def test_a_network_that_a_function_returns_is_measured_as_networks_are(statistic: Any) -> None:
    # Replicas of no epoch at all are the network itself.
    x, y = points(60)
    data = (x.astype(np.float32), y)
    network = cl.mlp(4, input_shape=(3,), num_classes=2)
    recipe = cl.Recipe(learning_rate=1e-30, epochs=1, batch_size=60, whiten=False)
    expected = cl.permutation_test(
        network, data, folds=3, recipe=recipe, statistic=statistic, permutations=19
    )
    found = run(lambda data, *, seed: network, data, folds=3, statistic=statistic)
    assert_allclose(found.null, expected.null, rtol=1e-5)
    assert network.training


def test_auroc_of_several_classes_is_the_mean_of_each_against_the_rest() -> None:
    x, _ = points(90, seed=3)
    y = np.argmax(x + np.random.default_rng(0).normal(size=x.shape), axis=1)
    scores = Centroids().fit(x, y).predict_proba(x)
    expected = [
        np.mean([(p > q) + (p == q) / 2 for p in scores[y == k, k] for q in scores[y != k, k]])
        for k in range(3)
    ]
    found = run(Centroids(), (x, y), (x, y), statistic="auroc")
    assert found.observed == pytest.approx(np.mean(expected))


def test_auroc_where_one_class_alone_is_held_out_is_that_of_chance() -> None:
    x, y = points(20)
    found = run(Centroids(), (x, y), (x[y == 1], y[y == 1]), statistic="auroc")
    assert found.observed == 0.5


def test_any_function_gets_scores_and_labels_as_numbers_from_0() -> None:
    x, y = points(40)
    seen = []

    def margin(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.append((tuple(scores.shape), sorted(set(labels.tolist()))))
        return scores.gather(1, labels[:, None]).mean()

    found = run(Centroids(), (x, np.array(["b", "a"])[y]), folds=2, statistic=margin)
    assert found.statistic == "margin"
    assert set(map(str, seen)) == {str(((20, 2), [0, 1]))}


def test_a_metric_that_gathers_batches_starts_anew_for_every_part() -> None:
    class Gathering:
        """As torchmetrics has them."""

        def __init__(self) -> None:
            self.right = self.total = 0

        def reset(self) -> None:
            self.right = self.total = 0

        def __call__(self, scores: torch.Tensor, labels: torch.Tensor) -> float:
            self.right += int((scores.argmax(dim=1) == labels).sum())
            self.total += len(labels)
            return self.right / self.total

    x, y = points(40)
    found = run(Centroids(), (x, y), folds=FOLDS, statistic=Gathering())
    assert found.statistic == "Gathering"
    assert_allclose(found.null, by_hand(accuracy, x, y)[1:])


def test_rare_classes_are_seen_by_the_likelihood_and_not_by_the_accuracy() -> None:
    # 6% positives, which nobody predicts, but whose probability varies: docs/permutation.md.
    generator = np.random.default_rng(1)
    y = (np.arange(200) < 12).astype(int)
    x = generator.normal(size=(200, 1)) + 1.5 * y[:, None]
    table = {name: run(_Logistic(), (x, y), folds=5, statistic=name) for name in ("accuracy", None)}
    assert table["accuracy"].p_value > 0.2
    for name in ("log-likelihood", "auroc"):
        assert run(_Logistic(), (x, y), folds=5, statistic=name).p_value == 0.05


class _Logistic:
    """Logistic regression by Newton's method, with a little weight decay."""

    def fit(self, x: Any, y: Any) -> "_Logistic":
        rows, self.slopes_ = learners.with_one(x), np.zeros(x.shape[1] + 1)
        self.classes_ = np.array([0, 1])
        for _ in range(6):
            p = 1 / (1 + np.exp(-rows @ self.slopes_))
            curvature = (rows * (p * (1 - p))[:, None]).T @ rows + np.eye(len(self.slopes_))
            self.slopes_ += np.linalg.solve(curvature, rows.T @ (y - p) - self.slopes_)
        return self

    def predict_proba(self, x: Any) -> NDArray[np.float64]:
        p = 1 / (1 + np.exp(-learners.with_one(x) @ self.slopes_))
        return np.stack([1 - p, p], axis=1)

    def predict(self, x: Any) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self.predict_proba(x).argmax(axis=1).astype(np.int64)
        return found


# ------------------------------------------------------------------------------ real-valued targets


def line(n: int, *, seed: int = 0, signal: float = 1.0) -> tuple[NDArray[Any], NDArray[Any]]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, 3))
    return x, signal * x[:, 0] + generator.normal(size=n)


@pytest.mark.parametrize("model", [LeastSquares(), learners.slopes], ids=["object", "function"])
def test_real_valued_targets_have_r_squared(model: Any) -> None:
    x, y = line(40)
    found = run(model, (x, y), folds=FOLDS)
    expected = []
    for k in range(4):
        rest, new = k != FOLDS, k == FOLDS
        predicted = LeastSquares().fit(x[rest], y[rest]).predict(x[new])
        spread = ((y[new] - y[new].mean()) ** 2).sum()
        expected.append(1 - ((y[new] - predicted) ** 2).sum() / spread)
    assert found.statistic == "r2"
    assert found.observed == pytest.approx(np.mean(expected))
    assert found.p_value == 0.05


def test_a_regressor_may_have_integers_as_targets_and_any_function_as_statistic() -> None:
    x, y = line(40, signal=9.0)

    def error(predicted: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return -(predicted - targets).abs().mean()

    found = run(LeastSquares(), (x, y.round().astype(int)), folds=4, statistic=error)
    assert found.p_value == 0.05
    assert found.observed > -2


def test_targets_of_a_data_set_may_be_numbers() -> None:
    x, y = line(40)
    data = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    seen = []

    def train(data: cl.LabelledData, *, seed: int) -> Any:
        seen.append(data[3])
        return learners.slopes(data, seed=seed)

    found = run(train, data, folds=FOLDS)
    assert_allclose(found.null, run(LeastSquares(), (x, y), folds=FOLDS).null)
    assert [(type(each), each[1].dtype) for each in seen[:1]] == [(tuple, torch.float64)]


# -------------------------------------------------------------------------------------- the law


@pytest.mark.slow(seconds=5)
def test_under_exchangeable_labels_every_p_value_is_equally_likely() -> None:
    # R squared has no ties, so p is uniform on 1/5 .. 5/5. 300 data sets; Pearson's test.
    options: dict[str, Any] = {"folds": 2, "permutations": 4, "level": 0.5}
    ranks = [
        run(LeastSquares(), line(12, seed=seed, signal=0.0), seed=seed, **options).exceedances
        for seed in range(300)
    ]
    assert stats.chisquare(np.bincount(ranks, minlength=5)).pvalue > 1e-3


def test_labels_are_exchanged_within_groups_only() -> None:
    x, y = points(40)
    groups = np.arange(40) // 20
    seen: list[NDArray[Any]] = []

    def train(data: cl.LabelledData, *, seed: int) -> Any:
        seen.append(data.labels.copy())
        return learners.classes(data, seed=seed)

    run(train, (x, y), (x, y), groups=groups)
    assert_array_equal(np.stack(seen), permuted_by_hand(y, groups, numbers=range(20)))


def test_a_sequential_test_stops_at_its_last_exceedance() -> None:
    data = points(40, signal=0.0, seed=2)
    whole = run(Centroids(), data, folds=4, permutations=60, statistic="log-likelihood")
    found = run(
        Centroids(), data, folds=4, permutations=60, statistic="log-likelihood", stop_after=5
    )
    good = np.flatnonzero(whole.null >= whole.observed)
    assert found.stopped
    assert_array_equal(found.null, whole.null[: good[4] + 1])


# ------------------------------------------------------------------------------- inputs and labels


def frame(x: NDArray[Any]) -> Any:
    return pytest.importorskip(
        "pandas", reason="pandas cannot be imported", exc_type=ImportError
    ).DataFrame(x, columns=["a", "b", "c"])


CONTAINERS: dict[str, Callable[[NDArray[Any]], Any]] = {
    "tensor": torch.from_numpy,
    "data frame": frame,
    "sparse matrix": sparse.csr_matrix,
    "images": lambda x: x[:, :, None],
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_inputs_come_in_any_container(container: str) -> None:
    x, y = points(40)
    seen = []

    class Dense(Centroids):
        def fit(self, x: Any, y: Any) -> "Centroids":
            seen.append(type(x).__name__)
            return super().fit(x.toarray() if sparse.issparse(x) else x, y)

        def predict(self, x: Any) -> NDArray[Any]:
            return super().predict(x.toarray() if sparse.issparse(x) else x)

    found = run(Dense(), (CONTAINERS[container](x), y), folds=FOLDS)
    assert_allclose([found.observed, *found.null], by_hand(accuracy, x, y))
    kinds = {"data frame": "DataFrame", "sparse matrix": "csr_matrix"}
    assert set(seen) == {kinds.get(container, "ndarray")}


def test_inputs_may_be_texts() -> None:
    texts, y = ["good", "bad"] * 10, [1, 0] * 10

    class Words:
        def fit(self, x: Any, y: Any) -> "Words":
            self.known = dict(zip(x, y, strict=True))
            return self

        def predict(self, x: Any) -> list[Any]:
            return [self.known[text] for text in x]

    assert run(Words(), (texts, y), folds=2).observed == 1.0


NAMES: dict[str, Callable[[NDArray[Any]], Any]] = {
    "strings": lambda y: np.array(["no", "yes"])[y],
    "list of strings": lambda y: np.array(["no", "yes"])[y].tolist(),
    "booleans": lambda y: y.astype(bool),
    "-1 and 1": lambda y: 2 * y - 1,
    "5 and 9": lambda y: 4 * y + 5,
    "tensor": torch.from_numpy,
    "column": lambda y: y[:, None],
    "series": lambda y: pytest.importorskip(
        "pandas", reason="pandas cannot be imported", exc_type=ImportError
    ).Series(np.array(["no", "yes"])[y]),
}


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("model", [Centroids(), learners.classes], ids=["object", "function"])
@pytest.mark.parametrize("statistic", ["accuracy"])
def test_labels_may_be_called_anything(model: Any, names: str, statistic: Any) -> None:
    x, y = points(40)
    found = run(model, (x, NAMES[names](y)), folds=FOLDS, statistic=statistic)
    assert_allclose([found.observed, *found.null], by_hand(accuracy, x, y))


def test_a_regression_on_floats_is_a_classification_for_a_classifier() -> None:
    class Classifier(Centroids):
        _estimator_type = "classifier"

    x, y = points(40)
    found = run(Classifier(), (x, y.astype(float)), folds=FOLDS)
    assert found.statistic == "accuracy"
    assert_allclose(found.null, by_hand(accuracy, x, y)[1:])


def test_a_training_function_gets_the_items_of_a_data_set_with_other_labels() -> None:
    items = [{"image": np.full(2, float(i)), "label": np.int8(i % 2), "id": i} for i in range(12)]
    seen: list[Any] = []

    def train(data: cl.LabelledData, *, seed: int) -> Any:
        seen.append((data, seed))
        return lambda x: np.zeros(len(x), int)

    run(train, items, folds=np.arange(12) // 6, seed=7)
    data, seed = seen[2]  # the first permutation, the first part
    (row,) = permuted_by_hand([i % 2 for i in range(12)], seed=7, numbers=[1])
    assert seed == 7
    assert repr(data) == "LabelledData(6 examples, 2 classes)"
    assert data.num_classes == 2
    assert [item["id"] for item in data] == data.ids.tolist() == list(range(6, 12))
    assert [item["label"] for item in data] == data.labels.tolist() == row[6:].tolist()
    assert {type(item["label"]) for item in data} == {np.int8}
    assert_array_equal(data.inputs[:, 0], np.arange(6.0, 12.0))
    assert_array_equal(data[-1]["image"], data[5]["image"])
    with pytest.raises(IndexError, match=r"^`index` must lie in -6 \.\. 5, got 6\.$"):
        data[6]
    with pytest.raises(IndexError, match=r"^`index` must lie in -6 \.\. 5, got -7\.$"):
        data.__getitems__([0, -7])
    loader = torch.utils.data.DataLoader(data, batch_size=4)
    assert [len(batch["id"]) for batch in loader] == [4, 2]
    assert items[6]["label"] == 0, "the data set has changed"


def test_lists_of_numbers_in_items_come_as_tensors_and_other_lists_as_they_are() -> None:
    met = {}

    def train(data: Any, *, seed: int) -> Any:
        def predict(batch: Any) -> Any:
            met.update(batch)
            return (batch["ids"][:, 0] > 0).long()

        return predict

    rows = [
        {"ids": [k % 2, 5, 7], "box": [[0.5, k], [1, 2]], "words": ["a", "b"], "label": k % 2}
        for k in range(20)
    ]
    found = cl.permutation_test(train, rows, folds=2, permutations=1, level=0.5)
    assert found.observed == 1
    assert (met["ids"].shape, met["ids"].dtype) == ((10, 3), torch.int64)
    assert (met["box"].shape, met["box"].dtype) == ((10, 2, 2), torch.float32)
    assert met["words"] == [("a",) * 10, ("b",) * 10]


class Graph:
    """Any object, whose `repr` is its address."""

    def __init__(self, size: int) -> None:
        self.size = size


def of_graphs(data: Any, *, seed: int) -> Any:
    assert type(data.inputs[0]) is Graph
    return lambda graphs: [graph.size % 2 for graph in graphs]


def test_inputs_of_any_type_come_as_a_list_and_are_known_again(tmp_path: Path) -> None:
    def found() -> float:
        graphs = [(Graph(size), size % 2) for size in range(20)]
        return run(of_graphs, graphs, folds=2, out=tmp_path).observed

    assert found() == found() == 1


def test_classes_that_a_part_lacks_have_probability_0() -> None:
    x, _ = points(30)
    y = np.repeat([0, 1, 2], 10)
    found = run(
        Centroids(), (x, y), folds=np.arange(30) // 10, statistic="log-likelihood", permutations=19
    )
    assert found.observed == pytest.approx(np.log(np.finfo(float).eps))


# ------------------------------------------------------------------------------ nothing is changed


def test_the_estimator_stays_as_it_was_and_every_clone_has_the_seed() -> None:
    fitted: list[Any] = []

    class Watched(Centroids):
        def fit(self, x: Any, y: Any) -> "Centroids":
            fitted.append(self)
            return super().fit(x, y)

    own = Watched(scale=2.0)
    run(own, points(20), folds=2, seed=5)
    assert vars(own) == {"scale": 2.0, "random_state": None}
    assert {each.random_state for each in fitted} == {5}
    assert {each.scale for each in fitted} == {2.0}
    assert len({id(each) for each in fitted}) == len(fitted) == 40
    fitted.clear()
    run(Watched(random_state=3), points(20), folds=2, seed=5)
    assert {each.random_state for each in fitted} == {3}


def test_global_generators_are_seeded_and_put_back() -> None:
    results = []
    for seed, elsewhere in ((1, 0), (1, 5), (2**40, 0)):
        np.random.seed(elsewhere)  # noqa: NPY002  # what the caller has drawn does not count
        torch.manual_seed(elsewhere)
        before = np.random.get_state()[1].copy(), torch.get_rng_state()  # type: ignore[index] # noqa: NPY002
        results.append(run(learners.drawn, points(40), folds=FOLDS, seed=seed))
        assert_array_equal(before[0], np.random.get_state()[1])  # type: ignore[index] # noqa: NPY002
        assert torch.equal(before[1], torch.get_rng_state())
    one, two, other = results
    assert one.observed == two.observed != other.observed
    assert_array_equal(one.null, two.null)


# --------------------------------------------------------------- executors, resuming, interruption


@pytest.mark.parametrize("model", [Centroids(), learners.classes], ids=["object", "function"])
def test_on_an_executor_it_is_the_same_test(model: Any) -> None:
    data = points(40, signal=0.3)
    alone = run(model, data, folds=4, baselines=[cl.GaussianPixels()], repeats=2)
    with ThreadPoolExecutor(2) as executor:
        found = run(
            model, data, folds=4, baselines=[cl.GaussianPixels()], repeats=2, executor=executor
        )
    assert_array_equal(found.null, alone.null)
    assert found.observed == alone.observed
    assert_array_equal(found.baselines[0].statistics, alone.baselines[0].statistics)


@pytest.mark.usefixtures("forked_workers")
def test_in_processes_it_is_the_same_test() -> None:
    data = points(40, signal=0.0)
    alone = run(learners.drawn, data, folds=4)
    found = run(learners.drawn, data, folds=4, executor=2)
    assert_array_equal(found.null, alone.null)


@pytest.mark.slow(seconds=40)
def test_on_a_ray_cluster_it_is_the_same_test(on_ray: dict[str, Any]) -> None:
    assert on_ray["null"] == run(learners.drawn, points(40), folds=4).null.tolist()


def test_a_sequential_test_on_an_executor_stops_where_it_would_alone() -> None:
    data = points(40, signal=0.0)
    options: dict[str, Any] = {"folds": 4, "permutations": 99, "stop_after": 3}
    alone = run(Centroids(), data, **options)
    with ThreadPoolExecutor(2) as executor:
        found = run(Centroids(), data, executor=executor, **options)
    assert_array_equal(found.null, alone.null)
    assert found.p_value == alone.p_value


TRAINED: list[int] = []


def counted(data: cl.LabelledData, *, seed: int) -> Any:
    TRAINED.append(len(TRAINED))
    if TRAINED[-1] == STOP_AT[0]:
        raise KeyboardInterrupt
    return learners.classes(data, seed=seed)


STOP_AT = [-1]


def test_after_ctrl_c_the_same_call_goes_on(tmp_path: Path) -> None:
    data = points(40)
    TRAINED.clear()
    STOP_AT[0] = 45
    cut = run(counted, data, folds=4, out=tmp_path / "test")
    assert cut.interrupted
    assert len(cut.null) == 10  # 11 orders of 4 parts are 44 trainings
    assert cut.p_value == (cut.exceedances + 1) / 11
    STOP_AT[0] = -1
    whole = run(counted, data, folds=4, out=tmp_path / "test")
    assert len(TRAINED) == 46 + 4 * (20 - 11)
    assert_array_equal(whole.null, run(Centroids(), data, folds=4).null)
    TRAINED.clear()
    longer = run(counted, data, folds=4, out=tmp_path / "test", permutations=24)
    assert len(TRAINED) == 4 * 5
    assert_array_equal(longer.null[:19], whole.null)


def test_ctrl_c_in_this_process_keeps_what_was_drawn() -> None:
    data = points(40)
    TRAINED.clear()
    STOP_AT[0] = 13
    try:
        found = run(counted, data, folds=FOLDS)
        assert found.interrupted
        assert_allclose([found.observed, *found.null], by_hand(accuracy, *data)[:3])
        TRAINED.clear()
        STOP_AT[0] = 7
        with pytest.raises(KeyboardInterrupt):
            run(counted, data, folds=4)
    finally:
        STOP_AT[0] = -1


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"statistic": "auroc"},
        {"folds": 5},
        {"model": Centroids(scale=2.0)},
        {"data": points(40, seed=1)},
        {"groups": np.arange(40) % 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_folder_of_another_test_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    first: dict[str, Any] = {"model": Centroids(), "data": points(40), "folds": FOLDS}

    def start(**options: Any) -> None:
        given = {**first, **options}
        run(given.pop("model"), given.pop("data"), permutations=1, level=0.5, out=tmp_path, **given)

    start()
    start()
    with pytest.raises(ValueError, match=r"^`out` must be a folder of this sweep alone, got"):
        start(**change)


def broken(data: cl.LabelledData, *, seed: int) -> Any:
    if len(TRAINED) >= 4 and not (data.labels[:3] == points(40)[1][:3]).all():
        raise ArithmeticError("no convergence")
    TRAINED.append(0)
    return learners.classes(data, seed=seed)


def test_a_training_that_fails_on_an_executor_is_told_and_the_others_kept(tmp_path: Path) -> None:
    TRAINED.clear()
    with pytest.raises(
        RuntimeError, match=r"^`model` must train on every permutation, got \d+ "
    ) as e:
        run(broken, points(40), folds=1 + 1, out=tmp_path)
    assert "ArithmeticError: no convergence" in str(e.value)


def failing(data: cl.LabelledData, *, seed: int) -> Any:
    raise ArithmeticError("never")


def test_an_error_of_the_first_training_is_raised_as_it_is(tmp_path: Path) -> None:
    for options in ({}, {"out": tmp_path}):
        with pytest.raises(ArithmeticError, match=r"^never$"):
            run(failing, points(40), folds=2, **options)


# ------------------------------------------------------------------------------------- the report


def test_the_report_names_the_learner_and_goes_through_json() -> None:
    found = run(Centroids(), points(40), folds=4)
    told = json.loads(json.dumps(found.to_dict()))
    assert (told["learner"], told["recipe"]) == ("Centroids", None)
    assert run(learners.classes, points(40), folds=4).learner == "classes"
    assert run(LEARNERS["partial"], points(40), folds=4).learner == "classes"


@pytest.mark.parametrize("model", [Centroids(), learners.classes], ids=["object", "function"])
def test_baselines_lose_what_they_take_away(model: Any) -> None:
    x, y = points(80, signal=4.0)
    found = run(model, (x, y), folds=4, baselines=[cl.GaussianPixels()], repeats=3)
    assert found.baselines[0].mean < 0.7 < found.observed
    pair = run(model, (x, y), (x, y), baselines=[cl.ShuffledPixels()], repeats=1)
    assert pair.baselines[0].mean == pair.observed  # centroids do not mind the order


def test_baselines_of_a_data_set_keep_its_items() -> None:
    x, y = points(80, signal=4.0)
    data = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    found = run(learners.classes, data, folds=4, baselines=[cl.GaussianPixels()], repeats=3)
    assert found.baselines[0].mean < 0.7 < found.observed


def test_progress_counts_trainings(capsys: pytest.CaptureFixture[str]) -> None:
    run(Centroids(), points(40), folds=4, progress=True)
    assert "permutation test  80/80" in capsys.readouterr().err


# -------------------------------------------------------------------------------------- bad input


class NoFit:
    def predict(self, x: Any) -> Any:
        return x


class NoPredict:
    def fit(self, x: Any, y: Any) -> None: ...


class Wrong(Centroids):
    """An estimator whose probabilities have a column too few."""

    def predict_proba(self, x: Any) -> NDArray[np.float64]:
        return super().predict_proba(x)[:, :1]


class Flat(Centroids):
    def predict(self, x: Any) -> Any:
        return np.zeros((len(x), 2), int)


class Certain(Centroids):
    predict_proba = None  # type: ignore[assignment]  # taken away

    def __getattribute__(self, name: str) -> Any:
        if name == "predict_proba":
            raise AttributeError(name)
        return super().__getattribute__(name)


def returning(answer: Callable[[Any], Any]) -> Any:
    return lambda data, *, seed: answer


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (
            NoFit(),
            {},
            r"^`model` must be a .* or a function train\(data, \*, seed\), got NoFit, wh",
        ),
        (3, {}, r"^`model` must be a torch\.nn\.Module with a recipe, .* got int, which has no "),
        (NoPredict(), {}, r"^`model` must have a method predict, as estimators do, got NoPredict"),
        (Centroids, {}, r"^`model` must be an estimator or a function, got the class Centroids; "),
        (torch.nn.Linear(3, 2), {}, r"^`recipe` must be given with a torch\.nn\.Module, got None"),
        (lambda x, y: x, {}, r"^`model` must be a function train\(data, \*, seed\) .* <lambda>\(x"),
        (Certain(), {"statistic": "auroc"}, r"^`model` must have a method predict_proba or decis"),
        (
            Certain(),
            {"statistic": "log-likelihood"},
            r"^`model` must have a method predict_proba for the statistic 'log-likelihood', got C",
        ),
        (
            lambda data, *, seed: None,
            {},
            r"^the learner must return a predictor, .* got NoneType from <lambda>\.$",
        ),
        (returning(lambda x: None), {}, r"^the predictor must return a tensor or an array of .* N"),
        (
            learners.classes,
            {"statistic": "auroc"},
            r"^the predictor must return scores of shape \(n, K\) for an area under the ROC curve, "
            r"got classes\.$",
        ),
        (
            Centroids(),
            {"statistic": 3},
            r"^`statistic` must be a name, a function, or a metric, got int",
        ),
        (Centroids(), {"executor": "ray"}, r"^`executor` must be None, .* got 'ray'\.$"),
        (Centroids(), {"executor": 1.5}, r"^`executor` must be None, .* got 1\.5\.$"),
        (
            returning(lambda x: np.zeros(len(x), int)),
            {"executor": 1},
            r"^`model` must be picklable where `executor` or `out` is given .* got the error: ",
        ),
        (
            Centroids(),
            {"executor": 1, "statistic": lambda *_: 0.0},
            r"^`statistic` must be picklable",
        ),
        (
            Centroids(),
            {"recipe": cl.Recipe(learning_rate=0.1, epochs=1)},
            r"^`model` must be a torch\.nn\.Module or .*, got Centroids, an estimator, which takes",
        ),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused(
    model: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        run(model, points(40), folds=2, **options)


def nan_scores(x: Any) -> Any:
    return np.where(np.arange(len(x))[:, None] == 2, np.nan, np.full((len(x), 2), 0.5))


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (
            returning(lambda x: np.zeros(3)),
            {},
            r"^the predictor must return scores of shape \(20, 2\) or classes of shape \(20,\) for "
            r"20 inputs, got float64 of shape \(3,\)\.$",
        ),
        (returning(lambda x: np.zeros((len(x), 1))), {}, r"got float64 of shape \(20, 1\)\.$"),
        (
            returning(lambda x: np.full(len(x), 7)),
            {},
            r"^`predictions` must be among the classes 0",
        ),
        (returning(nan_scores), {}, r"^the predictor must return scores that are numbers, .* 1 of"),
        (
            returning(lambda x: np.full((len(x), 2), 0.75)),
            {"statistic": "log-likelihood"},
            r"^the predictor must return probabilities for a log-likelihood or a cross-entropy, "
            r"rows that are at least 0 and sum to 1, got a row that sums to 1\.5; "
            r"take the softmax of logits first\.$",
        ),
        (
            returning(lambda x: np.tile([1.5, -0.5], (len(x), 1))),
            {"statistic": "log-likelihood"},
            r"and sum to 1, got -0\.5; take",
        ),
        (
            returning(lambda x: np.full(len(x), 1.25)),
            {},
            r"^the predictor must return probabilities of the second class in \[0, 1\] .* 1\.25\.$",
        ),
        (Flat(), {}, r"^`model`\.predict must return one class for each input, shape \(20,\), got"),
        (
            Wrong(),
            {"statistic": "auroc"},
            r"^`model`\.predict_proba must return a column for each of 2 classes, shape \(20, 2\), "
            r"got shape \(20, 1\); a class may be missing in a part that is trained on\.$",
        ),
        (
            Centroids(),
            {"statistic": "r2"},
            r"^`statistic` must be another or a function for classe",
        ),
        (Centroids(), {"device": "cpu"}, r"^`device` must be left out with an estimator or a fun"),
        (Centroids(), {"stop": ()}, r"^`stop` must be left out with an estimator or a function"),
        (Centroids(), {"executor": 0}, r"^`executor` must be at least 1, got 0\.$"),
        (Centroids(), {"folds": None}, r"^`test` or `folds` must be given, and not both"),
    ],
)
def test_what_cannot_be_is_refused(model: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(model, points(40), **{"folds": 2, **options})


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.full(40, "a"), ValueError, r"^`train` must have different .* got 40 of class a\.$"),
        ([None, "a"] * 20, ValueError, r"^`train` must have a label for every example, got None"),
        ([1, "a"] * 20, TypeError, r"^`train` must have labels of one kind, got int, str\.$"),
        (np.zeros((40, 2)), ValueError, r"^`train` must have one label for each of 40 inputs, got"),
        (np.zeros(39), ValueError, r"^`train` must have one label for each of 40 inputs, got shap"),
        (np.full(40, np.nan), ValueError, r"^`train` must have finite labels, got nan at position"),
        (np.full(40, 1j), TypeError, r"^`train` must have numbers or strings as labels, got compl"),
    ],
    ids=str,
)
def test_labels_that_are_none_are_refused(labels: Any, error: Any, message: str) -> None:
    if isinstance(labels, list):
        labels = np.array(labels, object)
    with pytest.raises(error, match=message):
        run(Centroids(), (points(40)[0], labels), folds=2)


def test_a_regressor_needs_numbers_and_answers_with_one_for_each_input() -> None:
    x, y = points(40)
    with pytest.raises(TypeError, match=r"^`train` must have numbers as labels for a regression"):
        run(LeastSquares(), (x, np.array(["a", "b"])[y]), folds=2)
    with pytest.raises(ValueError, match=r"^`statistic` must be 'r2' or a function for real-val"):
        run(LeastSquares(), line(40), folds=2, statistic="accuracy")
    for answer, message in {
        (lambda x: np.zeros((len(x), 2))): r"shape \(20,\), got float64 of shape \(20, 2\)\.$",
        (lambda x: np.full(len(x), np.nan)): r"finite numbers, got NaN or infinity for 20 of 20",
    }.items():
        with pytest.raises(ValueError, match=message):
            run(returning(answer), line(40), folds=2)


def test_an_estimator_that_cannot_do_without_a_class_says_which() -> None:
    class Strict(Centroids):
        def fit(self, x: Any, y: Any) -> "Centroids":
            if len(np.unique(y)) < 3:
                raise ValueError("Invalid classes inferred from unique values of `y`.")
            return super().fit(x, y)

    x, y = points(30)[0], np.repeat(["a", "b", "c"], 10)
    message = (
        r"^`model` must accept training sets without examples of some class, here 'a', got the "
        r"error: Invalid classes inferred from unique values of `y`\.$"
    )
    with pytest.raises(ValueError, match=message):
        run(Strict(), (x, y), folds=np.arange(30) // 10)


def test_a_test_set_has_labels_of_the_same_kind() -> None:
    x, y = points(40)
    with pytest.raises(
        TypeError, match=r"^`test` must have labels like those of `train`, int64, g"
    ):
        run(Centroids(), (x, y), (x, np.array(["a", "b"])[y]))


def test_a_network_in_training_mode_that_nobody_finds_is_told() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout())
    hidden = {id(network): network}  # in no closure

    def train(data: cl.LabelledData, *, seed: int) -> Any:
        class Sealed:
            __slots__ = ()

            def __call__(self, x: Any) -> Any:
                return next(iter(_HIDDEN.values()))(torch.from_numpy(np.asarray(x)).float())

        return Sealed()

    _HIDDEN.update(hidden)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        found = run(train, points(40), folds=2, permutations=1, level=0.5)
    assert 0 <= found.observed <= 1
    assert network.training


_HIDDEN: dict[int, torch.nn.Module] = {}
