"""Networks by the spectral norms of their matrices, and how far these are from reference ones."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from corruptlab._checks import positive
from corruptlab._reports import Report, rows_of
from corruptlab._text import counted
from corruptlab.capacity.rademacher._bound import Bound
from corruptlab.capacity.rademacher._inputs import InputMoments, Inputs
from corruptlab.capacity.rademacher._layers import Affine, BiasTreatment, Stage, read_chain
from corruptlab.capacity.rademacher._spectral_norm import l2_lipschitz, largest_singular_value


@dataclass(frozen=True, kw_only=True)
class SpectralComplexity(
    Report, kind="spectral_complexity", derived=("value", "lipschitz_constant", "margin_normalizer")
):
    """Spectral complexity of a network, with its factors; returned by `bartlett_spectral`.

    Attributes:
        spectral_norms: Spectral norm s of each matrix, in the order of the layers.
        distances: ``b = ||A^T - M^T||_{2,1}`` of each matrix: the sum of the Euclidean norms of the
            rows of A - M, one row per output.
        lipschitz: Lipschitz constant of the operations (ReLU, pooling) after each matrix.
        width: Largest number W of units in a layer, including inputs and outputs.
        input_norm: ``sqrt(sum_i ||x_i||**2)``, after the operations before the first matrix.
        n: Number of examples.

    Example:
        >>> import torch
        >>> from corruptlab.capacity import rademacher
        >>> layer = torch.nn.Linear(2, 2, bias=False)
        >>> _ = torch.nn.init.eye_(layer.weight)
        >>> spectral = rademacher.bartlett_spectral(torch.nn.Sequential(layer), torch.eye(2))
        >>> round(spectral.value, 5)  # spectral norm 1, and two rows of norm 1
        2.0
        >>> scores, labels = torch.tensor([[3.0, 1.0], [0.0, 2.0]]), torch.tensor([0, 0])
        >>> spectral.normalized_margins(scores, labels)  # margins 2 and -2
        tensor([ 1.4142, -1.4142], dtype=torch.float64)

    Source: Bartlett, Foster, and Telgarsky 2017, (1.2) and Thm 3.3.
    """

    spectral_norms: tuple[float, ...]
    distances: tuple[float, ...]
    lipschitz: tuple[float, ...]
    width: int
    input_norm: float
    n: int

    @property
    def lipschitz_constant(self) -> float:
        """``prod_i rho_i s_i``, a Lipschitz constant of the network in the Euclidean norm.

        It covers the network from the first matrix on; pooling before that is part of `input_norm`.
        """
        return prod(self.lipschitz) * prod(self.spectral_norms)

    @property
    def value(self) -> float:
        """``R_A = (prod_i rho_i s_i) (sum_i (b_i / s_i)**(2/3))**(3/2)``."""
        # The product is drawn into the sum, so that a layer of zeros is no division by zero.
        s = self.spectral_norms
        terms = [b * prod(s[:i]) * prod(s[i + 1 :]) for i, b in enumerate(self.distances)]
        correction = math.fsum(term ** (2 / 3) for term in terms)
        return prod(self.lipschitz) * math.pow(correction, 1.5)

    @property
    def margin_normalizer(self) -> float:
        """``||X||_2 R_A / n``, by which the paper divides margins to compare networks."""
        return self.input_norm * self.value / self.n

    def normalized_margins(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return margins divided by `margin_normalizer`.

        Args:
            scores: Outputs of the network, shape ``(m, K)``, K >= 2.
            labels: Classes, shape ``(m,)``.

        Returns:
            ``(f(x)_y - max_{j != y} f(x)_j) / (||X||_2 R_A / n)``, float64 of shape ``(m,)``.

        Raises:
            TypeError: If the labels are not integers.
            ValueError: If shapes do not match, or a label is out of range.
        """
        if scores.ndim != 2 or scores.shape[1] < 2 or labels.shape != scores.shape[:1]:
            raise ValueError(
                "`scores` must have shape (m, K) with K >= 2 and `labels` shape (m,), "
                f"got {tuple(scores.shape)} and {tuple(labels.shape)}."
            )
        if labels.is_floating_point():
            raise TypeError(f"`labels` must be integers, got {labels.dtype}.")
        at, last = labels[:, None].to(torch.int64), scores.shape[1] - 1
        strays = at[(at < 0) | (at > last)]
        if len(strays):
            raise ValueError(f"`labels` must lie in 0 .. {last}, got {int(strays[0])}.")
        own = scores.detach().double().gather(1, at)[:, 0]
        others = scores.detach().double().scatter(1, at, -math.inf).amax(dim=1)
        return (own - others) / self.margin_normalizer

    def rademacher(self, *, margin: float) -> Bound:
        """Bound the Rademacher complexity of the class of ramp losses at a margin.

        The class consists of the ramp losses ``(x, y) -> min(max(1 - m(x, y) / margin, 0), 1)``,
        where m is the margin of f, for all networks f whose matrices have spectral norms of at most
        s and distances of at most b. Since the margin is 2-Lipschitz, Theorem 3.3 gives the
        covering numbers ``log N(eps) <= (r / eps)**2`` with
        ``r = (2 / margin) ||X||_2 R_A sqrt(log(2 W**2))``. Dudley's integral in the form of Lemma
        A.5, ``4 a / sqrt(n) + (12 r / n) log(sqrt(n) / a)``, is minimal at ``a = 3 r / sqrt(n)``
        (the paper uses ``a = 1 / n``), where it equals ``(12 r / n) (1 + log(n / (3 r)))``. The
        result is this value, or 1/2 if this is smaller or ``3 r > n``, since no class with values
        in [0, 1] has a larger complexity.

        Args:
            margin: Margin, > 0, in the units of the outputs.

        Returns:
            The bound, in the convention ``"zhang"``. For `risk_bound`, use it with the share of
            training examples whose margin is below ``margin`` as training risk.

        Raises:
            TypeError: If ``margin`` is not a number.
            ValueError: If it is not above 0.
        """
        scaled = self.input_norm * self.value * math.sqrt(math.log(2 * self.width**2))
        r = 2 / positive("margin", margin) * scaled
        dudley = 0.0 if r == 0 else 0.5
        if 0 < 3 * r <= self.n:
            dudley = min(dudley, 12 * r / self.n * (1 + math.log(self.n / (3 * r))))
        return Bound(
            dudley,
            n=self.n,
            convention="zhang",
            name="Bartlett et al., spectral",
            source="Bartlett, Foster, and Telgarsky 2017, Thm 3.3 and Lemma A.5",
        )

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        return rows_of(
            layer=range(len(self.distances)),
            spectral_norm=self.spectral_norms,
            distance=self.distances,
            lipschitz=self.lipschitz,
        )

    def __repr__(self) -> str:
        return (
            f"SpectralComplexity({self.value:.6g}; Lipschitz constant "
            f"{self.lipschitz_constant:.6g}, {counted(len(self.spectral_norms), 'layer')}, "
            f"n={self.n}, margin normalizer {self.margin_normalizer:.6g})"
        )


def bartlett_spectral(
    network: nn.Module,
    inputs: Inputs,
    *,
    reference: nn.Module | None = None,
    biases: BiasTreatment = "append",
) -> SpectralComplexity:
    """Return the spectral complexity of a network on a sample.

    ``R_A = (prod_i rho_i ||A_i||_2) (sum_i (||A_i^T - M_i^T||_{2,1} / ||A_i||_2)**(2/3))**(3/2)``
    with the weight matrices A, reference matrices M, and the Lipschitz constants rho of the
    operations between them. `SpectralComplexity.rademacher` computes a bound from it, and
    `SpectralComplexity.margin_normalizer` the normalization of margins in the paper's figures. Note
    that the class, and M, must be fixed before the data are seen, but the norms of a trained
    network are not; the paper accounts for this with logarithmic terms.

    A convolution is treated as its matrix, in which the kernel is repeated at each position and cut
    off at the border. Its spectral norm is that of the operator (see `spectral_norm`) and its (2,1)
    norm is exact; neither needs the matrix. The Lipschitz constant rho is 1 for ReLU. For mean
    pooling it is the spectral norm, ``1 / k`` for non-overlapping k x k windows. For max pooling it
    is the square root of the largest number of windows that share a pixel, 1 for non-overlapping
    windows.

    Args:
        network: ``nn.Sequential`` of Linear, Conv2d, ReLU, MaxPool2d, AvgPool2d,
            AdaptiveAvgPool2d, Flatten, Dropout, and Identity.
        inputs: Examples: a tensor, array, memory map, or iterable of blocks, shape ``(n, ...)``
            with the input shape of the network. ``uint8`` is divided by 255, as a `Recipe` does.
        reference: Network with the same layers that contains M, such as the initial network; None
            for M = 0.
        biases: ``"append"`` appends a constant 1 to each input and propagates it to the last layer
            with a bias, so that biases are columns of A (the same holds for M); rho is then at
            least 1 up to this layer. ``"refuse"`` rejects biases: the class of the theorem has
            none.

    Returns:
        The spectral complexity and its factors.

    Raises:
        TypeError: If the network, a layer, or the inputs have an unsupported type.
        ValueError: If a layer does not match its input, the reference has other shapes or a bias
            after the last one of the network, weights or inputs are not finite, or there are biases
            that ``"refuse"`` rejects.

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
