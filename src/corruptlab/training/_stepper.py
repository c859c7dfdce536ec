"""One step of training, in the way an execution says."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from corruptlab.training._execution import Execution
from corruptlab.training._processes import Processes
from corruptlab.training._source import Batch

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Outputs, shape ``(b, num_classes)``, and labels, shape ``(b,)``, in; their mean loss out."""


class Stepper:
    """Forward pass, backward pass, and update.

    Args:
        model: The network.
        loss: Its mean loss over a batch.
        optimizer: What changes it.
        execution: How; nothing is left at ``"auto"``.
        processes: Who takes part.
    """

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
        _lay_out(model, optimizer, channels_last=execution.channels_last is True)
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
        """Do one step.

        Args:
            batch: This process's share of a batch.

        Returns:
            What the share adds to the mean loss before the update, shape ``()``, on the device.
        """
        loss = self._mean_loss(batch.inputs, batch.targets)
        if batch.weight != 1.0:
            loss = loss * batch.weight
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
        self._optimizer.step()
        return loss.detach()


def _lay_out(model: nn.Module, optimizer: torch.optim.Optimizer, *, channels_last: bool) -> None:
    """Give kernels and what the optimizer remembers of them one memory layout."""
    if not channels_last:
        return
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stubs
    for state in optimizer.state.values():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.ndim == 4:
                state[name] = value.contiguous(memory_format=torch.channels_last)
