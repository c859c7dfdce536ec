"""How far one example moves the loss elsewhere: against loops of fits, and a theorem."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor
from torch.nn.functional import cross_entropy

import corruptlab as cl
from corruptlab.capacity import Stability, stability
from tests.capacity.naive import (
    FROZEN,
    SHORT,
    classes,
    fitted,
    groups_of,
    plane,
    points,
    press_ctrl_c,
)

X, Y = points(30, 4), classes(30)
FRESH = points(6, 4, seed=1), classes(6, seed=1)
HELD_OUT = points(50, 4, seed=2), classes(50, seed=2)


def measured(**changes: Any) -> Stability:
    arguments: dict[str, Any] = {
        "model": plane(4),
        "inputs": X,
        "labels": Y,
        "recipe": SHORT,
        "fresh": FRESH,
        "held_out": HELD_OUT,
        **changes,
    }
    return stability(
        arguments.pop("model"), arguments.pop("inputs"), arguments.pop("labels"), **arguments
    )


def entropies(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.stack(
        [cross_entropy(row, y) for row, y in zip(logits.double(), labels, strict=True)]
    )


def errors(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(dim=1) != labels).double()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": entropies,
    "zero_one": errors,
}


@pytest.mark.parametrize("loss", ["cross_entropy", "zero_one"])
@pytest.mark.parametrize("positions", [None, [3, 3, 0, 29, 7, 12]])
def test_changes_equal_a_loop_of_fits(
    loss: Literal["cross_entropy", "zero_one"], positions: list[int] | None
) -> None:
    points_, labels = HELD_OUT
    start = LOSSES[loss](fitted(plane(4), X, Y, SHORT, seed=3)(points_), labels)
    at = positions
    if at is None:
        at = [int(cl.Draws(3).integers("stability/positions", [j], 30)[0]) for j in range(6)]
    means, largest = [], []
    for j, i in enumerate(at):
        x, y = X.clone(), Y.clone()
        x[i], y[i] = FRESH[0][j], FRESH[1][j]
        after = LOSSES[loss](fitted(plane(4), x, y, SHORT, seed=3)(points_), labels)
        means.append(float((after - start).abs().mean()))
        largest.append(float((after - start).abs().max()))
    found = measured(loss=loss, positions=positions, seed=3)
    assert found.positions == tuple(at)
    assert_allclose(found.means, means, atol=1e-5)
    assert_allclose(found.largest, largest, atol=1e-5)
    assert 0 < found.mean < found.max
    assert found.mean == pytest.approx(sum(means) / 6, abs=1e-5)
    assert found.max == pytest.approx(max(largest), abs=1e-5)


def test_standard_error_is_that_of_a_mean() -> None:
    found = measured()
    variance = sum((m - found.mean) ** 2 for m in found.means) / (found.replacements - 1)
    assert found.replacements == 6
    assert found.standard_error == pytest.approx(math.sqrt(variance / 6))


def test_example_replaced_by_itself_moves_nothing() -> None:
    at = [0, 4, 29]
    found = measured(fresh=(X[at], Y[at]), positions=at)
    assert (found.mean, found.max, found.standard_error) == (0.0, 0.0, 0.0)


def test_training_that_ignores_its_data_is_stable() -> None:
    found = measured(recipe=FROZEN)
    assert found.max < 1e-9
    assert measured(recipe=FROZEN, loss="zero_one").max == 0


@pytest.mark.parametrize("epochs", [1, 4])
def test_convex_training_is_as_stable_as_the_theorem_says(epochs: int) -> None:
    # Hardt, Recht, and Singer 2016, Thm 3.8: steps of size a <= 2 / smoothness on an L-Lipschitz
    # convex loss move apart by 2 a L at most where the example that differs is visited, once an
    # epoch here, and nowhere else. So no loss differs by more than 2 a L**2 times the epochs.
    # Cross-entropy of a plane has L**2 = 2 (|x|**2 + 1) and smoothness (|x|**2 + 1) / 2.
    everything = torch.cat([X, FRESH[0], HELD_OUT[0]])
    largest = float(everything.double().square().sum(dim=1).max()) + 1
    rate = 0.5 * 4 / largest
    recipe = cl.Recipe(
        learning_rate=rate, momentum=0.0, decay=1.0, batch_size=1, epochs=epochs, whiten=False
    )
    found = measured(recipe=recipe)
    assert 0 < found.max <= 2 * rate * 2 * largest * epochs
    slow = cl.Recipe(
        learning_rate=rate / 100, momentum=0.0, decay=1.0, batch_size=1, epochs=epochs, whiten=False
    )
    assert measured(recipe=slow).max < found.max / 10


def test_one_step_on_all_examples_is_as_stable_as_there_are_examples() -> None:
    # An example has the share 1 / n in the mean gradient, and changes the step by no more.
    x, y = points(600, 4), classes(600)
    step = cl.Recipe(learning_rate=0.1, epochs=1, batch_size=600, whiten=False, decay=0.95)
    few, many = (
        measured(inputs=x[:n], labels=y[:n], recipe=step, positions=range(6)) for n in (30, 600)
    )
    assert_allclose(np.array(few.means) / np.array(many.means), 20, rtol=0.1)


def test_seed_decides_and_groups_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, state = plane(4), torch.get_rng_state()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    one, same, other = (measured(model=model, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.means != other.means
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    groups_of(monkeypatch, 3)
    assert_allclose(measured(seed=1).means, one.means, atol=1e-6)


def test_bytes_are_cropped_and_whitened_as_in_fit() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (40, 1, 6, 6), dtype=torch.uint8, generator=generator)
    recipe = cl.Recipe(learning_rate=0.1, decay=1.0, epochs=4, batch_size=8, crop=4, whiten=True)
    model, y = cl.mlp(input_shape=(1, 4, 4), num_classes=3), classes(40, 3)
    found = stability(
        model,
        images[:20].numpy(),
        y[:20].numpy(),
        recipe=recipe,
        fresh=(images[20:22], y[20:22]),
        held_out=(images[22:], y[22:].tolist()),
        positions=[1, 2],
    )
    prepared = cl.training.whiten(images[..., 1:5, 1:5])
    after = []
    for swap in ([], [(1, 20)], [(2, 21)]):
        at = list(range(20))
        for i, j in swap:
            at[i] = j
        own = fitted(model, images[at], y[at], recipe)
        after.append(entropies(own(prepared[22:]), y[22:]))
    expected = [float((losses - after[0]).abs().mean()) for losses in after[1:]]
    assert_allclose(found.means, expected, atol=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "zero_one"])
def test_points_are_measured_in_parts_as_in_one_go(
    monkeypatch: pytest.MonkeyPatch, loss: Literal["cross_entropy", "zero_one"]
) -> None:
    whole = measured(loss=loss)
    monkeypatch.setattr("corruptlab.capacity._replicas._OUTPUTS_AT_ONCE", 7 * 2 * 8)
    parts = measured(loss=loss)
    assert_allclose(parts.means, whole.means, rtol=1e-9)
    assert_allclose(parts.largest, whole.largest, rtol=1e-9)


def test_ctrl_c_keeps_whole_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = cl.Recipe(learning_rate=0.3, epochs=1, whiten=False, decay=0.95)
    whole = measured(recipe=recipe)
    groups_of(monkeypatch, 2)
    with monkeypatch.context() as patch:
        press_ctrl_c(patch, epoch=3)  # 4 of 7 trainings are done: the first, and 3 replacements
        found = measured(recipe=recipe)
    assert found.replacements == 3
    assert found.positions == whole.positions[:3]
    assert_allclose(found.means, whole.means[:3], atol=1e-6)
    press_ctrl_c(monkeypatch, epoch=2)  # one replacement has no spread
    with pytest.raises(KeyboardInterrupt):
        measured(recipe=recipe)


def test_record_survives_json_and_reads_well() -> None:
    found = measured(seed=5)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["means"] == list(found.means)
    assert record["largest"] == list(found.largest)
    assert record["positions"] == list(found.positions)
    names = ("mean", "standard_error", "max", "replacements", "n", "held_out", "seed", "loss")
    assert [record[name] for name in names] == [
        found.mean,
        found.standard_error,
        found.max,
        6,
        30,
        50,
        5,
        "cross_entropy",
    ]
    assert cl.Recipe.from_dict(record["recipe"]) == SHORT
    assert record["environment"]["device"] == "cpu"
    assert repr(found) == (
        f"Stability(cross_entropy moves by {found.mean:.4g} +- {found.standard_error:.2g} on "
        f"average, {found.max:.4g} at most; 6 replacements in 30 examples, 50 held-out points, "
        "inputs plain, seed=5)"
    )


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"loss": "hinge"}, ValueError, r"^`loss` must be one of cross_entropy, zero_one, got 'hi"),
        (
            {"fresh": FRESH[0]},
            TypeError,
            r"^`fresh` must be a pair of inputs and .*, got Tensor\.$",
        ),
        ({"held_out": FRESH * 2}, TypeError, r"^`held_out` must be a pair .*, got a tuple of 4\.$"),
        ({"fresh": (FRESH[0][:1], [0])}, ValueError, r"^`fresh` must hold at least 2 .*, got 1\.$"),
        (
            {"fresh": (points(6, 3), FRESH[1])},
            ValueError,
            r"^`fresh inputs` must have the shape and type of `inputs`, \(4,\) and torch\.float32, "
            r"got \(3,\) and torch\.float32\.$",
        ),
        (
            {"held_out": (HELD_OUT[0].double(), HELD_OUT[1])},
            ValueError,
            r"^`held_out inputs` must have .*, got \(4,\) and torch\.float64\.$",
        ),
        (
            {"held_out": (HELD_OUT[0] / 0, HELD_OUT[1])},
            ValueError,
            r"^`held_out inputs` must hold finite inputs, got nan or inf in example 0\.$",
        ),
        (
            {"held_out": (HELD_OUT[0], HELD_OUT[1][:9])},
            ValueError,
            r"^`held_out labels` must have shape \(50,\), .*, got shape \(9,\)\.$",
        ),
        (
            {"fresh": (FRESH[0], FRESH[1] + 1)},
            ValueError,
            r"^`fresh labels` must lie in 0 \.\. 1, the 2 outputs of `model`, got 2\.$",
        ),
        ({"positions": [0.5] * 6}, TypeError, r"^`positions` must be integers, got float64\.$"),
        (
            {"positions": [0]},
            ValueError,
            r"^`positions` must have shape \(6,\), one for each fresh example, got shape \(1,\)\.$",
        ),
        ({"positions": [0] * 5 + [30]}, ValueError, r"^`positions` must .* 0 \.\. 29, got 30\.$"),
        ({"positions": [0] * 5 + [-1]}, ValueError, r"^`positions` must .* 0 \.\. 29, got -1\.$"),
        (
            {"model": [plane(4)]},
            TypeError,
            r"^`model` must be .* that makes one, got list\.$",
        ),
    ],
)
def test_bad_arguments_are_quoted(change: dict[str, Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        measured(**change)


def test_losses_far_below_float32_are_told_apart_from_none() -> None:
    far = torch.full((1, 4), 100.0)
    model = plane(4)
    (layer,) = (each for each in model.modules() if isinstance(each, torch.nn.Linear))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.075] * 4, [0.0] * 4]))
        layer.bias.zero_()
    # The scores are 30 apart: the loss is exp(-30), and changes by a part of that.
    found = measured(model=model, held_out=(far, [0]), recipe=replace(SHORT, learning_rate=1e-3))
    assert 0 < found.max < 1e-12


def test_numpy_positions_are_taken() -> None:
    assert measured(positions=np.arange(6, dtype=np.uint8)).positions == (0, 1, 2, 3, 4, 5)
