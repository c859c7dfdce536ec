"""A network as the theorems see it: matrices with element-wise functions between them."""

from dataclasses import dataclass, field
from math import prod
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from corruptlab._checks import check_choice
from corruptlab._modules import first_line

BiasTreatment: TypeAlias = Literal["append", "refuse"]
"""``"append"``: each input, and each layer below one with a bias, carries a constant 1 along."""


@dataclass(frozen=True)
class Affine:
    """A ``Linear`` or ``Conv2d`` layer on inputs of a known shape."""

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
        return self._apply(self.weight, vector)

    def row_sums(self, entries: Tensor) -> Tensor:
        """Return the sum of each row of the matrix of the layer if its weights were ``entries``."""
        # The matrix has a row for each output, each position of a convolution included, with the
        # weights that fall on the border's padding left out. It is never formed.
        return self._apply(entries, entries.new_ones(self.in_size))

    def _apply(self, weight: Tensor, vector: Tensor) -> Tensor:
        layer = self.layer
        if isinstance(layer, nn.Linear):
            return linear(vector, weight)
        image = vector.reshape(1, *self.in_shape)
        return conv2d(
            image, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups
        ).flatten()


@dataclass(frozen=True)
class Pool:
    """A pooling layer on inputs of a known shape."""

    layer: nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d
    in_shape: tuple[int, ...]


@dataclass
class Stage:
    """One weight matrix ``Q W P``, with mean pooling P before and Q right after the layer."""

    # With a constant it is [[Q W P, Q b], [0, 1]] while a later layer still has a bias,
    # [Q W P, Q b] in the last layer that has one, and Q W P thereafter.
    affine: Affine
    before: list[Pool]
    after: list[Pool] = field(default_factory=list)
    has_constant: bool = False  # the bias is a column of the matrix
    carries_constant: bool = False  # the constant 1 is passed on


@dataclass(frozen=True)
class Chain:
    """The stages of a network, at least one, and pooling after the last of them."""

    stages: list[Stage]
    trailing: list[Pool]

    @property
    def has_constant(self) -> bool:
        """Whether a constant 1 is appended to the inputs."""
        return self.stages[0].has_constant

    @property
    def pools(self) -> list[Pool]:
        """All pooling layers."""
        around = [pool for stage in self.stages for pool in (*stage.before, *stage.after)]
        return [*around, *self.trailing]


def read_chain(network: nn.Module, input_shape: tuple[int, ...], biases: BiasTreatment) -> Chain:
    """Take a network apart into stages."""
    check_choice("biases", biases, get_args(BiasTreatment))
    stages: list[Stage] = []
    waiting: list[Pool] = []
    linear_since = False  # whether only linear maps came after the last layer with weights
    for part in read_layers(network, input_shape):
        if isinstance(part, Affine):
            _check_finite(part)
            stages.append(Stage(part, before=waiting))
            waiting, linear_since = [], True
        elif isinstance(part, nn.ReLU):
            linear_since = False
        elif linear_since:
            stages[-1].after.append(part)
        else:
            waiting.append(part)
    if not stages:
        raise ValueError("`network` must have a Linear or Conv2d layer, got none.")
    biased = [k for k, stage in enumerate(stages) if stage.affine.layer.bias is not None]
    if biased and biases == "refuse":
        raise ValueError(
            f"`network` must have no biases with biases='refuse', got {len(biased)} layers "
            "with one."
        )
    for k, stage in enumerate(stages):
        stage.has_constant = bool(biased) and k <= biased[-1]
        stage.carries_constant = bool(biased) and k < biased[-1]
    return Chain(stages, waiting)


def _check_finite(affine: Affine) -> None:
    if not bool(affine.weight.isfinite().all() and affine.bias.isfinite().all()):
        raise ValueError(
            f"`network` must have finite weights, got infinite ones or NaN in {affine.layer}."
        )


_KNOWN = "Linear, Conv2d, ReLU, MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, Flatten, Dropout, Identity"
_NOTHING = (nn.Flatten, nn.Dropout, nn.Identity)  # in evaluation mode they change no number


def read_layers(network: nn.Module, input_shape: tuple[int, ...]) -> list[Affine | Pool | nn.ReLU]:
    """Return the parts of a sequential network, those that change no number left out."""
    if not isinstance(network, nn.Sequential):
        raise TypeError(f"`network` must be an nn.Sequential, got {type(network).__name__}.")
    parts: list[Affine | Pool | nn.ReLU] = []
    shape = tuple(input_shape)
    for place, layer in enumerate(_flat(network)):
        out = _out_shape(layer, shape, place)
        if isinstance(layer, nn.Linear | nn.Conv2d):
            _check_affine(layer, shape, f"{type(layer).__name__} at place {place}")
            parts.append(Affine(layer, shape, out))
        elif isinstance(layer, nn.ReLU):
            parts.append(layer)
        elif isinstance(layer, nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d):
            parts.append(Pool(layer, shape))
        shape = out
    return parts


def _flat(network: nn.Sequential) -> list[nn.Module]:
    return [
        inner
        for layer in network
        for inner in (_flat(layer) if isinstance(layer, nn.Sequential) else [layer])
    ]


def _check_affine(layer: nn.Linear | nn.Conv2d, shape: tuple[int, ...], where: str) -> None:
    if isinstance(layer, nn.Linear) and len(shape) != 1:
        raise ValueError(f"`network` must flatten before {where}, got inputs of shape {shape}.")
    if isinstance(layer, nn.Conv2d) and layer.padding_mode != "zeros":
        raise ValueError(
            f"`network` must pad with zeros, got padding_mode={layer.padding_mode!r} in {where}."
        )


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
            f"{place}: {first_line(error)}."
        ) from None
