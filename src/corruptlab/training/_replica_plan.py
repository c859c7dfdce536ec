"""How replicas are trained: which ways a network permits, and which of them is the fastest."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Barrier
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from corruptlab._modules import copied, count_parameters
from corruptlab._structured import outputs_of
from corruptlab._threads import using_threads
from corruptlab.training._optimizers import can_fuse, make_optimizer, trainable_parameters
from corruptlab.training._recipe import Recipe
from corruptlab.training._replica_engines import (
    Program,
    SGDStep,
    Strategy,
    Vectorized,
    WidePerceptrons,
    grouping,
    is_perceptron,
)
from corruptlab.training._replicas_run import Problem

Choice: TypeAlias = Literal["auto", "wide", "vmap", "loop"]

# Steps of replicas, in all, below which measuring would take longer than it could save. Perceptrons
# gain less by it, because what they do unmeasured is never bad.
_WORTH_MEASURING, _WORTH_MEASURING_PERCEPTRONS = 2_000, 20_000
_GROUPS = (8, 2)  # replicas at a time, besides all, of networks whose activations are not known
_CACHE = 5 << 20  # bytes of weights, momentum, and activations that a core keeps near (measured)
_WARM_UP, _STEPS = 2, 6
_OPERATIONS_FOR_GROUPS = 3e7  # of a step; with fewer, threads of Python wait for one another
# How much faster products in several threads must be than the same in one thread, or than groups
# that each have a thread: beside a program that starts later they take up to four times as long.
_MARGIN_OF_PRODUCTS = 1.15


@dataclass(frozen=True)
class ReplicaPlan:
    """How replicas are trained, and the seconds a step of one takes, by candidate."""

    strategy: Strategy
    group: int  # replicas at a time, in each thread
    seconds_per_step: dict[str, float]
    threads: int = 1  # groups at a time, each in a thread
    product_threads: int = 1  # of each product

    @property
    def name(self) -> str:
        """What it is called among the candidates."""
        return grouping(self.strategy, self.group, self.threads, self.product_threads)


def plan_for(strategy: Choice, networks: list[nn.Module], problem: Problem) -> ReplicaPlan:
    reason = _obstacle(problem.recipe, networks)
    if not isinstance(problem.inputs, Tensor):
        reason = "inputs with several fields"
    if reason is None and problem.recipe.needs_statistics:
        reason = "recipe.standardize and subsets"
    if strategy == "wide" and not is_perceptron(networks[0]):
        raise ValueError("`strategy` must not be 'wide' for a network that is no perceptron.")
    if strategy in ("wide", "vmap") and reason is not None:
        raise ValueError(f"`strategy` must be 'loop' or 'auto' with {reason}, got {strategy!r}.")
    if strategy == "loop" or reason is not None:
        return ReplicaPlan("loop", 1, {})
    if strategy == "auto":
        return _fastest_plan(networks, problem)
    return ReplicaPlan(strategy, len(networks), {}, product_threads=_threads_of(problem))


def _obstacle(recipe: Recipe, networks: Sequence[nn.Module]) -> str | None:
    """Return what only a loop over `fit` can do, in words, or None."""
    if recipe.optimizer != "sgd":
        return f"recipe.optimizer={recipe.optimizer!r}"
    if recipe.precision == "bfloat16":
        return "recipe.precision='bfloat16'"
    if recipe.augmentation is not None and not recipe.augmentation.is_identity:
        return "recipe.augmentation"
    if any(_is_random(layer, recipe.dropout) for layer in networks[0].modules()):
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
    """Build the program that trains some networks together."""
    if strategy == "wide":
        perceptrons = [network for network in networks if isinstance(network, nn.Sequential)]
        return WidePerceptrons(perceptrons)
    return Vectorized(networks)


def _fastest_plan(networks: Sequence[nn.Module], problem: Problem) -> ReplicaPlan:
    """Time a few steps of each candidate, on copies, and return the fastest for one replica."""
    count, recipe = len(networks), problem.recipe
    wide = is_perceptron(networks[0])
    steps = recipe.epochs * -(-problem.size // recipe.batch_size)
    if count == 1:
        return ReplicaPlan("loop", 1, {})
    threads = _threads_of(problem)
    if not wide and count * steps < _WORTH_MEASURING:
        return ReplicaPlan("loop", count, {})
    if wide and count * steps < _WORTH_MEASURING_PERCEPTRONS:
        return _unmeasured(networks[0], problem, count, threads)
    groups = [_in_cache(networks[0], problem)] if wide else _GROUPS
    plans = _groupings("wide" if wide else "vmap", count, groups, threads)
    try:
        seconds = {plan.name: _seconds_per_replica(plan, networks, problem) for plan in plans}
    except Exception:  # not every network can be mapped over, and what is wrong shows in the loop
        return ReplicaPlan("loop", 1, {})
    seconds["loop"] = _timed_loop(networks[0], problem)

    def cost(plan: ReplicaPlan) -> float:
        return seconds[plan.name] * (_MARGIN_OF_PRODUCTS if plan.product_threads > 1 else 1.0)

    best = min(plans, key=cost)
    if seconds["loop"] < seconds[best.name]:
        best = ReplicaPlan("loop", 1, {})
    return replace(best, seconds_per_step=seconds)


def _threads_of(problem: Problem) -> int:
    return torch.get_num_threads() if problem.inputs.device.type == "cpu" else 1


def _unmeasured(network: nn.Module, problem: Problem, count: int, threads: int) -> ReplicaPlan:
    """Return what is never bad for perceptrons: a thread for each group, if each has much to do."""
    size = min(problem.recipe.batch_size, problem.size)
    if 6 * count_parameters(network) * size * count < _OPERATIONS_FOR_GROUPS:
        return ReplicaPlan("wide", count, {})
    if count < threads or problem.inputs.device.type != "cpu":
        return ReplicaPlan("wide", count, {}, product_threads=threads)
    most = -(-count // threads)
    return ReplicaPlan("wide", _evenly(most, _in_cache(network, problem)), {}, threads)


def _in_cache(network: nn.Module, problem: Problem) -> int:
    """Return how many perceptrons have their numbers in the cache of a core."""
    units = sum(layer.out_features for layer in network.modules() if isinstance(layer, nn.Linear))
    size = min(problem.recipe.batch_size, problem.size)
    return max(1, _CACHE // (8 * (count_parameters(network) + size * units)))


def _evenly(count: int, most: int) -> int:
    """Return the size of groups of nearly one size, none above ``most``."""
    return -(-count // -(-count // most))


def _groupings(
    strategy: Strategy, count: int, groups: Sequence[int], threads: int
) -> list[ReplicaPlan]:
    """Return ways to cut replicas into groups and to divide the work among threads."""
    at_once = min(threads, count)
    most = -(-count // at_once)
    sizes = dict.fromkeys((most, *(_evenly(most, group) for group in groups)))
    plans = [ReplicaPlan(strategy, size, {}, at_once) for size in sizes]
    if threads > 1:
        plans.append(ReplicaPlan(strategy, count, {}, product_threads=threads))
    return plans


def _shares_weights(network: nn.Module) -> bool:
    names = [name for name, _ in network.named_parameters(remove_duplicate=False)]
    return len(names) > len(list(network.parameters()))


def _is_random(layer: nn.Module, p: float | None) -> bool:
    return isinstance(layer, _DropoutNd) and (layer.p if p is None else p) > 0


def _seconds_per_replica(
    plan: ReplicaPlan, networks: Sequence[nn.Module], problem: Problem
) -> float:
    """Return the seconds that one replica's share of a step takes."""
    start = Barrier(plan.threads)

    def seconds() -> float:
        try:
            step = _step_of(plan, networks, problem)
            with torch.no_grad():
                for _ in range(_WARM_UP):
                    step()
        except BaseException:
            start.abort()  # or the others would wait for this one for ever
            raise
        start.wait()
        with torch.no_grad():
            return _seconds_per_step(step, problem.inputs.device)

    with using_threads(plan.product_threads):
        if plan.threads == 1:
            return seconds() / plan.group
        with ThreadPoolExecutor(plan.threads) as pool:
            try:
                together = [pool.submit(seconds) for _ in range(plan.threads)]
                return max(each.result() for each in together) / (plan.group * plan.threads)
            except BaseException:
                start.abort()  # likewise, for those that were not begun
                raise


def _step_of(
    plan: ReplicaPlan, networks: Sequence[nn.Module], problem: Problem
) -> Callable[[], object]:
    """Return a step of one group, on copies, that moves nothing."""
    program = program_for(plan.strategy, networks[: plan.group])
    own = problem.of(slice(plan.group))
    size = min(problem.recipe.batch_size, problem.size)
    at = torch.arange(size, device=problem.inputs.device)
    inputs, _ = own.batch(at)
    update = SGDStep(0.0, problem.recipe.momentum, problem.recipe.weight_decay)
    shared = problem.subsets is None
    program.logits(inputs, shared=shared)

    def step() -> None:  # with the batch, for which threads wait for each other, too
        program.step(*own.batch(at), update, shared=shared)

    return step


def _timed_loop(network: nn.Module, problem: Problem) -> float:
    """Return the seconds of a step of one network by itself, as `fit` does it."""
    own, size = copied(network), min(problem.recipe.batch_size, problem.size)
    at = torch.arange(size, device=problem.inputs.device)
    inputs, targets = problem.of(slice(1)).batch(at)
    if problem.subsets is not None:
        inputs = inputs[0]
    parameters = trainable_parameters(own)
    optimizer = make_optimizer(parameters, problem.recipe, None, fused=can_fuse(parameters))

    def step() -> None:
        loss = nn.functional.cross_entropy(outputs_of(own, inputs), targets[0])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
        optimizer.step()

    with torch.enable_grad():
        step()
        return _seconds_per_step(step, inputs.device)


def _seconds_per_step(step: Callable[[], object], device: torch.device) -> float:
    """Return the mean, in which threads that wait for one another show."""
    _synchronize(device)
    start = time.perf_counter()
    for _ in range(_STEPS):
        step()
    _synchronize(device)
    return (time.perf_counter() - start) / _STEPS


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
