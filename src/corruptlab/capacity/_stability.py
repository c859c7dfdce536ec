"""Replace-one stability: how far one training example moves the loss elsewhere."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from corruptlab._arrays import Rows, read_inputs, read_labels
from corruptlab._checks import check_choice
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._modules import ModelSource
from corruptlab._reports import Report, rows_of
from corruptlab._statistics import standard_error
from corruptlab.capacity._replicas import Procedure, Replicas
from corruptlab.training import Recipe

StabilityLoss: TypeAlias = Literal["cross_entropy", "zero_one"]
"""What changes: the loss of training, which has no bound, or whether a prediction is wrong."""


@dataclass(frozen=True, kw_only=True)
class Stability(
    Report, kind="stability", derived=("replacements", "mean", "standard_error", "max")
):
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

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        return rows_of(position=self.positions, mean=self.means, largest=self.largest)

    def __repr__(self) -> str:
        return (
            f"Stability({self.loss} moves by {self.mean:.4g} +- {self.standard_error:.2g} on "
            f"average, {self.max:.4g} at most; {self.replacements} replacements in {self.n} "
            f"examples, {self.held_out} held-out points, "
            f"inputs {self.recipe.preparation}, seed={self.seed})"
        )


def stability(
    model: ModelSource,
    inputs: Rows,
    labels: ArrayLike | Tensor,
    *,
    recipe: Recipe,
    fresh: tuple[Rows, ArrayLike | Tensor],
    held_out: tuple[Rows, ArrayLike | Tensor],
    positions: ArrayLike | None = None,
    loss: StabilityLoss = "cross_entropy",
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool = False,
) -> Stability:
    """Measure how far the loss elsewhere moves when one training example is replaced.

    One network is trained on all examples S, and one more for each fresh example z' with
    that in the place of example i: ``S^i``. All start from the same weights and visit positions in
    the same order, so that nothing but the example differs. The measure is
    ``abs(l(A(S^i), z) - l(A(S), z))`` at the held-out points z: the mean over z, whose mean
    over draws of i and z' estimates the (replace-one) hypothesis stability, and the largest, which
    the uniform stability is not below. A training that is uniformly beta-stable for a loss has an
    expected generalization gap of beta at most.

    Training ends when its examples are interpolated, and a replaced one can move that moment by
    whole epochs: stopping is part of what is measured. Two trainings that agree in exact arithmetic
    can differ by rounding, which grows with the number of steps.

    Args:
        model: The network that every training starts from, which is copied, or a function without
            arguments that makes it.
        inputs: Training inputs as they are stored, shape ``(n, ...)``; the recipe prepares them.
        labels: Their classes, shape ``(n,)``.
        recipe: The hyper-parameters.
        fresh: Inputs, shape ``(r, ...)``, and labels of r >= 2 further examples of the same law;
            each replaces one training example, and is one more training.
        held_out: Inputs, shape ``(m, ...)``, and labels of the points at which the loss is taken.
        positions: Which training example each fresh one replaces, shape ``(r,)``; None for
            ``Draws(seed).integers("stability/positions", range(r), n)``.
        loss: ``"cross_entropy"``, or ``"zero_one"`` for the share of points that become right or
            wrong, which the bounded losses of the theory are about.
        seed: Decides the positions and the data order; any integer >= 0.
        device: Where to train; None for where the network is.
        progress: Whether to show progress on standard error.

    Returns:
        The changes. After Ctrl-C those of the finished groups of replacements (at most 256 each);
        before the first is finished, Ctrl-C passes through.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If inputs are missing or of different shapes, there are fewer than two fresh
            examples, the network does not take the inputs, or a label or position is out of range.
        NonFiniteLossError: If the loss of a replica becomes infinite or not a number.

    Example:
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import stability
        >>> images, labels = cl.datasets.fashion_mnist_mini("train").tensors
        >>> recipe = cl.Recipe(learning_rate=0.01, epochs=3)
        >>> model = cl.mlp(input_shape=(1, 28, 28))
        >>> stability(model, images[:200], labels[:200], recipe=recipe,
        ...           fresh=(images[200:210], labels[200:210]),
        ...           held_out=(images[300:], labels[300:]))
        Stability(cross_entropy moves by 0.0... +- 0.00... on average, 0... at most; 10 replacements
        in 200 examples, 3700 held-out points, inputs plain, seed=0)

    Source: Bousquet and Elisseeff 2002, "Stability and generalization", Def. 3 and 6, with
    replacing for removing; Hardt, Recht, and Singer 2016, "Train faster, generalize better", §2.
    """
    check_choice("loss", loss, get_args(StabilityLoss))
    examples = read_inputs(inputs)
    procedure = Procedure.of(
        model, examples, recipe=recipe, seed=seed, device=device, progress=progress
    )
    classes, n = procedure.num_classes, len(examples)
    targets = read_labels(labels, n=n, num_classes=classes)
    others, their_targets = _read_pair("fresh", fresh, like=examples, num_classes=classes)
    points, point_targets = _read_pair("held_out", held_out, like=examples, num_classes=classes)
    if len(others) < 2:
        raise ValueError(f"`fresh` must hold at least 2 examples, got {len(others)}.")
    at = _positions(positions, n=n, replacements=len(others), seed=procedure.seed)
    subsets = torch.arange(n).repeat(1 + len(at), 1)
    subsets[torch.arange(1, 1 + len(at)), at] = n + torch.arange(len(at))
    pool, pool_targets = torch.cat([examples, others]), torch.cat([targets, their_targets])
    losses = procedure.measure(
        lambda replicas: _losses(replicas, points, point_targets, loss),
        pool,
        pool_targets.expand(len(subsets), -1),
        subsets=subsets,
        least=3,
    )
    changes = (losses[1:] - losses[0]).abs()  # (replacements, held-out points)
    means: list[float] = changes.mean(dim=1).tolist()
    largest: list[float] = changes.amax(dim=1).tolist()
    return Stability(
        means=tuple(means),
        largest=tuple(largest),
        positions=tuple(at[: len(means)].tolist()),
        loss=loss,
        n=n,
        held_out=len(points),
        recipe=procedure.recipe,
        seed=procedure.seed,
        environment=procedure.environment,
    )


def _read_pair(name: str, pair: object, *, like: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Return inputs, of the kind of the training inputs, and their labels."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        kind = type(pair).__name__
        got = f"a {kind} of {len(pair)}" if isinstance(pair, tuple | list) else kind
        raise TypeError(f"`{name}` must be a pair of inputs and labels, got {got}.")
    inputs = read_inputs(pair[0], f"{name} inputs")
    if inputs.shape[1:] != like.shape[1:] or inputs.dtype != like.dtype:
        raise ValueError(
            f"`{name} inputs` must have the shape and type of `inputs`, {tuple(like.shape[1:])} "
            f"and {like.dtype}, got {tuple(inputs.shape[1:])} and {inputs.dtype}."
        )
    labels = read_labels(pair[1], n=len(inputs), num_classes=num_classes, name=f"{name} labels")
    return inputs.to(like.device), labels


def _positions(positions: ArrayLike | None, *, n: int, replacements: int, seed: int) -> Tensor:
    """Return which example each replacement replaces, ``int64``, shape ``(replacements,)``."""
    if positions is None:
        drawn = Draws(seed).integers("stability/positions", np.arange(replacements), n)
        return torch.from_numpy(drawn)
    at = np.asarray(positions)
    if at.dtype.kind not in "iu":
        raise TypeError(f"`positions` must be integers, got {at.dtype}.")
    if at.shape != (replacements,):
        raise ValueError(
            f"`positions` must have shape ({replacements},), one for each fresh example, "
            f"got shape {at.shape}."
        )
    if at.min() < 0 or at.max() >= n:
        bad = at.min() if at.min() < 0 else at.max()
        raise ValueError(f"`positions` must lie in 0 .. {n - 1}, got {bad}.")
    return torch.from_numpy(at.astype(np.int64))


def _losses(replicas: Replicas, points: Tensor, labels: Tensor, loss: StabilityLoss) -> Tensor:
    """Return the loss of each replica at each point, ``float64``, shape ``(r, m)``."""
    if loss == "zero_one":
        return (replicas.predictions(points) != labels).double()
    return replicas.cross_entropies(points, labels)
