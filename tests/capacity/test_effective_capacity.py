"""How many examples are fitted: against loops of fits, planes, and the law of the interval."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import binomtest
from torch import Tensor

import corruptlab as cl
from corruptlab.capacity import EffectiveCapacityTrial, effective_capacity
from tests.capacity.naive import (
    FROZEN,
    LONG,
    SHORT,
    classes,
    groups_of,
    hits,
    plane,
    points,
    press_ctrl_c,
    result,
    separable,
)

X = points(60, 4)


def task(n: int, r: int, *, total: int, k: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Examples and labels of replica r in the trial of size n, from the documented streams."""
    draws = cl.Draws(seed)
    at = draws.permutations(f"effective_capacity/{n}/subset", [r], total)[0][:n]
    labels = [
        int(draws.integers(f"effective_capacity/{n}/labels/{r}", [i], k)[0]) for i in at.tolist()
    ]
    return torch.from_numpy(at), torch.tensor(labels)


@pytest.mark.parametrize("k", [2, 3])
def test_trials_equal_a_loop_of_fits(k: int) -> None:
    found = effective_capacity(plane(4, k), X, recipe=SHORT, replicas=2, seed=2)
    assert len(found.trials) > 2
    assert 0 < found.value < 60
    for trial in found.trials:
        expected = []
        for r in range(2):
            at, labels = task(trial.n, r, total=60, k=k, seed=2)
            right = hits(plane(4, k), X[at], labels, SHORT, seed=2)
            expected.append(sum(right) / trial.n)
        assert_allclose(trial.train_accuracies, expected, atol=1e-12)
        assert trial.fitted == sum(accuracy == 1 for accuracy in expected)


@pytest.mark.slow(seconds=1)
def test_given_labels_equal_a_loop_of_fits() -> None:
    y = classes(60)
    found = effective_capacity(plane(4), X, labels=y, recipe=SHORT, replicas=3)
    assert found.labels == "given"
    for trial in found.trials:
        for r, accuracy in enumerate(trial.train_accuracies):
            at, _ = task(trial.n, r, total=60)
            right = hits(plane(4), X[at], y[at], SHORT)
            assert accuracy == pytest.approx(sum(right) / trial.n)


@pytest.mark.slow
def test_planes_fit_about_twice_as_many_points_as_they_have_parameters() -> None:
    # Cover 1965: an affine plane in d dimensions parts half of the labellings of 2 (d + 1) points.
    d = 9
    x = points(200, d)
    recipe = cl.Recipe(learning_rate=1.0, decay=1.0, epochs=400, batch_size=64, whiten=False)
    found = effective_capacity(plane(d), x, recipe=recipe, replicas=20)
    low, high = found.bracket
    assert 2 * (d + 1) - 5 <= low < 2 * (d + 1) + 3
    assert high is not None
    sure, out = found.interval
    assert sure <= 2 * (d + 1) - 2
    assert out is not None
    assert sure < low < out <= 2 * 16
    for trial in found.trials:
        parted = 0
        for r in range(20):
            at, labels = task(trial.n, r, total=200)
            parted += separable(x[at].double().numpy(), labels.numpy())
        assert trial.fitted <= parted


def test_examples_of_their_own_can_all_be_fitted_and_the_answer_says_so() -> None:
    found = effective_capacity(plane(24), torch.eye(24), recipe=LONG, replicas=4)
    assert (found.value, found.bracket, found.at_least) == (24, (24, None), True)
    assert (found.stopped_by, found.relative_error) == ("all_fitted", None)
    assert [trial.n for trial in found.trials] == [16, 24]
    assert repr(found).startswith(
        "EffectiveCapacity(at least 24 examples with random labels of 2 classes, all there are, "
    )


def test_what_learns_nothing_has_no_capacity_on_labels_it_has_wrong() -> None:
    model = plane(4)
    y = 1 - model(X).argmax(dim=1)
    found = effective_capacity(model, X, labels=y, recipe=FROZEN, replicas=3)
    assert (found.value, found.bracket, found.relative_error) == (0, (0, 1), None)
    assert found.interval == (0, None)  # three replicas cannot be sure
    assert repr(found).startswith(
        "EffectiveCapacity(0 examples with given labels of 2 classes, bracket [0, 1), "
        "95% interval [0, unknown); 3 replicas, "
    )
    all_right = effective_capacity(model, X, labels=1 - y, recipe=FROZEN, replicas=3)
    assert all_right.value == 60


@pytest.mark.parametrize(("error", "fitted"), [(0.28, 0), (0.29, 20), (0.3, 20)])
def test_error_is_the_share_of_errors_that_is_let_pass(error: float, fitted: int) -> None:
    x, model = points(100, 4), plane(4)
    y = model(x).argmax(dim=1)
    y[:29] = 1 - y[:29]
    found = effective_capacity(
        model, x, labels=y, recipe=FROZEN, replicas=20, share=0.05, error=error
    )
    (whole,) = (trial for trial in found.trials if trial.n == 100)
    assert whole.fitted == fitted  # 0.29 * 100 is a little below 29


@pytest.mark.parametrize(("share", "fits"), [(0.07, True), (0.08, False), (0.01, True)])
def test_share_is_that_of_the_replicas_that_have_to_fit(share: float, fits: bool) -> None:
    trial = EffectiveCapacityTrial(n=5, train_accuracies=(1.0,) * 100, fitted=7, recipe=SHORT)
    assert trial.fits(share) is fits  # 0.07 * 100 is a little above 7


def test_share_decides_the_search() -> None:
    one, most = (
        effective_capacity(plane(4), X, recipe=SHORT, replicas=8, share=share)
        for share in (0.01, 1.0)
    )
    assert one.value > most.value
    assert all(trial.fitted == 8 for trial in most.trials if trial.n <= most.value)


def test_recipe_can_be_one_for_each_size() -> None:
    asked: list[int] = []

    def recipe(n: int) -> cl.Recipe:
        asked.append(n)
        return replace(SHORT, epochs=max(1, 100 // n))

    found = effective_capacity(plane(4), X, recipe=recipe, replicas=2)
    epochs = [trial.recipe.epochs for trial in found.trials if trial.recipe is not None]
    assert epochs == [100 // t.n for t in found.trials]
    assert set(asked) >= {trial.n for trial in found.trials}
    at, labels = task(16, 0, total=60)
    right = hits(plane(4), X[at], labels, replace(SHORT, epochs=6))
    assert found.trials[0].train_accuracies[0] == pytest.approx(sum(right) / 16)


@pytest.mark.slow(seconds=1)
def test_seed_decides_and_groups_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    state = torch.get_rng_state()
    one, same, other = (
        effective_capacity(plane(4), X, recipe=SHORT, replicas=5, seed=seed) for seed in (1, 1, 2)
    )
    assert one.trials == same.trials != other.trials
    assert torch.equal(torch.get_rng_state(), state)
    groups_of(monkeypatch, 2)
    assert effective_capacity(plane(4), X, recipe=SHORT, replicas=5, seed=1).trials == one.trials


def test_each_replica_can_have_a_network_of_its_own() -> None:
    models = [plane(4, seed=seed) for seed in range(3)]
    found = effective_capacity(models, X, recipe=FROZEN, replicas=3)
    for r, model in enumerate(models):
        at, labels = task(16, r, total=60)
        right = (model(X[at]).argmax(dim=1) == labels).double().mean()
        assert found.trials[0].train_accuracies[r] == pytest.approx(float(right))


def test_ctrl_c_keeps_the_trials_that_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(SHORT, epochs=1, learning_rate=1e-12)
    model = plane(4)
    right = model(X).argmax(dim=1)
    press_ctrl_c(monkeypatch, epoch=2)
    found = effective_capacity(model, X, labels=right, recipe=recipe, replicas=3)
    assert (found.stopped_by, found.value, found.at_least) == ("interrupted", 16, True)
    assert "at least 16 examples" in repr(found)
    assert "interrupted" in repr(found)


def test_ctrl_c_before_the_first_trial_is_over_passes_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    groups_of(monkeypatch, 2)
    press_ctrl_c(monkeypatch, epoch=2)  # when two of the four replicas are done
    with pytest.raises(KeyboardInterrupt):
        effective_capacity(plane(4), X, recipe=FROZEN, replicas=4)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("trials", [1, 14])
def test_interval_takes_each_trial_by_its_exact_limits(share: float, trials: int) -> None:
    level = 1 - 2 * 0.2 / trials  # two-sided, so that each side has 0.2 / trials
    ends = set()
    for fitted in range(31):
        trial = EffectiveCapacityTrial(
            n=40, train_accuracies=(1.0,) * 30, fitted=fitted, recipe=SHORT
        )
        found = result([trial], share=share, most_trials=trials, confidence=0.8)
        limits = binomtest(fitted, 30).proportion_ci(level, method="exact")
        expected = (40 if limits.low >= share else 0, 40 if limits.high < share else None)
        assert found.interval == expected
        ends.add(expected)
    assert (0, 40) in ends
    assert share == 1 or (40, None) in ends


def test_bracket_and_interval_take_the_innermost_trials() -> None:
    counts = {16: 30, 32: 30, 64: 29, 128: 0, 96: 1, 80: 14, 72: 16}
    found = result(
        [
            EffectiveCapacityTrial(n=n, train_accuracies=(1.0,) * 30, fitted=k, recipe=SHORT)
            for n, k in counts.items()
        ]
    )
    assert (found.bracket, found.value, found.at_least) == ((72, 80), 72, False)
    assert found.relative_error == pytest.approx(8 / 72)
    assert found.interval == (64, 96)
    assert repr(found) == (
        "EffectiveCapacity(72 examples with random labels of 2 classes, bracket [72, 80), "
        "95% interval [64, 96); 30 replicas, share 0.5, error 0, inputs plain, seed=0)"
    )


def test_record_survives_json() -> None:
    found = effective_capacity(
        plane(4), X, recipe=SHORT, replicas=3, share=0.6, error=0.1, tolerance=0.2, seed=4
    )
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["bracket"] == list(found.bracket)
    assert record["interval"] == list(found.interval)
    assert record["relative_error"] == found.relative_error
    assert found.relative_error is not None
    assert found.relative_error <= 0.2
    assert [trial["fitted"] for trial in record["trials"]] == [t.fitted for t in found.trials]
    assert cl.Recipe.from_dict(record["trials"][0]["recipe"]) == SHORT
    options = ("share", "error", "tolerance", "seed", "replicas", "examples", "num_classes")
    assert [record[name] for name in options] == [0.6, 0.1, 0.2, 4, 3, 60, 2]
    assert (record["labels"], record["stopped_by"]) == ("random", "tolerance")
    assert record["environment"]["device"] == "cpu"


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"share": 0}, ValueError, r"^`share` must be above 0, got 0\.$"),
        ({"share": 1.5}, ValueError, r"^`share` must lie in \[0, 1\], got 1\.5\.$"),
        ({"share": "half"}, TypeError, r"^`share` must be a number, got 'half'\.$"),
        ({"error": 1.0}, ValueError, r"^`error` must lie in \[0, 1\), got 1\.0\.$"),
        ({"error": float("nan")}, ValueError, r"^`error` must lie in \[0, 1\), got nan\.$"),
        ({"tolerance": -0.1}, ValueError, r"^`tolerance` must be at least 0, got -0\.1\.$"),
        ({"tolerance": float("inf")}, ValueError, r"^`tolerance` must be finite, got inf\.$"),
        ({"replicas": 0}, ValueError, r"^`replicas` must be at least 1, got 0\.$"),
        ({"replicas": 2.5}, TypeError, r"^`replicas` must be an integer, got 2\.5\.$"),
        ({"confidence": 1}, ValueError, r"^`confidence` must lie strictly .*, got 1\.$"),
        ({"recipe": lambda n: "sgd"}, TypeError, r"^`recipe` must be a Recipe, got str\.$"),
        ({"model": [plane(4)] * 3}, ValueError, r"^`model` must .* the 2 replicas, got 3\.$"),
    ],
)
def test_bad_arguments_are_quoted(change: dict[str, Any], kind: type[Exception], text: str) -> None:
    arguments: dict[str, Any] = {"model": plane(4), "recipe": FROZEN, "replicas": 2, **change}
    with pytest.raises(kind, match=text):
        effective_capacity(arguments.pop("model"), X, **arguments)
