"""Which way of training replicas suits a network, and which is fastest here."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from corruptlab.training._recipe import Recipe
from corruptlab.training._replicas_program import Program, Rule
from corruptlab.training._replicas_run import Problem
from corruptlab.training._replicas_vmap import Vectorized
from corruptlab.training._replicas_wide import WidePerceptrons, is_perceptron

Strategy: TypeAlias = Literal["wide", "vmap", "loop"]
"""Perceptrons with their weights stacked; any network through ``torch.func``; one by one."""

# Steps of replicas, in all, below which measuring would take longer than it could save.
_WORTH_MEASURING = 2_000
_GROUPS = (8, 2)  # replicas at a time, besides all: fewer have their weights in the cache
_WARM_UP, _STEPS = 1, 3


@dataclass(frozen=True)
class Way:
    """How replicas are trained.

    Args:
        strategy: By which kind of program.
        group: Replicas in one program.
        seconds_per_step: What was measured, for one replica, by candidate; empty if nothing was.
    """

    strategy: Strategy
    group: int
    seconds_per_step: dict[str, float]


def obstacle(recipe: Recipe, networks: Sequence[nn.Module]) -> str | None:
    """Say what only a loop over `fit` can do.

    Args:
        recipe: The hyper-parameters.
        networks: The networks.

    Returns:
        What it is, in words, or None.
    """
    if recipe.optimizer != "sgd":
        return f"recipe.optimizer={recipe.optimizer!r}"
    if recipe.precision == "bfloat16":
        return "recipe.precision='bfloat16'"
    if recipe.augmentation is not None and not recipe.augmentation.is_identity:
        return "recipe.augmentation"
    if any(_draws(layer, recipe.dropout) for layer in networks[0].modules()):
        return "layers of dropout"
    distinct = dict.fromkeys(networks)  # one network may stand for all
    if any(not p.requires_grad for network in distinct for p in network.parameters()):
        return "frozen parameters"
    if any(layer._backward_hooks or layer._backward_pre_hooks for layer in networks[0].modules()):
        return "backward hooks"
    if any(_shares_weights(network) for network in distinct):
        return "weights that layers share"
    return None


def program_for(strategy: Strategy, networks: Sequence[nn.Module]) -> Program:
    """Build the program that trains some networks together.

    Args:
        strategy: ``"wide"`` or ``"vmap"``.
        networks: The networks, of one architecture; they are not changed.

    Returns:
        The program.
    """
    if strategy == "wide":
        perceptrons = [network for network in networks if isinstance(network, nn.Sequential)]
        return WidePerceptrons(perceptrons)
    return Vectorized(networks)


def fastest_way(networks: Sequence[nn.Module], problem: Problem) -> Way:
    """Time a few steps of each candidate, on copies, and return the fastest for one replica.

    Args:
        networks: All replicas.
        problem: What they will be trained on.

    Returns:
        The way. A small job is not measured: perceptrons go wide, other networks one by one, and
        so do those that cannot be mapped over.
    """
    count, recipe = len(networks), problem.recipe
    wide = is_perceptron(networks[0])
    steps = recipe.epochs * -(-problem.size // recipe.batch_size)
    if count == 1:
        return Way("loop", 1, {})
    if count * steps < _WORTH_MEASURING:
        return Way("wide" if wide else "loop", count, {})
    strategy: Strategy = "wide" if wide else "vmap"
    groups = [count, *(group for group in _GROUPS if group < count)]
    ways = [Way(strategy, group, {}) for group in groups]
    try:
        seconds = {
            f"{strategy}, {way.group} at a time": _timed(way, networks, problem) for way in ways
        }
    except Exception:  # not every network can be mapped over, and what is wrong shows in the loop
        return Way("loop", 1, {})
    seconds["loop"] = _timed_loop(networks[0], problem)
    best = min(seconds, key=lambda name: seconds[name])
    if best == "loop":
        return Way("loop", 1, seconds)
    return Way(strategy, groups[list(seconds).index(best)], seconds)


def _shares_weights(network: nn.Module) -> bool:
    names = [name for name, _ in network.named_parameters(remove_duplicate=False)]
    return len(names) > len(list(network.parameters()))


def _draws(layer: nn.Module, p: float | None) -> bool:
    return isinstance(layer, _DropoutNd) and (layer.p if p is None else p) > 0


def _timed(way: Way, networks: Sequence[nn.Module], problem: Problem) -> float:
    """Return the seconds that one replica's share of a step takes."""
    program = program_for(way.strategy, networks[: way.group])
    alive = torch.arange(way.group, device=problem.inputs.device)
    size = min(problem.recipe.batch_size, problem.size)
    inputs, targets = problem.batch(alive, torch.arange(size, device=problem.inputs.device))
    rule = Rule(0.0, problem.recipe.momentum, problem.recipe.weight_decay)
    shared = problem.subsets is None
    program.logits(inputs, shared=shared)
    step = _seconds(lambda: program.step(inputs, targets, rule, shared=shared), inputs.device)
    return step / way.group


def _timed_loop(network: nn.Module, problem: Problem) -> float:
    """Return the seconds of a step of one network by itself, as `fit` does it."""
    own, size = copy.deepcopy(network), min(problem.recipe.batch_size, problem.size)
    at = torch.arange(size, device=problem.inputs.device)
    inputs, targets = problem.batch(at[:1] * 0, at)
    if problem.subsets is not None:
        inputs = inputs[0]
    optimizer = torch.optim.SGD(own.parameters(), lr=0.0, momentum=problem.recipe.momentum)

    def step() -> None:
        loss = nn.functional.cross_entropy(own(inputs), targets[0])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
        optimizer.step()

    with torch.enable_grad():
        return _seconds(step, inputs.device)


def _seconds(step: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(_WARM_UP + _STEPS):
        start = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times[_WARM_UP:])
