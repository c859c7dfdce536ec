"""Architectures by the names that reports and the command line use."""

import re
from collections.abc import Sequence

from torch import nn

from corruptlab.models._mlp import mlp

KNOWN = ("mlp-1x512", "mlp-3x512")
"""The names of the paper's architectures that are here."""


def by_name(
    name: str,
    *,
    input_shape: Sequence[int] = (3, 28, 28),
    num_classes: int = 10,
    seed: int = 0,
) -> nn.Module:
    """Build the architecture called ``name``.

    Args:
        name: ``"mlp-1x512"`` or ``"mlp-3x512"``, the paper's; generally ``"mlp-DEPTHxWIDTH"``.
        input_shape: Shape of one input *after* cropping, such as ``(channels, height, width)``.
        num_classes: Number of outputs, >= 1.
        seed: Which initial weights; any integer >= 0.

    Returns:
        The network: ``(n, *input_shape)`` float32 in, ``(n, num_classes)`` logits out.

    Raises:
        ValueError: If there is no architecture of that name; the message lists the known ones.

    Example:
        >>> from corruptlab.models import by_name
        >>> by_name("mlp-1x512", input_shape=(1, 28, 28))
        Sequential(
          (0): Flatten(start_dim=1, end_dim=-1)
          (1): Linear(in_features=784, out_features=512, bias=True)
          (2): ReLU()
          (3): Linear(in_features=512, out_features=10, bias=True)
        )
    """
    match = re.fullmatch(r"mlp-([1-9]\d*)x([1-9]\d*)", name, re.ASCII)
    if match is None:
        known = ", ".join(KNOWN)
        raise ValueError(f"`name` must be one of {known} (or mlp-DEPTHxWIDTH), got {name!r}.")
    depth, width = int(match[1]), int(match[2])
    return mlp(*[width] * depth, input_shape=input_shape, num_classes=num_classes, seed=seed)
