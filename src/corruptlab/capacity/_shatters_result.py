"""What training on dichotomies came to."""

from dataclasses import asdict, dataclass, field
from typing import Any

from corruptlab._environment import Environment
from corruptlab.capacity._clopper_pearson import clopper_pearson
from corruptlab.training import Recipe


@dataclass(frozen=True, kw_only=True)
class Shattering:
    """How many of the dichotomies of some points were fitted.

    Attributes:
        n: Number of points.
        tried: Number of dichotomies that a network was trained on.
        fitted: How many of them it got right at every point.
        exhaustive: Whether they are the first of all ``2**n`` in the order of binary numbers,
            and all of them but for Ctrl-C; otherwise they are independent uniform draws.
        unfitted: Labels 0 and 1 of the points, for each dichotomy that was not fitted.
        confidence: Level of ``share_interval``.
        recipe: The hyper-parameters.
        seed: Seed of the sample and of the data order.
        environment: Versions, machine, and device.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import shatters
        >>> square = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> recipe = cl.Recipe(learning_rate=1.0, decay=1.0, epochs=100, whiten=False)
        >>> found = shatters(cl.mlp(input_shape=(2,), num_classes=2), square, recipe=recipe)
        >>> found.unfitted  # a plane cannot do "exclusive or"
        ((0, 1, 1, 0), (1, 0, 0, 1))
    """

    n: int
    tried: int
    fitted: int
    exhaustive: bool
    unfitted: tuple[tuple[int, ...], ...] = field(repr=False)
    confidence: float
    recipe: Recipe
    seed: int
    environment: Environment

    @property
    def share(self) -> float:
        """Share of the dichotomies tried that were fitted."""
        return self.fitted / self.tried

    @property
    def share_interval(self) -> tuple[float, float]:
        """Interval for the share of all ``2**n`` dichotomies that would be fitted.

        For a sample that of Clopper and Pearson, exact at ``confidence``. Otherwise it is sure:
        those that were not tried may all be fitted, or none.
        """
        if not self.exhaustive:
            return clopper_pearson(self.fitted, self.tried, confidence=(1 + self.confidence) / 2)
        return self.fitted / 2**self.n, 1 - len(self.unfitted) / 2**self.n

    @property
    def shattered(self) -> bool | None:
        """Whether every dichotomy is fitted; None if all that were tried are, but not all were."""
        if self.unfitted:
            return False
        return True if self.exhaustive and self.tried == 2**self.n else None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and properties as a dictionary that JSON can hold."""
        return {
            **asdict(self),
            "unfitted": [list(labels) for labels in self.unfitted],
            "share": self.share,
            "share_interval": list(self.share_interval),
            "shattered": self.shattered,
        }

    def __repr__(self) -> str:
        low, high = self.share_interval
        if not self.exhaustive:
            which = f"a sample of {self.tried} dichotomies"
            sure = f", {100 * self.confidence:g}% interval [{low:.4g}, {high:.4g}]"
        elif self.tried < 2**self.n:
            which = f"the first {self.tried} of {2**self.n} dichotomies"
            sure = f", share in [{low:.4g}, {high:.4g}]"
        else:
            which, sure = f"all {self.tried} dichotomies", ""
        return (
            f"Shattering({self.n} points: {self.fitted} of {which} fitted{sure}; seed={self.seed})"
        )
