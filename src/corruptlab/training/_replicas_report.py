"""What training replicas came to."""

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from corruptlab._environment import Environment
from corruptlab.training._modes import evaluating
from corruptlab.training._preparation import Preparation
from corruptlab.training._recipe import Recipe
from corruptlab.training._replicas_program import State
from corruptlab.training._replicas_strategy import Strategy

_AT_ONCE = 1024


@dataclass(frozen=True, kw_only=True, eq=False)
class ReplicasReport:
    """How replicas were trained, where each stopped, and the networks that they became.

    Attributes:
        stopped_by: Why each ended: ``"interpolated"``, ``"epochs"``, or ``"interrupted"``.
        epochs: Finished epochs of each, ``int64``, shape ``(R,)``.
        losses: Mean loss of each batch before its update, one sequence a replica.
        train_accuracy: Share of its training examples that each gets right at the end,
            ``float64``, shape ``(R,)``; nan for one that Ctrl-C kept from starting.
        train_loss: Mean cross-entropy over its training examples, ``float64``, shape ``(R,)``.
        strategy: How they were trained, see `fit_replicas`.
        group: How many at a time.
        seconds_per_step: What was measured to decide that, for one replica; empty if nothing was.
        seconds: Time spent, measuring included.
        recipe: The hyper-parameters.
        seed: The seed of the data order.
        environment: Versions, machine, and device.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> labels = torch.tensor([[0, 1], [1, 0], [1, 1]])
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50, whiten=False)
        >>> report = cl.fit_replicas(cl.mlp(input_shape=(2,), num_classes=2), torch.eye(2), labels,
        ...                          recipe=recipe)
        >>> report  # doctest: +NORMALIZE_WHITESPACE
        ReplicasReport(3 replicas, 3 interpolated; train accuracy 100.0% on average;
                       wide, 3 at a time)
        >>> report.logits(torch.eye(2)).argmax(dim=2).tolist()
        [[0, 1], [1, 0], [1, 1]]
    """

    stopped_by: tuple[str, ...]
    epochs: NDArray[np.int64]
    losses: tuple[tuple[float, ...], ...] = field(repr=False)
    train_accuracy: NDArray[np.float64]
    train_loss: NDArray[np.float64]
    strategy: Strategy
    group: int
    seconds_per_step: dict[str, float]
    seconds: float
    recipe: Recipe
    seed: int
    environment: Environment
    _network: nn.Module = field(repr=False)
    _states: tuple[State, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.stopped_by)

    @property
    def interpolated(self) -> NDArray[np.bool_]:
        """Which replicas are right on every training example, shape ``(R,)``."""
        return np.array([reason == "interpolated" for reason in self.stopped_by])

    @property
    def steps(self) -> NDArray[np.int64]:
        """Updates of each replica, shape ``(R,)``."""
        return np.array([len(losses) for losses in self.losses])

    def model(self, replica: int) -> nn.Module:
        """Return one trained network, a copy in the mode that the first one came in.

        Args:
            replica: Its number, ``0 .. R - 1``.

        Returns:
            The network.

        Raises:
            IndexError: If there is no such replica.
        """
        if not 0 <= replica < len(self):
            raise IndexError(f"`replica` must lie in 0 .. {len(self) - 1}, got {replica}.")
        network = copy.deepcopy(self._network)
        network.load_state_dict(self._states[replica])
        return network

    def logits(self, inputs: Tensor) -> Tensor:
        """Return what every trained network says of some inputs, in evaluation mode.

        Args:
            inputs: As they were given to `fit_replicas`, shape ``(n, ...)``; they are
                cropped and whitened by the recipe.

        Returns:
            Shape ``(R, n, num_classes)``, on the device of the networks.
        """
        device = next(iter(self._states[0].values())).device
        prepared = Preparation.of(self.recipe).fixed(inputs.to(device))
        network, outputs = copy.deepcopy(self._network), []
        with evaluating(network):
            for state in self._states:
                network.load_state_dict(state)
                outputs.append(torch.cat([network(some) for some in prepared.split(_AT_ONCE)]))  # type: ignore[no-untyped-call]  # PyTorch's
        return torch.stack(outputs)

    def accuracy(self, inputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """Return the accuracy of every trained network on some examples.

        Args:
            inputs: As for `logits`.
            labels: ``(n,)`` for all networks alike, or ``(R, n)``.

        Returns:
            Share of the examples that each gets right, ``float64``, shape ``(R,)``.
        """
        hits = self.logits(inputs).argmax(dim=2).cpu() == labels.cpu()
        shares: NDArray[np.float64] = hits.double().mean(dim=1).numpy()
        return shares

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the networks as a dictionary that JSON can hold."""
        return {
            "stopped_by": list(self.stopped_by),
            "epochs": self.epochs.tolist(),
            "losses": [list(losses) for losses in self.losses],
            "train_accuracy": [None if np.isnan(a) else a for a in self.train_accuracy.tolist()],
            "train_loss": [None if np.isnan(a) else a for a in self.train_loss.tolist()],
            "strategy": self.strategy,
            "group": self.group,
            "seconds_per_step": self.seconds_per_step,
            "seconds": self.seconds,
            "recipe": self.recipe.to_dict(),
            "seed": self.seed,
            "environment": self.environment.to_dict(),
        }

    def __repr__(self) -> str:
        return (
            f"ReplicasReport({len(self)} replicas, {int(self.interpolated.sum())} interpolated; "
            f"train accuracy {np.nanmean(self.train_accuracy):.1%} on average; "
            f"{self.strategy}, {self.group} at a time)"
        )
