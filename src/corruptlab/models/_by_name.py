"""Architectures by the names that reports and the command line use."""

import re
from collections.abc import Callable, Sequence

from torch import nn

from corruptlab.models._inception_v3 import inception_v3
from corruptlab.models._mlp import mlp
from corruptlab.models._small_alexnet import small_alexnet
from corruptlab.models._small_inception import small_inception

KNOWN = (
    "mlp-1x512",
    "mlp-3x512",
    "small-inception",
    "small-inception-no-bn",
    "small-alexnet",
    "inception-v3",
)
"""The names of the paper's architectures."""


def by_name(
    name: str,
    *,
    input_shape: Sequence[int] = (3, 28, 28),
    num_classes: int = 10,
    seed: int = 0,
) -> nn.Module:
    """Build the architecture called ``name``.

    Args:
        name: ``"mlp-1x512"``, ``"mlp-3x512"`` (generally ``"mlp-DEPTHxWIDTH"``),
            ``"small-inception"``, ``"small-inception-no-bn"``, ``"small-alexnet"``, or
            ``"inception-v3"``, the paper's.
        input_shape: Shape of one input *after* cropping, such as ``(channels, height, width)``.
            Inception V3 has its own, 3x299x299, and takes no other.
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
    if name == "inception-v3":
        if tuple(input_shape) != (3, 299, 299):
            raise ValueError(
                f"`input_shape` must be (3, 299, 299) for {name}, got {tuple(input_shape)}."
            )
        return inception_v3(num_classes=num_classes, seed=seed)
    if name in _CONVOLUTIONAL:
        return _CONVOLUTIONAL[name](input_shape, num_classes, seed)
    match = re.fullmatch(r"mlp-([1-9]\d*)x([1-9]\d*)", name, re.ASCII)
    if match is None:
        known = ", ".join(KNOWN)
        raise ValueError(f"`name` must be one of {known} (or mlp-DEPTHxWIDTH), got {name!r}.")
    depth, width = int(match[1]), int(match[2])
    return mlp(*[width] * depth, input_shape=input_shape, num_classes=num_classes, seed=seed)


def _inception(shape: Sequence[int], num_classes: int, seed: int) -> nn.Module:
    return small_inception(input_shape=shape, num_classes=num_classes, seed=seed)


def _inception_without(shape: Sequence[int], num_classes: int, seed: int) -> nn.Module:
    return small_inception(batch_norm=False, input_shape=shape, num_classes=num_classes, seed=seed)


def _alexnet(shape: Sequence[int], num_classes: int, seed: int) -> nn.Module:
    return small_alexnet(input_shape=shape, num_classes=num_classes, seed=seed)


_CONVOLUTIONAL: dict[str, Callable[[Sequence[int], int, int], nn.Module]] = {
    "small-inception": _inception,
    "small-inception-no-bn": _inception_without,
    "small-alexnet": _alexnet,
}
