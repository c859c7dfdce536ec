"""What replacing training examples came to."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from corruptlab._environment import Environment
from corruptlab._student import standard_error
from corruptlab.training import Recipe

StabilityLoss: TypeAlias = Literal["cross_entropy", "zero_one"]
"""What changes: the loss of training, which has no bound, or whether a prediction is wrong."""


@dataclass(frozen=True, kw_only=True)
class Stability:
    """How far the loss at held-out points moved when one training example was replaced.

    Attributes:
        means: Mean over the held-out points of the absolute change, for each replacement.
        largest: The largest change at a held-out point, for each replacement.
        positions: The training example that each replacement replaced.
        loss: Which loss.
        n: Number of training examples.
        held_out: Number of held-out points.
        recipe: The hyper-parameters.
        seed: Seed of the positions and of the data order.
        environment: Versions, machine, and device.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import stability
        >>> points = torch.eye(4)
        >>> recipe = cl.Recipe(learning_rate=0.1, epochs=5, whiten=False)
        >>> same = stability(torch.nn.Linear(4, 2), points, [0, 1, 0, 1], recipe=recipe,
        ...                  fresh=(points[:2], [0, 1]), positions=[0, 1],
        ...                  held_out=(points, [0, 1, 0, 1]))
        >>> same.mean, same.max  # every example was replaced by itself
        (0.0, 0.0)
    """

    means: tuple[float, ...] = field(repr=False)
    largest: tuple[float, ...] = field(repr=False)
    positions: tuple[int, ...] = field(repr=False)
    loss: StabilityLoss
    n: int
    held_out: int
    recipe: Recipe
    seed: int
    environment: Environment

    @property
    def replacements(self) -> int:
        """Number of replacements."""
        return len(self.means)

    @property
    def mean(self) -> float:
        """Mean absolute change: an estimate of the hypothesis stability."""
        return math.fsum(self.means) / self.replacements

    @property
    def standard_error(self) -> float:
        """Estimated standard deviation of ``mean`` over replacements; the points are given."""
        return standard_error(self.means)

    @property
    def max(self) -> float:
        """The largest change of all: the uniform stability is not below it."""
        return max(self.largest)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and properties as a dictionary that JSON can hold."""
        return {
            **asdict(self),
            "means": list(self.means),
            "largest": list(self.largest),
            "positions": list(self.positions),
            "replacements": self.replacements,
            "mean": self.mean,
            "standard_error": self.standard_error,
            "max": self.max,
        }

    def __repr__(self) -> str:
        return (
            f"Stability({self.loss} moves by {self.mean:.4g} +- {self.standard_error:.2g} on "
            f"average, {self.max:.4g} at most; {self.replacements} replacements in {self.n} "
            f"examples, {self.held_out} held-out points, seed={self.seed})"
        )
