"""Accuracy and loss over all examples, measured on the network as it stands."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from corruptlab.training._modes import evaluating
from corruptlab.training._processes import Processes
from corruptlab.training._source import Source
from corruptlab.training._stepper import Loss


@dataclass(frozen=True)
class FullPass:
    """What one pass over all examples in evaluation mode found.

    Args:
        accuracy: Share of the examples whose largest output is the label's, in ``[0, 1]``.
        loss: Mean loss.
    """

    accuracy: float
    loss: float


@dataclass(frozen=True)
class Measuring:
    """How passes are done.

    Args:
        loss: The mean loss of a batch.
        size: Examples at a time.
        processes: Who takes part; each measures its share.
    """

    loss: Loss
    size: int
    processes: Processes

    def full_pass(self, model: nn.Module, source: Source) -> FullPass:
        """Measure accuracy and loss over all examples.

        Args:
            model: The network; it is put in evaluation mode for the pass, and back.
            source: The examples.

        Returns:
            Accuracy and loss.
        """
        with evaluating(model):
            return self._summary(list(self._measured(model, source)))

    def pass_that_reaches(
        self, accuracy: float, model: nn.Module, source: Source
    ) -> FullPass | None:
        """Tell exactly whether the network is right on a share of the examples.

        The pass gives up as soon as the answer must be no: while errors are common, it costs
        little, so it can be asked after every epoch.

        Args:
            accuracy: The share.
            model: The network; it is put in evaluation mode for the pass, and back.
            source: The examples.

        Returns:
            Accuracy and loss over all examples, or None if too few are right.
        """
        n, wrong = len(source), 0
        measured = []
        with evaluating(model):
            for batch in self._measured(model, source):
                wrong += batch.size - int(batch.hits)
                if (n - wrong) / n < accuracy:  # rounded as the accuracy itself will be
                    break
                measured.append(batch)
        if self.processes.any((n - wrong) / n < accuracy):
            return None
        found = self._summary(measured)
        return found if found.accuracy >= accuracy else None

    def _measured(self, model: nn.Module, source: Source) -> Iterator["_Measured"]:
        for inputs, targets in source.in_order(self.size):
            outputs = model(inputs).float()  # (size, num_classes)
            hits = (outputs.argmax(dim=1) == targets).sum()
            loss = self.loss(outputs, targets) * len(targets)
            yield _Measured(len(targets), hits, loss)

    def _summary(self, measured: list["_Measured"]) -> FullPass:
        device = self.processes.device
        sums = torch.zeros(3, dtype=torch.float64, device="cpu")
        sums[0] = sum(batch.size for batch in measured)
        if measured:
            sums[1] = torch.stack([batch.hits for batch in measured]).sum()
            losses: list[float] = torch.stack([batch.loss for batch in measured]).tolist()
            sums[2] = math.fsum(losses)
        n, hits, loss = self.processes.total(sums.to(device)).tolist()
        return FullPass(accuracy=hits / n, loss=loss / n)


@dataclass(frozen=True)
class _Measured:
    """One batch; the tensors stay on the device so that nothing has to wait for it."""

    size: int
    hits: Tensor  # int64, shape ()
    loss: Tensor  # float32, shape (): the sum over the batch
