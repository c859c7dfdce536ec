"""Which examples are right only when they were seen: against loops of fits, and exact moments."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom

import corruptlab as cl
from corruptlab.capacity import Memorization, memorization
from tests.capacity.naive import (
    FROZEN,
    LONG,
    SHORT,
    classes,
    fitted,
    groups_of,
    plane,
    points,
    press_ctrl_c,
)

N = 20
X, Y = points(N, 4), classes(N, 3)


def subset(r: int, *, n: int = N, size: int = 14, seed: int = 0) -> list[int]:
    permutation = cl.Draws(seed).permutations("memorization/subset", [r], n)[0]
    return sorted(permutation.tolist()[:size])


@pytest.mark.slow(seconds=1)
def test_scores_and_errors_equal_a_loop_of_fits() -> None:
    seen: list[list[bool]] = [[] for _ in range(N)]  # for each example, whether it was right
    unseen: list[list[bool]] = [[] for _ in range(N)]
    accuracies = []
    for r in range(30):
        at = subset(r, seed=3)
        own = fitted(plane(4, 3), X[at], Y[at], SHORT, seed=3)
        right = (own(X).argmax(dim=1) == Y).tolist()
        accuracies.append(sum(right[i] for i in at) / 14)
        for i in range(N):
            (seen if i in at else unseen)[i].append(right[i])
    scores, errors = [], []
    for a, b in zip(seen, unseen, strict=True):
        scores.append(sum(a) / len(a) - sum(b) / len(b))
        squares = [np.var(group, ddof=1) / len(group) for group in (a, b)]
        errors.append(math.sqrt(sum(squares)))
    found = memorization(plane(4, 3), X, Y, recipe=SHORT, replicas=30, seed=3)
    assert_allclose(found.scores, scores, atol=1e-12)
    assert_allclose(found.standard_errors, errors, atol=1e-12)
    assert_array_equal(found.in_counts, [len(a) for a in seen])
    assert_array_equal(found.out_counts, [len(b) for b in unseen])
    assert_allclose(found.train_accuracies, accuracies, atol=1e-12)
    assert (found.replicas, found.subset_size, found.n) == (30, 14, N)
    assert 0 < np.abs(scores).max() < 1


def test_what_learns_nothing_memorizes_nothing() -> None:
    found = memorization(plane(4, 3), X, Y, recipe=FROZEN, replicas=30)
    assert_array_equal(found.scores, np.zeros(N))
    assert_array_equal(found.standard_errors, np.zeros(N))
    right = plane(4, 3)(X).argmax(dim=1) == Y
    assert_array_equal(found.correct_in, right.double())
    assert_array_equal(found.correct_out, right.double())


def test_examples_of_their_own_are_fitted_when_seen_and_guessed_when_not() -> None:
    y = classes(12)
    found = memorization(plane(12), torch.eye(12), y, recipe=LONG, replicas=40, share=0.5)
    assert_array_equal(found.correct_in, np.ones(12))
    assert set(found.train_accuracies) == {1.0}
    assert 0.2 < found.scores.mean() < 0.8


def test_copies_teach_each_other_and_a_wrong_label_stands_alone() -> None:
    # Five clusters of four copies. One more copy of the first, which can be told from it by a
    # coordinate of its own, has the label of the others.
    clusters, own = torch.eye(5).repeat(4, 1), torch.eye(5)[:1]
    x = torch.cat(
        [torch.cat([clusters, own]), torch.cat([torch.zeros(20), torch.ones(1)])[:, None]], 1
    )
    y = torch.tensor([0, 1, 1, 1, 1] * 4 + [1])
    recipe = cl.Recipe(learning_rate=0.3, decay=1.0, epochs=100, batch_size=4, whiten=False)
    model = cl.mlp(64, input_shape=(6,), num_classes=2)
    found = memorization(model, x, y, recipe=recipe, replicas=40)
    assert found.memorized(0.9).tolist() == [20]
    assert np.abs(found.scores[:20]).max() < 0.3


@pytest.fixture(scope="module")
def any_result() -> Memorization:
    return memorization(plane(4, 3), X, Y, recipe=FROZEN, replicas=30)


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("q", [0.1, 0.7])
def test_squared_standard_error_is_unbiased(any_result: Memorization, p: float, q: float) -> None:
    n_in, n_out = 9, 4
    pairs = [(a, b) for a in range(n_in + 1) for b in range(n_out + 1)]
    every = replace(
        any_result,
        correct_in=np.array([a / n_in for a, _ in pairs]),
        correct_out=np.array([b / n_out for _, b in pairs]),
        in_counts=np.full(len(pairs), n_in),
        out_counts=np.full(len(pairs), n_out),
    )
    chances = [float(binom.pmf(a, n_in, p) * binom.pmf(b, n_out, q)) for a, b in pairs]
    mean = float(np.dot(chances, every.standard_errors**2))
    assert mean == pytest.approx(p * (1 - p) / n_in + q * (1 - q) / n_out)


def test_memorized_examples_come_largest_score_first(any_result: Memorization) -> None:
    found = replace(
        any_result,
        correct_in=np.array([1.0, 0.25, 0.5, 1.0, 0.0]),
        correct_out=np.array([0.5, 0.0, 0.5, 0.5, 1.0]),
    )
    assert_array_equal(found.scores, [0.5, 0.25, 0.0, 0.5, -1.0])
    assert found.memorized().tolist() == [0, 3, 1]
    assert found.memorized(0.26).tolist() == [0, 3]
    assert found.memorized(-1).tolist() == [0, 3, 1, 2, 4]
    with pytest.raises(ValueError, match=r"^`threshold` must be finite, got nan\.$"):
        found.memorized(math.nan)
    with pytest.raises(TypeError, match=r"^`threshold` must be a number, got 'high'\.$"):
        found.memorized("high")  # type: ignore[arg-type]


def test_equal_scores_come_in_the_order_of_the_examples(any_result: Memorization) -> None:
    found = replace(any_result, correct_in=np.array([0.5, 1.0] * 500), correct_out=np.zeros(1000))
    assert_array_equal(found.memorized(), [*range(1, 1000, 2), *range(0, 1000, 2)])


def test_more_replicas_keep_the_first_and_groups_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = memorization(plane(4, 3), X, Y, recipe=SHORT, replicas=30)
    more = memorization(plane(4, 3), X, Y, recipe=SHORT, replicas=36)
    assert more.train_accuracies[:30] == few.train_accuracies
    assert (more.in_counts >= few.in_counts).all()
    groups_of(monkeypatch, 7)
    again = memorization(plane(4, 3), X, Y, recipe=SHORT, replicas=36)
    assert_array_equal(again.scores, more.scores)
    assert again.train_accuracies == more.train_accuracies


def test_seed_decides_and_generators_stay() -> None:
    state = torch.get_rng_state()
    one, same, other = (
        memorization(plane(4, 3), X, Y, recipe=SHORT, replicas=30, seed=s) for s in (1, 1, 2)
    )
    assert_array_equal(one.scores, same.scores)
    assert (one.in_counts != other.in_counts).any()
    assert torch.equal(torch.get_rng_state(), state)


def test_each_replica_can_have_a_network_of_its_own() -> None:
    models = [plane(4, 3, seed=seed) for seed in range(30)]
    found = memorization(models, X, Y, recipe=FROZEN, replicas=30)
    right = torch.stack([model(X).argmax(dim=1) == Y for model in models])
    for i in range(N):
        own = [bool(right[r, i]) for r in range(30) if i in subset(r)]
        assert found.correct_in[i] == pytest.approx(sum(own) / len(own))


def test_inputs_are_measured_in_parts_as_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = memorization(plane(4, 3), X, Y, recipe=SHORT, replicas=30)
    monkeypatch.setattr("corruptlab.capacity._replicas._OUTPUTS_AT_ONCE", 30 * 3 * 3)
    parts = memorization(plane(4, 3), X, Y, recipe=SHORT, replicas=30)
    assert_array_equal(parts.correct_in, whole.correct_in)
    assert_array_equal(parts.correct_out, whole.correct_out)


@pytest.mark.parametrize(("share", "seed"), [(0.7, 0), (0.7, 1), (0.1, 0), (0.95, 0)])
def test_too_few_replicas_are_told_how_many_would_do(share: float, seed: int) -> None:
    with pytest.raises(ValueError, match=r"^`replicas` must be at least \d+ with seed ") as caught:
        memorization(plane(4, 3), X, Y, recipe=FROZEN, replicas=2, share=share, seed=seed)
    needed = int(str(caught.value).split()[5])
    size = round(share * N)
    assert f"each of the {N} examples is in and out of at least 2 subsets of {size}, got 2." in str(
        caught.value
    )
    found = memorization(plane(4, 3), X, Y, recipe=FROZEN, replicas=needed, share=share, seed=seed)
    assert min(found.in_counts.min(), found.out_counts.min()) == 2
    with pytest.raises(ValueError, match=rf"at least {needed} .*, got {needed - 1}\.$"):
        memorization(plane(4, 3), X, Y, recipe=FROZEN, replicas=needed - 1, share=share, seed=seed)


def test_ctrl_c_keeps_whole_groups_if_they_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = cl.Recipe(learning_rate=0.3, epochs=1, whiten=False, decay=0.95)
    fewer = memorization(plane(4, 3), X, Y, recipe=recipe, replicas=30)
    groups_of(monkeypatch, 10)
    with monkeypatch.context() as patch:
        press_ctrl_c(patch, epoch=4)
        found = memorization(plane(4, 3), X, Y, recipe=recipe, replicas=60)
    assert found.replicas == 30
    assert_array_equal(found.scores, fewer.scores)
    press_ctrl_c(monkeypatch, epoch=2)  # ten replicas do not leave out every example twice
    with pytest.raises(KeyboardInterrupt):
        memorization(plane(4, 3), X, Y, recipe=recipe, replicas=60)


def test_record_survives_json_and_reads_well() -> None:
    found = memorization(plane(4, 3), X, Y, recipe=SHORT, replicas=30, seed=5, share=0.5)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    for name in ("scores", "standard_errors", "correct_in", "correct_out", "in_counts"):
        assert_array_equal(record[name], getattr(found, name))
    assert_array_equal(record["out_counts"], 30 - found.in_counts)
    assert record["train_accuracies"] == list(found.train_accuracies)
    assert (record["n"], record["replicas"], record["subset_size"]) == (N, 30, 10)
    assert (record["seed"], record["environment"]["device"]) == (5, "cpu")
    assert cl.Recipe.from_dict(record["recipe"]) == SHORT
    assert repr(found) == (
        f"Memorization(20 examples, {(found.scores >= 0.25).sum()} with a score of 0.25 or more, "
        f"mean score {found.scores.mean():.3g}, median standard error "
        f"{np.median(found.standard_errors):.2g}; 30 replicas on 10, inputs plain, seed=5)"
    )


def test_arrays_cannot_be_written_to(any_result: Memorization) -> None:
    names = ("correct_in", "correct_out", "in_counts", "out_counts")
    for array in (getattr(any_result, name) for name in names):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"share": 0}, ValueError, r"^`share` must lie strictly between 0 and 1, got 0\.$"),
        ({"share": 1.0}, ValueError, r"^`share` must lie strictly between 0 and 1, got 1\.0\.$"),
        ({"share": math.nan}, ValueError, r"^`share` must lie strictly between .*, got nan\.$"),
        ({"share": "most"}, TypeError, r"^`share` must be a number, got 'most'\.$"),
        ({"share": 0.01}, ValueError, r"^`share` must leave at least one of 20 .*, got 0\.01\.$"),
        ({"share": 0.99}, ValueError, r"^`share` must leave at least one of 20 .*, got 0\.99\.$"),
        ({"replicas": 0}, ValueError, r"^`replicas` must be at least 1, got 0\.$"),
        ({"model": [plane(4, 3)] * 3}, ValueError, r"^`model` must .* the 30 replicas, got 3\.$"),
    ],
)
def test_bad_arguments_are_quoted(change: dict[str, Any], kind: type[Exception], text: str) -> None:
    arguments: dict[str, Any] = {
        "model": plane(4, 3),
        "recipe": FROZEN,
        "replicas": 30,
        **change,
    }
    with pytest.raises(kind, match=text):
        memorization(arguments.pop("model"), X, Y, **arguments)
