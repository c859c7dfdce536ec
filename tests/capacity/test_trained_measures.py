"""What all trained measures ask of inputs, labels, networks, and the rest: one early error each."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import corruptlab as cl
from corruptlab.capacity import effective_capacity, memorization, rademacher, shatters, stability
from corruptlab.training import NonFiniteLossError
from tests.capacity.naive import FROZEN, classes, plane, points

X, Y = points(12, 4), classes(12)
Measure = Callable[..., Any]


def capacity(model: nn.Module, inputs: Tensor, labels: Any = None, **options: Any) -> Any:
    return effective_capacity(
        model, inputs, labels=labels, **{"recipe": FROZEN, "replicas": 2, **options}
    )


def scores(model: nn.Module, inputs: Tensor, labels: Any = Y, **options: Any) -> Any:
    return memorization(model, inputs, labels, **{"recipe": FROZEN, "replicas": 30, **options})


def moves(model: nn.Module, inputs: Tensor, labels: Any = Y, **options: Any) -> Any:
    own = {"recipe": FROZEN, "fresh": (X[:2], Y[:2]), "held_out": (X[:5], Y[:5]), **options}
    return stability(model, inputs, labels, **own)


def network(model: nn.Module, inputs: Tensor, **options: Any) -> Any:
    return rademacher.network(model, inputs, **{"recipe": FROZEN, "draws": 2, **options})


def shattered(model: nn.Module, inputs: Tensor, **options: Any) -> Any:
    return shatters(model, inputs, **{"recipe": FROZEN, "sample": 2, **options})


ALL = [capacity, scores, moves, network, shattered]
LABELLED = [capacity, scores, moves]


@pytest.fixture(autouse=True)
def _no_training_before_the_checks(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "quoted" in request.node.name:
        refuse = lambda *_, **__: pytest.fail("it has begun to train")  # noqa: E731
        monkeypatch.setattr(cl.training, "fit_replicas", refuse)


@pytest.mark.parametrize("measure", ALL)
@pytest.mark.parametrize(
    ("inputs", "kind", "text"),
    [
        ([[1.0]], TypeError, r"must be a tensor or an array, got list\.$"),
        (torch.ones(3), ValueError, r"must have shape \(n, \.\.\.\) .*, got shape \(3,\)\.$"),
        (torch.ones(0, 4), ValueError, r"must have shape .* n >= 1 .*, got shape \(0, 4\)\.$"),
        (torch.ones(3, 4).long(), TypeError, r"must be bytes \(uint8\) or .*, got torch\.int64\.$"),
        (np.array([["a"]]), TypeError, r"must hold numbers, got an array of <U1\.$"),
        (X / 0, ValueError, r"must hold finite inputs, got nan or inf in example 0\.$"),
        (torch.where(X[7] == X, torch.nan, X), ValueError, r"must hold .* nan .* example 7\.$"),
    ],
)
def test_bad_inputs_are_quoted(
    measure: Measure, inputs: Any, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=rf"^`inputs` {text}"):
        measure(plane(4), inputs)


@pytest.mark.parametrize("measure", LABELLED)
@pytest.mark.parametrize(
    ("labels", "kind", "text"),
    [
        (Y[:7], ValueError, r"must have shape \(12,\), one for each input, got shape \(7,\)\.$"),
        (Y[:, None], ValueError, r"must have shape \(12,\), .*, got shape \(12, 1\)\.$"),
        (Y.float(), TypeError, r"must be integers, got float32\.$"),
        (np.full(12, np.nan), TypeError, r"must be integers, got float64\.$"),
        (["cat"] * 12, TypeError, r"must be integers, got <U3\.$"),
        (Y > 0, TypeError, r"must be integers, got bool\.$"),
        (Y + 5, ValueError, r"must lie in 0 \.\. 1, the 2 outputs of `model`, got 6\.$"),
        (Y - 1, ValueError, r"must lie in 0 \.\. 1, the 2 outputs of `model`, got -1\.$"),
    ],
)
def test_bad_labels_are_quoted(
    measure: Measure, labels: Any, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=rf"^`labels` {text}"):
        measure(plane(4), X, labels)


@pytest.mark.parametrize("measure", ALL)
@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"recipe": "sgd"}, TypeError, r"^`recipe` must be a Recipe, got str\.$"),
        ({"seed": -1}, ValueError, r"^`seed` must be at least 0, got -1\.$"),
        ({"seed": 0.5}, TypeError, r"^`seed` must be an integer, got 0\.5\.$"),
        ({"device": "abacus"}, ValueError, r"^`device` must be usable on this .*, got 'abacus'"),
        ({"model": plane(5)}, ValueError, r"^`model` must accept inputs of shape \(2, 4\) and typ"),
        ({"model": plane(4, 1)}, ValueError, r"^`model` must have at least 2 outputs, .* got 1\.$"),
        (
            {"model": nn.Sequential(nn.Unflatten(1, (4, 1)), nn.Linear(1, 2))},
            ValueError,
            r"^`model` must return one row of class scores .*, got shape \(2, 4, 2\) for 2 inputs",
        ),
        ({"model": "resnet"}, TypeError, r"^`model` must be a torch\.nn\.Module.*, got (str|'res)"),
        (
            {"recipe": cl.Recipe(learning_rate=1.0, epochs=1, crop=8, whiten=True, decay=0.95)},
            ValueError,
            r"^`recipe\.crop` must fit the images of `inputs`, \(4,\), got 8\.$",
        ),
    ],
)
def test_other_bad_arguments_are_quoted(
    measure: Measure, change: dict[str, Any], kind: type[Exception], text: str
) -> None:
    arguments = {"model": plane(4), **change}
    with pytest.raises(kind, match=text):
        measure(arguments.pop("model"), X, **arguments)


@pytest.mark.parametrize("measure", ALL)
def test_loss_that_is_not_finite_is_an_error_and_no_result(measure: Measure) -> None:
    recipe = cl.Recipe(learning_rate=1e38, epochs=9, whiten=False, batch_size=4, decay=0.95)
    with pytest.raises(
        NonFiniteLossError, match=r"^The loss is (nan|inf) at step \d+: replica \d+"
    ):
        measure(plane(4), X, recipe=recipe)


@pytest.mark.parametrize("measure", ALL)
def test_arrays_that_cannot_be_written_or_have_another_byte_order_are_taken(
    measure: Measure,
) -> None:
    read_only = X.numpy().copy()
    read_only.flags.writeable = False
    swapped = read_only.astype(read_only.dtype.newbyteorder())
    expected = measure(plane(4), X).to_dict()
    for inputs in (read_only, swapped, np.asfortranarray(read_only)):
        assert measure(plane(4), inputs).to_dict() == expected


@pytest.mark.parametrize("measure", LABELLED)
def test_labels_of_any_integer_type_are_taken(measure: Measure) -> None:
    expected = measure(plane(4), X, Y).to_dict()
    for labels in (Y.tolist(), Y.numpy().astype(np.uint8), Y.int(), tuple(Y.tolist())):
        assert measure(plane(4), X, labels).to_dict() == expected


@pytest.mark.parametrize("progress", [False, True])
@pytest.mark.parametrize("measure", ALL)
def test_progress_is_shown_where_it_is_asked_for(
    measure: Measure, progress: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def noted(*arguments: Any, **options: Any) -> None:
        asked.append(options["progress"])
        raise KeyboardInterrupt

    monkeypatch.setattr(cl.training, "fit_replicas", noted)
    with pytest.raises(KeyboardInterrupt):
        measure(plane(4), X, progress=progress)
    assert asked == [progress]


class Doubling(nn.Module):
    """Writes to its input and counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.plane = 0, plane(4)

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        scores: Tensor = self.plane(x.mul_(2))
        return scores


@pytest.mark.parametrize("measure", [capacity, network, shattered])
def test_network_is_copied_and_inputs_are_left_alone(measure: Measure) -> None:
    model, inputs = Doubling(), X.clone()
    measure(model, inputs)
    assert model.calls == 0
    assert torch.equal(inputs, X)


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("measure", ALL)
def test_networks_that_are_no_perceptrons_are_taken(measure: Measure) -> None:
    flat = nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 2, 2), nn.Tanh(), nn.Flatten())
    assert measure(flat, X).environment.device == "cpu"
