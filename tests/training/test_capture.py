"""A step that is captured once and replayed does what the step itself does."""

import gc
import itertools
import random
import re
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from corruptlab import Execution, FitReport, Recipe, fit
from tests.fake_gpu import FakeGPU, Graph

from .cases import ALL, network, points
from .clock import Clock, Timed
from .programs import problem
from .programs.problem import same_bits

pytestmark = pytest.mark.slow

EAGER = Execution(compile=False, cuda_graphs=False, channels_last=False, data="device", threads=1)
CAPTURED = replace(EAGER, cuda_graphs=True)
# 23 images are two batches of 10 and one of 3, which are captured in epochs 2 and 4. The rate
# differs from epoch to epoch; it is a float32, which is what graphs have of it.
PIXELS = Recipe(learning_rate=2**-5, epochs=6, batch_size=10, decay=0.5, momentum=0.8, whiten=True)
IMAGES = problem.images(23)
VECTORS = replace(PIXELS, whiten=False)


def convnet(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout(0.3)),
        *(nn.Flatten(), nn.Linear(8 * 36, 3)),
    )


def both(
    make: Callable[[], nn.Module], data: Any, recipe: Recipe, **arguments: Any
) -> tuple[tuple[FitReport, nn.Module], tuple[FitReport, nn.Module]]:
    """Fit a network with every operation launched by itself, and another with captured steps."""
    eager, captured = (
        (fit(model, data, recipe=recipe, stop=(), device="cuda", execution=how, **arguments), model)
        for how, model in ((EAGER, make()), (CAPTURED, make()))
    )
    assert captured[0].not_captured == ""
    assert captured[0].execution == replace(CAPTURED, precision="float32")
    assert eager[0].execution.cuda_graphs is False
    return eager, captured


@pytest.mark.parametrize("name", ["sgd", "nesterov", "adam", "adamw"])
def test_captured_steps_have_the_bits_of_eager_ones(name: Any, fake_gpu: FakeGPU) -> None:
    recipe = replace(PIXELS, optimizer=name, learning_rate=2**-7, weight_decay=0.01)
    (eager, one), (captured, two) = both(convnet, IMAGES, recipe)
    assert captured.losses == eager.losses
    assert same_bits(one, two)
    assert captured.history == eager.history


def test_captured_steps_without_a_fused_update_differ_by_rounding(fake_gpu: FakeGPU) -> None:
    recipe = replace(PIXELS, optimizer="rmsprop", learning_rate=0.01)
    (eager, _), (captured, _) = both(convnet, IMAGES, recipe)
    assert captured.losses == pytest.approx(eager.losses, rel=1e-4)
    assert captured.losses[:3] == eager.losses[:3]  # which were not replayed


def test_captured_steps_take_their_augmentation_along(fake_gpu: FakeGPU) -> None:
    recipe = replace(PIXELS, crop=8, augmentation=ALL)
    (eager, one), (captured, two) = both(convnet, IMAGES, recipe)
    assert captured.losses == eager.losses
    assert same_bits(one, two)
    assert len(set(captured.losses)) == len(captured.losses)


def test_channels_last_and_bfloat16_can_be_captured(fake_gpu: FakeGPU) -> None:
    changes: Any = {"channels_last": True, "precision": "bfloat16"}
    losses = [
        fit(
            convnet(),
            IMAGES,
            recipe=PIXELS,
            stop=(),
            device="cuda",
            execution=replace(how, **changes),
        )
        for how in (EAGER, CAPTURED)
    ]
    assert losses[1].losses == losses[0].losses
    assert losses[1].not_captured == ""


def test_a_user_s_own_adam_can_be_captured(fake_gpu: FakeGPU) -> None:
    def adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=0.01)  # counts its steps on the host

    (eager, _), (captured, _) = both(network, points(), VECTORS, optimizer=adam)
    assert captured.losses == pytest.approx(eager.losses, rel=1e-4)


def test_a_step_is_one_launch_once_it_is_captured(fake_gpu: FakeGPU, clock: Clock) -> None:
    def launches(epochs: int) -> int:
        before = fake_gpu.launches
        recipe = replace(VECTORS, epochs=epochs, decay=1.0)
        fit(
            network(),
            points(63),
            recipe=recipe,
            stop=(),
            measure="loss",
            device="cuda",
            execution=CAPTURED,
        )
        return fake_gpu.launches - before

    # Seven steps in an epoch, two sizes, both captured by the end of the fifth epoch.
    per_epoch = launches(8) - launches(7)
    shorter = launches(9) - launches(8)
    assert per_epoch == shorter
    eager = 7 * 30  # a forward and a backward pass, and an update
    assert per_epoch < 7 + 60 < eager  # the pass that looks for the first error, the order, looks


def test_no_wait_grows_with_the_number_of_captured_steps(fake_gpu: FakeGPU, clock: Clock) -> None:
    def waits(batch_size: int) -> int:
        before = fake_gpu.waits.total()
        recipe = replace(VECTORS, batch_size=batch_size)
        fit(network(), points(), recipe=recipe, stop=(), device="cuda", execution=CAPTURED)
        return fake_gpu.waits.total() - before

    waits(10)  # what is done once in a process
    assert waits(4) == waits(10)  # 15 and 6 steps an epoch


def test_a_resumed_fit_captures_again_and_goes_on(
    fake_gpu: FakeGPU, tmp_path: Any, always_looking: None
) -> None:
    class Stops(nn.Module):
        """A network with some passes left; replays are none."""

        def __init__(self, passes: int) -> None:
            super().__init__()
            self.body, self.left = convnet(), iter(range(passes))

        def forward(self, x: Tensor) -> Tensor:
            if self.training and next(self.left, None) is None:
                raise InterruptedError
            out: Tensor = self.body(x)
            return out

    how: Any = {"recipe": PIXELS, "stop": (), "device": "cuda", "execution": CAPTURED}
    whole = fit(Stops(1000), IMAGES, **how)
    keeps: Any = {"checkpoint": tmp_path, "checkpoint_seconds": 0.0}
    with pytest.raises(InterruptedError):
        fit(Stops(7), IMAGES, **how, **keeps)  # after two replays in the third epoch
    resumed = fit(Stops(1000), IMAGES, **how, **keeps)
    assert resumed.losses == whole.losses
    assert resumed.not_captured == whole.not_captured == ""


def test_the_memory_of_the_graphs_goes_with_the_fit(
    fake_gpu: FakeGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs: list[weakref.ref[Graph]] = []
    begin = Graph.capture_begin

    def noted(self: Graph, *arguments: Any) -> None:
        graphs.append(weakref.ref(self))
        begin(self, *arguments)

    monkeypatch.setattr(Graph, "capture_begin", noted)
    gc.disable()  # as a loop over fits would find it
    try:
        both(network, points(63), VECTORS)
        assert len(graphs) == 2  # of whole batches and of the last
        assert [graph() for graph in graphs] == [None, None]
    finally:
        gc.enable()


# --------------------------------------------------------------------------------- what is refused


class Waits(nn.Module):
    """Asks for a number of the device."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if bool(x.sum() > 0) else x


class Draws(nn.Module):
    """Leaves a layer out now and then, as the generator of the host says."""

    def __init__(self, draw: Callable[[], float]) -> None:
        super().__init__()
        self.draw = draw

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if self.draw() < 0.5 else x


class Counts(nn.Module):
    """Counts its passes."""

    passes = 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += self.training
        return x / (1 + self.passes)


class Hooked(nn.Module):
    """Calls a function of Python's at every pass."""

    def __init__(self) -> None:
        super().__init__()
        self.register_forward_hook(lambda *arguments: None)

    def forward(self, x: Tensor) -> Tensor:
        return x


class Breaks(nn.Module):
    """Cannot be captured, and does not show it before."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.cuda.is_current_stream_capturing():
            raise RuntimeError("not now")
        return x


class MySGD(torch.optim.SGD):
    """An optimizer of the user's own."""


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "waits": (Waits, r"the step waits for the device \(test_capture\.py, line \d+\)"),
    "random": (lambda: Draws(random.random), "the step draws random numbers on the host"),
    "numpy": (
        lambda: Draws(np.random.random),  # what is under test
        "the step draws random numbers on the host",
    ),
    "torch": (
        lambda: Draws(lambda: torch.rand(()).item()),
        "the step draws random numbers on the host",
    ),
    "counts": (Counts, "the step changes attributes of the network that are no tensors"),
    "hooked": (Hooked, "there are hooks, which a graph would not call"),
    "breaks": (Breaks, "RuntimeError while it was captured: not now"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_graph_would_not_repeat_is_done_step_by_step(name: str, fake_gpu: FakeGPU) -> None:
    make, reason = REFUSED[name]

    def made() -> nn.Module:
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        torch.manual_seed(0)
        return nn.Sequential(make(), network())

    how: Any = {"recipe": replace(VECTORS, epochs=3), "stop": (), "device": "cuda"}
    eager = fit(one := made(), points(), execution=EAGER, **how)
    refused = fit(two := made(), points(), execution=CAPTURED, **how)
    assert re.fullmatch(reason, refused.not_captured)
    assert refused.execution.cuda_graphs is False
    assert refused.losses == eager.losses
    assert same_bits(one, two)


def test_a_graph_that_comes_to_something_else_is_dropped(fake_gpu: FakeGPU) -> None:
    def made() -> Any:
        passes = itertools.count()  # seen by nobody

        def loss(outputs: Tensor, labels: Tensor) -> Tensor:
            return cross_entropy(outputs, labels) / (1 + next(passes))

        return loss

    how: Any = {"recipe": VECTORS, "stop": (), "device": "cuda"}
    eager = fit(one := network(), points(), execution=EAGER, loss=made(), **how)
    report = fit(two := network(), points(), execution=CAPTURED, loss=made(), **how)
    assert report.not_captured == "a replay came to other weights than the step itself"
    assert report.execution.cuda_graphs is False
    # The call that was captured is counted by the loss, and by nothing else.
    assert report.losses[:3] == eager.losses[:3]
    assert len(report.losses) == len(eager.losses)
    assert not same_bits(one, two)


def test_an_optimizer_is_as_before_where_a_capture_failed(fake_gpu: FakeGPU) -> None:
    made: list[torch.optim.Optimizer] = []

    def adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        made.append(torch.optim.Adam(parameters, lr=0.01))
        return made[-1]

    model = nn.Sequential(Breaks(), network())
    report = fit(
        model,
        points(),
        recipe=VECTORS,
        stop=(),
        device="cuda",
        execution=CAPTURED,
        optimizer=adam,
    )
    assert report.not_captured.startswith("RuntimeError")
    group = made[0].param_groups[0]
    assert (group["lr"], group["capturable"]) == (0.01 * VECTORS.decay**5, False)
    # Counted on the host again, where an eager step reads it without a wait.
    steps = [state["step"] for state in made[0].state.values()]
    assert {(step.device.type, step.item()) for step in steps} == {("cpu", report.steps)}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"execution": replace(CAPTURED, data="stream")}, "the data are streamed"),
        ({"device": "cpu"}, "CUDA graphs are for GPUs, and the network is on cpu"),
        ({"execution": EAGER}, "execution.cuda_graphs is False"),
        (
            {"execution": Execution(deterministic=True), "device": "cpu"},
            "execution.deterministic is True",
        ),
        (
            {"optimizer": lambda p: MySGD(p, lr=0.1)},
            "the optimizer, MySGD, has no form that can be captured",
        ),
        (
            {"optimizer": lambda p: torch.optim.SGD(p, lr=0.1)},
            "the rate of an SGD stays on the host, but with fused=True",
        ),
        (
            {"recipe": replace(VECTORS, epochs=1, batch_size=20)},
            "the fit was over before a step was captured",
        ),
        ({"execution": Execution()}, "the fit was over before it knew how fast it is"),
    ],
)
def test_a_report_says_why_steps_were_not_captured(
    changes: dict[str, Any], reason: str, fake_gpu: FakeGPU
) -> None:
    how: Any = {"recipe": VECTORS, "stop": (), "device": "cuda", "execution": CAPTURED, **changes}
    report = fit(network(), points(), **how)
    assert report.not_captured == reason
    assert report.execution.cuda_graphs is False
    assert report.to_dict()["not_captured"] == reason


# -------------------------------------------------------------------------------------- the choice


class Launching(nn.Module):
    """A network whose passes take the host five seconds, and the GPU less.

    The GPU needs a second, and a tenth if channels are last *and* products are short.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(72, 3))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            last = x.is_contiguous(memory_format=torch.channels_last)
            short = torch.is_autocast_enabled("cpu")  # which is where a fake GPU computes
            Replayed.seconds = 0.1 if last and short else 1.0
            if not torch.cuda.is_current_stream_capturing():
                self.clock.forward(5.0)
        out: Tensor = self.body(x)
        return out


class Replayed:
    """What a graph that was captured last takes."""

    seconds = 0.0


@pytest.fixture
def launches_take_time(clock: Clock, fake_gpu: FakeGPU, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let replays take as long as the GPU needs for what was captured."""
    end, replay = Graph.capture_end, Graph.replay

    def capture_end(self: Any) -> None:
        end(self)
        self.seconds = Replayed.seconds

    def replayed(self: Any) -> None:
        clock.forward(self.seconds)
        replay(self)

    monkeypatch.setattr(Graph, "capture_end", capture_end)
    monkeypatch.setattr(Graph, "replay", replayed)
    return clock


LONG = replace(PIXELS, epochs=20, precision="auto")  # 40 steps


def test_switches_are_judged_where_launches_do_not_hide_them_and_together(
    launches_take_time: Clock,
) -> None:
    report = fit(
        Launching(launches_take_time), problem.images(20), recipe=LONG, stop=(), device="cuda"
    )
    assert report.seconds_per_step == pytest.approx(
        {"plain": 5.0, "cuda_graphs": 1.0, "channels_last+precision": 0.1}
    )
    assert report.execution == replace(CAPTURED, channels_last=True, precision="bfloat16")
    # Eleven steps to know the speed, three to warm up, one that is captured, and the others.
    assert report.seconds == pytest.approx((11 + 3) * 5 + 25 * 0.1)
    tried = 8 * 5 + (4 * 5 + 1 + 8 * 1) + (4 * 5 + 0.1 + 8 * 0.1)
    assert report.seconds_of_tuning == pytest.approx(tried + 5 + 0.1)


def test_each_switch_is_tried_alone_where_the_pair_does_not_pay(
    launches_take_time: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Alone(Launching):
        def forward(self, x: Tensor) -> Tensor:
            out = super().forward(x)
            if torch.is_autocast_enabled("cpu"):
                Replayed.seconds = 2.0
            elif x.is_contiguous(memory_format=torch.channels_last):
                Replayed.seconds = 0.5
            return out

    report = fit(Alone(launches_take_time), problem.images(20), recipe=LONG, device="cuda")
    assert list(report.seconds_per_step) == [
        *("plain", "cuda_graphs", "channels_last+precision", "channels_last", "precision")
    ]
    assert report.execution == replace(CAPTURED, channels_last=True, precision="float32")


def test_a_graph_that_is_not_faster_is_not_used(launches_take_time: Clock) -> None:
    class Slow(Launching):
        def forward(self, x: Tensor) -> Tensor:
            out = super().forward(x)
            Replayed.seconds = 4.9
            return out

    recipe = replace(LONG, precision="float32")
    report = fit(Slow(launches_take_time), problem.images(20), recipe=recipe, device="cuda")
    assert report.not_captured == "a replay took 4.9e+03 ms, and launches one by one 5e+03 ms"
    assert report.execution == replace(EAGER, precision="float32")


def test_the_start_of_the_device_is_left_out_of_the_estimate(clock: Clock) -> None:
    class Starting(Timed):
        def forward(self, x: Tensor) -> Tensor:
            if self.training and self.steps == 0:
                self.clock.forward(1000.0)  # for each of 24 steps: worth measuring and compiling
            return super().forward(x)

    recipe = replace(problem.RECIPE, augmentation=None)
    model = Starting(clock, plain=0.2, channels_last=0.2)
    assert fit(model, problem.images(), recipe=recipe, stop=()).seconds_per_step == {}
