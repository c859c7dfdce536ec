"""Memorization of estimators, training functions, and networks with a recipe."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import corruptlab as cl
from corruptlab.experiments import MemorizationReport
from tests.experiments.permutation.learners import Centroids, LeastSquares

from .cases import CLASSES, clusters, network, rule
from .cases import run as run_function


def nearest(data: cl.LabelledData, *, seed: int) -> Any:
    """Learn by heart."""
    seen, labels = np.asarray(data.inputs, float), data.labels

    def predict(x: Any) -> Any:
        distances = ((np.asarray(x, float)[:, None] - seen[None]) ** 2).sum(axis=2)
        return labels[distances.argmin(axis=1)]

    return predict


class Nearest:
    def fit(self, x: Any, y: Any) -> "Nearest":
        self.seen_, self.labels_ = np.asarray(x, float), np.asarray(y)
        return self

    def predict(self, x: Any) -> Any:
        distances = ((np.asarray(x, float)[:, None] - self.seen_[None]) ** 2).sum(axis=2)
        return self.labels_[distances.argmin(axis=1)]


def pair() -> tuple[Any, Any]:
    x, y = clusters().tensors
    return x.numpy(), y.numpy()


def run(learner: Any, train: Any = None, **options: Any) -> MemorizationReport:
    data = clusters() if train is None else train
    return cl.memorization_report(learner, data, **{"canaries": 60, **options})


@pytest.mark.parametrize("learner", [nearest, Nearest()], ids=["function", "estimator"])
@pytest.mark.parametrize("data", [clusters, pair], ids=["data set", "pair"])
def test_learners_are_measured_as_training_functions_are(learner: Any, data: Any) -> None:
    found = run(learner, data())
    expected = run_function()
    assert found.final == expected.final
    assert found.fingerprint == expected.fingerprint
    assert found.gap.value > 0.5
    assert found.epochs == ()
    assert found.train_function.lower() == "nearest"


def test_what_learns_little_memorizes_little() -> None:
    found = run(Centroids(), pair())
    assert found.gap.p_value > 0.01
    assert found.final.held_out_true.share == 1.0


@pytest.mark.parametrize("known", [False, True])
def test_noise_that_is_known_is_told_apart(known: bool) -> None:
    data = clusters()
    noisy = cl.corrupt(data, cl.SymmetricLabels(rate=0.3), seed=1)
    given: Any = noisy if known else (data.tensors[0].numpy(), noisy.targets)
    found = run(nearest, given)
    assert (found.noisy > 50) == known
    assert found.final == run_function(train=noisy if known else list(noisy)).final


def test_classes_may_have_names() -> None:
    x, y = pair()
    names = np.array(["a", "b", "c", "d"])[y]
    assert run(Nearest(), (x, names)).final == run(Nearest(), (x, y)).final


def test_classes_of_a_data_set_keep_their_names_and_what_is_known_of_noise() -> None:
    names = np.array(["c", "a", "d", "b"])
    x, y = pair()
    noisy = cl.corrupt((x, names[y].tolist()), cl.SymmetricLabels(rate=0.3), seed=1)
    seen: list[Any] = []

    def train(data: cl.LabelledData, *, seed: int) -> Any:
        seen.append((data[0][1], data.labels[0], data.classes))
        return nearest(data, seed=seed)

    found = run(train, noisy)
    assert found.noisy > 50
    assert found.final == run_function(nearest_named, noisy).final
    assert isinstance(seen[0][0], str)
    assert seen[0][0] == seen[0][1]
    assert seen[0][2].tolist() == ["a", "b", "c", "d"]


def nearest_named(dataset: Any, epoch_end: Any) -> Any:
    """The same of a training function, which answers with numbers."""
    seen, labels = dataset.inputs_at(range(len(dataset))), dataset.targets

    def predict(x: torch.Tensor) -> Any:
        distances = ((x.numpy()[:, None] - seen[None]) ** 2).sum(axis=2)
        return labels[distances.argmin(axis=1)]

    return predict


def test_a_subset_keeps_the_numbers_of_its_examples() -> None:
    part = torch.utils.data.Subset(clusters(), range(100, 400))
    assert run(nearest, part).final == run_function(train=part).final


def test_fields_may_be_named() -> None:
    items = [
        {"point": x, "kind": int(y), "label": 0} for x, y in zip(*clusters().tensors, strict=True)
    ]
    found = run(nearest, items, input_key="point", label_key="kind")
    assert found.final == run(nearest).final


def test_a_network_with_a_recipe_is_fitted_and_followed() -> None:
    model = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, CLASSES))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    recipe = cl.Recipe(learning_rate=0.02, epochs=4, batch_size=20)
    found = run(model, recipe=recipe)
    assert run(lambda: copy.deepcopy(model), recipe=recipe).final == found.final
    assert len(found.epochs) == 4
    assert found.train_function == "Sequential"
    assert cl.MemorizationReport.from_dict(found.to_dict()).recipe == found.recipe == recipe
    assert "recipe  sgd, learning rate 0.02, batch 20, at most 4 epochs, inputs plain\n" in str(
        found
    )
    assert found.final.held_out_true.share == 1.0
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("learner", [nearest, Nearest()])
def test_the_report_of_another_learner_has_no_recipe(learner: Any) -> None:
    found = run(learner)
    assert found.recipe is None
    assert "recipe" not in str(found)


def test_ctrl_c_in_the_fit_of_a_network_is_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = cl.experiments.MemorizationMeter.__call__

    def interrupted(self: Any, predictor: Any) -> Any:
        seen.append(0)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(self, predictor)

    monkeypatch.setattr(cl.experiments.MemorizationMeter, "__call__", interrupted)
    found = run(network(), recipe=cl.Recipe(learning_rate=0.02, epochs=9, batch_size=20))
    assert found.interrupted
    assert len(found.epochs) == 2


def test_a_function_of_two_arguments_is_called_with_epoch_end_as_ever() -> None:
    def either(*args: Any, **keywords: Any) -> Any:
        assert len(args) == 2
        assert not keywords
        return rule

    assert run(either).final.held_out_true.share == 1.0


@pytest.mark.parametrize(
    ("learner", "options", "error", "message"),
    [
        (
            network(),
            {},
            TypeError,
            r"^`recipe` must be given with a torch\.nn\.Module, got None\.$",
        ),
        (nearest, {"recipe": cl.Recipe(learning_rate=1.0, epochs=1)}, ValueError, r"^`recipe` mus"),
        (network(), {"recipe": 3}, TypeError, r"^`recipe` must be a Recipe, got int\.$"),
        (LeastSquares(), {}, TypeError, r"^`train_function` must learn classes, as canaries have"),
        (nearest, {"seed": -1}, ValueError, r"^`seed` must be at least 0, got -1\.$"),
        (
            lambda data, *, seed: lambda x: np.zeros((len(x), 2)),
            {},
            ValueError,
            r"^the predictor must return scores of shape \(256, 4\) or classes of shape \(256,\) f",
        ),
        (lambda data, *, seed: None, {}, TypeError, r"^the learner must return a predictor"),
    ],
)
def test_what_does_not_fit_is_refused(
    learner: Any, options: dict[str, Any], error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        run(learner, **options)
