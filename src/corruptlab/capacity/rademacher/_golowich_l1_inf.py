"""ReLU networks by the l1 norms of the rows of their matrices."""

import math
from collections.abc import Sequence
from math import prod

import torch
from torch import nn

from corruptlab.capacity.rademacher._blocks import Inputs
from corruptlab.capacity.rademacher._bound import Bound
from corruptlab.capacity.rademacher._layer_norms import elementwise_chain, one_inf_norm
from corruptlab.capacity.rademacher._layers import BiasTreatment
from corruptlab.capacity.rademacher._moments import InputMoments
from corruptlab.capacity.rademacher._norms_given import check_norms
from corruptlab.capacity.rademacher._pooling import max_gain


@torch.no_grad()
def golowich_l1_inf(
    network: nn.Module | Sequence[float], inputs: Inputs, *, biases: BiasTreatment = "append"
) -> Bound:
    """Bound the complexity of ReLU networks by the largest l1 norm of a row in each layer.

    ``(2/n) (prod_j ||W_j||_{1,inf}) sqrt(L + 1 + log d) sqrt(max_j sum_i x_ij**2)`` for L weight
    matrices and d input coordinates, with ``||W||_{1,inf} = max_k sum_j abs(W_kj)``. Outputs,
    convolutions, and fixed classes are as in `golowich_frobenius`; here a convolution counts with
    one kernel, whatever the number of positions, and mean pooling with the sum of a row, 1.

    Args:
        network: ``nn.Sequential`` of Linear, Conv2d, ReLU, mean pooling, Flatten, Dropout, and
            Identity; or the norms alone, first layer first, each >= 0.
        inputs: The examples, of the shape that the network takes, without the first axis;
            a tensor, array, memory map, or an iterable of blocks.
        biases: ``"append"`` appends a constant 1 to each input and hands it on up to the last
            layer with a bias, so that biases are columns of the matrices and count in the norms;
            ``"refuse"`` is for the theorem's own class. Norms alone are taken as they are.

    Returns:
        The bound, in the convention ``"zhang"``.

    Raises:
        TypeError: If the network, a layer, or the inputs are of an unknown kind.
        ValueError: If the network has maximum pooling or other parts that do not fit, a norm is
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
        chain = elementwise_chain(network, moments.shape, biases)
        norms = [one_inf_norm(stage) for stage in chain.stages]
        product = prod(norms) * prod(map(max_gain, chain.trailing))
        if chain.has_constant:  # one more coordinate, a column of ones
            size, squares = size + 1, max(squares, moments.n)
    else:
        norms = check_norms(network)
        product = prod(norms)
    depth = math.sqrt(len(norms) + 1 + math.log(size))
    return Bound(
        2 * product * depth * math.sqrt(squares) / moments.n,
        n=moments.n,
        convention="zhang",
        name="Golowich et al., l1,inf",
        source="Golowich, Rakhlin, and Shamir 2018, Thm 2",
    )
