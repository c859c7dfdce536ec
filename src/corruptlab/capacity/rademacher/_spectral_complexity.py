"""The spectral complexity of a network, and what follows from it."""

import math
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from corruptlab._checks import positive
from corruptlab.capacity.rademacher._bound import Bound


@dataclass(frozen=True, kw_only=True)
class SpectralComplexity:
    """The spectral complexity of a network, what it is made of, and what follows from it.

    Attributes:
        spectral_norms: Spectral norm s of each matrix, first layer first.
        distances: ``b = ||A^T - M^T||_{2,1}`` of each: the sum over the rows of A - M, one for each
            output, of their Euclidean norms.
        lipschitz: Lipschitz constant of what follows each matrix: ReLU 1, pooling its own.
        width: Largest number of units W in any layer, inputs and outputs included.
        input_norm: ``sqrt(sum_i ||x_i||**2)``, with what is done before the first matrix.
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

        It begins at the first matrix; pooling before that is in `input_norm`.
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
        """Return the margins of examples divided by `margin_normalizer`.

        Args:
            scores: Outputs of the network, shape ``(m, K)``, K >= 2.
            labels: Classes, shape ``(m,)``.

        Returns:
            ``(f(x)_y - max_{j != y} f(x)_j) / (||X||_2 R_A / n)``, float64 of shape ``(m,)``.

        Raises:
            TypeError: If the labels are not integers.
            ValueError: If the shapes do not fit, or a label names no class.
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
        """Bound the complexity of the class of ramp losses at a margin.

        The class holds the ramp losses ``(x, y) -> min(max(1 - m(x, y) / margin, 0), 1)``, with m
        the margin of f, for all networks f whose matrices have spectral norms up to s and distances
        up to b. Theorem 3.3, the margin being 2-Lipschitz, gives covering numbers
        ``log N(eps) <= (r / eps)**2``, ``r = (2 / margin) ||X||_2 R_A sqrt(log(2 W**2))``. Dudley's
        integral in the form of Lemma A.5, ``4 a / sqrt(n) + (12 r / n) log(sqrt(n) / a)``, is
        smallest at ``a = 3 r / sqrt(n)`` (the paper takes ``a = 1 / n``), where it is
        ``(12 r / n) (1 + log(n / (3 r)))``. The result is that, or 1/2 if that is smaller or
        ``3 r > n``: no class with values in [0, 1] has a larger complexity.

        Args:
            margin: Margin, > 0, in the units of the outputs.

        Returns:
            The bound, in the convention ``"zhang"``, for `risk_bound` with the share of training
            examples of margin below ``margin`` as training risk.

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

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and properties as a dictionary that JSON can hold."""
        return {
            **asdict(self),
            "value": self.value,
            "lipschitz_constant": self.lipschitz_constant,
            "margin_normalizer": self.margin_normalizer,
        }

    def __repr__(self) -> str:
        return (
            f"SpectralComplexity({self.value:.6g}; Lipschitz constant "
            f"{self.lipschitz_constant:.6g}, {len(self.spectral_norms)} layers, n={self.n}, "
            f"margin normalizer {self.margin_normalizer:.6g})"
        )
