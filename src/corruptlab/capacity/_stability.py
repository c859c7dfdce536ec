"""Replace-one stability: how far one training example moves the loss elsewhere."""

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from corruptlab import _learners
from corruptlab._arrays import Rows, read_inputs, read_labels
from corruptlab._checks import check_choice, check_left_out
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._json import Json
from corruptlab._modules import ModelSource
from corruptlab._reports import Report, rows_of
from corruptlab._statistics import standard_error
from corruptlab._sweeps import Runner
from corruptlab._text import counted
from corruptlab._types import Ids, Labels
from corruptlab.capacity._learned import ANY_LEARNER, LearnedExamples, targets_of, trained_by
from corruptlab.capacity._replicas import Procedure, Replicas
from corruptlab.training import Recipe

StabilityLoss: TypeAlias = Literal["cross_entropy", "zero_one"]
"""What changes: the loss of training, which has no bound, or whether a prediction is wrong."""

_WANTED: dict[StabilityLoss, _learners.Wanted] = {
    "cross_entropy": "log-probabilities",
    "zero_one": "classes",
}
_LEAST = 3  # trainings: on all examples, and with two replacements, whose spread is told


@dataclass(frozen=True, kw_only=True)
class Stability(
    Report, kind="stability", derived=("replacements", "mean", "standard_error", "max")
):
    """Change of the loss at held-out points after replacing one training example.

    Attributes:
        means: Mean over the held-out points of the absolute change, for each replacement.
        largest: Largest absolute change over the held-out points, for each replacement.
        positions: Position of the replaced training example, for each replacement.
        loss: Name of the loss.
        n: Number of training examples.
        held_out: Number of held-out points.
        recipe: The hyper-parameters; None for an estimator or a training function.
        seed: Seed of the positions and of the data order.
        environment: Versions, machine, and device.
        learner: Name of an estimator or a training function; None for a network.

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
    recipe: Recipe | None
    seed: int
    environment: Environment
    learner: str | None = None

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
        """Estimated standard deviation of ``mean`` over replacements, given the held-out points."""
        return standard_error(self.means)

    @property
    def max(self) -> float:
        """Largest absolute change, a lower bound on the uniform stability."""
        return max(self.largest)

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        return rows_of(position=self.positions, mean=self.means, largest=self.largest)

    def __repr__(self) -> str:
        return (
            f"Stability({self.loss} moves by {self.mean:.4g} +- {self.standard_error:.2g} on "
            f"average, {self.max:.4g} at most; {counted(self.replacements, 'replacement')} in "
            f"{counted(self.n, 'example')}, {counted(self.held_out, 'held-out point')}, "
            f"{trained_by(self.recipe, self.learner)}, seed={self.seed})"
        )


def stability(
    model: ModelSource | _learners.Learner | Any,
    inputs: Rows | Any,
    labels: ArrayLike | Tensor,
    *,
    recipe: Recipe | None = None,
    fresh: tuple[Rows | Any, ArrayLike | Tensor],
    held_out: tuple[Rows | Any, ArrayLike | Tensor],
    positions: ArrayLike | None = None,
    loss: StabilityLoss = "cross_entropy",
    seed: int = 0,
    device: torch.device | str | None = None,
    executor: Executor | int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Stability:
    """Measure how much the loss on held-out points changes if one training example is replaced.

    One copy of the model is trained on all examples S, and one copy for each fresh example z',
    which replaces example i: ``S^i``. All copies start from the same weights and have the same data
    order, so only the example differs. The measure is ``abs(l(A(S^i), z) - l(A(S), z))`` at the
    held-out points z. Its mean over z, averaged over draws of i and z', estimates the (replace-one)
    hypothesis stability; its maximum is a lower bound on the uniform stability. A procedure that is
    uniformly beta-stable for a loss has an expected generalization gap of at most beta.

    Training ends when the examples are interpolated, and a replaced example can change this time by
    whole epochs: stopping is part of the measured procedure. Two runs that agree in exact
    arithmetic can differ by rounding errors, which grow with the number of steps.

    Args:
        model: With ``recipe``, the network from which every training run starts, and which is
            copied, or a function without arguments that returns it. Without ``recipe``, an
            estimator with scikit-learn's interface, or a function ``train(data, *, seed) ->
            predict`` (see `Learner`), trained with ``seed`` each time.
        inputs: Stored training inputs of a network, shape ``(n, ...)``, which the recipe prepares.
            For other learners any container of n rows: an array, a data frame, a sparse matrix, a
            list.
        labels: Classes of the inputs, shape ``(n,)``.
        recipe: Hyper-parameters; None for other learners.
        fresh: Inputs, shape ``(r, ...)``, and labels of r >= 2 further examples of the same
            distribution. Each replaces one training example and requires one training run.
        held_out: Inputs, shape ``(m, ...)``, and labels of the points of the measured loss.
        positions: Positions of the replaced training examples, shape ``(r,)``; None for
            ``Draws(seed).integers("stability/positions", range(r), n)``.
        loss: ``"cross_entropy"``, which requires an estimator with ``predict_proba``, or a
            predictor that is a network or returns probabilities (those below 2.2e-16 are replaced
            by 2.2e-16); or ``"zero_one"`` for the share of points that become right or wrong, a
            bounded loss as in the theory.
        seed: Seed of the positions and the data order; an integer >= 0.
        device: Device of the training; None for the device of the network.
        executor: Executor for learners other than networks: None for this process, a number of
            processes, or any ``concurrent.futures.Executor``, as in `sweep`.
        out: Folder in which finished runs of other learners are saved. The same call resumes from
            it, also after ``kill -9``. None saves nothing.
        progress: Whether to show progress on standard error.

    Returns:
        The changes of the loss. After Ctrl-C, those of the finished groups of at most 256
        replacements (for other learners, of all finished replacements, at least two); before the
        first is finished, ``KeyboardInterrupt`` is raised.

    Raises:
        TypeError: If an argument has the wrong type, or a learner lacks a method that ``loss``
            requires.
        ValueError: If inputs are missing or of different shapes, there are fewer than two fresh
            examples, the network does not accept the inputs, a label or position is out of range,
            or an option does not apply to this type of model.
        NonFiniteLossError: If the loss of a replica becomes infinite or not a number.
        RuntimeError: If a training run on an executor fails; the others are saved in ``out``.

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
        in 200 examples, 3,700 held-out points, inputs plain, seed=0)
        >>> def majority(data, *, seed):
        ...     classes, counts = np.unique(data.labels, return_counts=True)
        ...     return lambda inputs: np.full(len(inputs), classes[counts.argmax()])
        >>> x, y = np.eye(9), [0] * 4 + [1] * 5  # replacing a 1 by a 0 changes the majority
        >>> stability(majority, x, y, fresh=(x[:2], [0, 0]), positions=[0, 8], held_out=(x, y),
        ...           loss="zero_one").means
        (0.0, 1.0)

    Source: Bousquet and Elisseeff 2002, "Stability and generalization", Def. 3 and 6, with
    replacement instead of removal; Hardt, Recht, and Singer 2016, "Train faster, generalize
    better", §2.
    """
    check_choice("loss", loss, get_args(StabilityLoss))
    if recipe is not None:
        check_left_out("a network", executor=executor, out=out)
        options = {"seed": seed, "device": device, "progress": progress}
        return _of_network(model, inputs, labels, recipe, fresh, held_out, positions, loss, options)
    check_left_out(ANY_LEARNER, device=device)
    trial = _LearnedReplacement.of(model, inputs, labels, fresh, held_out, positions, loss, seed)
    with trial.examples.running(
        executor, out, label="stability", each="replacement", progress=progress
    ) as run:
        return _of_learner(trial, run)


def _of_network(
    model: Any,
    inputs: Any,
    labels: Any,
    recipe: Recipe,
    fresh: Any,
    held_out: Any,
    positions: ArrayLike | None,
    loss: StabilityLoss,
    options: dict[str, Any],
) -> Stability:
    examples = read_inputs(inputs)
    procedure = Procedure.of(model, examples, recipe=recipe, **options)
    classes, n = procedure.num_classes, len(examples)
    targets = read_labels(labels, n=n, num_classes=classes)
    others, their_targets = _read_pair("fresh", fresh, like=examples, num_classes=classes)
    points, point_targets = _read_pair("held_out", held_out, like=examples, num_classes=classes)
    at = _positions(positions, n=n, replacements=len(others), seed=procedure.seed)
    subsets = torch.from_numpy(np.stack([_replaced(n, at, r) for r in range(1 + len(at))]))
    pool, pool_targets = torch.cat([examples, others]), torch.cat([targets, their_targets])
    losses = procedure.measure(
        lambda replicas: _losses(replicas, points, point_targets, loss),
        pool,
        pool_targets.expand(len(subsets), -1),
        subsets=subsets,
        least=_LEAST,
    )
    return _compared(
        losses.numpy(),
        at,
        loss=loss,
        n=n,
        recipe=procedure.recipe,
        seed=procedure.seed,
        environment=procedure.environment,
    )


def _of_learner(trial: "_LearnedReplacement", run: Runner) -> Stability:
    found, interrupted = run(trial, [{"replacement": r} for r in range(1 + len(trial.positions))])
    if interrupted and len(found) < _LEAST:
        raise KeyboardInterrupt
    return _compared(
        np.array([each["losses"] for each in found]),
        trial.positions,
        loss=trial.loss,
        n=trial.n,
        recipe=None,
        seed=trial.examples.seed,
        environment=Environment.here(),
        learner=trial.examples.learner.name,
    )


def _compared(losses: NDArray[Any], at: Ids, **made_with: Any) -> Stability:
    """Compare the losses ``(1 + replacements, held-out points)`` with those of the first row."""
    changes = np.abs(losses[1:] - losses[0])
    means: list[float] = changes.mean(axis=1).tolist()
    return Stability(
        means=tuple(means),
        largest=tuple(changes.max(axis=1).tolist()),
        positions=tuple(at[: len(means)].tolist()),
        held_out=losses.shape[1],
        **made_with,
    )


def _replaced(n: int, at: Ids, replacement: int) -> Ids:
    """Return the positions that a training sees; fresh examples come after the n, 0 is none."""
    found = np.arange(n)
    if replacement:
        found[at[replacement - 1]] = n + replacement - 1
    return found


@dataclass(frozen=True, eq=False)
class _LearnedReplacement:
    """One training of a learner: a trial of a sweep."""

    examples: LearnedExamples  # n, and then the fresh ones
    positions: Ids
    points: _learners.PairRows
    truth: Labels
    loss: StabilityLoss

    @classmethod
    def of(
        cls,
        model: Any,
        inputs: Any,
        labels: Any,
        fresh: Any,
        held_out: Any,
        positions: ArrayLike | None,
        loss: StabilityLoss,
        seed: int,
    ) -> "_LearnedReplacement":
        """Check what a user gave."""
        known = LearnedExamples.of(model, inputs, labels, seed=seed)
        learner, n = known.learner, len(known.rows)
        learner.check(_WANTED[loss], f"the loss {loss!r}")
        others, their_labels = _learned_pair("fresh", fresh, known)
        points, point_labels = _learned_pair("held_out", held_out, known)
        at = _positions(positions, n=n, replacements=len(others), seed=known.seed)
        both = _learners.joined(known.targets.labels, their_labels, "fresh", "inputs")
        all_labels = _learners.joined(both, point_labels, "held_out", "inputs")
        targets = targets_of(learner, all_labels)
        pool = replace(targets, codes=targets.codes[: n + len(others)])
        rows = _learners.rows_joined(known.rows, others)
        examples = LearnedExamples(learner, rows, pool, known.seed)
        return cls(examples, at, points, targets.codes[n + len(others) :], loss)

    @property
    def n(self) -> int:
        """Number of training examples."""
        return len(self.examples.rows) - len(self.positions)

    def __call__(self, *, replacement: int) -> dict[str, list[float]]:
        """Return the loss at each held-out point."""
        at = _replaced(self.n, self.positions, replacement)
        codes = self.examples.targets.codes[at]
        found = self.examples.answers(at, codes, self.points, _WANTED[self.loss])
        if self.loss == "zero_one":
            return {"losses": (found != self.truth).astype(float).tolist()}
        return {"losses": (-found[np.arange(len(found)), self.truth]).tolist()}

    def to_dict(self) -> dict[str, Json]:
        """Return what tells it from others."""
        return self.examples.identity(
            "stability",
            positions=self.positions.tolist(),
            points=self.points.digest(),
            truth=self.truth.tolist(),
            loss=self.loss,
        )


def _learned_pair(
    name: str, pair: object, like: LearnedExamples
) -> tuple[_learners.PairRows, NDArray[Any]]:
    inputs, labels = _pair(name, pair)
    rows = like.learner.rows(_learners.rows_of(inputs, f"{name} inputs"))
    _learners.check_alike(rows, like.rows, f"{name} inputs", "inputs")
    return rows, _learners.labels_of(labels, len(rows), f"{name} labels")


def _pair(name: str, pair: object) -> tuple[Any, Any]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        kind = type(pair).__name__
        got = f"a {kind} of {len(pair)}" if isinstance(pair, tuple | list) else kind
        raise TypeError(f"`{name}` must be a pair of inputs and labels, got {got}.")
    return pair[0], pair[1]


def _read_pair(name: str, pair: object, *, like: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Return inputs, of the kind of the training inputs, and their labels."""
    given, classes = _pair(name, pair)
    inputs = read_inputs(given, f"{name} inputs")
    if inputs.shape[1:] != like.shape[1:] or inputs.dtype != like.dtype:
        raise ValueError(
            f"`{name} inputs` must have the shape and type of `inputs`, {tuple(like.shape[1:])} "
            f"and {like.dtype}, got {tuple(inputs.shape[1:])} and {inputs.dtype}."
        )
    labels = read_labels(classes, n=len(inputs), num_classes=num_classes, name=f"{name} labels")
    return inputs.to(like.device), labels


def _positions(positions: ArrayLike | None, *, n: int, replacements: int, seed: int) -> Ids:
    """Return which example each replacement replaces, ``int64``, shape ``(replacements,)``."""
    if replacements < 2:
        raise ValueError(f"`fresh` must hold at least 2 examples, got {replacements}.")
    if positions is None:
        return Draws(seed).integers("stability/positions", np.arange(replacements), n)
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
    return at.astype(np.int64)


def _losses(replicas: Replicas, points: Tensor, labels: Tensor, loss: StabilityLoss) -> Tensor:
    """Return the loss of each replica at each point, ``float64``, shape ``(r, m)``."""
    if loss == "zero_one":
        return (replicas.predictions(points) != labels).double()
    return replicas.cross_entropies(points, labels)
