"""How a step is done: what changes speed must not change what is meant."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset

from corruptlab import Augmentation, Draws, Execution, Recipe, fit
from corruptlab.training import center_crop, whiten

from .cases import RECIPE, network, points
from .clock import Clock, Timed
from .programs import problem
from .programs.problem import same_bits

SHORT = replace(RECIPE, epochs=3)


def images(n: int = 30) -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (n, 3, 8, 8), generator=generator).to(torch.uint8)
    return TensorDataset(pixels, torch.arange(n) % 3)


def convnet() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 3)
    )


PIXELS = Recipe(learning_rate=0.05, epochs=3, batch_size=10, whiten=True, decay=0.95)


def test_channels_last_computes_the_same() -> None:
    plain = fit(one := convnet(), images(), recipe=PIXELS, execution=Execution(channels_last=False))
    other = fit(two := convnet(), images(), recipe=PIXELS, execution=Execution(channels_last=True))
    assert other.losses == pytest.approx(plain.losses, rel=1e-4)
    kernel = two.get_parameter("0.weight")
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(kernel, one.get_parameter("0.weight"), rtol=1e-3, atol=1e-5)


def test_channels_last_goes_with_augmentation() -> None:
    recipe = replace(PIXELS, crop=6, augmentation=Augmentation(random_crop=True, flip=True))
    nets = [nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 3)) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    runs = [
        fit(net, images(), recipe=recipe, execution=Execution(channels_last=last)).losses
        for net, last in zip(nets, (False, True), strict=True)
    ]
    assert runs[0] == pytest.approx(runs[1], rel=1e-4)


def test_bfloat16_is_close_and_weights_stay_float32() -> None:
    model = network()
    exact = fit(network(), points(), recipe=SHORT).losses
    rough = fit(model, points(), recipe=replace(SHORT, precision="bfloat16"))
    assert rough.execution.precision == "bfloat16"
    assert rough.losses != exact
    assert rough.losses == pytest.approx(exact, rel=0.05)
    assert all(p.dtype == torch.float32 for p in model.parameters())
    over = fit(network(), points(), recipe=SHORT, execution=Execution(precision="bfloat16"))
    assert over.losses == rough.losses


def test_a_loss_gets_float32_whatever_the_products_are() -> None:
    kinds = set()

    def loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        kinds.add(outputs.dtype)
        return cross_entropy(outputs, labels)

    fit(network(), points(), recipe=replace(SHORT, epochs=1, precision="bfloat16"), loss=loss)
    assert kinds == {torch.float32}


@pytest.mark.slow(seconds=20)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch's own, in its compiler
def test_a_compiled_network_computes_the_same() -> None:
    plain = fit(network(), points(65), recipe=SHORT)
    compiled = fit(network(), points(65), recipe=SHORT, execution=Execution(compile=True))
    assert compiled.execution.compile is True
    assert compiled.losses == pytest.approx(plain.losses, rel=1e-4)


def test_a_short_fit_runs_plainly_and_says_so() -> None:
    report = fit(network(), points(), recipe=replace(SHORT, precision="auto"))
    assert report.execution == Execution(
        compile=False,
        cuda_graphs=False,
        channels_last=False,
        precision="float32",
        data="device",
        threads=1,
    )
    assert report.seconds_per_step == {}


# A fit of 24 steps of 5 s is worth measuring, and not worth compiling.
LONG = replace(problem.RECIPE, augmentation=None)


def timed(clock: Clock, *, channels_last: float) -> Timed:
    return Timed(clock, plain=5.0, channels_last=channels_last)


@pytest.mark.parametrize("faster", [True, False])
def test_what_is_faster_is_taken_and_what_is_not_is_left(faster: bool, clock: Clock) -> None:
    other = 2.5 if faster else 4.875  # a twentieth has to be saved
    report = fit(timed(clock, channels_last=other), problem.images(), recipe=LONG, stop=())
    assert report.execution.channels_last is faster
    assert report.seconds_per_step == {"plain": 5.0, "channels_last": other}


def test_measuring_changes_neither_the_network_nor_the_data_order(clock: Clock) -> None:
    one, two = (timed(clock, channels_last=5.0) for _ in range(2))
    changes: Any = {"recipe": LONG, "stop": ()}
    plainly = Execution(channels_last=False)
    plain = fit(one, problem.images(), execution=plainly, **changes)
    measured = fit(two, problem.images(), **changes)
    assert set(measured.seconds_per_step) == {"plain", "channels_last"}
    assert measured.losses == plain.losses
    assert same_bits(one, two)


def test_the_time_spent_measuring_is_no_training_time(clock: Clock) -> None:
    report = fit(timed(clock, channels_last=2.5), problem.images(), recipe=LONG, stop=())
    # It looks at its speed after ten steps, the first of all left out.
    assert report.seconds == 11 * 5.0 + 13 * 2.5
    measured = 8 * (5.0 + 2.5)  # three to warm up, and five
    assert report.seconds_of_tuning == measured


def test_what_a_report_says_runs_another_fit_alike() -> None:
    first = fit(convnet(), images(), recipe=PIXELS)
    assert "auto" not in first.execution.to_dict().values()
    again = fit(convnet(), images(), recipe=PIXELS, execution=first.execution)
    assert again.losses == first.losses
    assert Execution.from_dict(first.execution.to_dict()) == first.execution


def test_any_loss_and_optimizer_factory_train() -> None:
    def squared(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return ((outputs - torch.nn.functional.one_hot(labels, 3)) ** 2).mean()

    model, plain = network(), network()
    report = fit(
        model,
        points(),
        recipe=SHORT,
        loss=squared,
        optimizer=lambda parameters: torch.optim.Adagrad(parameters, lr=0.05),
        seed=3,
    )
    optimizer = torch.optim.Adagrad(plain.parameters(), lr=0.05)
    inputs, targets = points().tensors
    losses = []
    for epoch in range(SHORT.epochs):
        optimizer.param_groups[0]["lr"] = 0.05 * SHORT.decay**epoch
        order = torch.from_numpy(Draws(3).permutations("fit/order", [epoch], 60)[0])
        for ids in order.split(10):  # type: ignore[no-untyped-call]
            loss = squared(plain(inputs[ids]), targets[ids])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
    assert report.losses == tuple(losses)
    assert report.train_loss == pytest.approx(squared(model(inputs), targets).item(), rel=1e-5)


OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.8, weight_decay=0.1),
    "nesterov": lambda p: torch.optim.SGD(
        p, lr=0.01, momentum=0.8, weight_decay=0.1, nesterov=True
    ),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.999), weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.8, 0.999), weight_decay=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(
        p, lr=0.01, momentum=0.8, weight_decay=0.1, alpha=0.9, eps=1.0
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_named_optimizer_is_pytorchs(name: Any) -> None:
    recipe = replace(SHORT, optimizer=name, learning_rate=0.01, momentum=0.8, weight_decay=0.1)
    plainly = Execution(deterministic=True)
    named = fit(network(), points(), recipe=recipe, execution=plainly)
    made = fit(network(), points(), recipe=recipe, execution=plainly, optimizer=OPTIMIZERS[name])
    assert named.losses == made.losses
    others: list[Any] = [replace(recipe, optimizer=other) for other in OPTIMIZERS]  # type: ignore[arg-type]  # the names are right
    assert len({fit(network(), points(), recipe=r).losses for r in others}) == len(OPTIMIZERS)


def test_dropout_of_the_recipe_overrides_the_layers_for_the_fit_only() -> None:
    def net() -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 3))

    def losses(p: float | None, model: nn.Sequential) -> tuple[float, ...]:
        return fit(model, points(), recipe=replace(SHORT, dropout=p)).losses

    without = nn.Sequential(*[layer for layer in net() if not isinstance(layer, nn.Dropout)])
    model = net()
    assert losses(0.0, model) == losses(None, without)
    assert model[2].p == 0.5
    assert losses(0.5, net()) == losses(None, net()) != losses(0.2, net())


def test_dropout_draws_by_seed_and_step_and_differently_at_each() -> None:
    masks: list[torch.Tensor] = []

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = network()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                masks.append(torch.nn.functional.dropout(torch.ones(50), 0.5))
            out: torch.Tensor = self.body(x)
            return out

    fit(Watching(), points(), recipe=SHORT)
    first = masks.copy()
    masks.clear()
    fit(Watching(), points(), recipe=SHORT)
    assert all(torch.equal(a, b) for a, b in zip(first, masks, strict=True))
    assert len({tuple(mask.tolist()) for mask in first}) == len(first) == 18


@pytest.mark.slow
def test_the_best_last_and_early_stopped_test_accuracies_have_their_own_names() -> None:
    test, validation = points(50, seed=1), points(50, seed=3)
    model = network()
    report = fit(model, points(), test, validation=validation, recipe=RECIPE, stop=())
    tests = [end.test for end in report.history if end.test is not None]
    validations = [end.validation for end in report.history if end.validation is not None]
    assert len(tests) == len(validations) == RECIPE.epochs
    assert report.test_accuracy == tests[-1]
    assert report.best_test_accuracy == max(tests) > tests[-1]
    early = tests[validations.index(max(validations))]
    assert report.early_stopped_test_accuracy == early < report.best_test_accuracy
    inputs, targets = test.tensors
    assert tests[-1] == pytest.approx((model(inputs).argmax(1) == targets).double().mean().item())


def test_what_is_not_asked_for_is_not_measured() -> None:
    report = fit(network(), points(), points(20, seed=1), recipe=SHORT, measure="loss")
    assert [(end.train, end.validation, end.test) for end in report.history] == [(None,) * 3] * 3
    assert report.test_accuracy is not None
    assert report.best_test_accuracy is None
    assert report.early_stopped_test_accuracy is None
    means = [sum(report.losses[k : k + 6]) / 6 for k in range(0, 18, 6)]
    assert [end.loss for end in report.history] == pytest.approx(means)


def test_full_memory_is_an_error_that_says_what_to_change() -> None:
    class Full(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = network()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                torch.empty(1 << 60)
            out: torch.Tensor = self.body(x)
            return out

    with pytest.raises(MemoryError, match=r"^The memory of cpu is full with batches of 10; try a "):
        fit(Full(), points(), recipe=RECIPE)


def test_augmentation_is_a_function_of_seed_epoch_and_example() -> None:
    recipe = replace(PIXELS, crop=6, augmentation=Augmentation(random_crop=True, flip=True))

    def run(seed: int) -> tuple[float, ...]:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(108, 3))
        return fit(net, images(), recipe=recipe, seed=seed).losses

    assert run(0) == run(0) != run(1)


def test_augmented_images_are_whitened_after_they_were_changed() -> None:
    seen: list[torch.Tensor] = []

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Flatten(), nn.Linear(108, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                seen.append(x.flatten(1).clone())
            out: torch.Tensor = self.body(x)
            return out

    changes = Augmentation(random_crop=True, brightness=0.3)
    fit(Watching(), images(), recipe=replace(PIXELS, crop=6, epochs=1, augmentation=changes))
    for batch in seen:
        torch.testing.assert_close(batch.mean(1), torch.zeros(10), atol=1e-5, rtol=0)
        torch.testing.assert_close(batch.std(1, correction=0), torch.ones(10), atol=1e-4, rtol=0)


def test_training_accuracy_is_measured_without_augmentation() -> None:
    changes = Augmentation(random_crop=True, rotation=90.0, brightness=0.5)
    recipe = replace(PIXELS, crop=6, augmentation=changes)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(108, 3))
    report = fit(net, images(), recipe=recipe)
    seen = whiten(center_crop(images().tensors[0], 6))
    loss = cross_entropy(net(seen), images().tensors[1])
    assert report.train_loss == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (
            lambda: Execution(compile="yes"),  # type: ignore[arg-type]
            ValueError,
            r"^`compile` must be one of True, False, 'auto', got 'yes'\.$",
        ),
        (
            lambda: Execution(channels_last=1),  # type: ignore[arg-type]
            ValueError,
            r"^`channels_last` must be one of True, False, 'auto', got 1\.$",
        ),
        (lambda: Execution(workers=-1), ValueError, r"^`workers` must be at least 0, got -1\.$"),
        (
            lambda: Execution(deterministic=True, cuda_graphs=True),
            ValueError,
            r"^`cuda_graphs` must not be True if `deterministic` is, got True\.$",
        ),
        (
            lambda: Execution(tf32="auto"),  # type: ignore[arg-type]
            ValueError,
            r"^`tf32` must be one of True, False, got 'auto'\.$",
        ),
        (
            lambda: Execution(deterministic=True, compile=True),
            ValueError,
            r"^`compile` must not be True if `deterministic` is, got True\.$",
        ),
        (
            lambda: Execution.from_dict({"speed": 1}),
            ValueError,
            r"^`values` must only name compile, .*, got 'speed'\.$",
        ),
        (
            lambda: fit(network(), points(), recipe=RECIPE, execution="fast"),  # type: ignore[arg-type]
            TypeError,
            r"^`execution` must be an Execution, got str\.$",
        ),
        (
            lambda: fit(network(), points(), recipe=RECIPE, measure="everything"),  # type: ignore[arg-type]
            ValueError,
            r"^`measure` must be one of loss, test, all, got 'everything'\.$",
        ),
        (
            lambda: fit(network(), points(), recipe=replace(RECIPE, dropout=0.5)),
            ValueError,
            r"^`recipe\.dropout` must be None or 0 for a network without dropout layers, got 0\.5",
        ),
        (
            lambda: fit(network(), points(), recipe=RECIPE, optimizer=lambda p: None),  # type: ignore[arg-type, return-value]
            TypeError,
            r"^`optimizer` must make a torch\.optim\.Optimizer .*, got one that makes NoneType\.$",
        ),
        (
            lambda: fit(
                network(), points(), recipe=replace(RECIPE, augmentation=Augmentation(flip=True))
            ),
            ValueError,
            r"^`recipe\.augmentation` needs images of shape .*, got \(6,\) in `train`\.$",
        ),
    ],
)
def test_bad_input_is_one_clear_error(act: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        act()
