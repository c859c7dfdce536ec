"""Accuracy and loss over all examples, measured on the network as it stands."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from corruptlab.training._batches import Batches
from corruptlab.training._modes import evaluating


@dataclass(frozen=True)
class FullPass:
    """What one pass over all examples in evaluation mode found.

    Args:
        accuracy: Share of the examples whose largest output is the label's, in ``[0, 1]``.
        loss: Mean cross-entropy.
    """

    accuracy: float
    loss: float


def full_pass(model: nn.Module, batches: Batches) -> FullPass:
    """Measure accuracy and loss over all examples.

    Args:
        model: The network; it is put in evaluation mode for the pass, and back.
        batches: The examples.

    Returns:
        Accuracy and loss.
    """
    with evaluating(model):
        return _summary(list(_measured(model, batches)))


def perfect_pass(model: nn.Module, batches: Batches) -> FullPass | None:
    """Tell exactly whether the network gets every example right, giving up at the first error.

    While errors are common this costs one batch, so it can be asked after every epoch.

    Args:
        model: The network; it is put in evaluation mode for the pass, and back.
        batches: The examples.

    Returns:
        Accuracy (1.0) and loss over all examples, or None if there is an error.
    """
    measured = []
    with evaluating(model):
        for batch in _measured(model, batches):
            if int(batch.hits) < batch.size:
                return None
            measured.append(batch)
    return _summary(measured)


@dataclass(frozen=True)
class _Measured:
    """One batch; the tensors stay on the device so that nothing has to wait for it."""

    size: int
    hits: Tensor  # int64, shape ()
    loss: Tensor  # float32, shape (): the sum over the batch


def _measured(model: nn.Module, batches: Batches) -> Iterator[_Measured]:
    for inputs, targets in batches.in_order():
        logits = model(inputs)  # (size, num_classes)
        hits = (logits.argmax(dim=1) == targets).sum()
        yield _Measured(len(targets), hits, cross_entropy(logits, targets, reduction="sum"))


def _summary(measured: list[_Measured]) -> FullPass:
    n = sum(batch.size for batch in measured)
    hits = int(torch.stack([batch.hits for batch in measured]).sum())
    losses: list[float] = torch.stack([batch.loss for batch in measured]).tolist()
    return FullPass(accuracy=hits / n, loss=math.fsum(losses) / n)
