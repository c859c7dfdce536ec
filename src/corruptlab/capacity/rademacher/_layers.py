"""A network as a list of linear maps and of what lies between them."""

from dataclasses import dataclass
from math import prod
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

BiasTreatment: TypeAlias = Literal["append", "refuse"]
"""``"append"``: each input, and each layer below one with a bias, carries a constant 1 along."""


@dataclass(frozen=True)
class Affine:
    """A ``Linear`` or ``Conv2d`` layer on inputs of a known shape.

    Args:
        layer: The layer.
        in_shape: Shape of one input.
        out_shape: Shape of one output.
    """

    layer: nn.Linear | nn.Conv2d
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]

    @property
    def in_size(self) -> int:
        """Numbers in one input."""
        return prod(self.in_shape)

    @property
    def out_size(self) -> int:
        """Numbers in one output."""
        return prod(self.out_shape)

    @property
    def weight(self) -> Tensor:
        """The weights in float64."""
        return self.layer.weight.detach().double()

    @property
    def bias(self) -> Tensor:
        """The bias as it is added to the flattened output, float64, zeros if there is none."""
        if self.layer.bias is None:
            return self.weight.new_zeros(self.out_size)
        each = self.layer.bias.detach().double()
        return each.repeat_interleave(self.out_size // len(each))

    def linear(self, vector: Tensor) -> Tensor:
        """Apply the layer without its bias to one flattened input."""
        return self.apply(self.weight, vector)

    def apply(self, weight: Tensor, vector: Tensor) -> Tensor:
        """Apply what the layer would be with other weights, and no bias, to one flattened input."""
        layer = self.layer
        if isinstance(layer, nn.Linear):
            return linear(vector, weight)
        image = vector.reshape(1, *self.in_shape)
        return conv2d(
            image, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups
        ).flatten()

    def row_sums(self, entries: Tensor) -> Tensor:
        """Return the sum of each row of the matrix of the layer if its weights were ``entries``.

        The matrix has a row for each output, each position of a convolution included, with
        the weights that fall on the border's padding left out. It is never formed.
        """
        return self.apply(entries, entries.new_ones(self.in_size))


@dataclass(frozen=True)
class Elementwise:
    """A ReLU: 1-Lipschitz, positive-homogeneous, 0 at 0."""


@dataclass(frozen=True)
class Pool:
    """A pooling layer on inputs of a known shape."""

    layer: nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d
    in_shape: tuple[int, ...]


Part: TypeAlias = Affine | Elementwise | Pool

_KNOWN = "Linear, Conv2d, ReLU, MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, Flatten, Dropout, Identity"
_NOTHING = (nn.Flatten, nn.Dropout, nn.Identity)  # in evaluation mode they change no number


def read_layers(network: nn.Module, input_shape: tuple[int, ...]) -> list[Part]:
    """Take a sequential network apart.

    Args:
        network: ``nn.Sequential``, nested or not, of known layers.
        input_shape: Shape of one input.

    Returns:
        Its parts in order, those that change no number left out.

    Raises:
        TypeError: If the network is not sequential or has another layer.
        ValueError: If a layer does not fit its inputs, or pads with something else than zeros.
    """
    if not isinstance(network, nn.Sequential):
        raise TypeError(f"`network` must be an nn.Sequential, got {type(network).__name__}.")
    parts: list[Part] = []
    shape = tuple(input_shape)
    for place, layer in enumerate(_flat(network)):
        out = _out_shape(layer, shape, place)
        part = _part(layer, shape, out, place)
        if part is not None:
            parts.append(part)
        shape = out
    return parts


def _flat(network: nn.Sequential) -> list[nn.Module]:
    return [
        inner
        for layer in network
        for inner in (_flat(layer) if isinstance(layer, nn.Sequential) else [layer])
    ]


def _part(
    layer: nn.Module, shape: tuple[int, ...], out: tuple[int, ...], place: int
) -> Part | None:
    where = f"{type(layer).__name__} at place {place}"
    if isinstance(layer, nn.Linear):
        if len(shape) != 1:
            raise ValueError(f"`network` must flatten before {where}, got inputs of shape {shape}.")
        return Affine(layer, shape, out)
    if isinstance(layer, nn.Conv2d):
        if layer.padding_mode != "zeros":
            raise ValueError(
                f"`network` must pad with zeros, got padding_mode={layer.padding_mode!r} in "
                f"{where}."
            )
        return Affine(layer, shape, out)
    if isinstance(layer, nn.ReLU):
        return Elementwise()
    if isinstance(layer, nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d):
        return Pool(layer, shape)
    assert isinstance(layer, _NOTHING)
    return None


def _out_shape(layer: nn.Module, shape: tuple[int, ...], place: int) -> tuple[int, ...]:
    """Find the shape of an output by trying."""
    known = (nn.Linear, nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
    if not isinstance(layer, (*known, *_NOTHING)):
        raise TypeError(
            f"`network` must be made of {_KNOWN}, got {type(layer).__name__} at place {place}."
        )
    if isinstance(layer, nn.Flatten) and layer.start_dim == 0:
        raise ValueError(f"`network` must keep examples apart, got {layer} at place {place}.")
    if isinstance(layer, _NOTHING) and not isinstance(layer, nn.Flatten):
        return shape
    probe = torch.zeros(1, *shape)
    parameter = next(layer.parameters(), None)
    probe = probe if parameter is None else probe.to(parameter)
    try:
        with torch.no_grad():
            return tuple(layer(probe).shape[1:])
    except (RuntimeError, IndexError, AttributeError) as error:
        raise ValueError(
            f"`network` must take inputs of its layers' shapes, got {shape} for {layer} at place "
            f"{place}: {str(error).splitlines()[0]}."
        ) from None
