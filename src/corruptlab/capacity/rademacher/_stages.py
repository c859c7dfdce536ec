"""A network as the theorems see it: matrices with element-wise functions between them."""

from dataclasses import dataclass, field
from typing import get_args

from torch import nn

from corruptlab._checks import check_choice
from corruptlab.capacity.rademacher._layers import (
    Affine,
    BiasTreatment,
    Elementwise,
    Pool,
    read_layers,
)


@dataclass
class Stage:
    """One weight matrix with the pooling around it.

    With mean pooling P before it and Q right after it, the matrix is ``Q W P``; with ``biases`` it
    is ``[[Q W P, Q b], [0, 1]]`` while a later layer still has a bias, ``[Q W P, Q b]`` in the last
    layer that has one, and ``Q W P`` thereafter.

    Attributes:
        affine: The layer.
        before: Pooling between the previous element-wise function and the layer.
        after: Pooling between the layer and the next element-wise function.
        has_constant: Whether the bias is a column of the matrix.
        carries_constant: Whether the constant 1 is handed on.
    """

    affine: Affine
    before: list[Pool]
    after: list[Pool] = field(default_factory=list)
    has_constant: bool = False
    carries_constant: bool = False


@dataclass(frozen=True)
class Chain:
    """The stages of a network, and pooling after the last element-wise function.

    Attributes:
        stages: One for each layer with weights, first layer first; at least one.
        trailing: Pooling that no layer follows.
    """

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
    """Take a network apart into stages.

    Args:
        network: A sequential network of known layers.
        input_shape: Shape of one input.
        biases: What to do with biases.

    Returns:
        The stages.

    Raises:
        TypeError: If the network or a layer is of an unknown kind.
        ValueError: If a layer does not fit, there is no weight, a weight is not finite, ``biases``
            is unknown, or it is ``"refuse"`` and there is one.
    """
    check_choice("biases", biases, get_args(BiasTreatment))
    stages: list[Stage] = []
    waiting: list[Pool] = []
    linear_since = False  # whether only linear maps came after the last layer with weights
    for part in read_layers(network, input_shape):
        if isinstance(part, Affine):
            _check_finite(part)
            stages.append(Stage(part, before=waiting))
            waiting, linear_since = [], True
        elif isinstance(part, Pool) and linear_since:
            stages[-1].after.append(part)
        elif isinstance(part, Pool):
            waiting.append(part)
        else:
            assert isinstance(part, Elementwise)
            linear_since = False
    if not stages:
        raise ValueError("`network` must have a Linear or Conv2d layer, got none.")
    _append_constants(stages, biases)
    return Chain(stages, waiting)


def _append_constants(stages: list[Stage], biases: BiasTreatment) -> None:
    biased = [k for k, stage in enumerate(stages) if stage.affine.layer.bias is not None]
    if biased and biases == "refuse":
        raise ValueError(
            f"`network` must have no biases with biases='refuse', got {len(biased)} layers "
            "with one."
        )
    for k, stage in enumerate(stages):
        stage.has_constant = bool(biased) and k <= biased[-1]
        stage.carries_constant = bool(biased) and k < biased[-1]


def _check_finite(affine: Affine) -> None:
    if not bool(affine.weight.isfinite().all() and affine.bias.isfinite().all()):
        raise ValueError(
            f"`network` must have finite weights, got infinite ones or NaN in {affine.layer}."
        )
