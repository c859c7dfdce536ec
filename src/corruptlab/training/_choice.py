"""Which way of doing a step is fastest here: a short measurement, on copies."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from corruptlab.training._execution import Execution
from corruptlab.training._processes import Processes
from corruptlab.training._source import Batch
from corruptlab.training._stepper import Loss, Stepper

# A fit that is over sooner is not worth measuring.
SECONDS_WORTH_MEASURING = 30.0
# Compiling a network takes from ten seconds to a minute.
_SECONDS_WORTH_COMPILING = 240.0
# What a switch has to save to be turned on: less is within the noise of a measurement.
_WORTHWHILE = 0.95
_WARM_UP, _LEAST_STEPS, _SECONDS_A_CANDIDATE = 3, 5, 0.5


@dataclass(frozen=True)
class Choice:
    """What was decided, and why.

    Args:
        execution: What to do; nothing is left at ``"auto"``.
        seconds_per_step: What was measured, by candidate; empty if nothing was.
    """

    execution: Execution
    seconds_per_step: dict[str, float]


def plain(wanted: Execution, precision: str) -> Execution:
    """Return an execution with everything that was left open switched off.

    Args:
        wanted: What the user asked for.
        precision: The recipe's.
    """
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
    """Return the switches that are open and worth trying, in the order of trying.

    Args:
        wanted: What the user asked for.
        precision: The recipe's.
        model: The network.
        device: Where it is trained.
        seconds: How long the rest of the fit will probably take, plainly.

    Returns:
        Changes to `Execution`, one a candidate.
    """
    if wanted.deterministic or seconds < SECONDS_WORTH_MEASURING:
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
    """Tell whether a device has instructions for bfloat16; without, it is a hundred times slower.

    Args:
        device: The device.

    Returns:
        Whether it has.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return device.type == "cpu" and supported is not None and bool(supported())


def choose(
    start: Execution,
    changes: list[dict[str, Any]],
    *,
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    processes: Processes,
) -> Choice:
    """Turn on what makes a step faster, one switch after the other.

    What cannot be tried is left off: some networks cannot be copied, or compiled, or not here.

    Args:
        start: What is done now.
        changes: Switches to try; see `candidates`.
        model: The network; it is not changed, and neither is the optimizer.
        loss: Its loss.
        optimizer: Its optimizer.
        batch: A batch to try on.
        processes: Who takes part; the first process's clock decides for all.

    Returns:
        The choice.
    """

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
        return Choice(start, {})
    for change in changes:
        tried = replace(best, **change)
        name = "+".join(change)
        seconds[name] = seconds_a_step(tried)
        if seconds[name] < _WORTHWHILE * fastest:
            best, fastest = tried, seconds[name]
    return Choice(best, {name: took for name, took in seconds.items() if math.isfinite(took)})


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
