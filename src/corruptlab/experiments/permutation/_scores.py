"""The statistic of many labellings of the same inputs, by networks that are trained together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import fsum
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from corruptlab.experiments.permutation._statistic import Measure, checked
from corruptlab.training import Recipe, fit_replicas
from corruptlab.training.stopping import StoppingRule

Part: TypeAlias = tuple[Tensor, Tensor]
"""Positions of the examples that are trained on, and of those that are held out."""


@dataclass(frozen=True)
class Scorer:
    """What is done with every labelling: train on one part, and measure on the other.

    Args:
        model: The network that every copy starts from.
        recipe: The hyper-parameters.
        measure: The statistic of the logits and labels of the examples held out.
        name: Its name.
        seed: Decides the data order.
        device: Where to train.
        stop: When a training stops before its epochs are over, see `fit_replicas`.
    """

    model: nn.Module
    recipe: Recipe
    measure: Measure
    name: str
    seed: int
    device: torch.device
    stop: Sequence[StoppingRule]

    def scores(
        self,
        inputs: Tensor,
        labels: NDArray[np.int64],
        parts: list[Part],
        tell: Callable[[int], None],
    ) -> NDArray[np.float64]:
        """Return the statistic of each labelling, averaged over the parts.

        Args:
            inputs: All examples, shape ``(n, ...)``.
            labels: Labellings, ``int64``, shape ``(R, n)``.
            parts: What is trained on and what is held out, one after the other.
            tell: Is told of how many labellings another part is done.

        Returns:
            Shape ``(R,)``.

        Raises:
            KeyboardInterrupt: On Ctrl-C.
        """
        by_part = []
        for part in parts:
            by_part.append(list(self._on(inputs, torch.from_numpy(labels), part)))
            tell(len(labels))
        return np.array([fsum(values) / len(parts) for values in zip(*by_part, strict=True)])

    def _on(self, inputs: Tensor, labels: Tensor, part: Part) -> Iterator[float]:
        train, held_out = part
        # Copies share their inputs this way, and the first layer is one wide product.
        report = fit_replicas(
            self.model,
            inputs[train],
            labels[:, train].contiguous(),
            recipe=self.recipe,
            seed=self.seed,
            device=self.device,
            stop=self.stop,
        )
        if "interrupted" in report.stopped_by:
            raise KeyboardInterrupt
        for logits, truth in zip(report.logits(inputs[held_out]), labels[:, held_out], strict=True):
            yield checked(self.measure(logits.cpu(), truth), self.name)
