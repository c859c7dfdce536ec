"""Architectures by the names that reports and the command line use."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import nn

from corruptlab._memory import check_fits
from corruptlab.models._inception_v3 import inception_v3
from corruptlab.models._mlp import mlp
from corruptlab.models._small_alexnet import small_alexnet
from corruptlab.models._small_inception import small_inception
from corruptlab.models._text_transformer import text_transformer

KNOWN = (
    "mlp-1x512",
    "mlp-3x512",
    "small-inception",
    "small-inception-no-bn",
    "small-alexnet",
    "inception-v3",
    "text-transformer",
)
"""The names of the paper's architectures, and of one for tokens."""

_BYTES_A_LAYER = 4096  # of Python's objects, about, whatever the weights


def by_name(
    name: str,
    *,
    input_shape: Sequence[int] | None = None,
    num_classes: int = 10,
    num_tokens: int | None = None,
    seed: int = 0,
) -> nn.Module:
    """Build an architecture by its name.

    Args:
        name: Name of an architecture of the paper, ``"mlp-1x512"``, ``"mlp-3x512"`` (in general
            ``"mlp-DEPTHxWIDTH"``), ``"small-inception"``, ``"small-inception-no-bn"``,
            ``"small-alexnet"``, or ``"inception-v3"``; or ``"text-transformer"``.
        input_shape: Shape of one input *after* cropping, such as ``(channels, height, width)``;
            None for the shape in the paper: 3x299x299 for Inception V3, and 3x28x28 for the others.
        num_classes: Number of outputs, >= 1.
        num_tokens: Size of the vocabulary, for ``"text-transformer"`` only; ``input_shape`` is then
            ``(length,)``.
        seed: Seed of the initial weights; any integer >= 0.

    Returns:
        The network. It maps ``float32`` inputs of shape ``(n, *input_shape)``, or ``int64`` tokens,
        to logits of shape ``(n, num_classes)``.

    Raises:
        MissingExtraError: If ``name`` is ``"inception-v3"`` and torchvision is not installed.
        TypeError: If a size is not an integer.
        ValueError: If the name is unknown (the message lists the known ones), a size is invalid for
            the architecture, or an MLP exceeds the memory.

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
    options: dict[str, Any] = {"num_classes": num_classes, "seed": seed}
    if num_tokens is not None:
        if name != "text-transformer" or input_shape is None:
            raise ValueError(f"`name` must be text-transformer for tokens, got {name!r}.")
        (length,) = input_shape
        return text_transformer(num_tokens, length=length, **options)
    if name == "text-transformer":
        raise ValueError(f"`name` must be an architecture for numbers, got {name!r}.")
    if input_shape is not None:
        options["input_shape"] = input_shape
    if name in _CONVOLUTIONAL:
        return _CONVOLUTIONAL[name](**options)
    match = re.fullmatch(r"mlp-([1-9]\d{0,14})x([1-9]\d{0,14})", name, re.ASCII)
    if match is None:
        known = ", ".join(KNOWN)
        raise ValueError(f"`name` must be one of {known} (or mlp-DEPTHxWIDTH), got {name!r}.")
    depth, width = int(match[1]), int(match[2])
    _check_memory(name, depth, width)
    return mlp(*[width] * depth, **options)


def _check_memory(name: str, depth: int, width: int) -> None:
    """Reject what the system would refuse, or end this process for, when its weights are drawn."""
    needed = 4 * (depth - 1) * width**2 + 4 * width + _BYTES_A_LAYER * depth
    check_fits("name", name, needed, "a network that fits")


_CONVOLUTIONAL: dict[str, Callable[..., nn.Module]] = {
    "small-inception": small_inception,
    "small-inception-no-bn": partial(small_inception, batch_norm=False),
    "small-alexnet": small_alexnet,
    "inception-v3": inception_v3,
}
