"""Networks that were trained together, and what they say of inputs."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from corruptlab._modules import scores_of
from corruptlab.training import Recipe, ReplicasReport, fit_replicas

# Outputs held at once when replicas are measured.
_NUMBERS_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Replicas:
    """Some replicas, trained.

    Args:
        report: What the engine gave.
        num_classes: Outputs of each.
    """

    report: ReplicasReport
    num_classes: int

    def __len__(self) -> int:
        return len(self.report)

    @property
    def train_accuracy(self) -> Tensor:
        """Share of its training examples that each gets right, ``float64``, shape ``(r,)``."""
        return torch.from_numpy(self.report.train_accuracy)

    def predictions(self, inputs: Tensor) -> Tensor:
        """Return the class that each replica gives each input.

        Args:
            inputs: Stored inputs, shape ``(n, ...)``.

        Returns:
            ``int64`` of shape ``(r, n)``, on the CPU.
        """
        found = [logits.argmax(dim=2).cpu() for logits, _ in self._outputs(inputs)]
        return torch.cat(found, dim=1)

    def cross_entropies(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of each replica at each example.

        Args:
            inputs: Stored inputs, shape ``(n, ...)``.
            labels: Their labels, ``int64``, shape ``(n,)``.

        Returns:
            ``float64`` of shape ``(r, n)``, on the CPU.
        """
        found = []
        for logits, some in self._outputs(inputs):
            wanted = labels[some].expand(len(self), -1)
            # The classes come second where `cross_entropy` looks for them.
            found.append(cross_entropy(logits.cpu().double().mT, wanted, reduction="none"))
        return torch.cat(found, dim=1)

    def _outputs(self, inputs: Tensor) -> Iterator[tuple[Tensor, slice]]:
        """Yield outputs ``(r, b, num_classes)`` for the next inputs, and which they are."""
        size = max(1, _NUMBERS_AT_ONCE // (len(self) * self.num_classes))
        for start in range(0, len(inputs), size):
            some = slice(start, start + size)
            yield self.report.logits(inputs[some]), some


def train_replicas(
    model: nn.Module | Sequence[nn.Module],
    inputs: Tensor,
    labels: Tensor,
    *,
    num_classes: int,
    recipe: Recipe,
    seed: int,
    subsets: Tensor | None,
    device: torch.device,
    progress: bool,
) -> Replicas:
    """Train replicas; each becomes what `fit` makes of a copy of its network and its examples.

    Args:
        model: One network, or one a replica; they are copied.
        inputs: Stored inputs, shape ``(n, ...)``.
        labels: Labels for each replica, ``int64``, shape ``(r, n)``.
        num_classes: Outputs of the network.
        recipe: The hyper-parameters.
        seed: Decides the data order.
        subsets: Positions that each replica is trained on, shape ``(r, m)``; None for all.
        device: Where to train.
        progress: Whether to show progress.

    Returns:
        The replicas.

    Raises:
        KeyboardInterrupt: If Ctrl-C ended the training: networks that are half trained measure
            nothing.
    """
    report = fit_replicas(
        model,
        inputs,
        labels,
        recipe=recipe,
        seed=seed,
        subsets=subsets,
        device=device,
        progress=progress,
    )
    if "interrupted" in report.stopped_by:
        raise KeyboardInterrupt
    return Replicas(report, num_classes)


def outputs_of(model: nn.Module, inputs: Tensor, *, recipe: Recipe, device: torch.device) -> int:
    """Try a network on some inputs, and return how many outputs it has.

    Args:
        model: The network; a copy is tried, in evaluation mode.
        inputs: Stored inputs, shape ``(n, ...)``.
        recipe: Says how they are prepared.
        device: Where it will be trained.

    Returns:
        The number of class scores.

    Raises:
        ValueError: If it does not accept the inputs, or gives something else.
    """
    recipe.check_inputs(inputs)
    prepared = recipe.prepare(inputs.to(device))
    return scores_of(copy.deepcopy(model).to(device), prepared.clone()).shape[1]
