"""Random label heads that are trained along with the network of a fit."""

from typing import Any

import numpy as np
from torch import Tensor, distributed, nn

from corruptlab._checks import instance
from corruptlab._types import MapDataset
from corruptlab.heads import RandomLabelHeads
from corruptlab.training._reading import ItemFormat


class FitHeads:
    """Heads of a fit, which knows examples by their positions in the training set."""

    def __init__(
        self,
        heads: RandomLabelHeads,
        model: nn.Module,
        train: MapDataset[Any],
        items: ItemFormat,
    ) -> None:
        instance("heads", heads, RandomLabelHeads)
        if heads.closed:
            raise ValueError("`heads` must be open, got heads whose hooks are removed.")
        if all(module is not heads.model for module in model.modules()):
            raise ValueError("`heads` must be on layers of `model`, got heads on another network.")
        self.heads = heads
        is_known = train is heads.dataset
        self._ids = heads.ids if is_known else items.opened(train, "train").provenance().ids
        strangers = np.setdiff1d(self._ids, heads.ids)
        if len(strangers):
            raise ValueError(
                "`heads` must know all examples of `train`, got heads without example "
                f"{strangers[0]}."
            )
        numbers, counts = np.unique(self._ids, return_counts=True)
        if len(numbers) < len(self._ids):
            raise ValueError(
                "`train` must hold every example once where there are `heads`, got example "
                f"{numbers[counts.argmax()]} {counts.max()} times."
            )

    def loss(self, positions: Tensor, several: bool) -> Tensor:
        """Let the heads see the last forward pass, of all processes; return the regularizer."""
        group = distributed.group.WORLD if several else None
        return self.heads.loss(self._ids[positions.numpy()], process_group=group)
