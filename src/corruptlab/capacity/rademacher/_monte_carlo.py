"""How many draws of what kind, and what becomes of their suprema."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from corruptlab._checks import at_least, check_confidence, natural
from corruptlab._environment import Environment
from corruptlab.capacity.rademacher._bound import Bound
from corruptlab.capacity.rademacher._convention import Convention, check_convention, factor
from corruptlab.capacity.rademacher._estimate import Estimate
from corruptlab.capacity.rademacher._weights import Weights


@dataclass(frozen=True, kw_only=True)
class MonteCarlo:
    """The arguments that every estimate takes, checked once.

    Args:
        draws: Number of random sign vectors, >= 2.
        seed: Any integer >= 0.
        convention: Which definition the result follows.
        gaussian: Whether to draw normal numbers instead of signs.
        confidence: Level of the intervals, in ``(0, 1)``.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If one is out of range.
    """

    draws: int
    seed: int
    convention: Convention
    gaussian: bool
    confidence: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "draws", at_least(2, "draws", self.draws))
        object.__setattr__(self, "seed", natural("seed", self.seed))
        check_convention(self.convention)
        check_confidence(self.confidence)

    @property
    def weights(self) -> Weights:
        """The signs or normal numbers."""
        return Weights(self.seed, self.draws, self.gaussian)

    def estimate(
        self,
        sups: Tensor,
        *,
        name: str,
        n: int,
        scale: float,
        bounds: tuple[Bound, Bound],
        symmetric: bool,
        device: torch.device,
        radius: float | None = None,
    ) -> Estimate:
        """Put a result together from what was found for ``(1/n) sum_i w_i f(x_i)``.

        Args:
            sups: Supremum of each draw, divided by n, and of the absolute value if the convention
                takes it; shape ``(draws,)``.
            name: The class of functions, in words.
            n: Number of examples.
            scale: See `Estimate`, for the same sum.
            bounds: Lower and upper bound for the same sum.
            symmetric: Whether the class is symmetric.
            device: Where the work was done.
            radius: Radius of the class, if it is a ball and the rest is about the unit ball.

        Returns:
            The estimate, with radius and factor of the convention.
        """
        times = factor(self.convention) * (1.0 if radius is None else radius)

        def moved(bound: Bound) -> Bound:
            return replace(
                bound, value=times * bound.value, convention=self.convention, gaussian=self.gaussian
            )

        values: list[float] = (times * sups).tolist()
        return Estimate(
            name=name if radius is None else f"{name} of radius {radius:g}",
            sups=tuple(values),
            scale=times * scale,
            lower_bound=moved(bounds[0]),
            upper_bound=moved(bounds[1]),
            n=n,
            convention=self.convention,
            gaussian=self.gaussian,
            symmetric=symmetric,
            confidence=float(self.confidence),
            seed=self.seed,
            environment=Environment.here(device),
        )
