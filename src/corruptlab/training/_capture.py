"""A step as one launch: recorded as a CUDA graph, and replayed."""

import math
import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from corruptlab._modules import first_line
from corruptlab.training._contexts import seed_layers

WARM_UP = 3  # eager steps before a recording, as PyTorch asks for
# Of the norm of a step, what a replay may differ by: kernels add in another order from run to run.
_TOLERANCE = 0.01
_WAITING = "called a synchronizing CUDA operation"
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_NO_PAUSE: Callable[[], AbstractContextManager[None]] = nullcontext


class Captured:
    """Work that is done eagerly, then recorded for each size of a batch, and from then on replayed.

    A graph repeats kernels on fixed memory and nothing that Python does. So the work has to take
    all that changes from step to step from tensors that stay where they are; the rates of the
    optimizer are seen to here. The first steps of each size are done eagerly, on a stream of their
    own, as steps of the fit like any other: nothing has to be undone. The last of them is watched:
    work that waits for the device, draws numbers on the host, or counts in Python is not recorded.
    The first replay is compared with the same step done eagerly.

    Args:
        work: Does one step on a batch of the given size.
        state: Tensors that the work changes besides network and optimizer.
        apart: Makes a context for time that is not spent on steps.

    Attributes:
        refusal: Why nothing is recorded; empty if nothing speaks against it.
    """

    def __init__(
        self,
        work: Callable[[int], object],
        *,
        model: nn.Module,
        optimizer: Optimizer,
        device: torch.device,
        state: Sequence[Tensor] = (),
        apart: Callable[[], AbstractContextManager[None]] = _NO_PAUSE,
    ) -> None:
        self._work, self._model, self._optimizer, self._device = work, model, optimizer, device
        self._state, self._apart = tuple(state), apart
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # PyTorch's
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}
        self._done: Counter[int] = Counter()
        self._rates = [_Rate(group, device) for group in optimizer.param_groups]
        self.refusal = uncapturable(model, optimizer)

    @property
    def sizes(self) -> list[int]:
        """Sizes of the batches that are replayed."""
        return list(self._graphs)

    def run(self, size: int, seed: int) -> None:
        """Do one step; the seed decides what layers draw."""
        if size in self._graphs:
            self._replay(size, seed)
        elif self.refusal:
            seed_layers(seed, self._device)
            self._work(size)
        elif self._done[size] < WARM_UP:
            last = self._done[size] == WARM_UP - 1
            self._warm_up(size, seed, watched=last)
            self._done[size] += 1
        else:
            torch.cuda.synchronize(self._device)  # so that earlier steps are not in what follows
            with self._apart():
                self._record(size, seed)

    def _replay(self, size: int, seed: int) -> None:
        seed_layers(seed, self._device)  # which a graph reads before each replay
        for rate in self._rates:
            rate.refresh()
        self._graphs[size].replay()

    def _warm_up(self, size: int, seed: int, *, watched: bool = False) -> None:
        """Do one step eagerly, where it will be recorded."""
        seed_layers(seed, self._device)
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream), _searched_algorithms():
            if watched:
                with _watching(self._model) as found:
                    self._work(size)
                self.refusal = "; ".join(found)
            else:
                self._work(size)
        current.wait_stream(self._stream)

    def _record(self, size: int, seed: int) -> None:
        """Record one step, do it, and keep the recording if it comes to the same."""
        graph = None
        try:
            graph = self._recorded(size)
        except Exception as error:
            self._optimizer.zero_grad(set_to_none=True)  # gradients of a broken recording
            while isinstance(error.__context__, Exception):  # what broke it, and not what followed
                error = error.__context__
            self.refusal = f"{type(error).__name__} while it was captured: {first_line(error)}"
        tensors = self._tensors()  # in which nothing has been done yet
        before = [tensor.detach().clone() for tensor in tensors]
        self._warm_up(size, seed)
        if graph is None:
            return
        eager = [tensor.detach().clone() for tensor in tensors]
        _copy(before, tensors)
        self._graphs[size] = graph
        self._replay(size, seed)
        if not self._is_same(before, eager):
            _copy(eager, tensors)
            del self._graphs[size]
            self.refusal = "a replay came to other weights than the step itself"

    def _recorded(self, size: int) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        # Graphs of several sizes are never under way together: they can share their memory.
        pool = next(iter(self._graphs.values())).pool() if self._graphs else None
        with (
            self._capturable(),
            torch.cuda.stream(self._stream),  # a recording that fails does not leave it by itself
            # Other threads, which pin memory, say, may go on with what they do.
            torch.cuda.graph(graph, pool, self._stream, capture_error_mode="thread_local"),
        ):
            self._work(size)
        return graph

    @contextmanager
    def _capturable(self) -> Iterator[None]:
        """Let the optimizer read its rates, and count its steps, on the device for a while."""
        # Only while recording: the state that is saved, and eager steps, know plain numbers.
        self._optimizer.zero_grad(set_to_none=True)  # the graph has gradients of its own
        groups = self._optimizer.param_groups
        own = ("lr", "capturable")
        before: list[dict[str, Any]] = [{k: g[k] for k in own if k in g} for g in groups]
        moved = [s for s in self._optimizer.state.values() if _is_counted_on_host(s)]
        for each in moved:
            each["step"] = each["step"].to(self._device)
        try:
            for group, rate in zip(groups, self._rates, strict=True):
                group["lr"] = rate.tensor
                if "capturable" in group:
                    group["capturable"] = True
            yield
        except BaseException:
            for each in moved:
                each["step"] = each["step"].cpu()
            raise
        finally:
            for group, values in zip(groups, before, strict=True):
                group.update(values)

    def _tensors(self) -> list[Tensor]:
        """Return all that a step changes."""
        states = self._optimizer.state.values()
        kept = [value for each in states for value in each.values() if isinstance(value, Tensor)]
        return [*self._model.parameters(), *self._model.buffers(), *kept, *self._state]

    def _is_same(self, before: list[Tensor], eager: list[Tensor]) -> bool:
        """Tell whether the weights have moved to where the eager step moved them."""
        moved = torch.zeros((), dtype=torch.float64, device=self._device)
        apart = moved.clone()
        for now, old, other in zip(self._model.parameters(), before, eager, strict=False):
            moved += (other.detach() - old).double().square().sum()
            apart += (other.detach() - now.detach()).double().square().sum()
        step, difference = moved.sqrt().item(), apart.sqrt().item()
        return difference <= _TOLERANCE * step or not math.isfinite(step)


class _Rate:
    """The learning rate of a group of parameters, as a graph reads it."""

    def __init__(self, group: dict[str, Any], device: torch.device) -> None:
        self._group, self._value = group, math.nan
        self.tensor = torch.zeros((), dtype=torch.float32, device=device)

    def refresh(self) -> None:
        if self._group["lr"] != self._value:
            self._value = float(self._group["lr"])
            self.tensor.fill_(self._value)


def uncapturable(model: nn.Module, optimizer: Optimizer) -> str:
    """Return why a step of a network cannot be recorded as far as can be seen without trying it."""
    kind, groups = type(optimizer), optimizer.param_groups
    if kind is SGD and not all(group.get("fused") for group in groups):
        return "the rate of an SGD stays on the host, but with fused=True"
    if kind not in (SGD, Adam, AdamW) and not (
        kind.__module__.startswith("torch.optim.") and all("capturable" in g for g in groups)
    ):
        return f"the optimizer, {kind.__name__}, has no form that can be captured"
    hooked = [*optimizer._optimizer_step_pre_hooks, *optimizer._optimizer_step_post_hooks]
    for layer in model.modules():
        hooked += [hook for name in _HOOKS for hook in getattr(layer, name)]
    for parameter in model.parameters():
        hooked += parameter._backward_hooks or ()
        hooked += getattr(parameter, "_post_accumulate_grad_hooks", None) or ()
    return "there are hooks, which a graph would not call" if hooked else ""


def _is_counted_on_host(state: dict[str, Any]) -> bool:
    step = state.get("step")
    return isinstance(step, Tensor) and step.device.type == "cpu"


def _copy(values: list[Tensor], tensors: list[Tensor]) -> None:
    with torch.no_grad():
        for tensor, value in zip(tensors, values, strict=True):
            tensor.copy_(value)


@contextmanager
def _searched_algorithms() -> Iterator[None]:
    """Let cuDNN try out its algorithms, once for each shape, for a while."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


@contextmanager
def _watching(model: nn.Module) -> Iterator[list[str]]:
    """Note what a step does that a recording would not repeat."""
    found: list[str] = []
    mode, state = torch.cuda.get_sync_debug_mode(), _host_state(model)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    for each in warned:
        if _WAITING not in str(each.message):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        elif not found:
            place = f"{Path(each.filename).name}, line {each.lineno}"
            found.append(f"the step waits for the device ({place})")
    now = _host_state(model)
    found += [what for what, old in state.items() if now[what] != old]


def _host_state(model: nn.Module) -> dict[str, object]:
    """Return what a step must not change on the host, by what is wrong if it does."""
    numbers = [
        (name, key, value)
        for name, layer in model.named_modules()
        for key, value in vars(layer).items()
        if isinstance(value, bool | int | float | str)
    ]
    drawn = np.random.get_state(legacy=False)  # noqa: NPY002  # users' layers draw from it
    numpy = drawn["state"]["key"].tobytes(), drawn["state"]["pos"]
    states = random.getstate(), numpy, torch.get_rng_state().tolist()
    return {
        "the step draws random numbers on the host": states,
        "the step changes attributes of the network that are no tensors": numbers,
    }
