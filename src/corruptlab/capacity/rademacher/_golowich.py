"""ReLU networks by norms of their matrices, after Golowich, Rakhlin, and Shamir."""

import math
from collections.abc import Sequence
from math import prod

import torch
from torch import nn

from corruptlab._checks import not_negative
from corruptlab.capacity.rademacher._bound import Bound
from corruptlab.capacity.rademacher._inputs import InputMoments, Inputs
from corruptlab.capacity.rademacher._layers import BiasTreatment, Chain, Pool, Stage, read_chain
from corruptlab.capacity.rademacher._spectral_norm import l2_lipschitz


@torch.no_grad()
def golowich_frobenius(
    network: nn.Module | Sequence[float], inputs: Inputs, *, biases: BiasTreatment = "append"
) -> Bound:
    """Bound the complexity of ReLU networks by Frobenius norms.

    ``(prod_j ||W_j||_F) (sqrt(2 log(2) L) + 1) sqrt(sum_i ||x_i||**2) / n`` for L weight matrices
    bounds the class of all networks, of any width, with at most these norms. The theorem is about a
    single output; for several outputs the bound holds for each of them, and `maurer` combines them.
    Note that the class must be fixed before the data are seen; the norms of a trained network are
    not.

    A convolution is treated as its matrix, in which the kernel is repeated at each position. Mean
    pooling multiplies by its spectral norm (after the last ReLU, by the largest row sum). A final
    ReLU changes nothing. Max pooling is not element-wise and is rejected.

    Args:
        network: ``nn.Sequential`` of Linear, Conv2d, ReLU, mean pooling, Flatten, Dropout, and
            Identity; or the norms themselves, each >= 0, in the order of the layers.
        inputs: Examples: a tensor, array, memory map, or iterable of blocks, shape ``(n, ...)``
            with the input shape of the network. ``uint8`` is divided by 255, as a `Recipe` does.
        biases: ``"append"`` appends a constant 1 to each input and propagates it to the last layer
            with a bias, so that biases are columns of the matrices and count in the norms.
            ``"refuse"`` rejects biases: the class of the theorem has none. Ignored if norms are
            given.

    Returns:
        The bound, in the convention ``"zhang"``.

    Raises:
        TypeError: If the network, a layer, or the inputs have an unsupported type.
        ValueError: If the network contains max pooling or layers that do not match, a norm is
            negative, or the inputs are not finite.

    Example:
        >>> import numpy as np
        >>> from corruptlab.capacity import rademacher
        >>> rademacher.golowich_frobenius([1.0, 1.0], np.eye(100))  # two layers of norm 1
        Bound(0.266511, n=100, convention='zhang'; Golowich et al., Frobenius)

    Source: Golowich, Rakhlin, and Shamir 2018, "Size-independent sample complexity of neural
    networks", Thm 1.
    """
    moments = InputMoments.of(inputs)
    if isinstance(network, nn.Module):
        chain = _elementwise_chain(network, moments, biases)
        norms = [_frobenius_norm(stage) for stage in chain.stages]
        product = prod(norms) * prod(map(_max_gain, chain.trailing))
        squares = moments.squares + chain.has_constant * moments.n
    else:
        norms = _check_norms(network)
        product, squares = prod(norms), moments.squares
    depth = math.sqrt(2 * math.log(2) * len(norms)) + 1
    return Bound(
        product * depth * math.sqrt(squares) / moments.n,
        n=moments.n,
        convention="zhang",
        name="Golowich et al., Frobenius",
        source="Golowich, Rakhlin, and Shamir 2018, Thm 1",
    )


@torch.no_grad()
def golowich_l1_inf(
    network: nn.Module | Sequence[float], inputs: Inputs, *, biases: BiasTreatment = "append"
) -> Bound:
    """Bound the complexity of ReLU networks by the largest l1 norm of a row in each layer.

    ``(2/n) (prod_j ||W_j||_{1,inf}) sqrt(L + 1 + log d) sqrt(max_j sum_i
    x_ij**2)`` for L weight matrices and d input coordinates, with ``||W||_{1,inf} = max_k sum_j
    abs(W_kj)``. What `golowich_frobenius` says about several outputs, convolutions, and the choice
    of the class holds here too. A convolution counts with the l1 norm of one kernel, whatever the
    number of positions, and mean pooling with its row sum, 1.

    Args:
        network: ``nn.Sequential`` of Linear, Conv2d, ReLU, mean pooling, Flatten, Dropout, and
            Identity; or the norms themselves, each >= 0, in the order of the layers.
        inputs: Examples, as in `golowich_frobenius`.
        biases: ``"append"`` appends a constant 1 to each input and propagates it to the last layer
            with a bias, so that biases are columns of the matrices and count in the norms.
            ``"refuse"`` rejects biases: the class of the theorem has none. Ignored if norms are
            given.

    Returns:
        The bound, in the convention ``"zhang"``.

    Raises:
        TypeError: If the network, a layer, or the inputs have an unsupported type.
        ValueError: If the network contains max pooling or layers that do not match, a norm is
            negative, or the inputs are not finite.

    Example:
        >>> import numpy as np
        >>> from corruptlab.capacity import rademacher
        >>> rademacher.golowich_l1_inf([1.0, 1.0], np.ones((100, 10)))  # two layers of norm 1
        Bound(0.460547, n=100, convention='zhang'; Golowich et al., l1,inf)

    Source: Golowich, Rakhlin, and Shamir 2018, "Size-independent sample complexity of neural
    networks", Thm 2.
    """
    moments = InputMoments.of(inputs)
    size, squares = prod(moments.shape), moments.largest_column_squares
    if isinstance(network, nn.Module):
        chain = _elementwise_chain(network, moments, biases)
        norms = [_one_inf_norm(stage) for stage in chain.stages]
        product = prod(norms) * prod(map(_max_gain, chain.trailing))
        if chain.has_constant:  # one more coordinate, a column of ones
            size, squares = size + 1, max(squares, moments.n)
    else:
        norms = _check_norms(network)
        product = prod(norms)
    depth = math.sqrt(len(norms) + 1 + math.log(size))
    return Bound(
        2 * product * depth * math.sqrt(squares) / moments.n,
        n=moments.n,
        convention="zhang",
        name="Golowich et al., l1,inf",
        source="Golowich, Rakhlin, and Shamir 2018, Thm 2",
    )


def _frobenius_norm(stage: Stage) -> float:
    """Return the Frobenius norm of ``Q W P``, by ``||Q||_2 ||W||_F ||P||_2`` with pooling."""
    weights = float(stage.affine.row_sums(stage.affine.weight.square()).sum())
    squares = weights * prod(map(l2_lipschitz, stage.before)) ** 2
    if stage.has_constant:
        squares += float(stage.affine.bias.square().sum())
    squares *= prod(map(l2_lipschitz, stage.after)) ** 2
    return math.sqrt(squares + stage.carries_constant)


def _one_inf_norm(stage: Stage) -> float:
    """Return the largest l1 norm of a row of ``Q W P``, by a product of norms with pooling."""
    rows = stage.affine.row_sums(stage.affine.weight.abs()) * prod(map(_max_gain, stage.before))
    if stage.has_constant:
        rows = rows + stage.affine.bias.abs()
    largest = float(rows.max()) * prod(map(_max_gain, stage.after))
    return max(largest, 1.0) if stage.carries_constant else largest


def _max_gain(pool: Pool) -> float:
    """Return the largest sum of a row of mean pooling, which has no negative entries."""
    ones = torch.ones(1, 1, *pool.in_shape[-2:], dtype=torch.float64)
    return float(pool.layer(ones).max())


def _elementwise_chain(network: nn.Module, moments: InputMoments, biases: BiasTreatment) -> Chain:
    """Take a network apart for a theorem about element-wise functions."""
    chain = read_chain(network, moments.shape, biases)
    if any(isinstance(pool.layer, nn.MaxPool2d) for pool in chain.pools):
        raise ValueError(
            "`network` must have no MaxPool2d, which is not element-wise, for a theorem of "
            "Golowich et al., got one; see `bartlett_spectral`."
        )
    return chain


def _check_norms(norms: object) -> list[float]:
    """Return one norm a layer as floats."""
    if not isinstance(norms, Sequence) or isinstance(norms, str):
        raise TypeError(
            f"`network` must be an nn.Sequential or a list of norms, got {type(norms).__name__}."
        )
    if not norms:
        raise ValueError("`network` must have at least one norm, got none.")
    return [not_negative("network", norm) for norm in norms]
