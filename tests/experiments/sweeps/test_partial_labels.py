"""The trial of Fig. 1b and 1c is the randomization test's fit, spelled out."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils.data import Subset

import corruptlab as cl
from corruptlab.experiments.sweeps import partial_labels

SMALL: dict[str, Any] = {"n": 60, "model": "mlp-1x32"}


def test_it_finds_what_the_same_fit_by_hand_finds() -> None:
    train, test = cl.datasets.load("fashion-mnist-mini")
    noisy = cl.corrupt(Subset(train, range(60)), cl.UniformLabels(p=0.5), seed=3)
    recipe = cl.recipes.default("mlp-1x32", input_shape=(1, 28, 28), n=60)
    network = cl.mlp(32, input_shape=(1, 28, 28), seed=3)
    report = cl.fit(network, noisy, test, recipe=recipe, seed=3, measure="loss")
    found = partial_labels(p=0.5, seed=3, **SMALL)
    assert found["steps_to_interpolation"] == report.steps_to_interpolation == found["steps"]
    assert found["test_error"] == 1 - (report.test_accuracy or 0)
    assert found["train_accuracy"] == report.train_accuracy == 1
    assert found["labels_changed"] == noisy.realized_rate
    assert found["fingerprint"] == noisy.fingerprint
    assert found["stopped_by"] == "interpolated"
    assert 0 < found["seconds_to_interpolation"] <= found["seconds"]


@pytest.mark.parametrize(
    ("changes", "n"),
    [
        ({"epochs": 1}, 4000),
        ({"epochs": 2, "learning_rate": 0.5}, 4000),
        ({"epochs": 2, "n": 50}, 50),
    ],
    ids=["whole", "changed", "few"],
)
def test_the_whole_embedded_data_gets_its_own_recipe(changes: dict[str, Any], n: int) -> None:
    train, test = cl.datasets.load("fashion-mnist-mini")
    recipe = cl.recipes.fashion_mnist_mini("mlp-1x32")
    if n < 4000:
        recipe = cl.recipes.default("mlp-1x32", input_shape=(1, 28, 28), n=n)
    recipe = replace(recipe, **{name: each for name, each in changes.items() if name != "n"})
    noisy = cl.corrupt(Subset(train, range(n)), cl.UniformLabels(p=0.5))
    report = cl.fit(cl.mlp(32, input_shape=(1, 28, 28)), noisy, test, recipe=recipe, measure="loss")
    found = partial_labels(p=0.5, model="mlp-1x32", **changes)
    accuracies = found["train_accuracy"], 1 - found["test_error"]
    assert accuracies == (report.train_accuracy, pytest.approx(report.test_accuracy))
    assert found["steps"] == report.steps


@pytest.mark.slow(seconds=1)
def test_more_noise_takes_more_steps_and_costs_accuracy_on_every_seed() -> None:
    few, many = ([partial_labels(p=p, seed=seed, **SMALL) for seed in range(3)] for p in (0.0, 1.0))
    for clean, random in zip(few, many, strict=True):
        assert random["steps_to_interpolation"] > clean["steps_to_interpolation"]
        assert random["test_error"] > clean["test_error"]
        assert clean["labels_changed"] == 0
    assert len({each["fingerprint"] for each in many}) == 3


def test_what_was_not_interpolated_has_no_steps() -> None:
    found = partial_labels(p=1.0, epochs=1, **SMALL)
    assert found["steps_to_interpolation"] is found["seconds_to_interpolation"] is None
    assert found["stopped_by"] == "epochs"


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"p": 1.5}, ValueError, r"^`p` must lie in \[0, 1\], got 1\.5\.$"),
        ({"n": 0}, ValueError, r"^`n` must lie in 1 \.\. 4000, got 0\.$"),
        ({"n": 4001}, ValueError, r"^`n` must lie in 1 \.\. 4000, got 4001\.$"),
        ({"n": 2.5}, TypeError, r"^`n` must be an integer, got 2\.5\.$"),
        ({"data": "mnist"}, ValueError, r"got 'mnist'"),
        ({"model": "resnet"}, ValueError, r"got 'resnet'"),
        ({"device": "toaster"}, ValueError, r"^`device` must be usable .* got 'toaster'"),
    ],
)
def test_bad_settings_are_refused(
    changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        partial_labels(**{"p": 0.5, **SMALL, **changes})


def test_no_global_generator_is_moved() -> None:
    before = torch.get_rng_state()
    partial_labels(p=0.5, **SMALL)
    assert torch.equal(torch.get_rng_state(), before)
