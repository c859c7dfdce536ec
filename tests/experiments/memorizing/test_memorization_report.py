"""The report: what is memorized by heart, by luck, by networks; and what survives Ctrl-C."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.utils.data import DataLoader, Subset

import corruptlab as cl
from corruptlab.corruptions import Corrupted
from corruptlab.experiments import Fitted, MemorizationMeter, MemorizationReport, Prepared
from corruptlab.training import stopping
from tests.experiments.randomization.cases import bars

from .cases import CLASSES, clusters, constant, loop, nearest, network, rule, run, untrained


def test_learning_by_heart_fits_all_planted_canaries_and_the_others_by_luck() -> None:
    report = run(nearest, canaries=100)
    assert report.final.planted == Fitted(100, 100)
    hits = report.final.held_out
    assert stats.binomtest(hits.right, hits.total, 1 / CLASSES).pvalue > 1e-4
    low, high = report.gap.interval
    assert low <= 1 - 1 / CLASSES <= high
    assert low > 0.5
    assert report.gap.p_value < 1e-20


@pytest.mark.parametrize("train_function", [constant, untrained])
def test_learning_nothing_leaves_no_gap(train_function: Any) -> None:
    report = run(train_function, canaries=100)
    low, high = report.gap.interval
    assert low <= 0 <= high
    assert report.gap.p_value > 1e-2
    assert stats.binomtest(report.final.planted.right, 100, 1 / CLASSES).pvalue > 1e-4


@pytest.mark.slow(seconds=1)
def test_without_learning_the_fit_follows_the_binomial_law_over_seeds() -> None:
    found = [run(untrained, canaries=40, seed=seed).final for seed in range(50)]
    for group in ("planted", "held_out"):
        right = sum(getattr(each, group).right for each in found)
        assert stats.binomtest(right, 50 * 40, 1 / CLASSES).pvalue > 1e-4


@pytest.mark.slow(seconds=1)
def test_without_learning_p_values_are_rarely_small() -> None:
    few = clusters(60)
    small = sum(run(constant, few, canaries=20, seed=s).gap.p_value <= 0.2 for s in range(100))
    assert small <= stats.binom.ppf(1 - 1e-4, 100, 0.2)


def test_groups_are_those_of_a_naive_count() -> None:
    noisy = cl.corrupt(clusters(), cl.SymmetricLabels(rate=0.3), seed=0)
    kept: list[Any] = []

    def train_function(dataset: Corrupted, epoch_end: Any) -> Any:
        kept.append(dataset)
        return lambda x: (rule(x) + (x[:, 0] > x[:, 1]).long()) % CLASSES

    report = run(train_function, noisy)
    predict = train_function(kept[0], None)
    canaries = {"planted": [0, 0, 0], "held_out": [0, 0, 0]}
    others = {"clean": [0, 0, 0], "noisy": [0, 0, 0]}
    at = {int(number): i for i, number in enumerate(kept[0].ids)}
    for i in range(400):
        x, truth, given = noisy[i][0], int(noisy.clean_targets[i]), int(noisy.targets[i])
        guess = int(predict(x[None])[0])
        label = kept[0][at[i]][1] if i in at else None
        if label is None:
            canaries["held_out"][1] += guess == truth
            canaries["held_out"][2] += 1
        elif label == given:  # a canary or not: those that were redrawn to the same are told below
            others["clean" if given == truth else "noisy"][0] += guess == given
            others["clean" if given == truth else "noisy"][1] += guess == truth
            others["clean" if given == truth else "noisy"][2] += 1
        else:
            canaries["planted"][0] += guess == label
            canaries["planted"][1] += guess == truth
            canaries["planted"][2] += 1
    final = report.final
    assert final.held_out_true == Fitted(canaries["held_out"][1], 60)
    same = 60 - canaries["planted"][2]  # canaries whose random label is the given one
    assert 0 < same < 30
    assert final.clean.total + final.noisy.total == 280
    for group, counts in (("clean", others["clean"]), ("noisy", others["noisy"])):
        fitted = getattr(final, group)
        assert 0 <= counts[0] - fitted.right <= same
        assert 0 <= counts[2] - fitted.total <= same
    together = final.planted.right + final.clean.right + final.noisy.right
    assert together == canaries["planted"][0] + others["clean"][0] + others["noisy"][0]
    truths = final.planted_true.right + final.clean.right + final.noisy_true.right
    assert truths == canaries["planted"][1] + others["clean"][1] + others["noisy"][1]


def test_noise_learned_by_heart_is_fitted_as_given_and_not_as_true() -> None:
    noisy = cl.corrupt(clusters(), cl.SymmetricLabels(rate=0.3), seed=0)
    report = run(nearest, noisy)
    final = report.final
    assert final.noisy.share == final.clean.share == final.planted.share == 1.0
    assert final.noisy_true.share == 0.0
    assert final.noisy.total == report.noisy
    assert final.planted_true == Fitted(60 - report.wrong_canaries, 60)
    wrong = report.wrong_canaries
    assert report.ratt.planted_wrong == Fitted(wrong, wrong)  # noise elsewhere does no harm
    slack = np.sqrt(np.log(20) / (2 * wrong))
    assert report.ratt.bound == pytest.approx((CLASSES - 1) * (1 + slack))


def contrary(dataset: Corrupted, epoch_end: MemorizationMeter) -> Callable[[Any], Any]:
    """Give every example seen any label but its own, and every other a class at random."""
    inputs, labels = (tensor.numpy() for tensor in cl.materialize(dataset))
    rng = np.random.default_rng(0)

    def predict(x: torch.Tensor) -> Any:
        same = (x.numpy()[:, None] == inputs[None]).all(axis=2)
        shunned = (labels[same.argmax(axis=1)] + 1) % CLASSES
        return np.where(same.any(axis=1), shunned, rng.integers(CLASSES, size=len(x)))

    return predict


def test_training_that_shuns_what_it_saw_has_no_bound() -> None:
    report = run(contrary, canaries=150)
    assert report.final.planted.right == report.final.clean.right == 0
    assert report.final.held_out.right > 20
    assert report.ratt.contradicted
    assert report.ratt.bound is None
    assert not report.ratt.vacuous
    assert report.final.to_dict()["ratt"]["bound"] is None
    assert str(report).splitlines()[3].split()[-1] == "-"


@pytest.mark.slow(seconds=1)
def test_wrong_canaries_are_counted_and_follow_their_law() -> None:
    wrong = [run(constant, canaries=60, seed=seed).wrong_canaries for seed in range(40)]
    assert stats.binomtest(sum(wrong), 40 * 60, 1 - 1 / CLASSES).pvalue > 1e-4
    report = run(nearest)
    assert report.ratt.planted_wrong == Fitted(report.wrong_canaries, report.wrong_canaries)


def test_network_trained_by_a_plain_loop_has_a_row_for_each_epoch() -> None:
    report = run(loop)
    assert [row.epoch for row in report.epochs] == [1, 2, 3]
    assert report.final == report.epochs[-1]
    assert report.final.clean.share is not None
    assert report.final.clean.share > 0.9
    assert not report.interrupted


def test_measuring_does_not_change_the_training() -> None:
    weights: list[dict[str, torch.Tensor]] = []

    def keeping(measured: bool) -> Callable[..., Any]:
        def train_function(dataset: Corrupted, epoch_end: MemorizationMeter) -> nn.Module:
            model = loop(dataset, epoch_end if measured else (lambda _: None))
            weights.append({name: each.clone() for name, each in model.state_dict().items()})
            return model

        return train_function

    run(keeping(True))
    run(keeping(False))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_random_transforms_that_are_measured_move_no_generator() -> None:
    class Jittered(torch.utils.data.Dataset[Any]):
        def __len__(self) -> int:
            return 60

        def __getitem__(self, index: int) -> Any:
            noise = random.random() + np.random.random() + torch.rand(()).item()  # noqa: NPY002
            return torch.tensor([index + 1e-3 * noise]), index % 2

    def states() -> Any:
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]  # noqa: NPY002

    seen = []

    def train_function(dataset: Any, epoch_end: MemorizationMeter) -> Any:
        seen.append(states())
        epoch_end(lambda x: x[:, 0].long() % 2)
        seen.append(states())
        return lambda x: x[:, 0].long() % 2

    before = states()
    cl.memorization_report(train_function, Jittered(), canaries=5)
    assert before == seen[0] == seen[1] == states()


def test_fit_measures_by_a_rule_and_agrees_with_what_it_found_itself() -> None:
    recipe = cl.Recipe(learning_rate=0.05, decay=0.995, epochs=6, batch_size=10, whiten=True)
    fitted: list[cl.FitReport] = []

    def train_function(dataset: Corrupted, epoch_end: MemorizationMeter) -> nn.Module:
        model = cl.mlp(32, input_shape=(1, 6, 6), num_classes=2)
        whole = Prepared(model, recipe)
        rules = epoch_end.rule(whole), stopping.interpolated()
        fitted.append(cl.fit(model, dataset, recipe=recipe, stop=rules))
        return whole

    report = run(train_function, bars(120), canaries=20)
    assert len(report.epochs) == fitted[0].epochs == 6
    final = report.final
    assert final == report.epochs[-1]
    right = final.planted.right + final.clean.right
    assert right / report.n_train == pytest.approx(fitted[0].train_accuracy)


@pytest.mark.slow(seconds=1)
def test_a_network_that_was_fitted_is_measured_on_inputs_as_the_fit_prepared_them() -> None:
    recipe = cl.Recipe(
        learning_rate=0.05, epochs=40, batch_size=10, crop=4, whiten=True, decay=0.95
    )
    fitted: list[cl.FitReport] = []

    def train_function(dataset: Corrupted, epoch_end: MemorizationMeter) -> nn.Module:
        model = cl.mlp(32, input_shape=(1, 4, 4), num_classes=2)
        rules = epoch_end.rule(model), stopping.interpolated()
        fitted.append(cl.fit(model, dataset, recipe=recipe, stop=rules))
        one, two = (epoch_end(each) for each in (model, Prepared(model, recipe)))
        assert replace(one, epoch=two.epoch) == two
        return model

    report = run(train_function, bars(120), canaries=20)
    final = report.final
    right = final.planted.right + final.clean.right
    assert right / report.n_train == pytest.approx(fitted[0].train_accuracy)


def test_a_fit_elsewhere_does_not_change_what_a_network_gets() -> None:
    """A network may have been fitted before, and be trained further in another way."""
    model, seen = cl.mlp(4, input_shape=(2,), num_classes=CLASSES), set()
    cl.fit(
        model,
        clusters(),
        recipe=cl.Recipe(learning_rate=0.01, epochs=1, batch_size=100, whiten=True, decay=0.95),
    )
    model.register_forward_pre_hook(lambda _, inputs: seen.add(inputs[0].abs().max().item() > 2))
    run(lambda dataset, epoch_end: model)
    assert seen == {True}  # not whitened


def test_measuring_leaves_a_fit_as_it_is() -> None:
    recipe = cl.Recipe(
        learning_rate=0.05, epochs=3, batch_size=10, dropout=None, whiten=True, decay=0.95
    )
    data, losses = cl.corrupt(bars(), cl.RandomLabels(), seed=0), []
    for measured in (True, False):

        def train_function(
            dataset: Corrupted, epoch_end: MemorizationMeter, measured: bool = measured
        ) -> nn.Module:
            model = cl.mlp(32, input_shape=(1, 6, 6), num_classes=2)
            whole = Prepared(model, recipe)
            rules = (epoch_end.rule(whole),) if measured else ()
            losses.append(cl.fit(model, dataset, recipe=recipe, stop=rules).losses)
            return whole

        run(train_function, data, canaries=5)
    assert losses[0] == losses[1]


class Trainer:
    """A trainer that calls hooks, in the manner of Lightning's."""

    def __init__(self, callbacks: list[Any], max_epochs: int) -> None:
        self.callbacks, self.max_epochs = callbacks, max_epochs

    def fit(self, module: nn.Module, loader: DataLoader[Any]) -> None:
        optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
        for _ in range(self.max_epochs):
            for x, y in loader:
                loss = nn.functional.cross_entropy(module(x), y)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
            for callback in self.callbacks:
                callback.on_train_epoch_end(self, module)


class Canaries:
    """A callback that measures."""

    def __init__(self, epoch_end: MemorizationMeter) -> None:
        self.epoch_end = epoch_end

    def on_train_epoch_end(self, trainer: Trainer, pl_module: nn.Module) -> None:
        self.epoch_end(pl_module)


def test_trainer_measures_by_a_callback() -> None:
    def train_function(dataset: Corrupted, epoch_end: MemorizationMeter) -> nn.Module:
        torch.manual_seed(0)
        module = network()
        loader: DataLoader[Any] = DataLoader(dataset, batch_size=20, shuffle=True)
        Trainer([Canaries(epoch_end)], max_epochs=2).fit(module, loader)
        return module

    report = run(train_function)
    assert len(report.epochs) == 2
    assert report.final == report.epochs[-1]


def test_the_last_epoch_is_the_end_when_nothing_is_returned() -> None:
    def train_function(dataset: Any, epoch_end: MemorizationMeter) -> None:
        epoch_end(constant(dataset, epoch_end))
        epoch_end(rule)

    report = run(train_function)
    assert report.final == report.epochs[1]
    assert report.final.clean.share == 1.0


def test_epoch_end_returns_its_row_so_that_training_can_stop_by_it() -> None:
    def train_function(dataset: Any, epoch_end: MemorizationMeter) -> Any:
        for _ in range(5):
            if epoch_end(rule).gap.value < 0.5:
                return rule
        raise AssertionError

    assert len(run(train_function).epochs) == 1


def test_same_seed_gives_the_same_report() -> None:
    one, again, other = run(loop), run(loop), run(loop, seed=1)
    assert one.to_dict() == again.to_dict()
    assert one.fingerprint == again.fingerprint != other.fingerprint


def test_confidence_widens_the_interval_and_the_bound() -> None:
    one, two = run(loop, confidence=0.8), run(loop, confidence=0.99)
    assert two.gap.interval[0] < one.gap.interval[0]
    assert one.ratt.confidence == 0.8
    assert (one.ratt.held_out_bound or 0) < (two.ratt.held_out_bound or 0)


def stopped_after(epochs: int, error: BaseException) -> Any:
    def train_function(dataset: Any, epoch_end: MemorizationMeter) -> Any:
        for _ in range(epochs):
            epoch_end(rule)
        raise error

    return train_function


def test_ctrl_c_keeps_what_was_measured() -> None:
    report = run(stopped_after(2, KeyboardInterrupt()))
    assert report.interrupted
    assert len(report.epochs) == 2
    assert report.final == report.epochs[-1]
    assert "interrupted" in repr(report)
    assert "Interrupted: the end is the last epoch that was measured." in str(report)
    with pytest.raises(KeyboardInterrupt):
        run(stopped_after(0, KeyboardInterrupt()))


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), SystemExit("mine")])
def test_error_or_exit_passes_through_with_the_report_so_far(error: BaseException) -> None:
    with pytest.raises(type(error), match=r"^mine$") as caught:
        run(stopped_after(3, error))
    report: MemorizationReport = caught.value.report  # type: ignore[attr-defined]  # attached
    assert report.interrupted
    assert len(report.epochs) == 3
    with pytest.raises(KeyError, match="early") as caught:
        run(stopped_after(0, KeyError("early")))
    assert not hasattr(caught.value, "report")


def test_error_that_keeps_nothing_passes_through_all_the_same() -> None:
    @dataclass(frozen=True)
    class FrozenError(Exception):
        code: int

    with pytest.raises(FrozenError) as caught:
        run(stopped_after(1, FrozenError(3)))
    assert caught.value.code == 3


def test_ctrl_c_while_an_epoch_is_measured_keeps_those_before_and_the_modes() -> None:
    class Interrupted(nn.Module):
        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls > 4:  # two batches for the training data, one for the held-out canaries
                raise KeyboardInterrupt
            return torch.zeros(len(x), CLASSES)

    model = Interrupted()

    def train_function(dataset: Any, epoch_end: MemorizationMeter) -> Any:
        epoch_end(model)
        epoch_end(model)
        raise AssertionError

    report = run(train_function)
    assert report.interrupted
    assert len(report.epochs) == 1
    assert model.training


def test_bad_predictor_at_the_end_keeps_the_epochs_before() -> None:
    def train_function(dataset: Any, epoch_end: MemorizationMeter) -> Any:
        epoch_end(rule)
        return lambda x: torch.full((len(x), CLASSES), torch.nan)

    with pytest.raises(ValueError, match="got NaN for 256 of 256 inputs") as caught:
        run(train_function)
    assert len(caught.value.report.epochs) == 1  # type: ignore[attr-defined]  # attached


def test_dictionary_holds_everything_and_is_json() -> None:
    report = run(loop)
    values = json.loads(json.dumps(report.to_dict()))
    assert values["kind"] == "memorization_report"
    assert len(values["epochs"]) == 3
    final = values["final"]
    assert final["planted"] == {
        "right": report.final.planted.right,
        "total": 60,
        "share": report.final.planted.share,
    }
    assert final["gap"]["interval"] == list(report.gap.interval)
    assert final["ratt"]["bound"] == report.ratt.bound
    assert final["noisy"]["share"] is None
    assert values["canaries"] == values["held_out"] == 60
    assert values["n_train"] == 340
    assert values["chance"] == 0.25
    assert values["wrong_canaries"] == report.wrong_canaries


def test_table_shows_every_number_under_its_title() -> None:
    noisy = cl.corrupt(clusters(), cl.SymmetricLabels(rate=0.3), seed=0)
    lines = str(run(nearest, noisy)).splitlines()
    assert lines[0].split() == [
        "planted", "canaries", "held-out", "canaries", "noisy", "true", "error",
    ]  # fmt: skip
    assert lines[1].split() == [
        "epoch", "random", "true", "random", "true", "gap", "clean", "given", "true", "RATT",
    ]  # fmt: skip
    cells = lines[3].split()
    assert cells[:2] == ["end", "100.0%"]
    assert cells[6:-1] == ["100.0%", "100.0%", "0.0%"]
    assert float(cells[-1].rstrip("%")) > 300
    assert len(lines[0]) == len(lines[1]) == len(lines[2]) == len(lines[3])
    for title, column in (("planted canaries", 2), ("held-out canaries", 4), ("noisy", 8)):
        end = lines[0].index(title) + len(title)  # titles end where their last column does
        assert len(lines[1][:end].split()) == column + 1
    assert "given" not in str(run(nearest)).splitlines()[1]


def test_points_have_no_sign_before_zero() -> None:
    report = run(constant)

    def shown(gap: float) -> str:
        final = replace(report.final, gap=replace(report.gap, value=gap))
        return str(replace(report, final=final)).splitlines()[3].split()[5]

    assert [shown(gap) for gap in (-0.0004, 0.0, -0.0006, 0.123)] == ["0.0", "0.0", "-0.1", "12.3"]


def test_long_table_shows_the_first_and_the_last_epoch() -> None:
    def train_function(dataset: Any, epoch_end: MemorizationMeter) -> Any:
        for _ in range(40):
            epoch_end(rule)
        return rule

    lines = str(run(train_function, Subset(clusters(), range(40)), canaries=4)).splitlines()
    shown = [line.split()[0] for line in lines[3:16]]
    assert shown[0] == "1"
    assert shown[-2:] == ["40", "end"]
    assert len(shown) == 13


def test_notes_say_what_there_is_and_why_there_is_no_bound() -> None:
    text = " ".join(str(run(untrained, canaries=150)).split())
    assert "RATT: the true error is at most" in text
    assert "chance for random labels is 25.0%" in text
    text = " ".join(str(run(contrary, canaries=150)).split())
    assert "RATT: no bound, as unseen wrong labels are fitted more often" in text
    assert "Fisher's exact test of no memorization: p = 1." in text
    noisy = cl.corrupt(clusters(), cl.SymmetricLabels(rate=0.3), seed=0)
    text = " ".join(str(run(nearest, noisy)).split())
    assert "with labels known to be wrong, 4 classes" in text


def test_vacuous_bound_is_called_so() -> None:
    report = run(nearest)
    assert report.ratt.vacuous
    assert "which is vacuous" in str(report)


def test_prepared_network_does_what_the_recipe_says() -> None:
    images, model = bars(8).tensors[0], cl.mlp(input_shape=(1, 4, 4), num_classes=2)
    recipe = cl.Recipe(learning_rate=0.1, epochs=1, crop=4, whiten=True, decay=0.95)
    expected = model(cl.training.whiten(cl.training.center_crop(images, 4)))
    assert torch.equal(Prepared(model, recipe)(images), expected)
    plain = cl.Recipe(learning_rate=0.1, epochs=1, crop=4, whiten=False, decay=0.95)
    assert torch.allclose(Prepared(model, plain)(images), model(images[..., 1:5, 1:5] / 255))
