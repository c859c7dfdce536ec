"""Shattering: which of the two-class labellings of some points a network can be trained to."""

import itertools
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from corruptlab._arrays import Rows, read_inputs
from corruptlab._checks import at_least, check_confidence
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._modules import ModelSource
from corruptlab._reports import Report
from corruptlab._statistics import clopper_pearson
from corruptlab._text import counted
from corruptlab.capacity._replicas import Procedure, Replicas
from corruptlab.training import Recipe

# More points than this need a `sample`; all dichotomies are 4,096 trainings.
_MOST_POINTS = 12


@dataclass(frozen=True, kw_only=True)
class Shattering(Report, kind="shattering", derived=("share", "share_interval", "shattered")):
    """Number of dichotomies of a set of points that were fitted; returned by `shatters`.

    Attributes:
        n: Number of points.
        tried: Number of dichotomies on which a network was trained.
        fitted: Number of dichotomies that were fitted at every point.
        exhaustive: Whether the dichotomies were enumerated in the order of binary numbers, all
            ``2**n`` of them unless Ctrl-C ended the test. Otherwise they are independent uniform
            draws.
        unfitted: Labels in {0, 1} of the points, for each dichotomy that was not fitted.
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

    def __post_init__(self) -> None:
        if self.exhaustive and not 0 < self.n <= _MOST_POINTS:
            raise ValueError(f"`n` must lie in 1 .. {_MOST_POINTS} if `exhaustive`, got {self.n}.")

    @property
    def share(self) -> float:
        """Share of the tried dichotomies that were fitted."""
        return self.fitted / self.tried

    @property
    def share_interval(self) -> tuple[float, float]:
        """Confidence interval for the share of all ``2**n`` dichotomies that can be fitted.

        For a sample, this is the Clopper-Pearson interval, exact at the level ``confidence``. For
        an incomplete enumeration the interval is certain: its ends assume that none, or all, of the
        untried dichotomies can be fitted.
        """
        if not self.exhaustive:
            return clopper_pearson(self.fitted, self.tried, confidence=(1 + self.confidence) / 2)
        return self.fitted / 2**self.n, 1 - len(self.unfitted) / 2**self.n

    @property
    def shattered(self) -> bool | None:
        """Whether every dichotomy was fitted; None if all tried ones were, but some remain."""
        if self.unfitted:
            return False
        return True if self.exhaustive and self.tried == 2**self.n else None

    def __repr__(self) -> str:
        low, high = self.share_interval
        if not self.exhaustive:
            which = f"a sample of {counted(self.tried, 'dichotomy', 'dichotomies')}"
            shown = f", {100 * self.confidence:g}% interval [{low:.4g}, {high:.4g}]"
        elif self.tried < 2**self.n:
            which = f"the first {self.tried} of {2**self.n:,} dichotomies"
            shown = f", share in [{low:.4g}, {high:.4g}]"
        else:
            which, shown = f"all {counted(2**self.n, 'dichotomy', 'dichotomies')}", ""
        return (
            f"Shattering({counted(self.n, 'point')}: {self.fitted} of {which} fitted{shown}; "
            f"inputs {self.recipe.preparation}, seed={self.seed})"
        )


def shatters(
    model: ModelSource,
    inputs: Rows,
    *,
    recipe: Recipe,
    sample: int | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    device: torch.device | str | None = None,
    progress: bool = False,
) -> Shattering:
    """Train a network on all labellings of points with two classes, or on a sample of them.

    If all ``2**n`` dichotomies are fitted, the points are *shattered*. This is a proof, and n is a
    lower bound on the VC dimension of the network. A dichotomy that is not fitted proves nothing
    about the network alone: other weights, which this recipe does not find from these initial
    weights, may fit it. Nor is a dichotomy fitted if outputs at a point differ by rounding only: a
    plane trained on "exclusive or" becomes flat.

    A sample is drawn independently and uniformly, with replacement: example i of dichotomy t
    has the class ``Draws(seed).integers("shatters/{t}", [i], 2)``. The number of fitted dichotomies
    is therefore binomial, and the interval for the share of all dichotomies is exact.

    Args:
        model: A network with two outputs, from whose weights every training run starts, and which
            is copied; or a function without arguments that returns it.
        inputs: Stored inputs, the n points, shape ``(n, ...)``, which the recipe prepares.
        recipe: Hyper-parameters.
        sample: Number of dichotomies to draw, >= 1; None for all, with at most 12 points.
        seed: Seed of the sample and the data order; an integer >= 0.
        confidence: Level of `Shattering.share_interval`, in ``(0, 1)``.
        device: Device of the training; None for the device of the network.
        progress: Whether to show progress on standard error.

    Returns:
        The fitted and the unfitted dichotomies. After Ctrl-C, those of the finished groups of at
        most 256 dichotomies; before the first is finished, ``KeyboardInterrupt`` is raised.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If there are no points, the network does not accept them or does not have two
            outputs, there are too many points to try all dichotomies, or an option is out of range.
        NonFiniteLossError: If the loss of a replica becomes infinite or not a number.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import shatters
        >>> recipe = cl.Recipe(learning_rate=1.0, decay=1.0, epochs=200, whiten=False)
        >>> triangle = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
        >>> found = shatters(cl.mlp(input_shape=(2,), num_classes=2), triangle, recipe=recipe)
        >>> found
        Shattering(3 points: 8 of all 8 dichotomies fitted; inputs plain, seed=0)
        >>> found.shattered
        True

    Source: Vapnik and Chervonenkis 1971; Clopper and Pearson 1934.
    """
    points = read_inputs(inputs)
    n = len(points)
    check_confidence(confidence)
    if sample is not None:
        sample = at_least(1, "sample", sample)
    elif n > _MOST_POINTS:
        raise ValueError(
            f"`sample` must say how many dichotomies to draw for more than {_MOST_POINTS} points, "
            f"got None for {n}."
        )
    procedure = Procedure.of(
        model, points, recipe=recipe, seed=seed, device=device, progress=progress
    )
    if procedure.num_classes != 2:
        raise ValueError(f"`model` must have 2 outputs, one a class, got {procedure.num_classes}.")
    labels = _all_labels(n) if sample is None else _drawn_labels(n, sample, procedure.seed)

    def fits(replicas: Replicas) -> Tensor:
        return (replicas.train_accuracy == 1) & replicas.decides(points)

    fitted = procedure.measure(fits, points, labels, least=1)
    unfitted: list[list[int]] = labels[: len(fitted)][~fitted].tolist()
    return Shattering(
        n=n,
        tried=len(fitted),
        fitted=int(fitted.sum()),
        exhaustive=sample is None,
        unfitted=tuple(map(tuple, unfitted)),
        confidence=float(confidence),
        recipe=procedure.recipe,
        seed=procedure.seed,
        environment=procedure.environment,
    )


def _all_labels(n: int) -> Tensor:
    """Return all dichotomies in the order of binary numbers, ``int64``, shape ``(2**n, n)``."""
    return torch.tensor(list(itertools.product((0, 1), repeat=n)))


def _drawn_labels(n: int, sample: int, seed: int) -> Tensor:
    draws, ids = Draws(seed), np.arange(n)
    rows = [draws.integers(f"shatters/{t}", ids, 2) for t in range(sample)]
    return torch.from_numpy(np.stack(rows))
