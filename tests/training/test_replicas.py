"""Replicas: each becomes what a fit of its own would make of it."""

import copy
import itertools
import json
import signal
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from corruptlab import Augmentation, Draws, Recipe, fit, fit_replicas, mlp, small_inception
from corruptlab.training import NonFiniteLossError, _replica_plan, center_crop, whiten
from corruptlab.training.stopping import interpolated, patience

RECIPE = Recipe(learning_rate=0.1, decay=0.99, epochs=50, batch_size=16, whiten=False)
LONG = replace(RECIPE, epochs=150)  # until each replica has interpolated
N, D, K, R = 50, 6, 3, 4
GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(N, D, generator=GENERATOR)
LABELS = torch.randint(K, (R, N), generator=GENERATOR)
IMAGES = torch.randint(0, 256, (24, 1, 10, 10), generator=GENERATOR).to(torch.uint8)
IMAGE_LABELS = torch.randint(K, (R, 24), generator=GENERATOR)

LAST = nn.Linear(40, K)


def perceptron(seed: int = 0, *, hidden: tuple[int, ...] = (40,)) -> nn.Sequential:
    return mlp(*hidden, input_shape=(D,), num_classes=K, seed=seed)


def convnet() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(6 * 9, K),
    )


def single(
    model: nn.Module, inputs: Tensor, labels: Tensor, recipe: Recipe, seed: int = 0
) -> tuple[Any, nn.Module]:
    return fit(model, TensorDataset(inputs, labels), recipe=recipe, seed=seed), model


def assert_is_the_single_fit(report: Any, r: int, own: Any, model: nn.Module, tol: float) -> None:
    assert report.stopped_by[r] == own.stopped_by
    assert report.epochs[r] == own.epochs
    assert report.losses[r] == pytest.approx(own.losses, rel=tol, abs=tol)
    assert report.train_accuracy[r] == own.train_accuracy
    assert report.train_loss[r] == pytest.approx(own.train_loss, rel=tol, abs=tol)
    trained = report.model(r).state_dict()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(trained[name], value, rtol=10 * tol, atol=tol)


@pytest.mark.parametrize("hidden", [(), (40,), (20, 30)])
@pytest.mark.parametrize("strategy", ["wide", pytest.param("vmap", marks=pytest.mark.slow)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_each_replica_is_the_fit_of_its_labels(
    strategy: Any, hidden: tuple[int, ...], weight_decay: float
) -> None:
    # Rounding grows exponentially with the steps, and faster in a deeper network.
    epochs = 10 if len(hidden) > 1 else 25
    recipe = replace(RECIPE, weight_decay=weight_decay, epochs=epochs)
    model = perceptron(hidden=hidden)
    report = fit_replicas(model, INPUTS, LABELS, recipe=recipe, seed=3, strategy=strategy)
    assert report.strategy == strategy
    for r in range(R):
        own = single(perceptron(hidden=hidden), INPUTS, LABELS[r], recipe, seed=3)
        assert_is_the_single_fit(report, r, *own, tol=2e-4)


def test_replicas_stop_at_their_own_epochs() -> None:
    report = fit_replicas(perceptron(), INPUTS, LABELS, recipe=LONG, strategy="wide")
    assert report.interpolated.all()
    assert len(set(report.epochs.tolist())) > 1
    assert_array_equal(report.steps, report.epochs * 4)
    assert (report.logits(INPUTS).argmax(2) == LABELS).all()


@pytest.mark.slow
def test_the_loop_is_the_single_fit_to_the_bit() -> None:
    report = fit_replicas(perceptron(), INPUTS, LABELS, recipe=RECIPE, seed=3, strategy="loop")
    for r in range(R):
        own = single(perceptron(), INPUTS, LABELS[r], RECIPE, seed=3)
        assert_is_the_single_fit(report, r, *own, tol=0.0)


def inception() -> nn.Sequential:
    return small_inception(input_shape=(1, 8, 8), num_classes=K)


@pytest.mark.parametrize("make", [convnet, pytest.param(inception, marks=pytest.mark.slow)])
def test_convolutions_and_batch_norm_keep_their_own_statistics(make: Any) -> None:
    recipe = Recipe(learning_rate=0.005, epochs=2, batch_size=8, crop=8, whiten=True, decay=0.95)
    report = fit_replicas(make(), IMAGES, IMAGE_LABELS[:2], recipe=recipe, strategy="vmap")
    for r in range(2):
        own = single(make(), IMAGES, IMAGE_LABELS[r], recipe)
        assert_is_the_single_fit(report, r, *own, tol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["wide", "vmap", "loop"])
def test_subsets_are_trained_on_alone(strategy: Any) -> None:
    generator = torch.Generator().manual_seed(5)
    subsets = torch.stack([torch.randperm(N, generator=generator)[:30] for _ in range(R)])
    recipe = replace(RECIPE, epochs=40)
    report = fit_replicas(
        perceptron(), INPUTS, LABELS, recipe=recipe, subsets=subsets, strategy=strategy
    )
    for r in range(R):
        at = subsets[r]
        own = single(perceptron(), INPUTS[at], LABELS[r][at], recipe)
        assert_is_the_single_fit(report, r, *own, tol=2e-4)


@pytest.mark.parametrize("subsets", [None, torch.arange(R * 37).reshape(R, 37) % N])
def test_batches_gathered_together_are_those_gathered_alone(
    subsets: Tensor | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, reports = replace(RECIPE, epochs=3), []
    for numbers in (1, 32 * (D * R + R), 1 << 20):  # one batch, two (or more, if shared), all
        monkeypatch.setattr("corruptlab.training._replicas_run._NUMBERS_AT_ONCE", numbers)
        reports.append(
            fit_replicas(
                perceptron(), INPUTS, LABELS, recipe=recipe, subsets=subsets, strategy="wide"
            )
        )
    assert reports[0].losses == reports[1].losses == reports[2].losses


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[nn.Sequential]:
    """List every network that is copied."""
    original, copied = copy.deepcopy, []

    def noting(value: Any, memo: Any = None) -> Any:
        if isinstance(value, nn.Sequential):
            copied.append(value)
        return original(value, memo)

    monkeypatch.setattr(copy, "deepcopy", noting)
    return copied


@pytest.mark.parametrize("model", [perceptron(), [perceptron(seed) for seed in range(R)]])
def test_networks_are_copied_only_where_something_is_written(
    model: Any, copies: list[nn.Sequential]
) -> None:
    recipe = replace(RECIPE, epochs=2)
    report = fit_replicas(model, INPUTS, LABELS, recipe=recipe, strategy="wide")
    assert len(copies) == 1
    outputs = report.logits(INPUTS)
    assert len(copies) == 2
    for r in range(R):
        assert torch.equal(outputs[r], report.model(r)(INPUTS))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("strategy", ["vmap", "loop"])
def test_given_networks_stay_as_they_were(strategy: Any, mode: Any) -> None:
    def network(seed: int) -> nn.Sequential:
        made = convnet()
        nn.init.constant_(made.get_parameter("5.bias"), float(seed))
        return made.eval()

    with mode():
        networks = [network(seed) for seed in range(R)]
    before = copy.deepcopy([net.state_dict() for net in networks])
    recipe = Recipe(learning_rate=0.02, epochs=2, batch_size=8, crop=8, whiten=True, decay=0.95)
    report = fit_replicas(networks, IMAGES, IMAGE_LABELS, recipe=recipe, strategy=strategy)
    for r in range(R):
        assert not networks[r].training
        assert all(p.grad is None for p in networks[r].parameters())
        for name, value in networks[r].state_dict().items():
            assert torch.equal(value, before[r][name])
        own = single(network(r), IMAGES, IMAGE_LABELS[r], recipe)
        assert_is_the_single_fit(report, r, *own, tol=2e-3)


def test_what_is_done_to_a_given_network_later_does_not_reach_the_report() -> None:
    networks = [perceptron(seed) for seed in range(R)]
    report = fit_replicas(networks, INPUTS, LABELS, recipe=replace(RECIPE, epochs=2))
    before = report.logits(INPUTS)
    for network in networks:
        network[1] = nn.Identity()
    assert torch.equal(report.logits(INPUTS), before)


@pytest.mark.slow
def test_one_rule_may_stand_alone() -> None:
    alone, listed = (
        fit_replicas(perceptron(), INPUTS, LABELS, recipe=LONG, stop=stop)
        for stop in (interpolated(), [interpolated()])
    )
    assert alone.stopped_by == listed.stopped_by == ("interpolated",) * R
    never = fit_replicas(perceptron(), INPUTS, LABELS, recipe=LONG, stop=[])
    assert never.stopped_by == ("epochs",) * R


@pytest.mark.slow(seconds=1)
def test_networks_with_their_own_initial_weights_keep_them() -> None:
    networks = [perceptron(seed) for seed in range(R)]
    before = [network.get_parameter("1.weight").clone() for network in networks]
    report = fit_replicas(networks, INPUTS, LABELS, recipe=replace(RECIPE, epochs=20))
    for r in range(R):
        own = single(perceptron(r), INPUTS, LABELS[r], replace(RECIPE, epochs=20))
        assert_is_the_single_fit(report, r, *own, tol=2e-4)
        assert torch.equal(networks[r].get_parameter("1.weight"), before[r])


def test_as_many_replicas_as_examples_of_a_batch_are_not_mistaken_for_it() -> None:
    inputs, labels = torch.randn(4, 4, generator=GENERATOR), torch.arange(16).reshape(4, 4) % 2
    model, recipe = mlp(8, input_shape=(4,), num_classes=2), replace(RECIPE, batch_size=4, epochs=9)
    for strategy in ("wide", "vmap"):
        report = fit_replicas(model, inputs, labels, recipe=recipe, strategy=strategy)
        for r in range(4):
            own = single(mlp(8, input_shape=(4,), num_classes=2), inputs, labels[r], recipe)
            assert_is_the_single_fit(report, r, *own, tol=2e-4)


# The clock is read before and after the steps of each candidate, and once before all.
CANDIDATES = ["wide, 4 at a time", "wide, 2 at a time", "loop"]


@pytest.mark.slow
@pytest.mark.parametrize("fastest", CANDIDATES)
def test_a_job_worth_it_is_measured_and_the_fastest_taken(
    fastest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = [1.0, *(0.01 if name == fastest else 1.0 for name in CANDIDATES for _ in range(2))]
    clock = itertools.accumulate(itertools.chain(ticks, itertools.repeat(1.0)))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(_replica_plan, "_WORTH_MEASURING_PERCEPTRONS", 1)
    monkeypatch.setattr(_replica_plan, "_CACHE", 20_000)  # the numbers of two replicas
    recipe = replace(RECIPE, epochs=20)
    model = perceptron()
    before = model.get_parameter("1.weight").clone()
    report = fit_replicas(model, INPUTS, LABELS, recipe=recipe)
    assert list(report.seconds_per_step) == CANDIDATES
    named = "loop" if report.strategy == "loop" else f"wide, {report.group} at a time"
    assert named == fastest == min(CANDIDATES, key=lambda name: report.seconds_per_step[name])
    assert torch.equal(model.get_parameter("1.weight"), before)
    for r in range(R):
        own = single(perceptron(), INPUTS, LABELS[r], recipe)
        assert_is_the_single_fit(report, r, *own, tol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam", "learning_rate": 0.01},
        {"precision": "bfloat16"},
        {"optimizer": "nesterov"},
    ],
)
def test_what_only_a_fit_can_do_goes_through_the_loop(changes: dict[str, Any]) -> None:
    recipe = replace(RECIPE, epochs=3, **changes)
    report = fit_replicas(perceptron(), INPUTS, LABELS, recipe=recipe)
    assert report.strategy == "loop"
    own = single(perceptron(), INPUTS, LABELS[1], recipe)
    assert_is_the_single_fit(report, 1, *own, tol=0.0)


def test_dropout_goes_through_the_loop_unless_the_recipe_switches_it_off() -> None:
    def net() -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(D, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, K))

    recipe = replace(RECIPE, epochs=3)
    assert fit_replicas(net(), INPUTS, LABELS, recipe=recipe).strategy == "loop"
    off = replace(recipe, dropout=0.0)
    report = fit_replicas(net(), INPUTS, LABELS, recipe=off, strategy="vmap")
    assert_is_the_single_fit(report, 2, *single(net(), INPUTS, LABELS[2], off), tol=2e-4)
    assert report.model(2).get_submodule("2").p == 0.5


@pytest.mark.parametrize(
    ("network", "answer"),
    [
        (perceptron(), True),
        (mlp(input_shape=(D,)), True),
        (nn.Sequential(nn.Linear(6, 5, bias=False), nn.ReLU(), nn.Linear(5, 3)), True),
        (nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3)), False),
        (nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)), False),
        (nn.Sequential(nn.Linear(6, 5), nn.ReLU()), False),
        (nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Flatten(), nn.Linear(5, 3)), False),
        (nn.Sequential(nn.Sequential(nn.Linear(6, 3))), False),
        (convnet(), False),
    ],
)
def test_only_perceptrons_go_wide(network: nn.Sequential, answer: bool) -> None:
    recipe = replace(RECIPE, epochs=1)
    inputs = IMAGES[:, :, :8, :8] if isinstance(network[0], nn.Conv2d) else INPUTS
    labels = LABELS[:, : len(inputs)]
    if answer:
        report = fit_replicas(network, inputs, labels, recipe=recipe, strategy="wide")
        assert report.strategy == "wide"
    else:
        message = r"^`strategy` must not be 'wide' for a network that is no perceptron\.$"
        with pytest.raises(ValueError, match=message):
            fit_replicas(network, inputs, labels, recipe=recipe, strategy="wide")


def shared_layer() -> nn.Sequential:
    torch.manual_seed(0)
    layer = nn.Linear(D, D)
    return nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU(), nn.Linear(D, K))


def shared_weight() -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(D, D), nn.ReLU(), nn.Linear(D, D), nn.ReLU(), nn.Linear(D, K))
    network[2].weight = network[0].weight
    return network


def _halve(layer: nn.Module, into: Any, out: Any) -> tuple[Tensor]:
    return (into[0] * 0.5,)


def hooked() -> nn.Sequential:
    """A perceptron whose gradients are changed on their way."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(D, 9), nn.ReLU(), nn.Linear(9, K))
    network[1].register_full_backward_hook(_halve)
    return network


@pytest.mark.parametrize("make", [shared_layer, shared_weight, hooked])
def test_shared_weights_and_backward_hooks_keep_their_meaning(make: Any) -> None:
    recipe = replace(RECIPE, epochs=3)
    report = fit_replicas(make(), INPUTS, LABELS, recipe=recipe)
    assert report.strategy == "loop"
    assert_is_the_single_fit(report, 1, *single(make(), INPUTS, LABELS[1], recipe), tol=0)
    reason = "(weights that layers share|backward hooks)"
    for strategy in ("wide", "vmap"):
        message = rf"^`strategy` must be 'loop' or 'auto' with {reason}, got '{strategy}'\.$"
        with pytest.raises(ValueError, match=message):
            fit_replicas(make(), INPUTS, LABELS, recipe=recipe, strategy=strategy)


def test_one_network_with_frozen_weights_among_others_keeps_them() -> None:
    networks = [perceptron(seed) for seed in range(R)]
    networks[2].get_parameter("1.weight").requires_grad_(False)
    report = fit_replicas(networks, INPUTS, LABELS, recipe=replace(RECIPE, epochs=3))
    frozen = networks[2].get_parameter("1.weight")
    assert torch.equal(report.model(2).get_parameter("1.weight"), frozen)
    assert not torch.equal(report.model(1).get_parameter("1.weight"), frozen)


class Reading(nn.Module):
    """A network that looks at its weights, which cannot be mapped over."""

    def __init__(self) -> None:
        super().__init__()
        self.body = perceptron()

    def forward(self, x: Tensor) -> Tensor:
        small = self.body.get_parameter("1.weight").abs().max().item() < 10
        out: Tensor = self.body(x if small else -x)
        return out


def averaging() -> nn.Sequential:
    """Batch norm that counts its batches, in evaluation mode a network like any other."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(D, 9), nn.BatchNorm1d(9, momentum=None), nn.Linear(9, K))


@pytest.mark.parametrize("make", [Reading, averaging])
def test_what_cannot_be_mapped_over_goes_through_the_loop(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_replica_plan, "_WORTH_MEASURING", 1)
    recipe = replace(RECIPE, learning_rate=1e-9, epochs=3, batch_size=25)
    report = fit_replicas(make(), INPUTS, LABELS, recipe=recipe)
    assert (report.strategy, report.seconds_per_step) == ("loop", {})


def test_layers_without_bias_stay_without() -> None:
    def net() -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(D, 9, bias=False), nn.ReLU(), nn.Linear(9, K))

    recipe = replace(RECIPE, epochs=8)
    report = fit_replicas(net(), INPUTS, LABELS, recipe=recipe, strategy="wide")
    assert_is_the_single_fit(report, 0, *single(net(), INPUTS, LABELS[0], recipe), tol=2e-4)


def test_outputs_and_accuracies_are_those_of_the_trained_networks() -> None:
    recipe = Recipe(learning_rate=0.02, epochs=2, batch_size=8, crop=8, whiten=True, decay=0.95)
    report = fit_replicas(convnet(), IMAGES, IMAGE_LABELS, recipe=recipe)
    seen = whiten(center_crop(IMAGES, 8))
    for r in range(R):
        network = report.model(r).eval()
        torch.testing.assert_close(report.logits(IMAGES)[r], network(seen))
        hits = (network(seen).argmax(1) == IMAGE_LABELS[r]).double().mean().item()
        assert report.accuracy(IMAGES, IMAGE_LABELS)[r] == pytest.approx(hits)
        assert report.train_accuracy[r] == pytest.approx(hits)
    with pytest.raises(IndexError, match=r"^`replica` must lie in 0 \.\. 3, got 4\.$"):
        report.model(4)


def test_ctrl_c_returns_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = Draws.permutations, itertools.count(1)

    def pressing(self: Draws, *args: Any) -> Any:
        if next(calls) == 3:  # the data order of the third epoch
            signal.raise_signal(signal.SIGINT)
        return original(self, *args)

    monkeypatch.setattr(Draws, "permutations", pressing)
    report = fit_replicas(perceptron(), INPUTS, LABELS, recipe=RECIPE, strategy="wide")
    assert report.stopped_by == ("interrupted",) * R
    assert report.epochs.tolist() == [2] * R
    monkeypatch.undo()
    two = replace(RECIPE, epochs=2)
    own = single(perceptron(), INPUTS, LABELS[0], two)[0]
    assert report.losses[0] == pytest.approx(own.losses, rel=1e-4)
    assert report.train_accuracy[0] == own.train_accuracy
    json.dumps(report.to_dict(), allow_nan=False)


def test_a_loss_that_is_not_finite_names_the_replica() -> None:
    networks = [perceptron(seed) for seed in range(R)]
    with torch.no_grad():
        networks[2].get_parameter("3.bias").fill_(float("nan"))
    with pytest.raises(
        NonFiniteLossError, match=r"^The loss is nan at step 1: replica 2, the lear"
    ):
        fit_replicas(networks, INPUTS, LABELS, recipe=RECIPE, strategy="wide")


class Full(nn.Linear):
    """A layer for which there is no memory in training."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return super().forward(x)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("vmap", r"^The memory of cpu is full with 4 replicas and batches of 16; try fewer "),
        ("loop", r"^The memory of cpu is full with batches of 16; try a smaller "),
    ],
)
def test_full_memory_says_what_to_change(strategy: Any, message: str) -> None:
    with pytest.raises(MemoryError, match=message):
        fit_replicas(Full(D, K), INPUTS, LABELS, recipe=RECIPE, strategy=strategy)


def test_global_generators_stay() -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    fit_replicas(perceptron(), INPUTS, LABELS, recipe=replace(RECIPE, epochs=2), strategy="vmap")
    assert torch.equal(torch.get_rng_state(), before)
    assert_array_equal(np.random.get_state()[1], numpy_before)  # type: ignore[index]  # noqa: NPY002


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        (
            {"labels": LABELS[0]},
            ValueError,
            r"^`labels` must have shape \(R, n\) with R >= 1, got \(",
        ),
        ({"labels": LABELS.int()}, TypeError, r"^`labels` must be int64, got torch\.int32\.$"),
        (
            {"labels": LABELS + 1},
            ValueError,
            r"^`labels` must lie in 0 \.\. 2, the 3 outputs of `model`, got 3\.$",
        ),
        (
            {"labels": LABELS - 1},
            ValueError,
            r"^`labels` must lie in 0 \.\. 2, the 3 outputs of `model`, got -1\.$",
        ),
        (
            {"stop": None},
            TypeError,
            r"^`stop` must hold stopping rules, objects with a name and .* `met`, got None\.$",
        ),
        (
            {"stop": patience(3)},
            ValueError,
            r"^`stop` must be \(interpolated\(\),\) or \(\), .* got \(patience\(epochs=3.*\),\)\.$",
        ),
        (
            {"device": 3.5},
            TypeError,
            r"^`device` must be a torch\.device or a name such as 'cuda:0', got 3\.5\.$",
        ),
        (
            {"inputs": INPUTS[:9]},
            ValueError,
            r"^`inputs` must be as many as the columns of `labels`, 50, and at least one, got 9\.$",
        ),
        (
            {"inputs": INPUTS / 0},
            ValueError,
            r"^`inputs` must hold finite inputs, got nan or inf in",
        ),
        (
            {"model": [perceptron()] * 3},
            ValueError,
            r"^`model` must be one network or 4, one for each row of `labels`, got 3\.$",
        ),
        (
            {"model": [*[perceptron()] * 3, perceptron(hidden=(5,))]},
            ValueError,
            r"^`model` must hold networks of one architecture, got another at 3\.$",
        ),
        (
            {"model": [*[perceptron()] * 3, nn.Sequential(*[*perceptron()][:2], nn.Tanh(), LAST)]},
            ValueError,
            r"^`model` must hold networks of one architecture, got another at 3\.$",
        ),
        (
            {"model": nn.Sequential(nn.LazyLinear(K))},
            ValueError,
            r"^`model` must have weights to be copied, got lazy layers without any; call it on an",
        ),
        (
            {"model": None},
            TypeError,
            r"^`model` must be .* makes one, got NoneType\.$",
        ),
        ({"model": [[]] * R}, TypeError, r"^`model` must be a torch\.nn\.Module, got list\.$"),
        (
            {"model": perceptron()[:1]},
            ValueError,
            r"^`model` must have parameters that require a gradient, got none\.$",
        ),
        (
            {"model": mlp(input_shape=(D + 1,))},
            ValueError,
            r"^`model` must accept inputs of shape \(2, 6\) and type torch\.float32 on cpu, got",
        ),
        (
            {"model": nn.Sequential(nn.Linear(D, K), nn.Flatten(0))},
            ValueError,
            r"^`model` must return one row of class scores .* got shape \(6,\) for 2 inputs\.$",
        ),
        (
            {"model": nn.BatchNorm1d(D), "recipe": replace(RECIPE, batch_size=7)},
            ValueError,
            r"^`recipe\.batch_size` must leave batch norm more than one value .* one of the 50 exa",
        ),
        ({"labels": LABELS.numpy()}, TypeError, r"^`labels` must be a tensor, got ndarray\.$"),
        (
            {"subsets": np.zeros((R, 2), np.int64)},
            TypeError,
            r"^`subsets` must be a tensor, got ndarray\.$",
        ),
        (
            {"subsets": torch.zeros(R, 0, dtype=torch.int64)},
            ValueError,
            r"^`subsets` must have shape \(4, m\) with m >= 1, got \(4, 0\)\.$",
        ),
        (
            {"subsets": torch.full((R, 2), 50)},
            ValueError,
            r"^`subsets` must lie in 0 \.\. 49, got 50\.$",
        ),
        (
            {"strategy": "fast"},
            ValueError,
            r"^`strategy` must be one of auto, wide, vmap, loop, got 'fast'\.$",
        ),
        (
            {"strategy": "wide", "recipe": replace(RECIPE, optimizer="adam")},
            ValueError,
            r"^`strategy` must be 'loop' or 'auto' with recipe\.optimizer='adam', got 'wide'\.$",
        ),
        (
            {"strategy": "vmap", "recipe": replace(RECIPE, augmentation=Augmentation(flip=True))},
            ValueError,
            r"^`recipe\.augmentation` needs images",
        ),
        (
            {"strategy": "wide", "model": nn.Linear(D, K)},
            ValueError,
            r"^`strategy` must not be 'wide' for a network that is no perceptron\.$",
        ),
        ({"recipe": None}, TypeError, r"^`recipe` must be a Recipe, got NoneType\.$"),
    ],
)
def test_bad_input_is_one_clear_error(
    changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    arguments: dict[str, Any] = {"model": perceptron(), "inputs": INPUTS, "labels": LABELS}
    given = {**arguments, "recipe": RECIPE, **changes}
    with pytest.raises(kind, match=message):
        fit_replicas(given.pop("model"), given.pop("inputs"), given.pop("labels"), **given)


def test_a_network_that_writes_into_its_input_leaves_the_inputs_as_they_are() -> None:
    class Writing(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.mul_(2))

    inputs = torch.randn(20, 4)
    before, labels = inputs.clone(), torch.arange(20).expand(2, -1) % 3
    recipe = Recipe(learning_rate=0.1, epochs=2, batch_size=10, whiten=False)
    report = fit_replicas(Writing(4, 3), inputs, labels, recipe=recipe, strategy="loop")
    outputs = report.logits(inputs)
    assert torch.equal(inputs, before)
    for r in range(2):
        assert torch.equal(outputs[r], report.model(r)(inputs.clone()))
