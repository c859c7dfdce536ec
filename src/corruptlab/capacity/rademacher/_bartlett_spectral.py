"""Networks by the spectral norms of their matrices, and how far these are from reference ones."""

import math
from math import prod

import torch
from torch import Tensor, nn

from corruptlab.capacity.rademacher._blocks import Inputs
from corruptlab.capacity.rademacher._layers import Affine, BiasTreatment
from corruptlab.capacity.rademacher._moments import InputMoments
from corruptlab.capacity.rademacher._pooling import l2_lipschitz
from corruptlab.capacity.rademacher._spectral_complexity import SpectralComplexity
from corruptlab.capacity.rademacher._spectral_norm import largest_singular_value
from corruptlab.capacity.rademacher._stages import Stage, read_chain


def bartlett_spectral(
    network: nn.Module,
    inputs: Inputs,
    *,
    reference: nn.Module | None = None,
    biases: BiasTreatment = "append",
) -> SpectralComplexity:
    """Return the spectral complexity of a network on a sample.

    ``R_A = (prod_i rho_i ||A_i||_2) (sum_i (||A_i^T - M_i^T||_{2,1} / ||A_i||_2)**(2/3))**(3/2)``
    with the matrices A of the layers, reference matrices M, and the Lipschitz constants rho of
    what lies between them. `SpectralComplexity.rademacher` makes a bound of it,
    `SpectralComplexity.margin_normalizer` what the paper's figures divide margins by. The trap:
    the class, and M, have to be fixed before the data are seen, and the norms of a trained
    network are not; the paper pays for that with logarithms.

    A convolution counts as its matrix, with the kernel repeated at each position and cut at the
    border. Its spectral norm is that of the operator (see `spectral_norm`), its (2,1) norm is
    exact, and neither forms the matrix. ReLU has rho = 1, mean pooling its spectral norm, which is
    ``1 / k`` for k x k windows side by side, and maximum pooling the root of the number of windows
    that share a pixel, which is 1 for windows side by side.

    Args:
        network: ``nn.Sequential`` of Linear, Conv2d, ReLU, MaxPool2d, AvgPool2d,
            AdaptiveAvgPool2d, Flatten, Dropout, and Identity.
        inputs: The examples, of the shape that the network takes, without the first axis;
            a tensor, array, memory map, or an iterable of blocks.
        reference: A network of the same layers that holds M, such as the initial one; None for
            M = 0.
        biases: ``"append"`` appends a constant 1 to each input and hands it on up to the last
            layer with a bias, so that biases are columns of A (and M hands it on, too);
            rho is then at least 1 on the way. ``"refuse"`` is for the theorem's own class.

    Returns:
        The spectral complexity and its parts.

    Raises:
        TypeError: If the network, a layer, or the inputs are of an unknown kind.
        ValueError: If a layer does not fit, the reference has other shapes or a bias after the
            last one of the network, weights or inputs are not finite, or there are biases to
            refuse.

    Example:
        >>> import torch
        >>> from corruptlab.capacity import rademacher
        >>> layers = [torch.nn.Linear(3, 3, bias=False) for _ in range(2)]
        >>> for layer in layers:
        ...     _ = torch.nn.init.eye_(layer.weight)
        >>> network = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])
        >>> spectral = rademacher.bartlett_spectral(network, torch.eye(3))
        >>> round(spectral.value, 4)  # 1 * (3**(2/3) + 3**(2/3))**(3/2)
        8.4853

    Source: Bartlett, Foster, and Telgarsky 2017, "Spectrally-normalized margin bounds for neural
    networks", (1.2) and Thm 3.3.
    """
    moments = InputMoments.of(inputs)
    chain = read_chain(network, moments.shape, biases)
    stages = chain.stages
    origins = _origins(stages, reference, moments.shape)
    before = prod(map(l2_lipschitz, stages[0].before))
    following = [*(stage.before for stage in stages[1:]), chain.trailing]
    return SpectralComplexity(
        spectral_norms=tuple(_matrix_norm(stage) for stage in stages),
        distances=tuple(map(_distance, stages, origins)),
        lipschitz=tuple(
            max(
                prod(map(l2_lipschitz, (*stage.after, *pools))),
                1.0 if stage.carries_constant else 0.0,
            )
            for stage, pools in zip(stages, following, strict=True)
        ),
        width=max(
            max(
                stage.affine.in_size + stage.has_constant,
                stage.affine.out_size + stage.carries_constant,
            )
            for stage in stages
        ),
        input_norm=math.sqrt(before**2 * moments.squares + moments.n * stages[0].has_constant),
        n=moments.n,
    )


def _matrix_norm(stage: Stage) -> float:
    """Return the spectral norm of the matrix of a layer, with its bias as a column."""
    affine = stage.affine

    def operator(vector: Tensor) -> Tensor:
        if not stage.has_constant:
            return affine.linear(vector)
        inner, constant = vector[:-1], vector[-1:]
        image = affine.linear(inner) + constant * affine.bias
        return torch.cat([image, constant]) if stage.carries_constant else image

    size = affine.in_size + stage.has_constant
    return largest_singular_value(operator, size, affine.weight.device)


def _distance(stage: Stage, origin: Affine | None) -> float:
    """Return the sum of the Euclidean norms of the rows of A - M."""
    weight, bias = stage.affine.weight, stage.affine.bias
    if origin is not None:
        weight, bias = weight - origin.weight, bias - origin.bias
    return float((stage.affine.row_sums(weight.square()) + bias.square()).sqrt().sum())


def _origins(
    stages: list[Stage], reference: nn.Module | None, shape: tuple[int, ...]
) -> list[Affine] | list[None]:
    if reference is None:
        return [None for _ in stages]
    origins = [stage.affine for stage in read_chain(reference, shape, "append").stages]
    own, others = (
        [tuple(a.weight.shape) for a in each]
        for each in ([stage.affine for stage in stages], origins)
    )
    if own != others:
        raise ValueError(f"`reference` must have weights of shapes {own}, got {others}.")
    for stage, origin in zip(stages, origins, strict=True):
        if origin.layer.bias is not None and not stage.has_constant:
            raise ValueError(
                "`reference` must have no bias after the last one of `network`, got one in "
                f"{origin.layer}."
            )
    return origins
