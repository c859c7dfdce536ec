"""A data set as two tensors on the device, preprocessed and checked."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from corruptlab._types import MapDataset
from corruptlab.corruptions import materialize
from corruptlab.training._preprocess import as_floats, center_crop, whiten
from corruptlab.training._recipe import Recipe


@dataclass(frozen=True)
class Examples:
    """All inputs and labels of one data set, ready to be trained on.

    Args:
        inputs: Preprocessed inputs, shape ``(n, ...)``, n >= 1.
        targets: ``int64`` labels, shape ``(n,)``.
        role: What the user calls this data set, ``"train"`` or ``"test"``; errors quote it.
    """

    inputs: Tensor
    targets: Tensor
    role: str

    def __len__(self) -> int:
        return len(self.targets)


def load_examples(
    dataset: MapDataset[Any], role: str, *, recipe: Recipe, device: torch.device, progress: bool
) -> Examples:
    """Read a data set once, move it to the device in its stored type, and preprocess it there.

    Args:
        dataset: Any map-style data set of inputs and integer labels.
        role: What the user calls it, for the errors.
        recipe: Says how to crop and whiten.
        device: Where the examples shall live.
        progress: Whether to show progress.

    Returns:
        The examples.

    Raises:
        ValueError: If the data set is empty, the crop does not fit, or an input is not finite.
    """
    if len(dataset) == 0:
        raise ValueError(f"`{role}` must hold at least one example, got an empty data set.")
    inputs, targets = materialize(dataset, progress=progress)
    inputs = inputs.to(device)
    if recipe.crop is not None:
        _require_room(inputs, recipe.crop, role)
        inputs = center_crop(inputs, recipe.crop)
    inputs = whiten(inputs) if recipe.whiten else as_floats(inputs)
    _require_finite(inputs, role)
    return Examples(inputs, targets.to(device), role)


def _require_room(inputs: Tensor, crop: int, role: str) -> None:
    if inputs.ndim < 3 or min(inputs.shape[-2:]) < crop:
        shape = tuple(inputs.shape[1:])
        raise ValueError(f"`recipe.crop` must fit the images of `{role}`, {shape}, got {crop}.")


def _require_finite(inputs: Tensor, role: str) -> None:
    # The sum of all is finite if and (but for overflow) only if all are: one fast pass.
    if not inputs.is_floating_point() or bool(inputs.sum().isfinite()):
        return
    finite = inputs.flatten(1).isfinite().all(dim=1)
    if not bool(finite.all()):
        first = int(finite.logical_not().nonzero()[0])
        raise ValueError(f"`{role}` must hold finite inputs, got nan or inf in example {first}.")
