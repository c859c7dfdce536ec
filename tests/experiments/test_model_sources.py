"""A function that makes a network is accepted wherever one is copied, and means the same."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from corruptlab import fit, fit_replicas, permutation_test
from corruptlab.capacity import effective_capacity, memorization, rademacher, shatters, stability
from corruptlab.experiments import randomization_test
from tests.training import cases

SEED, RECIPE = 3, replace(cases.RECIPE, epochs=4)
INPUTS = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(20) % 2
PAIR = (INPUTS[:4], LABELS[:4])


class Keeps(nn.Module):
    """A network that keeps its last output, so that it cannot be copied once it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 2)
        self.last: Tensor | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        self.last = self.layer(inputs)
        return self.last


class Plain(nn.Module):
    """The same network, without a memory."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.layer(inputs)
        return scores


def called() -> nn.Module:
    """Return a network that cannot be copied."""
    model = Keeps()
    model(INPUTS)
    return model


def replicas(model: Any, **options: Any) -> Any:
    both = torch.stack([LABELS, 1 - LABELS])
    report = fit_replicas(model, INPUTS, both, recipe=RECIPE, seed=SEED, **options)
    return [report.losses, report.logits(INPUTS), report.model(1).state_dict()["layer.weight"]]


def randomized(model: Any) -> Any:
    data = TensorDataset(INPUTS, LABELS)
    report = randomization_test(
        model, data, recipe=RECIPE, seed=SEED, settings=["true", "random-labels"]
    )
    return [row.fit.losses for row in report.rows]


CALLS: dict[str, Callable[[Any], Any]] = {
    "fit_replicas": replicas,
    "vmap": lambda model: replicas(model, strategy="vmap"),
    "loop": lambda model: replicas(model, strategy="loop"),
    "randomization_test": randomized,
    "permutation_test": lambda model: (
        permutation_test(
            model,
            (INPUTS, LABELS),
            folds=2,
            recipe=RECIPE,
            statistic="log-likelihood",
            permutations=3,
            level=0.3,
            seed=SEED,
        ).null
    ),
    "memorization": lambda model: (
        memorization(model, INPUTS, LABELS, recipe=RECIPE, replicas=20, seed=SEED).scores
    ),
    "effective_capacity": lambda model: (
        effective_capacity(model, INPUTS, recipe=RECIPE, replicas=2, seed=SEED).trials
    ),
    "stability": lambda model: (
        stability(model, INPUTS, LABELS, recipe=RECIPE, fresh=PAIR, held_out=PAIR, seed=SEED).means
    ),
    "shatters": lambda model: shatters(model, INPUTS[:3], recipe=RECIPE, seed=SEED).unfitted,
    "rademacher.network": lambda model: (
        rademacher.network(model, INPUTS, recipe=RECIPE, draws=2, seed=SEED).sups
    ),
}


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("name", CALLS)
def test_a_function_means_the_network_that_it_makes_under_the_seed(name: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = Plain()
    before = torch.get_rng_state()
    expected = CALLS[name](model)
    for function in (Plain, called):  # the second one makes what cannot be copied
        found = CALLS[name](function)
        for one, other in zip(expected, found, strict=True):
            if isinstance(one, float | Tensor | np.ndarray):
                np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
            else:
                assert one == other
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("mlp", r"^`model` must be a torch\.nn\.Module.*, got"),
        (nn.Linear, r"^`model` must be a function that makes a torch\.nn\.Module without arg"),
        (dict, r"^`model` must make a torch\.nn\.Module when called, got one that makes dict\.$"),
    ],
)
def test_what_makes_no_network_is_one_clear_error(name: str, model: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        CALLS[name](model)


@pytest.mark.parametrize("name", CALLS)
def test_a_network_that_cannot_be_copied_is_one_clear_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"^`model` must be a network that copy\.deepcopy copies"):
        CALLS[name](called())


def test_fit_trains_in_place_and_says_so_to_a_function() -> None:
    data = TensorDataset(INPUTS, LABELS)
    with pytest.raises(
        TypeError,
        match=r"^`model` must be a torch\.nn\.Module, got function; call it, because `fit` "
        r"trains the network itself\.$",
    ):
        fit(called, data, recipe=RECIPE)  # type: ignore[arg-type]
