"""One step of training, and which way of doing it is fastest here."""

import copy
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from corruptlab.training._data import Batch
from corruptlab.training._distributed import Processes
from corruptlab.training._execution import Execution
from corruptlab.training._metrics import Loss

# A fit that is over sooner is not worth measuring.
_SECONDS_WORTH_MEASURING = 30.0
# Compiling a network takes from ten seconds to a minute.
_SECONDS_WORTH_COMPILING = 240.0
# What a switch has to save to be turned on: less is within the noise of a measurement.
_WORTHWHILE = 0.95
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
    ) -> None:
        self.execution, self._optimizer, self._device = execution, optimizer, processes.device
        _use_layout(model, optimizer, channels_last=execution.channels_last is True)
        # Afterwards, because the wrapper gives gradients the layout of the weights. One of an
        # earlier stepper is at rest: it averages only after a forward pass of its own.
        network = processes.wrapped(model)

        def mean_loss(inputs: Tensor, targets: Tensor) -> Tensor:
            with self.autocast():
                outputs = network(inputs)
            if not isinstance(outputs, Tensor):
                raise TypeError(
                    "`model` must return class scores alone in training mode too, "
                    f"got {type(outputs).__name__}."
                )
            # Sums of a loss need more digits than products: float32 whatever the network gives.
            return loss(outputs.float(), targets)

        self._mean_loss: Loss = mean_loss
        if execution.compile is True:
            mode = "reduce-overhead" if execution.cuda_graphs is True else None
            # One program for whole batches and one for the last: general shapes are slower.
            self._mean_loss = torch.compile(mean_loss, dynamic=False, mode=mode)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which the products of the network have the wanted type."""
        if self.execution.precision != "bfloat16":
            return nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)

    def step(self, batch: Batch) -> Tensor:
        """Do one step; return what this share adds to the mean loss before it, on the device."""
        loss = self._mean_loss(batch.inputs, batch.targets)
        if not loss.requires_grad:
            raise ValueError(
                "`model` and `loss` must compute a loss that depends on the parameters, got one "
                "without a gradient; look for torch.no_grad(), .detach(), and conversions to NumPy "
                "in the forward pass."
            )
        if batch.weight != 1.0:
            loss = loss * batch.weight
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
        self._optimizer.step()
        return loss.detach()


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


def resolve_defaults(wanted: Execution, precision: str) -> Execution:
    """Return an execution with everything that was left open switched off."""
    chosen = wanted.precision or precision
    return replace(
        wanted,
        compile=wanted.compile is True,
        cuda_graphs=wanted.cuda_graphs is True and wanted.compile is True,
        channels_last=wanted.channels_last is True,
        precision="bfloat16" if chosen == "bfloat16" else "float32",
    )


def candidates(
    wanted: Execution, precision: str, model: nn.Module, device: torch.device, seconds: float
) -> list[dict[str, Any]]:
    """Return the switches that are open and worth trying, in the order of trying."""
    if wanted.deterministic or seconds < _SECONDS_WORTH_MEASURING:
        return []
    found: list[dict[str, Any]] = []
    if wanted.channels_last == "auto" and any(isinstance(m, nn.Conv2d) for m in model.modules()):
        found.append({"channels_last": True})
    if (wanted.precision or precision) == "auto" and fast_bfloat16(device):
        found.append({"precision": "bfloat16"})
    if wanted.compile == "auto" and seconds >= _SECONDS_WORTH_COMPILING:
        found.append({"compile": True})
    if wanted.cuda_graphs == "auto" and wanted.compile is not False and device.type == "cuda":
        found.append({"compile": True, "cuda_graphs": True})
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

    def seconds_a_step(execution: Execution) -> float:
        try:
            stepper = _on_copies(model, loss, optimizer, execution, processes)
            tried = _laid_out(batch, channels_last=execution.channels_last is True)
            took = _seconds_a_step(lambda: stepper.step(tried), processes.device)
        except Exception:
            if processes.size > 1:  # the others would wait for this one
                raise
            return math.inf
        return processes.agreed(took)

    best, seconds = start, {"plain": seconds_a_step(start)}
    fastest = seconds["plain"]
    if math.isinf(fastest):
        return Tuned(start, {})
    for change in changes:
        tried = replace(best, **change)
        name = "+".join(change)
        seconds[name] = seconds_a_step(tried)
        if seconds[name] < _WORTHWHILE * fastest:
            best, fastest = tried, seconds[name]
    return Tuned(best, {name: took for name, took in seconds.items() if math.isfinite(took)})


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


def _laid_out(batch: Batch, *, channels_last: bool) -> Batch:
    if not channels_last or batch.inputs.ndim != 4:
        return batch
    return replace(batch, inputs=batch.inputs.contiguous(memory_format=torch.channels_last))


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
