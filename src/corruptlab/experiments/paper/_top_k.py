"""The share of examples whose label is among the k largest outputs."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from corruptlab._modules import evaluating
from corruptlab._types import MapDataset
from corruptlab.training import Execution, Recipe
from corruptlab.training._data import DataSource, load_data
from corruptlab.training._distributed import Processes


@dataclass(frozen=True)
class TopK:
    """Measures a network on one set of examples.

    Args:
        source: The examples, on their way to the device.
        size: Examples at a time.
        k: How many outputs a label may be among, besides the largest one.
    """

    source: DataSource
    size: int
    k: int = 5

    @classmethod
    def of(
        cls,
        dataset: MapDataset[Any],
        role: str,
        *,
        recipe: Recipe,
        execution: Execution,
        device: str,
        seed: int,
    ) -> "TopK":
        """Prepare examples as `fit` does when it measures.

        Args:
            dataset: The examples.
            role: What errors call them.
            recipe: What is done to inputs.
            execution: How they are read.
            device: Where the network will be.
            seed: Seed of what the data set itself draws.

        Returns:
            What measures on them.
        """
        source = load_data(
            dataset,
            role,
            recipe=recipe,
            execution=execution,
            processes=Processes.here(torch.device(device)),
            seed=seed,
            progress=False,
        )
        return cls(source, min(recipe.batch_size, 256))

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> tuple[float, float]:
        """Measure.

        Args:
            network: The network, on the device; it is put in evaluation mode, and back.

        Returns:
            Share of the examples whose label is the largest output, and among the k largest.
        """
        first = among = 0
        with evaluating(network):
            for inputs, targets in self.source.in_order(self.size):
                outputs = network(inputs)
                best = outputs.topk(min(self.k, outputs.shape[1]), dim=1).indices
                hits = best == targets[:, None]
                first, among = first + int(hits[:, 0].sum()), among + int(hits.sum())
        n = len(self.source)
        return first / n, among / n
