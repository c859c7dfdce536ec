"""Why a fit stopped short: a fit for each reason, the laws of its criterion, no false alarm."""

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import kendalltau, theilslopes
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from corruptlab import fit
from corruptlab._types import Array
from corruptlab.models import mlp
from corruptlab.training import Cause, Execution, FitReport, stopping
from corruptlab.training._diagnosis import FitRecord, diagnose
from corruptlab.training._loss_curve import LossCurve

from .cases import RECIPE, network, points

HEALTHY = replace(RECIPE, decay=1.0, epochs=100, batch_size=20)  # 3 steps an epoch


def names(causes: Sequence[Cause]) -> list[str]:
    return [cause.name for cause in causes]


def record(losses: Sequence[float] = (), **values: Any) -> FitRecord:
    """FitRecord of a fit of 60 examples in 3 classes, with nothing special about them."""
    known: dict[str, Any] = {
        "targets": torch.arange(60) % 3,
        "train_accuracy": 0.5,
        "stopped_by": "epochs",
        "steps_per_epoch": 3,
        "batch_size": 20,
        "num_parameters": 1_000,
        "learning_rate": 0.1,
        "momentum": 0.9,
    }
    return FitRecord(losses=losses, **(known | values))


def record_of(report: FitReport, **values: Any) -> FitRecord:
    """FitRecord of a fit, as a user of another loop would put them together."""
    recipe, (inputs, targets) = report.recipe, points().tensors
    known = {
        "inputs": inputs,
        "targets": targets,
        "train_accuracy": report.train_accuracy,
        "stopped_by": report.stopped_by,
        "num_parameters": report.num_parameters,
        "learning_rate": recipe.learning_rate,
        "decay": recipe.decay,
    }
    return record(report.losses, **(known | values))


def fitted(
    model: nn.Module | None = None, data: TensorDataset | None = None, **changes: Any
) -> FitReport:
    """Fit random points with random labels; as it stands, this interpolates."""
    model = network() if model is None else model
    return fit(model, points() if data is None else data, recipe=replace(HEALTHY, **changes))


def with_layer(layer: nn.Module) -> nn.Sequential:
    """The network of the other fits with one more layer before its last."""
    layers = list(network())
    return nn.Sequential(*layers[:-1], layer, layers[-1])


# ----------------------------------------------------------------------- one fit for each reason


def test_without_any_reason_the_fit_interpolates_and_there_is_no_diagnosis() -> None:
    report = fitted()
    assert report.train_accuracy == 1
    assert report.diagnosis == ()


@pytest.mark.parametrize("epochs", [1, 2, 3, 6, 10, 14, 18, 22])
def test_a_fit_of_few_epochs_lacks_epochs_and_nothing_else(epochs: int) -> None:
    assert names(fitted(epochs=epochs).diagnosis) == ["too_few_epochs"]


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("epochs", [1, 4, 16])
def test_no_seed_gets_a_false_alarm(seed: int, epochs: int) -> None:
    report = fitted(network(seed), points(seed=seed), epochs=epochs)
    assert names(report.diagnosis) == ["too_few_epochs"]


class Interrupted(nn.Module):
    """Ctrl-C at one training step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.left = step

    def forward(self, x: Tensor) -> Tensor:
        self.left -= self.training
        if self.training and self.left == 0:
            raise KeyboardInterrupt
        return x


def test_an_interrupted_fit_was_interrupted_and_nothing_else() -> None:
    report = fitted(nn.Sequential(Interrupted(14), network()))
    assert names(report.diagnosis) == ["interrupted"]
    assert report.diagnosis[0].evidence == "the fit was interrupted after 4.33 epochs"


def test_a_fit_that_a_rule_ended_names_the_rule_and_nothing_else() -> None:
    report = fit(network(), points(), recipe=HEALTHY, stop=stopping.target(0.7))
    assert names(report.diagnosis) == ["stopping_rule"]
    assert "the stopping rule 'target' ended the fit after" in report.diagnosis[0].evidence


class Noisy(nn.Module):
    """Gaussian noise on the inputs in training: the plainest augmentation."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x) if self.training else x


def test_augmentation_is_seen() -> None:
    report = fitted(nn.Sequential(Noisy(), network()))
    assert report.train_accuracy < 1
    assert names(diagnose(record_of(report, augmentation="noise"))) == ["augmentation"]


def test_weight_decay_is_seen() -> None:
    report = fitted(weight_decay=0.1)
    assert names(report.diagnosis) == ["weight_decay"]
    # 300 steps of rate 0.1 and momentum 0.9: exp(-0.1 * 30 / 0.1) is nothing
    assert report.diagnosis[0].evidence.endswith(
        "0.1, which alone would have shrunk the weights by 100%"
    )


@pytest.mark.slow(seconds=1)
def test_dropout_is_seen() -> None:
    report = fitted(with_layer(nn.Dropout(0.8)))
    assert names(report.diagnosis) == ["dropout"]
    assert "probability 0.8" in report.diagnosis[0].evidence
    assert fitted(with_layer(nn.Dropout(0.0))).train_accuracy == 1


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize(("rate", "batch_size"), [(1e-12, 20), (1e-6, 7), (1e-4, 20)])
def test_a_rate_that_is_too_low_is_seen(rate: float, batch_size: int) -> None:
    report = fitted(learning_rate=rate, batch_size=batch_size)
    assert names(report.diagnosis) == ["learning_rate_too_low"]
    assert f"at a rate of {rate:g} the training loss only went from 1.0" in str(report.diagnosis[0])


@pytest.mark.parametrize("decay", [0.1, 0.5, 0.8, 0.9])
def test_a_rate_that_decayed_too_soon_is_seen(decay: float) -> None:
    assert names(fitted(decay=decay).diagnosis) == ["learning_rate_decayed"]


def test_a_rate_that_hardly_decays_is_none() -> None:
    assert fitted(decay=0.999).train_accuracy == 1


@pytest.mark.parametrize("epochs", [20, 100])
def test_a_rate_that_is_too_high_is_seen(epochs: int) -> None:
    report = fitted(learning_rate=2.0, epochs=epochs)
    assert names(report.diagnosis) == ["learning_rate_too_high"]


@pytest.mark.parametrize(("shift", "scale"), [(5.0, 1.0), (20.0, 1.0), (0.0, 0.01)])
def test_inputs_that_are_not_whitened_are_seen(shift: float, scale: float) -> None:
    inputs, targets = points().tensors
    report = fitted(data=TensorDataset(inputs * scale + shift, targets))
    assert names(report.diagnosis) == ["inputs_not_whitened"]


@pytest.mark.slow(seconds=1)
def test_conflicting_duplicates_are_seen_with_the_accuracy_within_reach() -> None:
    inputs, targets = points().tensors
    twice = TensorDataset(
        inputs[[*range(60), *range(10)]], targets[[*range(60), *range(10)]].clone()
    )
    assert fitted(data=twice).train_accuracy == 1
    twice.tensors[1][60:] += 1
    twice.tensors[1][60:] %= 3
    report = fitted(data=twice)
    assert report.train_accuracy <= 60 / 70
    assert report.diagnosis[0] == Cause(
        "conflicting_duplicates",
        "20 of 70 inputs are exact copies of others with another label, so that no network gets "
        "more than 85.71% right",
        "Remove the copies, give them one label, or take that accuracy for the goal.",
    )


def test_too_few_parameters_are_seen() -> None:
    report = fitted(mlp(input_shape=(6,), num_classes=3))
    assert names(report.diagnosis) == ["too_few_parameters"]
    assert "21 trained parameters for 60 examples" in report.diagnosis[0].evidence
    assert "2n + d = 126 weights" in report.diagnosis[0].remedy


class Redrawn:
    """Labels drawn anew at every access, as by a careless `__getitem__`."""

    def __init__(self) -> None:
        self.inputs, self.generator = points().tensors[0], torch.Generator().manual_seed(0)

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.inputs[index], int(torch.randint(3, (), generator=self.generator))


def test_labels_that_are_redrawn_in_every_epoch_are_seen_before_all_else() -> None:
    data, recipe = Redrawn(), replace(HEALTHY, epochs=30)
    report = fit(network(), data, recipe=recipe, execution=Execution(data="stream"))
    assert report.train_accuracy < 1
    first, again = ({i: data[i][1] for i in range(60)} for _ in range(2))
    changed = sum(first[i] != again[i] for i in range(60))
    targets = torch.tensor(list(first.values()))
    seen = record_of(report, inputs=None, targets=targets, labels_again=again, streamed=True)
    assert names(diagnose(seen)) == ["labels_redrawn"]
    start = f"{changed} of 60 labels were others when they were read again"
    assert diagnose(seen)[0].evidence == start


def test_labels_that_a_fit_kept_are_no_reason_but_worth_a_word() -> None:
    report = fit(network(), points(), recipe=replace(HEALTHY, epochs=5))
    found = diagnose(record_of(report, labels_again={0: 7, 1: 7}))
    assert names(found) == ["too_few_epochs", "labels_redrawn"]
    assert found[1].evidence.endswith("though this fit kept those of its first reading")


def test_labels_that_are_redrawn_are_told_before_the_fit() -> None:
    with pytest.warns(UserWarning, match=r"^`train` serves other labels .* as `corrupt` does\)"):
        fit(network(), Redrawn(), recipe=replace(HEALTHY, epochs=1))


def test_a_network_that_died_at_once_and_in_silence_had_too_high_a_rate() -> None:
    """All units dead after a few steps: no epoch stands out, and the loss is that of guessing."""
    losses = [1.3] * 3 + [1.0986] * 297
    assert names(diagnose(record(losses))) == ["learning_rate_too_high"]
    assert diagnose(record([1.3] * 3 + [0.9] * 297)) == ()  # it learned something, and no more
    assert names(diagnose(record(losses, dropout=[0.5]))) == ["dropout"]  # reason enough


def test_few_steps_do_not_show_whether_a_loss_has_settled() -> None:
    settled = [1.3 - 0.1 * min(k, 4) for k in range(300)]
    assert diagnose(record(settled[:200], steps_per_epoch=4)) == ()
    few = diagnose(record(settled[:196], steps_per_epoch=4))
    assert names(few) == ["too_few_epochs"]
    assert few[0].evidence == "the fit had only 49 epochs, 196 steps in all"
    assert names(diagnose(record(settled[:196], dropout=[0.5]))) == ["dropout"]  # reason enough
    dead = [1.3] * 3 + [1.0986] * 150
    assert names(diagnose(record(dead))) == ["learning_rate_too_high"]


def test_a_plateau_may_be_the_delay_of_random_labels() -> None:
    jitter = 1e-3 * np.random.default_rng(0).standard_normal(90)
    plateau = record((1.0986 + jitter).tolist())
    assert names(diagnose(plateau)) == ["too_few_epochs"]
    assert "still 1.1 after 30 epochs, as at its start" in diagnose(plateau)[0].evidence
    small = record((1.0986 + jitter).tolist(), num_parameters=59)
    assert names(diagnose(small)) == ["too_few_parameters"]


# ------------------------------------------------------------------------- criteria at their edge


@pytest.mark.parametrize(
    ("momentum", "gain"),
    [(0.0, 1), (0.9, 10), (0.5, 2)],
)
def test_weight_decay_counts_if_it_shrinks_weights_by_a_hundredth(
    momentum: float, gain: float
) -> None:
    """Weights without a gradient, by the optimizer itself."""
    decayed: dict[float, float] = {}
    for strength in (1e-3, 2e-2):
        weight = nn.Parameter(torch.ones((), dtype=torch.float64))
        sgd = torch.optim.SGD([weight], lr=0.01, momentum=momentum, weight_decay=strength)
        for _ in range(1_000):
            weight.grad = torch.zeros_like(weight)
            sgd.step()
        decayed[strength] = 1 - weight.item()
    for strength, lost in decayed.items():
        seen = record(
            [1.0] * 1_000, learning_rate=0.01, momentum=momentum, weight_decay=strength, decay=1.0
        )
        found = [cause for cause in diagnose(seen) if cause.name == "weight_decay"]
        assert len(found) == (lost >= 0.01)
        formula = 1 - math.exp(-strength * 10 * gain)
        assert formula == pytest.approx(lost, rel=0.02)
        assert all(f"by {formula:.0%}" in cause.evidence for cause in found)


def test_weight_decay_of_other_optimizers_is_named_without_a_figure() -> None:
    seen = record([1.0] * 6, momentum=None, weight_decay=1e-9)
    assert str(diagnose(seen)[1]) == "weight_decay: weight decay is 1e-09. Set `weight_decay=0`."


def test_layers_that_drop_nothing_are_not_named() -> None:
    assert names(diagnose(record([1.0] * 6, dropout=[0.0]))) == ["too_few_epochs"]
    seen = diagnose(record([1.0] * 6, dropout=[0.5, 0.0, 0.25, 0.5]))[1]
    assert seen.evidence == "dropout layers drop units with probability 0.25, 0.5"


def test_strong_weight_decay_excludes_a_rate_that_is_too_low() -> None:
    still = [1.0986] * 300
    assert names(diagnose(record(still))) == ["learning_rate_too_low"]
    assert names(diagnose(record(still, weight_decay=0.1))) == ["weight_decay"]
    weak = diagnose(record(still, weight_decay=0.001))
    assert names(weak) == ["learning_rate_too_low", "weight_decay"]


@pytest.mark.parametrize(
    ("mean", "deviation", "names_it"),
    [
        (0.0, 1.0, False),
        (0.1307, 0.3081, False),  # MNIST in [0, 1]
        (0.2860, 0.3530, True),  # Fashion-MNIST in [0, 1]
        (0.4734, 0.2516, True),  # CIFAR-10 in [0, 1]
        (-0.49, 1.0, False),
        (-0.51, 1.0, True),
        (0.0, 0.21, False),
        (0.0, 0.19, True),
        (0.0, 4.9, False),
        (0.0, 5.1, True),
        (3.0, 0.0, True),
    ],
)
def test_inputs_are_judged_by_their_mean_and_scale(
    mean: float, deviation: float, names_it: bool
) -> None:
    signs = torch.tensor([1.0, -1.0]).repeat(60, 3)
    signs += 1e-3 * torch.arange(60)[:, None] * signs  # no two inputs are equal
    scale = signs.square().mean().sqrt()
    seen = record([1.0] * 6, inputs=mean + deviation * signs / scale + torch.zeros(60, 6))
    found = [str(c) for c in diagnose(seen) if c.name == "inputs_not_whitened"]
    assert len(found) == names_it
    assert all(f"mean {mean:.3g} and standard deviation {deviation:.3g}" in c for c in found)


def test_words_have_no_scale() -> None:
    words = torch.arange(600).reshape(60, 10) + 10_000
    assert names(diagnose(record([1.0] * 6, inputs=words))) == ["too_few_epochs"]


def test_rates_are_judged_after_inputs_that_are_far_off_and_before_others() -> None:
    still, wild = [1.0986] * 300, [1.0] + [9.0, 0.9, 1.3] * 100
    base = torch.randn(60, 50, generator=torch.Generator().manual_seed(0))
    for curve, rate in ((still, "learning_rate_too_low"), (wild, "learning_rate_too_high")):
        off, far = record(curve, inputs=base + 1), record(curve, inputs=base + 4)
        assert names(diagnose(off)) == [rate, "inputs_not_whitened"]
        assert names(diagnose(far)) == ["inputs_not_whitened", rate]


def test_duplicates_come_first_if_they_explain_half_of_the_errors_and_else_last() -> None:
    inputs = torch.arange(60.0)[:, None] / 30 - 1
    inputs[1] = inputs[0]  # of labels 0 and 1: 59 of 60 are within reach
    for wrong, order in (
        (1, ["conflicting_duplicates", "too_few_epochs"]),
        (2, ["conflicting_duplicates", "too_few_epochs"]),
        (3, ["too_few_epochs", "conflicting_duplicates"]),
    ):
        seen = record([1.0] * 6, inputs=inputs, train_accuracy=1 - wrong / 60)
        assert names(diagnose(seen)) == order


def test_nearly_all_within_reach_is_not_called_all() -> None:
    inputs = torch.arange(30_000.0)[:, None] / 15_000 - 1
    inputs[1] = inputs[0]
    seen = record([1.0] * 6, inputs=inputs, targets=torch.arange(30_000) % 3, num_parameters=10**6)
    assert "no network gets more than 99.99% right" in str(diagnose(seen)[-1])


def test_as_many_parameters_as_examples_are_no_hint() -> None:
    settled = [1.3 - 0.1 * min(k, 4) for k in range(300)]
    assert names(diagnose(record(settled, num_parameters=59))) == ["too_few_parameters"]
    assert diagnose(record(settled, num_parameters=60)) == ()
    assert "2n + d with n = 60" in diagnose(record(settled, num_parameters=59))[0].remedy


def test_the_end_of_a_fit_that_had_settled_says_least() -> None:
    settled = [1.3 - 0.1 * min(k, 4) for k in range(300)]
    assert diagnose(record(settled)) == ()
    for ended, name in (("interrupted", "interrupted"), ("budget", "stopping_rule")):
        stopped = record(settled, stopped_by=ended, dropout=[0.0, 0.5], augmentation="flip")
        assert names(diagnose(stopped)) == ["augmentation", "dropout", name]
        under_way = record(settled[:9], stopped_by=ended, dropout=[0.5], augmentation="flip")
        assert names(diagnose(under_way)) == [name, "augmentation", "dropout"]


def test_decay_is_blamed_only_if_what_is_left_of_the_rate_is_too_little() -> None:
    """A loss that falls with the rate spent: 0.95 leaves a tenth of it after 46.7 epochs."""
    found: tuple[Cause, ...] = ()
    for epochs, name in ((46, "too_few_epochs"), (47, "learning_rate_decayed")):
        rates = 0.95 ** (np.arange(3 * epochs) // 3)
        losses = 1.2 - np.cumsum(rates) / 100
        found = diagnose(record(losses.tolist(), decay=0.95))
        assert names(found) == [name]
    left = 0.95**47 / (1 - 0.95**47)
    assert f"would add only {100 * left:.2g}% to the rate spent" in found[0].evidence
    assert f"down to {0.95**46:.2g} of the first" in found[0].evidence


def test_the_epochs_that_are_missing_are_estimated() -> None:
    found = diagnose(record(np.linspace(1.2, 0.6, 300).tolist()))
    assert names(found) == ["too_few_epochs"]
    # 0.6 in 100 epochs; the level is taken a sixteenth before the end or two
    assert found[0].remedy.endswith("the loss needs about 113 more.")


def test_a_fit_without_a_single_step_can_be_diagnosed() -> None:
    assert names(diagnose(record([], stopped_by="interrupted"))) == ["interrupted"]


def test_another_loss_is_judged_by_its_trend_alone() -> None:
    falling, still = np.linspace(1.2, 0.2, 300), np.full(300, 0.4)
    for shift in (-7.0, 0.0, 300.0):
        for curve, found in ((falling, ["too_few_epochs"]), (still, [])):
            seen = record((curve + shift).tolist(), cross_entropy=False)
            assert names(diagnose(seen)) == found


def test_a_perfect_fit_has_no_diagnosis_whatever_was_on() -> None:
    assert diagnose(record([9.0] * 300, train_accuracy=1.0, dropout=[0.5], weight_decay=1.0)) == ()


def test_diagnosing_changes_nothing() -> None:
    inputs, targets = points().tensors
    before, state = inputs.clone(), torch.get_rng_state()
    diagnose(record([1.0] * 6, inputs=inputs.requires_grad_(), targets=targets))
    assert torch.equal(inputs.detach(), before)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_cause_can_be_printed_and_stored() -> None:
    cause = Cause("dropout", "this was seen", "Do that.")
    assert str(cause) == "dropout: this was seen. Do that."
    assert Cause(**json.loads(json.dumps(cause.to_dict()))) == cause


# ------------------------------------------------------------------------------------- the curve


def curve(losses: Any, *, steps_per_epoch: int = 3, decay: float = 1.0, **values: Any) -> LossCurve:
    return LossCurve(
        losses=losses,
        steps_per_epoch=steps_per_epoch,
        decay=decay,
        chance_loss=values.pop("chance_loss", math.log(3)),
        **values,
    )


@given(st.integers(1, 70), st.integers(1, 9), st.floats(0.05, 1.0))
def test_the_clock_is_the_sum_of_the_rates(steps: int, per_epoch: int, decay: float) -> None:
    rates = decay ** (np.arange(steps) // per_epoch)
    spent = curve([1.0] * steps, steps_per_epoch=per_epoch, decay=decay)
    assert spent.epochs_at_first_rate * per_epoch == pytest.approx(rates.sum())
    if decay < 0.9:
        further = decay ** (np.arange(steps, steps + 9_000 * per_epoch) // per_epoch)
        left = further.sum() / rates.sum()  # what is left of this epoch, and all later ones
        assert spent.rate_left == pytest.approx(left, rel=1e-6, abs=1e-12)


def naive_windows(losses: Array, per_epoch: int, decay: float) -> list[float]:
    """Each epoch's mean loss lasts as long as its rates; each window takes what overlaps it."""
    part = min(per_epoch, len(losses) // 10)
    pieces, now = [], 0.0
    for start in range(0, len(losses), part):
        steps = range(start, min(start + part, len(losses)))
        rate = sum(decay ** (k // per_epoch) for k in steps)
        pieces.append((now, now + rate, float(np.mean([losses[k] for k in steps]))))
        now += rate
    means = []
    for w in range(16):
        a, b = now * w / 16, now * (w + 1) / 16
        shares = [(max(0.0, min(b, end) - max(a, begin)), loss) for begin, end, loss in pieces]
        means.append(sum(share * loss for share, loss in shares) / (b - a))
    return means


@pytest.mark.parametrize("decay", [1.0, 0.97, 0.8])
@pytest.mark.parametrize(("steps", "per_epoch"), [(90, 3), (91, 3), (64, 1), (50, 20), (400, 9)])
def test_windows_equal_the_naive_overlap(steps: int, per_epoch: int, decay: float) -> None:
    losses = np.random.default_rng(1).random(steps)
    found = curve(losses, steps_per_epoch=per_epoch, decay=decay)._windows
    assert_allclose(found, naive_windows(losses, per_epoch, decay), rtol=1e-9)


@pytest.mark.parametrize("decay", [1.0, 0.99, 0.96])
def test_what_a_loss_tells_depends_on_the_rate_spent_and_not_on_the_decay(decay: float) -> None:
    rates = decay ** (np.arange(900) // 3)
    clock = (np.cumsum(rates) - rates / 2) / rates.sum()
    found = curve(1.0 - 0.7 * clock, decay=decay)
    # The level is the median of the last four windows, at 0.875, less half a window
    assert found.rate_needed == pytest.approx((1 - 0.7 * 0.875) / 0.7, rel=0.01)
    assert found.state == "falling"


def test_trend_is_mann_and_kendalls_and_speed_is_theil_and_sens() -> None:
    losses = 1 - np.linspace(0, 0.3, 160) + 0.1 * np.random.default_rng(2).random(160)
    found = curve(losses, steps_per_epoch=1)
    last, clock = found._windows[8:], (np.arange(8) + 0.5) / 16
    assert found._falls_less_rises == round(-28 * kendalltau(clock, last).statistic)
    assert found._speed == pytest.approx(-theilslopes(last, clock).slope)


def test_the_trend_of_noise_is_significant_as_often_as_said() -> None:
    pairs = list(itertools.combinations(range(8), 2))
    orders = np.array(list(itertools.permutations(range(8))))
    falls_less_rises = sum(np.sign(orders[:, i] - orders[:, j]) for i, j in pairs)
    assert np.mean(falls_less_rises >= 18) == pytest.approx(0.016, abs=5e-4)


def test_who_is_in_the_last_batch_does_not_matter() -> None:
    """Examples whose losses never change, in batches of 7, 7, 7, and 2, shuffled every epoch."""
    rng, each = np.random.default_rng(3), np.random.default_rng(4).random(23)
    losses: list[float] = []
    for _ in range(40):
        batches = np.split(rng.permutation(each), [7, 14, 21])
        losses += [float(batch.mean()) for batch in batches]
    assert np.ptp(curve(losses, steps_per_epoch=4)._windows) > 0.01
    found = curve(losses, steps_per_epoch=4, last_weight=2 / 7)
    assert_allclose(found._windows, each.mean())
    assert found.state == "slow"
    seen = record(
        losses, targets=torch.arange(23) % 3, steps_per_epoch=4, batch_size=7, num_parameters=23
    )
    assert seen.curve.last_weight == 2 / 7
    assert names(diagnose(seen)) == ["learning_rate_too_low"]


def noise(steps: int, size: float, seed: int = 0) -> Array:
    return np.asarray(size * np.random.default_rng(seed).standard_normal(steps))


GUESS = math.log(3)
STEPS = np.arange(300)
CURVES: dict[str, tuple[Array, str]] = {
    "one epoch": (1.1 - 0.01 * STEPS[:3], "undecided"),
    "nine epochs": (1.1 - 0.01 * STEPS[:27], "undecided"),
    "fourteen epochs": (1.1 - 0.01 * STEPS[:42], "falling"),
    "straight down": (1.1 - 0.003 * STEPS, "falling"),
    "down in noise": (1.1 - 0.003 * STEPS + noise(300, 0.1), "falling"),
    "down with an excursion at the end": (1.1 - 0.003 * STEPS + 0.6 * (STEPS > 294), "falling"),
    "late but ever faster": (1.1 - 0.08 * (STEPS / 300) ** 3, "falling"),
    "steadily a little": (1.1 - 1e-4 * STEPS, "slow"),
    "a little after the first overconfidence": (
        2.5 - np.minimum(STEPS, 100) * 0.014 - 2e-4 * STEPS,
        "slow",
    ),
    "not at all": (1.1 + 0 * STEPS, "slow"),
    "not at all, but in motion": (1.1 + noise(300, 0.002), "unmoved"),
    "down and still": (0.5 + 0.6 * np.exp(-STEPS / 20), "settled"),
    "down and in motion": (0.5 + 0.6 * np.exp(-STEPS / 20) + noise(300, 0.05), "settled"),
    "down and creeping": (0.5 + 0.6 * np.exp(-STEPS / 20) - 2e-5 * STEPS, "settled"),
    "up": (1.1 + 0.01 * STEPS, "unstable"),
    "up within eight epochs": (1.1 + 0.01 * STEPS[:24], "unstable"),
    "up within six epochs": (1.1 + 0.01 * STEPS[:18], "undecided"),
    "down and up again": (0.4 + 0.6 * np.abs(STEPS / 150 - 1), "unstable"),
    "worse than guessing": (1.1 + 0.1 * (STEPS > 30) + noise(300, 0.01), "unstable"),
    "a jump to nowhere": (1.1 + 5.0 * ((STEPS > 30) & (STEPS < 40)), "unstable"),
    "a jump and away": (1.1 - 0.003 * STEPS + 5.0 * ((STEPS > 30) & (STEPS < 40)), "falling"),
    "from far above": (50 - 0.165 * STEPS, "falling"),
    "still above guessing": (5.0 + noise(300, 0.01), "unmoved"),
}


@pytest.mark.parametrize("name", CURVES)
def test_curves_are_called_by_their_names(name: str) -> None:
    losses, state = CURVES[name]
    assert curve(losses).state == state
