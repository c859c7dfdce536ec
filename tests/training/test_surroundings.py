"""What a process has set before makes no difference to a fit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from corruptlab import Execution, Recipe, fit, fit_replicas, mlp
from corruptlab.training import FitReport

from .cases import points
from .clock import Clock
from .programs.problem import RECIPE, images, lasting, same_bits

pytestmark = pytest.mark.slow


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def default_device(device: str) -> Iterator[None]:
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


SETTINGS: dict[str, Callable[[], Any]] = {
    "float64 by default": lambda: default_dtype(torch.float64),
    "bfloat16 by default": lambda: default_dtype(torch.bfloat16),
    # What is made without saying where lies nowhere then, and cannot be read.
    "another device by default": lambda: default_device("meta"),
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
}


def perceptron() -> nn.Sequential:
    return mlp(16, input_shape=(3, 6, 6), num_classes=3)


def run(model: nn.Module, data: Any, **changes: Any) -> FitReport:
    return fit(
        model,
        images(),
        images(seed=1),
        recipe=RECIPE,
        stop=(),
        measure="all",
        execution=Execution(data=data),
        **changes,
    )


@pytest.mark.parametrize("data", ["device", "stream"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_fit_has_the_same_bits(setting: str, data: Any, tmp_path: Any) -> None:
    expected = run(one := perceptron(), data)
    two, three = perceptron(), perceptron()
    train = images(), images(seed=1)  # no matter where these would have been made
    assert train
    with SETTINGS[setting]():
        found = _on(train, two, data, tmp_path)
        again = _on(train, three, data, tmp_path)
    assert lasting(found) == lasting(expected) == lasting(again)
    assert same_bits(one, two)
    assert same_bits(one, three)


def _on(train: Any, model: nn.Module, data: Any, folder: Any) -> FitReport:
    return fit(
        model,
        *train,
        recipe=RECIPE,
        stop=(),
        measure="all",
        execution=Execution(data=data),
        checkpoint=folder,
    )


@pytest.mark.parametrize("strategy", ["wide", "vmap", "loop"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_replicas_have_the_same_bits(setting: str, strategy: Any) -> None:
    recipe = Recipe(learning_rate=0.1, epochs=3, batch_size=10, whiten=True, decay=0.95)
    inputs, first = points().tensors
    labels, model = torch.stack([first, first.flip(0)]), mlp(8, input_shape=(6,), num_classes=3)
    expected = fit_replicas(model, inputs, labels, recipe=recipe, strategy=strategy)
    with SETTINGS[setting]():
        found = fit_replicas(model, inputs, labels, recipe=recipe, strategy=strategy)
    assert found.losses == expected.losses
    assert same_bits(found.model(1), expected.model(1))


class Keeping(nn.Module):
    """A network that keeps its last outputs, and so cannot be copied after its first pass."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 3, 6), nn.Flatten())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.last = self.body(x)
        out: torch.Tensor = self.last
        return out


@pytest.fixture
def measured(clock: Clock) -> None:
    """Let every fit seem to take so long that it measures what is fastest, compiling included."""
    clock.tick = 10.0


@pytest.mark.usefixtures("measured")
def test_a_network_that_cannot_be_copied_is_trained_plainly() -> None:
    report = fit(Keeping(), images(), recipe=RECIPE, stop=())
    assert report.steps == 4 * 6
    assert report.seconds_per_step == {}
    assert report.execution.compile is False


@pytest.mark.usefixtures("measured")
def test_what_cannot_be_compiled_is_trained_uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", no_compiler)
    report = fit(nn.Sequential(nn.Conv2d(3, 3, 6), nn.Flatten()), images(), recipe=RECIPE, stop=())
    assert report.execution.compile is False
    assert set(report.seconds_per_step) >= {"plain", "channels_last"}
    assert "compile" not in report.seconds_per_step
