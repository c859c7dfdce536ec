"""The loss of every step, kept on the device so that no step has to wait for it."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from corruptlab.training._processes import Processes


class NonFiniteLossError(FloatingPointError):
    """The loss became infinite or not a number, so that nothing can be learned any more.

    Args:
        step: The step at which it happened, counted from 1.
        loss: The loss of that step.
        cause: The likely cause and what to do about it, a sentence.
        checkpoint: The last good checkpoint, if the fit kept any.

    Example:
        >>> from corruptlab.training import NonFiniteLossError
        >>> print(NonFiniteLossError(3, float("inf"), "the learning rate is probably too high."))
        The loss is inf at step 3: the learning rate is probably too high.
    """

    def __init__(self, step: int, loss: float, cause: str, checkpoint: Path | None = None) -> None:
        super().__init__(step, loss, cause, checkpoint)  # as they are, so that it can be pickled
        self.step, self.loss, self.cause, self.checkpoint = step, loss, cause, checkpoint

    def __str__(self) -> str:
        kept = f" The last good checkpoint is {self.checkpoint}." if self.checkpoint else ""
        return f"The loss is {self.loss} at step {self.step}: {self.cause}{kept}"


class LossLog:
    """Losses by step.

    Its whole state is ``steps`` and append-only buffers, so that Ctrl-C between any two
    operations leaves it consistent. Each process keeps what its own share adds to the mean loss
    of a batch; what is read out is the sum over all of them.

    Args:
        steps_per_epoch: Steps of an epoch: the size of a buffer.
        learning_rate: The first rate of the fit, which the error quotes.
        processes: Who takes part in the fit.
    """

    def __init__(self, steps_per_epoch: int, learning_rate: float, processes: Processes) -> None:
        self.steps = 0
        self._steps_per_epoch, self._learning_rate = steps_per_epoch, learning_rate
        self._processes = processes
        self._epochs: list[Tensor] = []
        self._checked = 0

    def resume(self, losses: Sequence[float]) -> None:
        """Take over the losses of the steps that an earlier run has done.

        Args:
            losses: One a step, as they were read out.
        """
        device = self._processes.device
        epochs = -(-len(losses) // self._steps_per_epoch)
        # In float64, because the user's own loss may be.
        kept = torch.zeros(epochs * self._steps_per_epoch, dtype=torch.float64, device=device)
        if self._processes.first:
            kept[: len(losses)] = torch.tensor(losses, dtype=torch.float64, device=device)
        self._epochs = list(kept.view(-1, self._steps_per_epoch))
        self.steps = self._checked = len(losses)

    def add(self, loss: Tensor) -> None:
        """Keep the loss of one step, without waiting for the device.

        Args:
            loss: Mean loss of this process's share, times its weight (see `Batch`), shape ``()``.
        """
        if self._processes.size > 1:  # the weights of all processes have the mean 1
            loss = loss / self._processes.size
        epoch, step = divmod(self.steps, self._steps_per_epoch)
        if epoch == len(self._epochs):
            self._epochs.append(loss.new_empty(self._steps_per_epoch, requires_grad=False))
        self._epochs[epoch][step] = loss.detach()
        self.steps += 1

    @property
    def unchecked(self) -> int:
        """Steps since the last check."""
        return self.steps - self._checked

    def check(self) -> float:
        """Wait for the device and look at the losses since the last check.

        Returns:
            Their mean; nan if there is none.

        Raises:
            NonFiniteLossError: If one of them is infinite or not a number.
        """
        recent = self.since(self._checked)
        for step, loss in enumerate(recent, start=self._checked + 1):
            if not math.isfinite(loss):
                raise self.error(step, loss)
        self._checked += len(recent)
        return math.fsum(recent) / len(recent) if recent else math.nan

    def since(self, start: int) -> list[float]:
        """Return the losses after the first ``start`` steps.

        Args:
            start: Steps to leave out.

        Returns:
            The losses, one a step.
        """
        epoch, step = divmod(start, self._steps_per_epoch)
        if start >= self.steps:
            return []
        kept = torch.cat(self._epochs[epoch:])[step : step + self.steps - start]
        if self._processes.size > 1:  # in float64 the order of the sum leaves no trace
            kept = self._processes.total(kept.double()).float()
        losses: list[float] = kept.tolist()
        return losses

    def error(self, step: int, loss: float) -> NonFiniteLossError:
        """Return the error for a loss that is not finite, with its likely cause.

        Args:
            step: The step, counted from 1.
            loss: Its loss.

        Returns:
            The error, to be raised.
        """
        before = self.since(0)[: step - 1]
        if not before:
            cause = "the outputs are not finite before training; check the initial weights."
        else:
            cause = (
                f"the learning rate {self._learning_rate:g} is probably too high "
                f"(the loss was {before[0]:.4g} at step 1 and {before[-1]:.4g} at step "
                f"{len(before)}); try a tenth."
            )
        return NonFiniteLossError(step, loss, cause)
