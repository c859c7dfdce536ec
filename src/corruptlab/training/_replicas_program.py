"""What a program that trains replicas side by side can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

State = dict[str, Tensor]
"""The tensors of one replica, as ``torch.nn.Module.load_state_dict`` takes them."""


@dataclass(frozen=True)
class Rule:
    """One update of stochastic gradient descent.

    Args:
        rate: Learning rate.
        momentum: Share of the last update that is kept.
        weight_decay: Multiple of a weight that is added to its gradient.
    """

    rate: float
    momentum: float
    weight_decay: float


class Program(Protocol):
    """R networks of one architecture, trained and evaluated together."""

    def step(self, inputs: Tensor, targets: Tensor, rule: Rule, *, shared: bool) -> Tensor:
        """Update every replica once.

        Args:
            inputs: Shape ``(b, ...)`` if they are shared, and ``(R, b, ...)`` otherwise.
            targets: Labels, shape ``(R, b)``.
            rule: How to update.
            shared: Whether all replicas see the same inputs.

        Returns:
            Mean loss of each replica before the update, shape ``(R,)``.
        """

    def logits(self, inputs: Tensor, *, shared: bool) -> Tensor:
        """Return the outputs in evaluation mode.

        Args:
            inputs: As in `step`.
            shared: Likewise.

        Returns:
            Shape ``(R, b, num_classes)``.
        """

    def state(self, replica: int) -> State:
        """Return the tensors of one replica, in memory of their own.

        Args:
            replica: Its position among those that are still here.
        """

    def keep(self, replicas: Sequence[int]) -> None:
        """Go on with some replicas only.

        Args:
            replicas: Their positions, in increasing order.
        """
