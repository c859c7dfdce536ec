"""Training: equal to the plain loop to the bit, exact about where it stops, loud about mistakes."""

import json
import math
import signal
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Subset, TensorDataset

from corruptlab import Draws, RandomLabels, Recipe, corrupt, fit
from corruptlab.training import Execution, FitReport, NonFiniteLossError, whiten

from .cases import RECIPE, network, points


def naive_fit(model: nn.Module, data: TensorDataset, recipe: Recipe, steps: int) -> list[float]:
    """The loop everybody writes, with the same data order."""
    inputs, targets = data.tensors
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
    )
    losses: list[float] = []
    epoch = 0
    while True:
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * recipe.decay**epoch
        order = torch.from_numpy(Draws(3).permutations("fit/order", [epoch], len(inputs))[0])
        for ids in torch.split(order, recipe.batch_size):
            loss = cross_entropy(model(inputs[ids]), targets[ids])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == steps:
                return losses
        epoch += 1


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("weight_decay", [0.0, 1e-3])
def test_two_hundred_steps_equal_the_plain_loop_to_the_bit(weight_decay: float) -> None:
    recipe = Recipe(
        learning_rate=0.01,
        epochs=20,
        batch_size=7,
        whiten=False,
        weight_decay=weight_decay,
        decay=0.95,
    )  # 10 steps an epoch, the last one of a smaller batch
    data = points(66)
    ours, naive = network(), network()
    report = fit(ours, data, recipe=recipe, seed=3, execution=Execution(deterministic=True))
    losses = naive_fit(naive, data, recipe, 200)
    assert report.steps == 200
    assert list(report.losses) == losses
    for a, b in zip(ours.parameters(), naive.parameters(), strict=True):
        assert torch.equal(a, b)


def test_random_labels_are_interpolated_and_the_fit_stops_there() -> None:
    model = network()
    report = fit(model, points(), recipe=RECIPE)
    assert report.stopped_by == "interpolated"
    assert report.train_accuracy == 1.0
    assert report.steps == report.steps_to_interpolation == len(report.losses)
    assert report.steps == report.epochs * 6 < RECIPE.epochs * 6
    assert report.seconds == report.seconds_to_interpolation
    inputs, targets = points().tensors
    assert (model(inputs).argmax(1) == targets).all()


def test_the_epoch_before_interpolation_had_an_error() -> None:
    report = fit(network(), points(), recipe=RECIPE)
    fewer = Recipe(**{**RECIPE.to_dict(), "epochs": report.epochs - 1})
    before = fit(network(), points(), recipe=fewer)
    assert before.stopped_by == "epochs"
    assert before.steps_to_interpolation is None
    assert before.seconds_to_interpolation is None
    assert before.train_accuracy < 1.0


def test_accuracies_are_those_of_the_last_state_over_all_examples() -> None:
    model, held_out = network(), points(35, seed=1)
    recipe = Recipe(learning_rate=0.01, epochs=2, whiten=False, decay=0.95)
    report = fit(model, points(), held_out, recipe=recipe)
    for data, accuracy in ((points(), report.train_accuracy), (held_out, report.test_accuracy)):
        inputs, targets = data.tensors
        assert (model(inputs).argmax(1) == targets).float().mean().item() == pytest.approx(accuracy)
    inputs, targets = points().tensors
    assert cross_entropy(model(inputs), targets).item() == pytest.approx(report.train_loss)
    assert report.test_accuracy is not None
    assert report.generalization_gap == report.train_accuracy - report.test_accuracy


@pytest.mark.slow(seconds=1)
def test_equal_seeds_give_equal_bits_and_other_seeds_another_order() -> None:
    one, same, other = (fit(network(), points(), recipe=RECIPE, seed=s) for s in (1, 1, 2))
    assert one.losses == same.losses
    assert one.losses != other.losses


def test_corrupted_data_is_learned_as_served() -> None:
    noisy = corrupt(points(), RandomLabels(), seed=5)
    plain = TensorDataset(points().tensors[0], torch.from_numpy(noisy.targets.copy()))
    assert (
        fit(network(), noisy, recipe=RECIPE).losses == fit(network(), plain, recipe=RECIPE).losses
    )


def test_images_are_cropped_and_whitened_as_the_recipe_says() -> None:
    images = torch.randint(0, 256, (20, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    data = TensorDataset(images.to(torch.uint8), torch.arange(20) % 2)
    by_hand = TensorDataset(whiten(images.to(torch.uint8)[:, :, 2:6, 2:6]), torch.arange(20) % 2)
    recipe = Recipe(learning_rate=0.01, epochs=3, crop=4, whiten=True, decay=0.95)
    plain = Recipe(learning_rate=0.01, epochs=3, whiten=False, decay=0.95)
    one, two = (nn.Sequential(nn.Flatten(), nn.Linear(48, 2)) for _ in range(2))
    two.load_state_dict(one.state_dict())
    assert fit(one, data, recipe=recipe).losses == fit(two, by_hand, recipe=plain).losses


class Noticing(nn.Module):
    """A network with batch norm and dropout that notes the mode of each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(6, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 3)
        )
        self.modes: list[bool] = []

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append(self.training)
        out: Tensor = self.body(x)
        return out


class Sized(nn.Module):
    """A network that notes how many examples each pass in evaluation mode had."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.sizes = network(), list[int]()

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            self.sizes.append(len(x))
        out: Tensor = self.body(x)
        return out


def test_an_error_among_the_first_examples_spares_the_pass_over_all() -> None:
    model = Sized()
    report = fit(model, points(400), recipe=replace(RECIPE, epochs=3))
    assert report.train_accuracy < 1
    after_epochs = model.sizes[model.sizes.index(32) :]
    assert after_epochs == [32, 32, 32, *[80] * 5]  # and the pass at the end


class Outputs(nn.Module):
    """The same outputs for all inputs, which training hardly moves."""

    def __init__(self, outputs: list[float]) -> None:
        super().__init__()
        self.outputs = nn.Parameter(torch.tensor(outputs))
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            self.sizes.append(len(x))
        return self.outputs.expand(len(x), -1)


@pytest.mark.parametrize(
    ("outputs", "right"),
    [([1.0, 0.0], True), ([0.0, 1.0], False), ([1.0, 1.001], False), ([0.0, 0.0], True)],
)
def test_only_errors_that_no_rounding_explains_spare_the_pass(
    outputs: list[float], right: bool
) -> None:
    model = Outputs(outputs)
    data = TensorDataset(torch.zeros(200, 1), torch.zeros(200, dtype=torch.int64))
    recipe = Recipe(learning_rate=1e-9, epochs=1, batch_size=200, whiten=False)
    report = fit(model, data, recipe=recipe)
    assert report.train_accuracy == right
    assert report.stopped_by == ("interpolated" if right else "epochs")
    clear = outputs[1] - outputs[0] > 0.01
    assert model.sizes[model.sizes.index(32) + 1 :] == [200] * (1 if right or clear else 2)


def test_modes_are_right_in_every_pass_and_restored() -> None:
    model = Noticing()
    model.body[1].eval()
    report = fit(model, points(), points(20, seed=1), recipe=replace(RECIPE, epochs=3))
    assert sum(model.modes) == report.steps
    assert not model.modes[-1]
    assert model.training
    assert not model.body[1].training


def test_layers_draw_from_the_seed_and_the_global_generator_stays() -> None:
    def run(seed: int) -> tuple[float, ...]:
        torch.manual_seed(0)
        model = Noticing()
        torch.manual_seed(1)
        torch.rand(seed)  # what others drew before does not matter
        before = torch.get_rng_state()
        losses = fit(model, points(), recipe=replace(RECIPE, epochs=3), seed=7).losses
        assert torch.equal(torch.get_rng_state(), before)
        return losses

    assert run(1) == run(2)


def test_numpy_global_state_is_untouched() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    fit(network(), points(), recipe=RECIPE)
    assert_array_equal(np.random.get_state()[1], before)  # type: ignore[index]  # noqa: NPY002


def test_frozen_parameters_stay() -> None:
    model = network()
    model.get_parameter("1.weight").requires_grad_(False)
    kept = model.get_parameter("1.weight").clone()
    fit(model, points(), recipe=Recipe(learning_rate=0.1, epochs=2, whiten=False, decay=0.95))
    assert torch.equal(model.get_parameter("1.weight"), kept)


class Interrupting(nn.Module):
    """A network that presses Ctrl-C in one of its training passes."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.body, self.left = network(), at

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)
        out: Tensor = self.body(x)
        return out


@pytest.mark.parametrize("at", [1, 9])
def test_ctrl_c_returns_what_was_done(at: int) -> None:
    model = Interrupting(at)
    report = fit(model, points(), points(20, seed=1), recipe=RECIPE)
    assert report.stopped_by == "interrupted"
    assert report.steps == len(report.losses) == at - 1
    assert report.epochs == (at - 1) // 6
    inputs, targets = points().tensors
    model.eval()
    accuracy = (model(inputs).argmax(1) == targets).float().mean().item()
    assert report.train_accuracy == pytest.approx(accuracy)
    assert report.test_accuracy is not None
    json.dumps(report.to_dict(), allow_nan=False)


class Waking(nn.Module):
    """A network that presses Ctrl-C when it is put in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.body = network()

    def train(self, mode: bool = True) -> Any:
        if mode:
            signal.raise_signal(signal.SIGINT)
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return out


def test_ctrl_c_before_a_fit_has_begun_ends_the_call() -> None:
    model = Waking()
    with pytest.raises(KeyboardInterrupt):
        fit(model, points(), recipe=RECIPE)


def test_a_loss_that_is_not_finite_stops_with_the_step_and_the_likely_cause() -> None:
    recipe = Recipe(learning_rate=1e20, epochs=50, whiten=False, decay=0.95)
    message = r"^The loss is (nan|inf) at step \d+: the learning rate 1e\+20 is probably too high "
    with pytest.raises(NonFiniteLossError, match=message) as caught:
        fit(network(), points(), recipe=recipe)
    assert 1 < caught.value.step < 10


def test_outputs_that_are_not_finite_before_training_are_told_apart() -> None:
    model = network()
    with torch.no_grad():
        model.get_parameter("3.bias").fill_(math.nan)
    with pytest.raises(
        NonFiniteLossError, match=r"step 1: the outputs are not finite before train"
    ):
        fit(model, points(), recipe=RECIPE)


def test_report_survives_json_and_prints_on_one_line() -> None:
    report = fit(network(), points(), recipe=RECIPE, name="random points")
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["recipe"] == RECIPE.to_dict()
    assert values["losses"] == list(report.losses)
    assert values["environment"]["torch"] == torch.__version__
    assert (values["seed"], values["num_parameters"]) == (0, 64 * 7 + 65 * 3)
    assert repr(report).startswith("FitReport('random points', interpolated after ")
    assert "\n" not in repr(report)
    assert isinstance(report, FitReport)


def test_progress_is_told_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    fit(network(), points(), recipe=RECIPE)
    assert capsys.readouterr() == ("", "")
    report = fit(network(), points(), recipe=RECIPE, progress=True, name="mine")
    out, err = capsys.readouterr()
    assert out == ""
    assert f"mine  {report.steps}/{RECIPE.epochs * 6}  epoch {report.epochs}  loss " in err


def test_progress_shows_the_latest_losses_even_if_none_is_new(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corruptlab.training._trainer._SECONDS_BETWEEN_LOOKS", 0)  # every step
    report = fit(network(), points(), recipe=RECIPE, progress=True)
    assert f"epoch {report.epochs}  loss {report.losses[-1]:.4f}" in capsys.readouterr().err


def bad(**changes: Any) -> Any:
    def act() -> None:
        data = [changes.pop(name, default) for name, default in DEFAULTS.items()]
        fit(*data, **{"recipe": RECIPE, **changes})

    return act


DEFAULTS: dict[str, Any] = {"model": network(), "train": points(), "test": None}
NAN = TensorDataset(torch.full((4, 6), math.nan), torch.zeros(4, dtype=torch.int64))
IMAGES = TensorDataset(torch.zeros(4, 3, 8, 8), torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (bad(recipe={"epochs": 1}), TypeError, r"^`recipe` must be a Recipe, got dict\.$"),
        (bad(seed=-1), ValueError, r"^`seed` must be at least 0, got -1\.$"),
        (bad(seed="x"), TypeError, r"^`seed` must be an integer, got 'x'\.$"),
        (
            bad(train=Subset(points(), [])),
            ValueError,
            r"^`train` must hold at least one example, got none\.$",
        ),
        (
            bad(test=Subset(points(), [])),
            ValueError,
            r"^`test` must hold at least one example, got none\.$",
        ),
        (
            bad(train=NAN),
            ValueError,
            r"^`train` must hold finite inputs, got nan or inf in example 0",
        ),
        (
            bad(train=points(classes=5)),
            ValueError,
            r"^`train` labels must lie in 0 \.\. 2, the 3 outputs of `model`, got 4\.$",
        ),
        (
            bad(test=points(d=5)),
            ValueError,
            r"^`test` inputs must have the shape of `train`'s, \(6,\), got \(5,\)\.$",
        ),
        (
            bad(train=points(d=5)),
            ValueError,
            r"^`model` must accept inputs of shape \(2, 5\) and type torch\.float32 on cpu, got",
        ),
        (
            bad(model=nn.Sequential(nn.Linear(6, 3), nn.Flatten(0))),
            ValueError,
            r"^`model` must return one row of class scores .* got shape \(6,\) for 2 inputs\.$",
        ),
        (
            bad(model=nn.Flatten()),
            ValueError,
            r"^`model` must have parameters that require a gradient, got none\.$",
        ),
        (
            bad(
                train=IMAGES,
                recipe=Recipe(learning_rate=0.1, epochs=1, crop=9, whiten=True, decay=0.95),
            ),
            ValueError,
            r"^`recipe\.crop` must fit the images of `train`, \(3, 8, 8\), got 9\.$",
        ),
        (
            bad(device="cuda:77"),
            ValueError,
            r"^`device` must be usable on this machine, got 'cuda:77' \(",
        ),
        (
            bad(device="toaster"),
            ValueError,
            r"^`device` must be usable on this machine, got 'toaster",
        ),
    ],
)
def test_bad_input_is_one_clear_error(act: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        act()
