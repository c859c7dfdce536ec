"""The updates of a fused SGD: those of PyTorch to the bit, and of whoever changed its steps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from corruptlab import Recipe, fit

from .cases import network, points

SHORT = Recipe(learning_rate=0.1, decay=0.95, epochs=3, batch_size=10, whiten=False)
FUSED: Any = partial(torch.optim.SGD, lr=0.1, momentum=0.9, fused=True)


class PartlyUsed(nn.Module):
    """A network with a layer that gets no gradient at all."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = network(), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.used(x)
        return out


class OfTwoTypes(nn.Module):
    """A network with weights of two types, which PyTorch updates one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Linear(6, 6).double(), network()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.narrow(self.wide(x.double()).float())
        return out


class Sparse(nn.Module):
    """A network whose gradient has rows for the words that occurred alone."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(2, 3, sparse=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.words((x > 0).long()).sum(1)
        return out


def in_two_groups(parameters: list[nn.Parameter]) -> torch.optim.SGD:
    groups = [{"params": parameters[:1], "lr": 0.05}, {"params": parameters[1:], "momentum": 0.5}]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9, weight_decay=1e-3, fused=True)


OPTIMIZERS: dict[str, Callable[[list[nn.Parameter]], torch.optim.SGD]] = {
    "momentum": FUSED,
    "plain": partial(FUSED, momentum=0.0),
    "nesterov": partial(FUSED, nesterov=True, weight_decay=0.01),
    "dampening": partial(FUSED, dampening=0.3),
    "maximize": partial(FUSED, lr=1e-4, maximize=True),
    "groups": in_two_groups,
}


@pytest.mark.parametrize("kind", [PartlyUsed, OfTwoTypes])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_fused_sgd_gives_the_bits_of_its_own_steps(name: str, kind: type[nn.Module]) -> None:
    make, made = OPTIMIZERS[name], list[torch.optim.SGD]()

    def kept(parameters: list[nn.Parameter]) -> torch.optim.SGD:
        made.append(make(parameters))
        return made[-1]

    def through_pytorch(parameters: list[nn.Parameter]) -> torch.optim.SGD:
        optimizer = kept(parameters)
        optimizer.register_step_pre_hook(lambda *arguments: None)
        return optimizer

    ours, theirs = kind(), kind()
    theirs.load_state_dict(ours.state_dict())
    one = fit(ours, points(), recipe=SHORT, optimizer=kept)
    other = fit(theirs, points(), recipe=SHORT, optimizer=through_pytorch)
    assert one.losses == other.losses
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)
    states: list[Any] = [optimizer.state_dict() for optimizer in made]
    assert states[0]["param_groups"] == states[1]["param_groups"]
    assert states[0]["state"].keys() == states[1]["state"].keys()
    for at, remembered in states[0]["state"].items():
        for entry, value in remembered.items():
            assert torch.equal(value, states[1]["state"][at][entry])


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sparse_gradients_are_refused_as_pytorch_does(momentum: float) -> None:
    with pytest.raises(RuntimeError, match=r"^`_fused_sgd` does not support sparse gradients$"):
        fit(Sparse(), points(), recipe=replace(SHORT, momentum=momentum))


def after_hook(optimizer: torch.optim.SGD, note: Callable[..., None]) -> None:
    optimizer.register_step_post_hook(note)


def before_hook(optimizer: torch.optim.SGD, note: Callable[..., None]) -> None:
    optimizer.register_step_pre_hook(note)


def own_step(optimizer: torch.optim.SGD, note: Callable[..., None]) -> None:
    step = optimizer.step

    def noted() -> None:
        note()
        step()

    optimizer.step = noted  # type: ignore[method-assign, assignment]


def own_zero_grad(optimizer: torch.optim.SGD, note: Callable[..., None]) -> None:
    zero_grad = optimizer.zero_grad

    def noted(set_to_none: bool = True) -> None:
        note()
        zero_grad(set_to_none)

    optimizer.zero_grad = noted  # type: ignore[method-assign]


@pytest.mark.parametrize("change", [before_hook, after_hook, own_step, own_zero_grad])
def test_what_the_user_puts_around_steps_is_called(change: Callable[..., None]) -> None:
    calls: list[None] = []

    def changed(parameters: list[nn.Parameter]) -> torch.optim.SGD:
        optimizer = FUSED(parameters)
        change(optimizer, lambda *arguments: calls.append(None))
        return optimizer  # type: ignore[no-any-return]

    report = fit(network(), points(), recipe=SHORT, optimizer=changed)
    assert len(calls) == report.steps


@contextmanager
def hook_of_all_optimizers(note: Callable[..., None]) -> Iterator[None]:
    handle = register_optimizer_step_pre_hook(note)
    try:
        yield
    finally:
        handle.remove()


def test_hooks_of_all_optimizers_are_called() -> None:
    calls: list[None] = []
    with hook_of_all_optimizers(lambda *arguments: calls.append(None)):
        report = fit(network(), points(), recipe=SHORT)
    assert len(calls) == report.steps


class Louder(torch.optim.SGD):
    """A class of the user's own, on PyTorch's."""

    steps = 0

    def step(self, closure: Any = None) -> Any:
        Louder.steps += 1
        return super().step(closure)


def test_a_class_of_the_user_s_own_does_its_own_steps() -> None:
    Louder.steps = 0
    make = partial(Louder, lr=0.1, momentum=0.9, fused=True)
    report = fit(network(), points(), recipe=SHORT, optimizer=make)
    assert Louder.steps == report.steps
