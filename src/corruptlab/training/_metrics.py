"""Losses by step, and accuracy over all examples."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn

from corruptlab._modules import evaluating
from corruptlab._structured import outputs_of
from corruptlab.training._data import DataSource, DeviceData
from corruptlab.training._distributed import Processes

# Examples that are looked at before all, where there are several times as many.
_GLANCE, _TIMES_A_GLANCE = 32, 4
_BEYOND_ROUNDING = 1e-2  # of the largest output: as far as rounding to bfloat16 reaches, and more

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Outputs, shape ``(b, num_classes)``, and labels, shape ``(b,)``, in; their mean loss out."""


def check_gradient(computed: Tensor) -> None:
    """Refuse a loss, or scores, from which no gradient comes back to the parameters."""
    if not computed.requires_grad:
        raise ValueError(
            "`model` and `loss` must compute a loss that depends on the parameters, got one "
            "without a gradient; look for torch.no_grad(), .detach(), and conversions to NumPy "
            "in the forward pass."
        )


class NonFiniteLossError(FloatingPointError):
    """Raised if the loss becomes infinite or NaN.

    Args:
        step: Step of the loss, from 1.
        loss: Loss of this step.
        cause: Likely cause and remedy, a sentence.
        checkpoint: Path of the last valid checkpoint, if there is one.

    Example:
        >>> from corruptlab.training import NonFiniteLossError
        >>> print(NonFiniteLossError(3, float("inf"), "the learning rate is probably too high."))
        The loss is inf at step 3: the learning rate is probably too high.
    """

    def __init__(self, step: int, loss: float, cause: str, checkpoint: Path | None = None) -> None:
        super().__init__(step, loss, cause, checkpoint)  # as they are, so that it can be pickled
        self.step: int = step
        self.loss: float = loss
        self.cause: str = cause
        self.checkpoint: Path | None = checkpoint

    def __str__(self) -> str:
        kept = f" The last good checkpoint is {self.checkpoint}." if self.checkpoint else ""
        return f"The loss is {self.loss} at step {self.step}: {self.cause}{kept}"


class LossLog:
    """Losses by step, on the device, so that no step has to wait for them.

    The losses of the epoch under way are in a buffer that never moves, so that a captured step can
    write into it. Ctrl-C between any two operations leaves a consistent state. Each process keeps
    what its share adds to the mean loss of a batch.
    """

    def __init__(self, steps_per_epoch: int, learning_rate: float, processes: Processes) -> None:
        self.steps = 0
        self._steps_per_epoch, self._learning_rate = steps_per_epoch, learning_rate
        self._processes = processes
        self._epochs: list[Tensor] = []  # of whole epochs
        self._current: Tensor | None = None  # (steps_per_epoch,)
        self._checked = 0
        self._mean = math.nan  # of the losses that were checked last

    def resume(self, losses: Sequence[float]) -> None:
        """Take over the losses of the steps that an earlier run has done."""
        device, length = self._processes.device, self._steps_per_epoch
        epochs = len(losses) // length
        # In float64, because the user's own loss may be.
        kept = torch.zeros((epochs + 1) * length, dtype=torch.float64, device=device)
        if self._processes.first:
            kept[: len(losses)] = torch.tensor(losses, dtype=torch.float64, device=device)
        *self._epochs, self._current = kept.view(-1, length)
        self.steps = self._checked = len(losses)

    def add(self, loss: Tensor) -> None:
        """Keep the loss of one step, without a gradient, and without waiting for the device."""
        if self._processes.size > 1:  # the weights of all processes have the mean 1
            loss = loss / self._processes.size
        self._buffer(loss)[self.steps % self._steps_per_epoch] = loss
        self.count()

    def write(self, at: Tensor, loss: Tensor) -> None:
        """Write a loss where a number on the device, ``int64`` ``(1,)``, says; not counted yet."""
        buffer = self._buffer(loss)
        buffer.index_copy_(0, at, loss.detach().reshape(1).to(buffer.dtype))

    def count(self) -> None:
        """Count a step whose loss is written."""
        if (self.steps + 1) % self._steps_per_epoch == 0 and self._current is not None:
            self._epochs.append(self._current.clone())
        self.steps += 1

    def _buffer(self, loss: Tensor) -> Tensor:
        if self._current is None:
            self._current = loss.new_empty(self._steps_per_epoch, requires_grad=False)
        return self._current

    @property
    def unchecked(self) -> int:
        """Steps since the last check."""
        return self.steps - self._checked

    def check(self) -> float:
        """Raise if a loss since the last check is not finite; return the latest mean."""
        recent = self.since(self._checked)
        for step, loss in enumerate(recent, start=self._checked + 1):
            if not math.isfinite(loss):
                raise self.error(step, loss)
        self._checked += len(recent)
        if recent:
            self._mean = math.fsum(recent) / len(recent)
        return self._mean

    def since(self, start: int) -> list[float]:
        """Return the losses after the first ``start`` steps."""
        epoch, step = divmod(start, self._steps_per_epoch)
        if start >= self.steps or self._current is None:
            return []
        kept = torch.cat([*self._epochs[epoch:], self._current])[step : step + self.steps - start]
        if self._processes.size > 1:  # in float64 the order of the sum leaves no trace
            kept = self._processes.total(kept.double()).float()
        losses: list[float] = kept.tolist()
        return losses

    def error(self, step: int, loss: float, *, done: int | None = None) -> NonFiniteLossError:
        """Return the error for a loss that is not finite, with its likely cause."""
        before = self.since(0)[: step - 1 if done is None else done]
        if not before:
            cause = "the outputs are not finite before training; check the initial weights."
        else:
            cause = (
                f"the learning rate {self._learning_rate:g} is probably too high "
                f"(the loss was {before[0]:.4g} at step 1 and {before[-1]:.4g} at step "
                f"{len(before)}); try a tenth."
            )
        return NonFiniteLossError(step, loss, cause)


@dataclass(frozen=True)
class FullPass:
    """Accuracy and mean loss over all examples in evaluation mode."""

    accuracy: float
    loss: float


class Evaluator:
    """Measures a network on all of some examples; each process on its share.

    Args:
        loss: Outputs and labels in, their mean loss out.
        size: Examples at once; fewer from then on if the memory of the device is full.
        least: Examples at once that it has room for.
        processes: Who takes part.
    """

    def __init__(self, loss: Loss, size: int, least: int, processes: Processes) -> None:
        self.size = size
        self._loss, self._least, self._processes = loss, least, processes

    def full_pass(self, model: nn.Module, source: DataSource) -> FullPass:
        """Measure accuracy and loss over all examples."""
        measured, _ = self._measured(model, source, 0.0)
        return self._summary(measured)

    def pass_that_reaches(
        self, accuracy: float, model: nn.Module, source: DataSource
    ) -> FullPass | None:
        """Return a full pass, or None as soon as the accuracy must stay below a share."""
        if accuracy == 1 and self._is_wrong_at_first_sight(model, source):
            return None
        measured, in_vain = self._measured(model, source, accuracy)
        if self._processes.any(in_vain):
            return None
        found = self._summary(measured)
        return found if found.accuracy >= accuracy else None

    def _is_wrong_at_first_sight(self, model: nn.Module, source: DataSource) -> bool:
        """Tell whether one of a few examples is wrong, whatever the rounding of larger batches."""
        # Until shortly before the end one is, and a large batch takes as long as a step.
        if not isinstance(source, DeviceData) or len(source) < _TIMES_A_GLANCE * _GLANCE:
            return False
        if self._processes.device.type != "cpu" or self._processes.size > 1:
            return False
        with evaluating(model):
            outputs = outputs_of(model, source.first(_GLANCE)).float()
        of_label = outputs.gather(1, source.targets[:_GLANCE, None])
        short = outputs.amax(dim=1, keepdim=True) - of_label  # (32, 1)
        return bool((short > _BEYOND_ROUNDING * outputs.abs().amax()).any())

    def _measured(
        self, model: nn.Module, source: DataSource, accuracy: float
    ) -> tuple[list["_Measured"], bool]:
        """Measure this process's share, or less of it and tell that a share is out of reach."""
        while True:
            try:
                with evaluating(model):
                    return self._tried(model, source, accuracy)
            except torch.OutOfMemoryError:
                if self.size <= self._least:
                    raise
            self.size = max(self._least, self.size // 2)

    def _tried(
        self, model: nn.Module, source: DataSource, accuracy: float
    ) -> tuple[list["_Measured"], bool]:
        n, measured = len(source), list[_Measured]()
        for inputs, targets in source.in_order(self.size):
            outputs = outputs_of(model, inputs).float()  # (size, num_classes)
            hits = (outputs.argmax(dim=1) == targets).sum()
            loss = self._loss(outputs, targets) * len(targets)
            measured.append(_Measured(len(targets), hits, loss))
            if accuracy > 0 and self._is_time_to_read(len(measured)):
                right = int(torch.stack([batch.hits for batch in measured]).sum())
                wrong = sum(batch.size for batch in measured) - right
                if (n - wrong) / n < accuracy:  # rounded as the accuracy itself will be
                    return measured, True
        return measured, False

    def _is_time_to_read(self, batches: int) -> bool:
        """Tell whether to count errors so far, for which the host has to wait for a GPU."""
        return self._processes.device.type == "cpu" or batches & (batches - 1) == 0

    def _summary(self, measured: list["_Measured"]) -> FullPass:
        sums = [float(sum(batch.size for batch in measured)), 0.0, 0.0]
        if measured:
            losses = torch.stack([batch.loss for batch in measured])
            exact = torch.promote_types(losses.dtype, torch.float32)  # integers to 2**24
            hits = torch.stack([batch.hits for batch in measured])
            values: list[float] = torch.cat([hits.to(exact), losses.to(exact)]).tolist()
            sums[1:] = sum(values[: len(measured)]), math.fsum(values[len(measured) :])
        if self._processes.size > 1:
            own = torch.tensor(sums, dtype=torch.float64, device=self._processes.device)
            sums = self._processes.total(own).tolist()
        n, right, loss = sums
        return FullPass(accuracy=right / n, loss=loss / n)


@dataclass(frozen=True)
class _Measured:
    """One batch; the tensors stay on the device so that nothing has to wait for it."""

    size: int
    hits: Tensor  # int64, shape ()
    loss: Tensor  # float32, shape (): the sum over the batch
