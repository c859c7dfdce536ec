"""Small fits take one thread, others what they find, and the process keeps its number."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from corruptlab import Execution, fit

from .cases import RECIPE, network, points
from .clock import Clock
from .programs import problem
from .programs.problem import Watched, same_bits

SHORT = replace(RECIPE, epochs=1)


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Counting(nn.Module):
    """Notes the number of threads in its training passes."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.seen = body, set[int]()

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen.add(torch.get_num_threads())
        out: Tensor = self.body(x)
        return out


def wide() -> nn.Module:
    """6 * 32 * 80_003 operations a step."""
    return nn.Sequential(nn.Linear(6, 8_000), nn.ReLU(), nn.Linear(8_000, 3))


class Repeating(nn.Module):
    """Few weights that are used many times."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.one, self.last = nn.Linear(6, 40), nn.Linear(40, 40), nn.Linear(40, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for _ in range(40):
            x = self.one(x)
        out: Tensor = self.last(x)
        return out


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize(("make", "number"), [(network, 1), (wide, 2), (Repeating, 2)])
def test_one_thread_for_steps_of_few_operations(make: Any, number: int) -> None:
    model = Counting(make())
    report = fit(model, points(), recipe=replace(SHORT, batch_size=32), stop=())
    assert model.seen == {number}
    assert report.execution.threads == report.environment.threads == number
    assert torch.get_num_threads() == 2


def test_the_batch_size_counts() -> None:
    few, many = (
        fit(network(), points(60), recipe=replace(SHORT, batch_size=size), stop=())
        for size in (60, 60 * 100)
    )
    assert few.execution.threads == 1
    assert many.execution.threads == 2


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_number_that_is_given_is_used_and_restored(number: int) -> None:
    model = Counting(network())
    report = fit(model, points(), recipe=SHORT, execution=Execution(threads=number))
    assert model.seen == {number}
    assert report.execution.threads == number
    assert torch.get_num_threads() == 2


def test_deterministic_fits_leave_the_number_to_the_process() -> None:
    model = Counting(network())
    fit(model, points(), recipe=SHORT, execution=Execution(deterministic=True))
    assert model.seen == {2}


def test_a_small_fit_has_the_same_bits_whatever_the_number_of_the_process() -> None:
    models, losses = [network(), network()], []
    for number, model in enumerate(models, 1):
        torch.set_num_threads(number)
        losses.append(fit(model, points(), recipe=SHORT).losses)
    assert losses[0] == losses[1]
    assert same_bits(*models)


def test_the_number_is_restored_after_an_error() -> None:
    class Broken(Counting):
        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                raise RuntimeError("out of order")
            return super().forward(x)

    with pytest.raises(RuntimeError, match="out of order"):
        fit(Broken(network()), points(), recipe=SHORT)
    assert torch.get_num_threads() == 2


class Timed(Watched):
    """A network whose training passes take as long as they do with some number of threads."""

    def __init__(self, clock: Clock, seconds: dict[int, float]) -> None:
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.clock.forward(self.seconds[torch.get_num_threads()])
        return super().forward(x)


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize(("alone", "number"), [(4.0, 1), (5.0, 1), (5.125, 2)])
def test_a_long_fit_takes_one_thread_where_it_is_as_fast(
    alone: float, number: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corruptlab.training._stepper.OPERATIONS_FOR_THREADS", 0)
    model = Timed(clock, {1: alone, 2: 5.0})
    plainly = Execution(channels_last=False)
    recipe = replace(problem.RECIPE, augmentation=None)
    report = fit(model, problem.images(), recipe=recipe, stop=(), execution=plainly)
    assert report.seconds_per_step == {"plain": 5.0, "threads": alone}
    assert report.execution.threads == number
    assert torch.get_num_threads() == 2


def test_a_resumed_fit_goes_on_with_its_number(tmp_path: Any) -> None:
    data = TensorDataset(*points().tensors)
    whole = fit(network(), data, recipe=replace(SHORT, epochs=2), stop=())
    fit(network(), data, recipe=SHORT, stop=(), checkpoint=tmp_path)
    again = fit(network(), data, recipe=replace(SHORT, epochs=2), stop=(), checkpoint=tmp_path)
    assert again.losses == whole.losses
    assert again.execution.threads == 1


@pytest.mark.parametrize("number", [0, -1])
def test_bad_numbers_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match=rf"^`threads` must be at least 1, got {number}\.$"):
        Execution(threads=number)


@pytest.mark.parametrize("number", [True, 1.5, "many"])
def test_what_is_no_number_is_refused(number: Any) -> None:
    with pytest.raises(TypeError, match=r"^`threads` must be "):
        Execution(threads=number)
