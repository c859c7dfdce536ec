"""Stopping rules: each stops at the epoch it names, and for no other reason."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from corruptlab import fit, stopping

from .cases import RECIPE, network, points
from .clock import Clock


def accuracy_by_hand(model: nn.Module, data: TensorDataset) -> float:
    inputs, targets = data.tensors
    with torch.no_grad():
        return float((model(inputs).argmax(1) == targets).double().mean())


@pytest.mark.parametrize("accuracy", [0.5, 0.7, 0.95])
def test_target_stops_at_the_first_epoch_that_reaches_it(accuracy: float) -> None:
    report = fit(
        model := network(), points(), recipe=RECIPE, stop=stopping.target(accuracy), measure="all"
    )
    assert report.stopped_by == "target"
    trains = [end.train for end in report.history]
    assert all(train is not None and train < accuracy for train in trains[:-1])
    assert report.train_accuracy == trains[-1] == pytest.approx(accuracy_by_hand(model, points()))
    assert report.train_accuracy >= accuracy


def test_a_target_of_a_share_that_is_met_exactly_counts() -> None:
    full = fit(network(), points(), recipe=RECIPE, measure="all")
    exact = full.history[10].train
    assert exact is not None
    first = next(
        k for k, end in enumerate(full.history) if end.train is not None and end.train >= exact
    )
    report = fit(network(), points(), recipe=RECIPE, stop=stopping.target(exact))
    assert report.epochs == first + 1


@pytest.mark.slow
def test_without_rules_all_epochs_are_done_and_interpolation_is_still_noticed() -> None:
    until = fit(network(), points(), recipe=RECIPE)
    on = fit(network(), points(), recipe=RECIPE, stop=())
    assert on.stopped_by == "epochs"
    assert on.epochs == RECIPE.epochs > until.epochs
    assert on.steps_to_interpolation == until.steps_to_interpolation == until.steps
    assert on.losses[: until.steps] == until.losses


def test_the_first_rule_that_is_met_gives_the_name() -> None:
    both = (stopping.interpolated(), stopping.target(1.0))
    assert fit(network(), points(), recipe=RECIPE, stop=both).stopped_by == "interpolated"
    assert fit(network(), points(), recipe=RECIPE, stop=both[::-1]).stopped_by == "target"


class Scores:
    """The progress of a fit with given values, to ask a rule by itself."""

    epochs, seconds = 0, 0.0

    def __init__(self, values: Sequence[float]) -> None:
        self.test_accuracies = self.validation_accuracies = values
        self.epoch_losses = [-value for value in values]

    def reaches(self, accuracy: float) -> bool:
        raise AssertionError(f"nobody asked for {accuracy}")


@pytest.mark.parametrize("on", ["loss", "test", "validation"])
def test_patience_counts_epochs_since_the_first_best_value(on: Any) -> None:
    rule = stopping.patience(2, on=on)
    values = [0.1, 0.5, 0.4, 0.6, 0.6, 0.6, 0.2]
    met = [rule.met(Scores(values[: k + 1])) for k in range(len(values))]
    assert met == [False, False, False, False, False, True, True]


def test_patience_on_validation_ends_a_fit_that_has_peaked() -> None:
    held_out = points(40, seed=1)
    rule = stopping.patience(3, on="validation")
    report = fit(network(), points(), held_out, validation=held_out, recipe=RECIPE, stop=rule)
    assert report.stopped_by == "patience"
    seen = [end.validation for end in report.history if end.validation is not None]
    assert len(seen) - 1 - seen.index(max(seen)) == 3


class Slow(nn.Module):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.body, self.clock = network(), clock

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.clock.forward(0.25)
        out: Tensor = self.body(x)
        return out


def test_a_budget_ends_a_fit_in_the_middle_of_an_epoch(clock: Clock) -> None:
    """Steps of a quarter of a second, and a look at the clock every half."""
    recipe = replace(RECIPE, batch_size=1, epochs=1)  # 60 steps
    report = fit(Slow(clock), points(), recipe=recipe, stop=stopping.budget(2.75))
    assert (report.stopped_by, report.epochs) == ("budget", 0)
    assert report.steps == len(report.losses) == 12
    assert report.seconds == 3.0


class Third:
    name = "third"

    def met(self, now: stopping.FitProgress, /) -> bool:
        return now.epochs == 3


def test_a_rule_of_ones_own_is_asked_after_every_epoch() -> None:
    report = fit(network(), points(), recipe=RECIPE, stop=Third())
    assert (report.stopped_by, report.epochs) == ("third", 3)


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (
            lambda: stopping.target(1.5),
            ValueError,
            r"^`accuracy` must lie in \[0, 1\], got 1\.5\.$",
        ),
        (lambda: stopping.target("x"), TypeError, r"^`accuracy` must be a number, got 'x'\.$"),  # type: ignore[arg-type]
        (lambda: stopping.patience(0), ValueError, r"^`epochs` must be at least 1, got 0\.$"),
        (lambda: stopping.patience(1.5), TypeError, r"^`epochs` must be an integer, got 1\.5\.$"),  # type: ignore[arg-type]
        (
            lambda: stopping.patience(1, on="train"),  # type: ignore[arg-type]
            ValueError,
            r"^`on` must be one of loss, validation, test, got 'train'\.$",
        ),
        (lambda: stopping.budget(0), ValueError, r"^`limit` must be greater than 0, got 0\.$"),
        (lambda: stopping.budget(True), TypeError, r"^`limit` must be a number, got True\.$"),
        (
            lambda: fit(network(), points(), recipe=RECIPE, stop=stopping.interpolated),  # type: ignore[arg-type]
            TypeError,
            r"^`stop` must hold stopping rules, objects with a name and a method `met`, got <class",
        ),
        (
            lambda: fit(network(), points(), recipe=RECIPE, stop=stopping.patience(3, on="test")),
            ValueError,
            r"^`stop` must only ask for what is measured after every epoch, got patience\(epochs=3,"
            r" on='test'\) without test examples or without measuring them\.$",
        ),
    ],
)
def test_bad_rules_are_one_clear_error(act: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        act()
