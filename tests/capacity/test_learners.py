"""Capacity of estimators and training functions: closed forms, and loops by hand."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy import sparse

import corruptlab as cl
from corruptlab.capacity import EffectiveCapacity, Memorization, Stability
from tests.experiments.permutation.learners import Centroids, LeastSquares

from . import learners
from .learners import Nearest, nearest

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] + np.random.default_rng(1).normal(size=40) > 0).astype(int)
NEW = np.random.default_rng(2).normal(size=(60, 3))
TRUTH = (NEW[:, 0] > 0).astype(int)
FRESH = NEW[:5], TRUTH[:5]
HELD_OUT = NEW[5:], TRUTH[5:]


def moved(model: Any = nearest, **changes: Any) -> Stability:
    options: dict[str, Any] = {"fresh": FRESH, "held_out": HELD_OUT, "loss": "zero_one"}
    return cl.stability(model, X, Y, **{**options, **changes})


@pytest.fixture(autouse=True)
def no_calls() -> Iterator[None]:
    learners.calls.clear()
    yield
    learners.calls.clear()


# ------------------------------------------------------------------------------ effective capacity


@pytest.mark.parametrize("model", [nearest, Nearest()], ids=["function", "estimator"])
def test_nearest_neighbour_fits_all_distinct_points(model: Any) -> None:
    found = cl.effective_capacity(model, X, num_classes=5)
    assert (found.value, found.at_least, found.num_classes, found.examples) == (40, True, 5, 40)
    assert [trial.n for trial in found.trials] == [16, 32, 40]
    assert (found.trials[0].recipe, found.learner) == (None, getattr(model, "__name__", "Nearest"))


def test_a_learner_that_knows_20_examples_has_capacity_20() -> None:
    found = cl.effective_capacity(learners.remembers_20, X, tolerance=0, replicas=9)
    assert (found.value, found.bracket, found.stopped_by) == (20, (20, 21), "tolerance")
    assert found.interval == (20, 21)
    assert found.trials[1].train_accuracies == (20 / 32,) * 9


def errors_by_hand(n: int, replica: int, labels: NDArray[Any] | None) -> int:
    draws = cl.Draws(3)
    at = draws.permutations(f"effective_capacity/{n}/subset", [replica], 40)[0][:n]
    drawn = draws.integers(f"effective_capacity/{n}/labels/{replica}", at, 3)
    y = drawn if labels is None else labels[at]
    return int((Centroids().fit(X[at], y).predict(X[at]) != y).sum())


@pytest.mark.parametrize("labels", [None, np.array(["b", "a"])[Y]], ids=["random", "given"])
def test_trials_are_those_of_a_loop_by_hand(labels: Any) -> None:
    options: dict[str, Any] = {"num_classes": 3} if labels is None else {"labels": labels}
    found = cl.effective_capacity(Centroids(), X, error=0.4, replicas=4, seed=3, **options)
    assert found.labels == ("random" if labels is None else "given")
    for trial in found.trials:
        errors = [errors_by_hand(trial.n, r, labels) for r in range(4)]
        assert_allclose(trial.train_accuracies, [1 - each / trial.n for each in errors])
        assert trial.fitted == sum(each <= 0.4 * trial.n for each in errors)
    assert len({trial.train_accuracies for trial in found.trials}) > 1


class Refuses(Nearest):
    """It refuses a single class, as many estimators do, and is wrong on two."""

    def fit(self, x: Any, y: Any) -> "Refuses":
        if len(np.unique(y)) < 2:
            raise ValueError("This solver needs samples of at least 2 classes in the data")
        super().fit(x, y[::-1] if len(y) > 2 else y)
        return self


def test_labels_of_one_class_are_fitted_by_a_constant() -> None:
    found = cl.effective_capacity(Refuses(), X, tolerance=0, replicas=30, share=1)
    assert found.trials[-1].n in (2, 3)
    assert (found.value, found.bracket) == (2, (2, 3))
    with pytest.raises(ValueError, match=r"^`model` must accept training sets without examples"):
        cl.memorization(Refuses(), X, np.arange(40) < 1, replicas=40)


def test_random_labels_are_those_that_a_network_would_get() -> None:
    given: list[Any] = []

    def spy(data: cl.LabelledData, *, seed: int) -> Any:
        given.append((data.ids, data.labels))
        return nearest(data, seed=seed)

    cl.effective_capacity(spy, X[:8], replicas=2, seed=5)
    for r, (ids, labels) in enumerate(given):
        assert_array_equal(ids, cl.Draws(5).permutations("effective_capacity/8/subset", [r], 8)[0])
        drawn = cl.Draws(5).integers(f"effective_capacity/8/labels/{r}", np.arange(8), 2)
        assert_array_equal(labels, drawn[ids])


# ------------------------------------------------------------------------------------ memorization


@pytest.mark.parametrize("model", [nearest, Nearest()], ids=["function", "estimator"])
def test_nearest_neighbour_memorizes_what_its_neighbour_contradicts(model: Any) -> None:
    # Without it, example i has the label of example i - 1, and example 0 that of example 1.
    x = 2.0 ** np.arange(8)[:, None]
    y = np.array(["a", "a", "b", "b", "a", "b", "b", "a"])
    found = cl.memorization(model, x, y, replicas=80, share=7 / 8)
    contradicted = y != y[[1, 0, 1, 2, 3, 4, 5, 6]]
    assert_array_equal(found.scores, contradicted.astype(float))
    assert_array_equal(found.correct_in, np.ones(8))
    assert_array_equal(found.in_counts + found.out_counts, np.full(8, 80))
    assert (found.recipe, found.subset_size, set(found.train_accuracies)) == (None, 7, {1.0})


def test_scores_equal_a_loop_by_hand() -> None:
    seen: list[list[bool]] = [[] for _ in X]
    unseen: list[list[bool]] = [[] for _ in X]
    accuracies = []
    for r in range(20):
        at = np.sort(cl.Draws(3).permutations("memorization/subset", [r], 40)[0][:20])
        right = Centroids().fit(X[at], Y[at]).predict(X) == Y
        accuracies.append(right[at].mean())
        for i in range(40):
            (seen if i in at else unseen)[i].append(bool(right[i]))
    found = cl.memorization(Centroids(), X, Y, replicas=20, share=0.5, seed=3)
    expected = [np.mean(a) - np.mean(b) for a, b in zip(seen, unseen, strict=True)]
    assert_allclose(found.scores, expected)
    assert_allclose(found.train_accuracies, accuracies)
    assert 0 < np.abs(expected).max() < 1


def test_too_few_replicas_are_refused_before_any_training() -> None:
    with pytest.raises(ValueError, match=r"^`replicas` must be at least \d+ with seed 0.*, got 3"):
        cl.memorization(nearest, X, Y, replicas=3)
    assert learners.calls == []


# --------------------------------------------------------------------------------------- stability


def replaced_by_hand(measure: Callable[[Any, Any], Any], model: Any) -> NDArray[np.float64]:
    """Return changes of losses, replacement by replacement."""
    at = cl.Draws(4).integers("stability/positions", np.arange(5), 40)
    losses = [measure(model().fit(X, Y), None)]
    for j, i in enumerate(at):
        x, y = X.copy(), Y.copy()
        x[i], y[i] = FRESH[0][j], FRESH[1][j]
        losses.append(measure(model().fit(x, y), None))
    changes: NDArray[np.float64] = np.abs(np.array(losses[1:]) - losses[0])
    return changes


def test_cross_entropy_moves_as_in_a_loop_by_hand() -> None:
    def entropies(model: Any, _: Any) -> Any:
        return -np.log(model.predict_proba(HELD_OUT[0])[np.arange(55), HELD_OUT[1]])

    changes = replaced_by_hand(entropies, Centroids)
    found = moved(Centroids(), loss="cross_entropy", seed=4)
    assert_allclose(found.means, changes.mean(axis=1))
    assert_allclose(found.largest, changes.max(axis=1))
    assert (found.n, found.held_out, found.replacements) == (40, 55, 5)
    assert (found.recipe, found.learner) == (None, "Centroids")
    assert found.mean > 0


@pytest.mark.parametrize("model", [nearest, Nearest()], ids=["function", "estimator"])
def test_errors_move_as_in_a_loop_by_hand(model: Any) -> None:
    def errors(fitted: Any, _: Any) -> Any:
        return (fitted.predict(HELD_OUT[0]) != HELD_OUT[1]).astype(float)

    changes = replaced_by_hand(errors, Nearest)
    found = moved(model, seed=4)
    assert_allclose(found.means, changes.mean(axis=1))
    assert set(found.largest) == {0.0, 1.0}


def test_nothing_moves_where_each_example_is_replaced_by_itself() -> None:
    found = moved(Centroids(), fresh=(X[:4], Y[:4]), positions=[0, 1, 2, 3], loss="cross_entropy")
    assert (found.mean, found.max) == (0.0, 0.0)


def test_cross_entropy_of_a_class_never_seen_is_that_of_the_smallest_probability() -> None:
    found = moved(Centroids(), held_out=(NEW[:9], [2] * 9), loss="cross_entropy")
    assert (found.mean, found.max) == (0.0, 0.0)  # not the difference of two infinities


# ------------------------------------------------------------------------------ what all three have

MEASURES: dict[str, Callable[..., Any]] = {
    "effective_capacity": lambda model, x, **options: cl.effective_capacity(
        model, x, **{"replicas": 4, **options}
    ),
    "memorization": lambda model, x, **options: cl.memorization(
        model, x, Y, **{"replicas": 30, **options}
    ),
    "stability": lambda model, x, **options: cl.stability(
        model, x, Y, fresh=(x[:3], Y[:3]), held_out=(x, Y), loss="zero_one", **options
    ),
}
Found = EffectiveCapacity | Memorization | Stability


def numbers(found: Found) -> dict[str, Any]:
    made = {"environment", "learner"}
    return {name: value for name, value in found.to_dict().items() if name not in made}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_containers_of_every_kind_give_the_same(measure: Callable[..., Found]) -> None:
    pandas = pytest.importorskip("pandas", exc_type=ImportError)
    frame = pandas.DataFrame(X, columns=["a", "b", "c"], index=[7] * 40)
    same = [sparse.csr_matrix(X), torch.from_numpy(X), X.reshape(40, 1, 3), frame]
    for model in (nearest, Nearest()):
        expected = numbers(measure(model, X))
        for container in same:
            assert numbers(measure(model, container)) == expected


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_lists_of_anything_are_inputs_of_functions(measure: Callable[..., Found]) -> None:
    words = [chr(97 + i % 26) * (1 + i // 26) for i in range(40)]
    expected = measure(nearest, learners.as_rows(words))
    assert numbers(measure(nearest, words)) == numbers(expected)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_reports_say_who_was_trained_and_can_be_stored(measure: Callable[..., Found]) -> None:
    found = measure(nearest, X)
    assert "trained by nearest, seed=0)" in repr(found)
    assert json.loads(json.dumps(found.to_dict()))["learner"] == "nearest"


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_generators_are_seeded_for_a_training_and_put_back(measure: Callable[..., Found]) -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    found = [numbers(measure(learners.drawing, X, seed=seed)) for seed in (1, 1)]
    assert found[0] == found[1]
    assert torch.equal(torch.get_rng_state(), before)
    assert_array_equal(np.random.get_state()[1], numpy_before)  # type: ignore[index]  # noqa: NPY002


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_executors_give_the_same_as_this_process(measure: Callable[..., Found]) -> None:
    expected = numbers(measure(nearest, X))
    with ThreadPoolExecutor(3) as executor:
        assert numbers(measure(nearest, X, executor=executor)) == expected


@pytest.mark.slow
def test_processes_give_the_same_as_this_process() -> None:
    options: dict[str, Any] = {"replicas": 4, "tolerance": 0.3, "error": 0.3}
    expected = cl.effective_capacity(Centroids(), X, **options)
    assert len(expected.trials) > 2
    found = cl.effective_capacity(Centroids(), X, executor=2, **options)
    assert numbers(found) == numbers(expected)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_what_is_in_the_folder_is_not_trained_again(
    measure: Callable[..., Found], tmp_path: Path
) -> None:
    found = measure(nearest, X, out=tmp_path)
    trained = len(learners.calls)
    assert trained > 3
    assert numbers(measure(nearest, X, out=tmp_path)) == numbers(found)
    assert len(learners.calls) == trained
    with pytest.raises(ValueError, match=r"^`out` must be a folder of this sweep alone, got"):
        measure(nearest, X + 1, out=tmp_path)
    with pytest.raises(ValueError, match=r"^`out` must be a folder of this sweep alone, got"):
        measure(nearest, X, out=tmp_path, seed=1)
    with pytest.raises(ValueError, match=r"^`out` must be a folder of this sweep alone, got"):
        measure(Nearest(), X, out=tmp_path)


def test_another_criterion_uses_finished_replicas_again(tmp_path: Path) -> None:
    cl.effective_capacity(nearest, X, replicas=4, out=tmp_path)
    cl.effective_capacity(nearest, X, replicas=6, share=0.9, error=0.1, out=tmp_path)
    assert sorted(learners.calls) == [16] * 6 + [32] * 6 + [40] * 6
    cl.memorization(nearest, X, Y, replicas=28, out=tmp_path / "mem")
    learners.calls.clear()
    more = cl.memorization(nearest, X, Y, replicas=30, out=tmp_path / "mem")
    assert learners.calls == [28] * 2
    assert numbers(more) == numbers(cl.memorization(nearest, X, Y, replicas=30))


class Stopped:
    """The nearest neighbour until Ctrl-C is pressed in one of its trainings."""

    def __init__(self, at: int, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.at, self.error, self.calls = at, error, 0

    def __call__(self, data: cl.LabelledData, *, seed: int) -> Any:
        self.calls += 1
        if self.calls == self.at:
            raise self.error
        return nearest(data, seed=seed)

    def to_dict(self) -> dict[str, Any]:
        return {"at": self.at}


def test_ctrl_c_returns_what_is_finished() -> None:
    capacity = cl.effective_capacity(Stopped(10), X, replicas=4)
    assert [trial.n for trial in capacity.trials] == [16, 32]
    assert capacity.stopped_by == "interrupted"
    memory = cl.memorization(Stopped(29), X, Y, replicas=30)
    assert numbers(memory) == numbers(cl.memorization(nearest, X, Y, replicas=28))
    stable = moved(Stopped(4))
    assert (stable.means, stable.replacements) == (moved().means[:2], 2)


@pytest.mark.parametrize(
    ("measure", "at"),
    [("effective_capacity", 4), ("memorization", 27), ("stability", 3)],
)
def test_ctrl_c_passes_through_before_there_is_a_result(measure: str, at: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        MEASURES[measure](Stopped(at), X)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_what_ctrl_c_left_in_a_folder_is_used_again(
    measure: Callable[..., Found], tmp_path: Path
) -> None:
    learner = Stopped(3)
    with pytest.raises(KeyboardInterrupt):
        measure(learner, X, out=tmp_path)
    found = measure(learner, X, out=tmp_path)  # the third call of all was in vain
    expected = measure(nearest, X)
    assert numbers(found) == numbers(expected)
    assert learner.calls == len(learners.calls) // 2 + 1


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_an_error_in_a_training_is_raised(measure: Callable[..., Found], tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        measure(Stopped(2, ZeroDivisionError), X)
    with pytest.raises(ZeroDivisionError):  # the first one: the error itself
        measure(Fails(), X, out=tmp_path / "first")


class Fails:
    """It fails in trainings after so many."""

    def __init__(self, after: int = 0) -> None:
        self.after, self.calls = after, 0

    def __call__(self, data: cl.LabelledData, *, seed: int) -> Any:
        self.calls += 1
        if self.calls > self.after:
            raise ZeroDivisionError("no more")
        return nearest(data, seed=seed)

    def to_dict(self) -> dict[str, Any]:
        return {"after": self.after}


@pytest.mark.parametrize(
    ("measure", "each"),
    [
        ("effective_capacity", "replica"),
        ("memorization", "subset"),
        ("stability", "replacement"),
    ],
)
def test_failures_after_the_first_training_are_counted(
    measure: str, each: str, tmp_path: Path
) -> None:
    message = (
        rf"^`model` must train on every {each}, got \d+ that failed, such as .*no more.*; "
        r"the others are kept where `out` is given\.$"
    )
    with pytest.raises(RuntimeError, match=message):
        MEASURES[measure](Fails(after=2), X, out=tmp_path)


BAD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a network without recipe": (
        lambda: cl.effective_capacity(cl.mlp(input_shape=(3,), num_classes=2), X),
        TypeError,
        r"^`recipe` must be given with a torch\.nn\.Module, got None\.$",
    ),
    "no learner": (
        lambda: cl.memorization([nearest], X, Y),
        TypeError,
        r"^`model` must be a torch\.nn\.Module with a recipe, an estimator with .*, got list, ",
    ),
    "an estimator without predict": (
        lambda: cl.memorization(type("Half", (), {"fit": lambda self, x, y: self})(), X, Y),
        TypeError,
        r"^`model` must have a method predict, as estimators do, got Half\.$",
    ),
    "a regressor": (
        lambda: moved(LeastSquares()),
        TypeError,
        r"^`model` must learn classes, of which the errors are counted, got a learner of real-val",
    ),
    "no probabilities of an estimator": (
        lambda: moved(Nearest(), loss="cross_entropy"),
        TypeError,
        r"^`model` must have a method predict_proba for the loss 'cross_entropy', got Nearest\.$",
    ),
    "no probabilities of a function": (
        lambda: moved(nearest, loss="cross_entropy"),
        TypeError,
        r"^the predictor must return probabilities of shape \(n, K\) for .* cross-entropy, got cl",
    ),
    "device": (
        lambda: cl.effective_capacity(nearest, X, device="cpu"),
        ValueError,
        r"^`device` must be left out with an estimator or a function, got 'cpu'\.$",
    ),
    "num_classes and labels": (
        lambda: cl.effective_capacity(nearest, X, labels=Y, num_classes=3),
        ValueError,
        r"^`num_classes` must be left out with `labels`, got 3\.$",
    ),
    "one class": (
        lambda: cl.effective_capacity(nearest, X, num_classes=1),
        ValueError,
        r"^`num_classes` must be at least 2, got 1\.$",
    ),
    "inputs": (
        lambda: cl.effective_capacity(nearest, 3),
        TypeError,
        r"^`inputs` must be an array, a tensor, a data frame, a sparse matrix, or a list, got int",
    ),
    "no inputs": (
        lambda: cl.effective_capacity(nearest, []),
        ValueError,
        r"^`inputs` must have at least one example, got none\.$",
    ),
    "labels": (
        lambda: cl.memorization(nearest, X, Y[:5]),
        ValueError,
        r"^`labels` must have one label for each of 40 inputs, got shape \(5,\)\.$",
    ),
    "fresh columns": (
        lambda: moved(fresh=(NEW[:3, :2], Y[:3])),
        ValueError,
        r"^`fresh inputs` must be rows like those of `inputs`, shape \(3,\), got shape \(2,\)\.$",
    ),
    "held-out container": (
        lambda: moved(held_out=(NEW.tolist(), TRUTH)),
        ValueError,
        r"^`held_out inputs` must be rows like those of `inputs`, ndarray, got list\.$",
    ),
    "fresh labels": (
        lambda: moved(fresh=(NEW[:3], ["a", "b", "a"])),
        TypeError,
        r"^`fresh` must have labels like those of `inputs`, int64, got <U1\.$",
    ),
    "one fresh example": (
        lambda: moved(fresh=(NEW[:1], Y[:1])),
        ValueError,
        r"^`fresh` must hold at least 2 examples, got 1\.$",
    ),
    "executor": (
        lambda: cl.memorization(nearest, X, Y, executor=0),
        ValueError,
        r"^`executor` must be at least 1, got 0\.$",
    ),
    "no pickle": (
        lambda: cl.memorization(lambda data, *, seed: None, X, Y, executor=2),
        TypeError,
        r"^`model` must be picklable where `executor` or `out` is given",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(case: str) -> None:
    call, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        call()
    assert learners.calls in ([], [40])  # what a function returns is known when it has trained


@pytest.mark.parametrize("option", [{"executor": 2}, {"out": "folder"}])
def test_networks_are_trained_in_this_process(option: dict[str, Any]) -> None:
    model, recipe = cl.mlp(input_shape=(3,), num_classes=2), cl.Recipe(learning_rate=0.1, epochs=1)
    calls: list[Callable[[], Any]] = [
        lambda: cl.effective_capacity(model, X, recipe=recipe, **option),
        lambda: cl.memorization(model, X, Y, recipe=recipe, **option),
        lambda: moved(model, recipe=recipe, **option),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"^`(executor|out)` must be left out with a network"):
            call()
