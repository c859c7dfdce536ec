"""Which examples a network gets right only if it has seen them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptlab._checks import real
from corruptlab._environment import Environment
from corruptlab.training import Recipe


@dataclass(frozen=True, kw_only=True, eq=False)
class Memorization:
    """Memorization scores of training examples, with their standard errors.

    Attributes:
        correct_in: Share of the replicas *with* an example that get it right, ``float64``, shape
            ``(n,)``.
        correct_out: The same of the replicas *without* it.
        in_counts: Number of replicas with each example, ``int64``, shape ``(n,)``.
        out_counts: Number of replicas without it.
        replicas: Number of replicas.
        subset_size: Number of examples that each replica was trained on.
        train_accuracies: Share of them that each replica got right.
        recipe: The hyper-parameters.
        seed: Seed of the subsets and of the data order.
        environment: Versions, machine, and device.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import memorization
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50, whiten=False)
        >>> found = memorization(torch.nn.Linear(6, 2), torch.eye(6), [0, 1, 0, 1, 0, 1],
        ...                      recipe=recipe, replicas=20)
        >>> found.correct_in.tolist()  # what was seen is fitted
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """

    correct_in: NDArray[np.float64] = field(repr=False)
    correct_out: NDArray[np.float64] = field(repr=False)
    in_counts: NDArray[np.int64] = field(repr=False)
    out_counts: NDArray[np.int64] = field(repr=False)
    replicas: int
    subset_size: int
    train_accuracies: tuple[float, ...] = field(repr=False)
    recipe: Recipe
    seed: int
    environment: Environment

    @property
    def n(self) -> int:
        """Number of examples."""
        return len(self.in_counts)

    @property
    def scores(self) -> NDArray[np.float64]:
        """``correct_in - correct_out``, ``float64`` in ``[-1, 1]``, shape ``(n,)``."""
        return self.correct_in - self.correct_out

    @property
    def standard_errors(self) -> NDArray[np.float64]:
        """Estimated standard deviation of each score, ``float64``, shape ``(n,)``.

        ``sqrt(a (1 - a) / (n_a - 1) + b (1 - b) / (n_b - 1))`` for the shares a, b of n_a, n_b
        replicas, as the replicas are independent. It is 0 where each of the groups agrees, which
        few replicas do by chance.
        """
        a, b = self.correct_in, self.correct_out
        variances: NDArray[np.float64] = a * (1 - a) / (self.in_counts - 1)
        return np.asarray(np.sqrt(variances + b * (1 - b) / (self.out_counts - 1)))

    def memorized(self, threshold: float = 0.25) -> NDArray[np.int64]:
        """Return the examples whose score is at least ``threshold``, the largest score first.

        Args:
            threshold: The score; with 0.25 the source selects its examples.

        Returns:
            Positions, ``int64``; of equal scores the lower position comes first.

        Raises:
            TypeError: If ``threshold`` is not a number.
            ValueError: If it is not finite.

        Source: Feldman and Zhang 2020.
        """
        threshold = real("threshold", threshold)
        order = np.argsort(-self.scores, kind="stable")
        return order[self.scores[order] >= threshold]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and properties as a dictionary that JSON can hold."""
        return {
            "scores": self.scores.tolist(),
            "standard_errors": self.standard_errors.tolist(),
            "correct_in": self.correct_in.tolist(),
            "correct_out": self.correct_out.tolist(),
            "in_counts": self.in_counts.tolist(),
            "out_counts": self.out_counts.tolist(),
            "n": self.n,
            "replicas": self.replicas,
            "subset_size": self.subset_size,
            "train_accuracies": list(self.train_accuracies),
            "recipe": self.recipe.to_dict(),
            "seed": self.seed,
            "environment": self.environment.to_dict(),
        }

    def __repr__(self) -> str:
        return (
            f"Memorization({self.n} examples, {len(self.memorized())} with a score of 0.25 or "
            f"more, mean score {self.scores.mean():.3g}, median standard error "
            f"{np.median(self.standard_errors):.2g}; {self.replicas} replicas on "
            f"{self.subset_size}, seed={self.seed})"
        )
