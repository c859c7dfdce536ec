"""Norms of the matrices of a network, as the theorems of Golowich et al. take them."""

import math
from math import prod

from torch import nn

from corruptlab.capacity.rademacher._layers import BiasTreatment
from corruptlab.capacity.rademacher._pooling import l2_lipschitz, max_gain
from corruptlab.capacity.rademacher._stages import Chain, Stage, read_chain


def frobenius_norm(stage: Stage) -> float:
    """Return (a bound on) the Frobenius norm of the matrix of a stage.

    It is exact without pooling; with it, ``||Q W P||_F <= ||Q||_2 ||W||_F ||P||_2``.

    Args:
        stage: The layer, and what is around it.

    Returns:
        The norm.
    """
    weights = float(stage.affine.row_sums(stage.affine.weight.square()).sum())
    squares = weights * prod(map(l2_lipschitz, stage.before)) ** 2
    if stage.has_constant:
        squares += float(stage.affine.bias.square().sum())
    squares *= prod(map(l2_lipschitz, stage.after)) ** 2
    return math.sqrt(squares + stage.carries_constant)


def one_inf_norm(stage: Stage) -> float:
    """Return (a bound on) the largest l1 norm of a row of the matrix of a stage.

    It is exact without pooling; with it, rows of P and Q have sum 1, or what a divisor makes of it.

    Args:
        stage: The layer, and what is around it.

    Returns:
        The norm.
    """
    rows = stage.affine.row_sums(stage.affine.weight.abs()) * prod(map(max_gain, stage.before))
    if stage.has_constant:
        rows = rows + stage.affine.bias.abs()
    largest = float(rows.max()) * prod(map(max_gain, stage.after))
    return max(largest, 1.0) if stage.carries_constant else largest


def elementwise_chain(
    network: nn.Module, input_shape: tuple[int, ...], biases: BiasTreatment
) -> Chain:
    """Take a network apart for a theorem about element-wise functions.

    Args:
        network: A sequential network of known layers.
        input_shape: Shape of one input.
        biases: What to do with biases.

    Returns:
        The stages.

    Raises:
        TypeError: If the network or a layer is of an unknown kind.
        ValueError: If it has maximum pooling, or for what `read_chain` raises it.
    """
    chain = read_chain(network, input_shape, biases)
    if any(isinstance(pool.layer, nn.MaxPool2d) for pool in chain.pools):
        raise ValueError(
            "`network` must have no MaxPool2d, which is not element-wise, for a theorem of "
            "Golowich et al., got one; see `bartlett_spectral`."
        )
    return chain
