"""ReLU networks by the Frobenius norms of their matrices."""

import math
from collections.abc import Sequence
from math import prod

import torch
from torch import nn

from corruptlab.capacity.rademacher._blocks import Inputs
from corruptlab.capacity.rademacher._bound import Bound
from corruptlab.capacity.rademacher._layer_norms import elementwise_chain, frobenius_norm
from corruptlab.capacity.rademacher._layers import BiasTreatment
from corruptlab.capacity.rademacher._moments import InputMoments
from corruptlab.capacity.rademacher._norms_given import check_norms
from corruptlab.capacity.rademacher._pooling import max_gain


@torch.no_grad()
def golowich_frobenius(
    network: nn.Module | Sequence[float], inputs: Inputs, *, biases: BiasTreatment = "append"
) -> Bound:
    """Bound the complexity of ReLU networks by Frobenius norms.

    ``(prod_j ||W_j||_F) (sqrt(2 log(2) L) + 1) sqrt(sum_i ||x_i||**2) / n`` for L weight
    matrices: the class of all networks with these norms or smaller ones, of any width. It is
    about one output, so for a network with several it bounds each of them; `maurer` brings them
    together. The trap: the class has to be fixed before the data are seen, the norms of a trained
    network are not.

    A convolution counts as its matrix, with the kernel repeated at each position. Mean pooling
    multiplies by its spectral norm (after the last ReLU: by the largest sum of one of its rows); a
    ReLU at the end changes nothing. Maximum pooling is not element-wise and is refused.

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
        >>> rademacher.golowich_frobenius([1.0, 1.0], np.eye(100))  # two layers of norm 1
        Bound(0.266511, n=100, convention='zhang'; Golowich et al., Frobenius)

    Source: Golowich, Rakhlin, and Shamir 2018, "Size-independent sample complexity of neural
    networks", Thm 1.
    """
    moments = InputMoments.of(inputs)
    if isinstance(network, nn.Module):
        chain = elementwise_chain(network, moments.shape, biases)
        norms = [frobenius_norm(stage) for stage in chain.stages]
        product = prod(norms) * prod(map(max_gain, chain.trailing))
        squares = moments.squares + chain.has_constant * moments.n
    else:
        norms = check_norms(network)
        product, squares = prod(norms), moments.squares
    depth = math.sqrt(2 * math.log(2) * len(norms)) + 1
    return Bound(
        product * depth * math.sqrt(squares) / moments.n,
        n=moments.n,
        convention="zhang",
        name="Golowich et al., Frobenius",
        source="Golowich, Rakhlin, and Shamir 2018, Thm 1",
    )
