"""The loss of every step, kept on the device so that no step has to wait for it."""

import math

import torch
from torch import Tensor


class NonFiniteLossError(FloatingPointError):
    """The loss became infinite or not a number, so that nothing can be learned any more.

    Args:
        step: The step at which it happened, counted from 1.
        loss: The loss of that step.
        cause: The likely cause and what to do about it, a sentence.

    Example:
        >>> from corruptlab.training import NonFiniteLossError
        >>> print(NonFiniteLossError(3, float("inf"), "the learning rate is probably too high."))
        The loss is inf at step 3: the learning rate is probably too high.
    """

    def __init__(self, step: int, loss: float, cause: str) -> None:
        super().__init__(step, loss, cause)  # the arguments as they are, so that it can be pickled
        self.step, self.loss, self.cause = step, loss, cause

    def __str__(self) -> str:
        return f"The loss is {self.loss} at step {self.step}: {self.cause}"


class LossLog:
    """Losses by step.

    Its whole state is ``steps`` and append-only buffers, so that Ctrl-C between any two
    operations leaves it consistent.

    Args:
        steps_per_epoch: Steps of an epoch: the size of a buffer.
        learning_rate: The first rate of the fit, which the error quotes.
    """

    def __init__(self, steps_per_epoch: int, learning_rate: float) -> None:
        self.steps = 0
        self._steps_per_epoch, self._learning_rate = steps_per_epoch, learning_rate
        self._epochs: list[Tensor] = []
        self._checked = 0

    def add(self, loss: Tensor) -> None:
        """Keep the loss of one step, without waiting for the device.

        Args:
            loss: Mean loss of the batch, shape ``()``.
        """
        epoch, step = divmod(self.steps, self._steps_per_epoch)
        if epoch == len(self._epochs):
            self._epochs.append(loss.new_empty(self._steps_per_epoch, requires_grad=False))
        self._epochs[epoch][step] = loss.detach()
        self.steps += 1

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
        kept = torch.cat(self._epochs[epoch:])
        losses: list[float] = kept[step : step + self.steps - start].tolist()
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
