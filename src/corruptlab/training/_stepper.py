"""One step of training, and which way of doing it is fastest here."""

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from corruptlab._modules import count_parameters, first_line, scores_of
from corruptlab._structured import Inputs, outputs_of
from corruptlab._threads import using_threads
from corruptlab.training._capture import WARM_UP, Captured, uncapturable
from corruptlab.training._compilation import Compiled
from corruptlab.training._contexts import OPERATIONS_FOR_THREADS, seed_layers
from corruptlab.training._data import Batch, DataSource, DeviceData
from corruptlab.training._distributed import Processes
from corruptlab.training._execution import Execution
from corruptlab.training._heads import FitHeads
from corruptlab.training._metrics import Loss, LossLog, check_gradient
from corruptlab.training._optimizers import updates_of

# A fit that is over sooner is not worth measuring, which takes a GPU about a second.
_SECONDS_WORTH_MEASURING = {"cpu": 30.0, "cuda": 5.0}
# Compiling a network takes from ten seconds to a minute.
_SECONDS_WORTH_COMPILING = 240.0
# What a switch has to save to be turned on: less is within the noise of a measurement.
_WORTHWHILE = 0.95
# What fewer threads may cost to be preferred: as little; they leave the other cores alone.
_AS_FAST = 1.0
_WARM_UP, _LEAST_STEPS, _SECONDS_A_CANDIDATE = 3, 5, 0.5


class Stepper:
    """Forward pass, backward pass, and update."""

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        optimizer: torch.optim.Optimizer,
        *,
        execution: Execution,
        processes: Processes,
        heads: FitHeads | None = None,
    ) -> None:
        self.execution, self._optimizer, self._device = execution, optimizer, processes.device
        self._updates = updates_of(optimizer, processes.device)
        self._model, self._heads, self._several = model, heads, processes.size > 1
        _use_layout(model, optimizer, channels_last=execution.channels_last is True)
        # Afterwards, because the wrapper gives gradients the layout of the weights. One of an
        # earlier stepper is at rest: it averages only after a forward pass of its own.
        network = processes.wrapped(model)
        autocast = partial(_autocast, execution, processes.device)  # and not `self`: no circles

        def mean_loss(inputs: Inputs, targets: Tensor) -> Tensor:
            with autocast():
                outputs = outputs_of(network, inputs)
            if not isinstance(outputs, Tensor):
                raise TypeError(
                    "`model` must return class scores alone in training mode too, "
                    f"got {type(outputs).__name__}."
                )
            # Sums of a loss need more digits than products: float32 whatever the network gives.
            return loss(outputs.float(), targets)

        self._mean_loss: Callable[[Inputs, Tensor], Tensor] = mean_loss
        if execution.compile is True:
            # One program for whole batches and one for the last: general shapes are slower.
            self._mean_loss = Compiled(mean_loss, dynamic=False)

    @property
    def compiled(self) -> bool:
        """Whether steps go through compiled programs, as far as any was done."""
        return isinstance(self._mean_loss, Compiled) and not self._mean_loss.failed

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which the products of the network have the wanted type."""
        return _autocast(self.execution, self._device)

    def step(
        self,
        inputs: Inputs,
        targets: Tensor,
        weight: float = 1.0,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Do one step; return what this share adds to the mean loss before it, on the device."""
        loss = self._mean_loss(inputs, targets)
        check_gradient(loss)
        if weight != 1.0:
            loss = loss * weight
        whole = loss
        if self._heads is not None and positions is not None:
            whole = loss + weight * self._heads.loss(positions, self._several)
        self._updates.zero_grad()
        whole.backward()  # type: ignore[no-untyped-call]  # PyTorch's
        self._updates.step()
        return loss.detach()

    def captured(self, work: Callable[[int], object], **more: Any) -> Captured:
        """Return work that does such steps, to be recorded."""
        return Captured(
            work, model=self._model, optimizer=self._optimizer, device=self._device, **more
        )


def _autocast(execution: Execution, device: torch.device) -> AbstractContextManager[Any]:
    if execution.precision != "bfloat16":
        return nullcontext()
    # What is captured must not take from a cache what was cast before.
    cached = execution.cuda_graphs is not True
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=cached)


class EagerSteps:
    """Steps on the batches of a data source, each operation launched by itself."""

    def __init__(self, stepper: Stepper, data: DataSource, size: int, log: LossLog) -> None:
        self.stepper = stepper  # may be exchanged between two steps
        self._data, self._size, self._log = data, size, log
        self._last: Batch | None = None

    def epoch(self, epoch: int, start: int, seeds: Sequence[int]) -> Iterator[None]:
        """Do the steps of an epoch from number ``start`` on, one whenever it is asked for."""
        batches = self._data.shuffled(epoch, self._size, start)
        for seed, batch in zip(seeds, batches, strict=True):
            seed_layers(seed, batch.targets.device)
            loss = self.stepper.step(batch.inputs, batch.targets, batch.weight, batch.positions)
            self._log.add(loss)
            self._last = batch
            yield

    def batch(self) -> Batch:
        """Return the last batch, in memory of its own; there has to be one."""
        last = cast(Batch, self._last)
        return last._replace(inputs=last.inputs.clone(), targets=last.targets.clone())


class GraphSteps:
    """Steps on data that are on the device, each a single launch once it is captured.

    What differs from step to step is on the device: the order of the epoch, what augmentation
    draws in it, and the number of the step, which each step itself puts forward.
    """

    def __init__(
        self,
        stepper: Stepper,
        data: DeviceData,
        size: int,
        log: LossLog,
        apart: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.stepper, self._data, self._size, self._log = stepper, data, size, log
        self._order, self._draws = order, draws = data.plan(0)
        self._at = at = torch.zeros(1, dtype=torch.int64, device=order.device)
        self._next = 0  # what `at` is
        inside = torch.arange(size, device=order.device)

        def step(count: int) -> None:  # no method: it would keep the memory of the graphs alive
            ids = order.index_select(0, at * size + inside[:count])
            log.write(at, stepper.step(*data.gathered(ids, draws)))
            at.add_(1)

        self._captured = stepper.captured(step, state=(at,), apart=apart)

    def epoch(self, epoch: int, start: int, seeds: Sequence[int]) -> Iterator[None]:
        """Do the steps of an epoch from number ``start`` on, one whenever it is asked for."""
        order, draws = self._data.plan(epoch)
        self._order.copy_(order)
        if self._draws is not None and draws is not None:
            self._draws.copy_(draws)
        for number, seed in enumerate(seeds, start):
            if self._next != number:
                self._at.fill_(number)
            self._captured.run(min(self._size, len(self._data) - number * self._size), seed)
            self._next = number + 1
            self._log.count()
            yield

    def batch(self) -> Batch:
        """Return some batch, in memory of its own."""
        some = self._order[: self._size]
        inputs, targets = self._data.gathered(some, self._draws)
        return Batch(inputs, targets, weight=1.0, positions=some.cpu())

    @property
    def captured(self) -> bool:
        """Whether there are steps that are replayed."""
        return bool(self._captured.sizes)

    @property
    def refusal(self) -> str:
        """Why steps are not captured; empty if they are."""
        if self._captured.refusal or self.captured:
            return self._captured.refusal
        return "the fit was over before a step was captured"


def uncaptured(
    execution: Execution,
    data: DataSource,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    processes: Processes,
) -> str:
    """Return why steps cannot be captured, as far as that is known beforehand; or nothing."""
    if execution.deterministic:
        return "execution.deterministic is True"
    if execution.cuda_graphs is False:
        return "execution.cuda_graphs is False"
    if processes.device.type != "cuda":
        return f"CUDA graphs are for GPUs, and the network is on {processes.device}"
    if processes.size > 1:
        return "several processes train together"
    if not isinstance(data, DeviceData):
        return "the data are streamed"
    return uncapturable(model, optimizer)


def _use_layout(model: nn.Module, optimizer: torch.optim.Optimizer, *, channels_last: bool) -> None:
    """Give kernels and what the optimizer remembers of them one memory layout."""
    if not channels_last:
        return
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stubs
    for state in optimizer.state.values():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.ndim == 4:
                state[name] = value.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Tuned:
    """How a step is done, nothing left at ``"auto"``, and the seconds that decided it."""

    execution: Execution
    seconds_per_step: dict[str, float]
    uncaptured: str = ""  # why not, if it was tried


def resolve_defaults(wanted: Execution, precision: str) -> Execution:
    """Return an execution with everything that was left open switched off."""
    chosen = wanted.precision or precision
    return replace(
        wanted,
        compile=wanted.compile is True,
        cuda_graphs=wanted.cuda_graphs is True,
        channels_last=wanted.channels_last is True,
        precision="bfloat16" if chosen == "bfloat16" else "float32",
    )


def threads_for(wanted: Execution, model: nn.Module, data: DataSource, batch_size: int) -> int:
    """Return the number of threads for steps on batches of some data."""
    if wanted.threads != "auto":
        return wanted.threads
    number = torch.get_num_threads()
    if number == 1 or wanted.deterministic:
        return number
    if 6 * count_parameters(model) * batch_size >= OPERATIONS_FOR_THREADS:
        return number
    two = data.first(2)
    if two.device.type != "cpu":
        return number
    with FlopCounterMode(display=False) as counted:  # weights may be used many times
        scores_of(model, two)
    operations = 3 * counted.get_total_flops() * batch_size / len(two)  # backward, two products
    return 1 if operations < OPERATIONS_FOR_THREADS else number


def candidates(
    wanted: Execution,
    precision: str,
    model: nn.Module,
    device: torch.device,
    seconds: float,
    *,
    capturable: bool,
) -> list[dict[str, Any]]:
    """Return the switches that are open and worth trying, in the order of trying."""
    least = _SECONDS_WORTH_MEASURING.get(device.type, _SECONDS_WORTH_MEASURING["cpu"])
    if wanted.deterministic or seconds < least:
        return []
    found: list[dict[str, Any]] = []
    # First, because what is left to gain shows when launches no longer hide it.
    if wanted.cuda_graphs == "auto" and capturable:
        found.append({"cuda_graphs": True})
    products: dict[str, Any] = {}
    if wanted.channels_last == "auto" and any(isinstance(m, nn.Conv2d) for m in model.modules()):
        products["channels_last"] = True
    if (wanted.precision or precision) == "auto" and fast_bfloat16(device):
        products["precision"] = "bfloat16"
    if len(products) == 2:  # units for short products want the channels last
        found.append(products)
    found += [{name: value} for name, value in products.items()]
    if wanted.threads == "auto" and device.type == "cpu" and torch.get_num_threads() > 1:
        found.append({"threads": 1})
    if wanted.compile == "auto" and seconds >= _SECONDS_WORTH_COMPILING:
        found.append({"compile": True})
    return found


def fast_bfloat16(device: torch.device) -> bool:
    """Tell whether a device has instructions for bfloat16: it is 100 times slower without."""
    if device.type == "cuda":
        with torch.cuda.device(device):  # it tells of the current one
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return device.type == "cpu" and supported is not None and bool(supported())


def tune(
    start: Execution,
    changes: list[dict[str, Any]],
    *,
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    processes: Processes,
) -> Tuned:
    """Turn on what makes a step faster, one switch after the other, by trying it on copies."""
    # What cannot be tried is left off: some networks cannot be copied, or compiled, or not here.
    refusal = ""

    def seconds_a_step(execution: Execution) -> float:
        nonlocal refusal
        try:
            stepper = _on_copies(model, loss, optimizer, execution, processes)
            inputs, targets = _laid_out(batch, channels_last=execution.channels_last is True)
            step: Callable[[], object] = partial(stepper.step, inputs, targets, batch.weight)
            if execution.cuda_graphs is True:
                eager = step
                captured = stepper.captured(lambda size: eager())
                step = partial(captured.run, len(targets), 0)
                for _ in range(WARM_UP + 1):
                    step()
                if captured.refusal:
                    refusal = captured.refusal
                    return math.inf
            with using_threads(execution.threads):
                took = _seconds_a_step(step, processes.device)
        except Exception as error:
            if processes.size > 1:  # the others would wait for this one
                raise
            if execution.cuda_graphs is True:
                refusal = f"{type(error).__name__} when it was tried: {first_line(error)}"
            return math.inf
        return processes.agreed(took)

    best, seconds = start, {"plain": seconds_a_step(start)}
    fastest = seconds["plain"]
    if math.isinf(fastest):
        return Tuned(start, {}, refusal or "a copy of the network cannot be trained")
    for change in changes:
        tried = replace(best, **change)
        if tried == best:  # by a change of several switches
            continue
        name = "+".join(change)
        seconds[name] = seconds_a_step(tried)
        worthwhile = _AS_FAST if "threads" in change else _WORTHWHILE
        if seconds[name] <= worthwhile * fastest:
            best, fastest = tried, seconds[name]
        elif change == {"cuda_graphs": True} and not refusal:
            one, other = 1e3 * seconds[name], 1e3 * fastest
            refusal = f"a replay took {one:.3g} ms, and launches one by one {other:.3g} ms"
    finite = {name: took for name, took in seconds.items() if math.isfinite(took)}
    return Tuned(best, finite, "" if best.cuda_graphs is True else refusal)


def _on_copies(
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    execution: Execution,
    processes: Processes,
) -> Stepper:
    memo: dict[int, Any] = {}  # one memo for both: the copied optimizer holds the copied weights
    copied = copy.deepcopy(model, memo)
    return Stepper(
        copied,
        loss,
        copy.deepcopy(optimizer, memo),
        execution=execution,
        processes=processes,
    )


def _laid_out(batch: Batch, *, channels_last: bool) -> tuple[Inputs, Tensor]:
    inputs = batch.inputs
    if not channels_last or not isinstance(inputs, Tensor) or inputs.ndim != 4:
        return inputs, batch.targets
    return inputs.contiguous(memory_format=torch.channels_last), batch.targets


def _seconds_a_step(step: Callable[[], object], device: torch.device) -> float:
    """Return the time of the fastest step: what the machine can do when nothing disturbs it."""
    for _ in range(_WARM_UP):
        step()
    times: list[float] = []
    while len(times) < _LEAST_STEPS or (
        sum(times) < _SECONDS_A_CANDIDATE and device.type == "cpu" and len(times) < 100
    ):
        _wait(device)
        start = time.perf_counter()
        step()
        _wait(device)
        times.append(time.perf_counter() - start)
    return min(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
