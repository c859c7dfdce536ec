"""Effective capacity: the largest number of examples that a model fits."""

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from corruptlab import _learners
from corruptlab._arrays import Rows
from corruptlab._checks import (
    at_least,
    check_confidence,
    check_left_out,
    check_number,
    check_probability,
    not_negative,
)
from corruptlab._environment import Environment
from corruptlab._modules import ModelSource
from corruptlab._reports import Report
from corruptlab._statistics import clopper_pearson
from corruptlab._text import counted
from corruptlab.capacity._fitting_tasks import (
    LearnedReplica,
    LearnedTask,
    NetworkTask,
    RecipeFor,
    Task,
)
from corruptlab.capacity._learned import ANY_LEARNER, trained_by
from corruptlab.training import Recipe

StoppedBy: TypeAlias = Literal["tolerance", "all_fitted", "interrupted"]
"""Why a search ended: the bracket is narrow, all examples are fitted, or Ctrl-C was pressed."""

_FIRST_SIZE = 16  # it is doubled until a size is not fitted


@dataclass(frozen=True, kw_only=True)
class EffectiveCapacityTrial:
    """Results of all replicas with the same number of examples.

    Attributes:
        n: Number of examples that each replica was trained on.
        train_accuracies: Training accuracy of each replica.
        fitted: Number of replicas with at most ``error * n`` errors.
        recipe: The hyper-parameters; None for an estimator or a training function.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import effective_capacity
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50, whiten=False)
        >>> model = cl.mlp(input_shape=(4,), num_classes=2)
        >>> found = effective_capacity(model, torch.eye(4), recipe=recipe)
        >>> found.trials[0]
        EffectiveCapacityTrial(4 examples: 10 of 10 replicas fitted)
    """

    n: int
    train_accuracies: tuple[float, ...]
    fitted: int
    recipe: Recipe | None

    @classmethod
    def of(
        cls, n: int, errors: NDArray[Any], error: float, recipe: Recipe | None
    ) -> "EffectiveCapacityTrial":
        """Build a trial from the training accuracies of its replicas."""
        few = errors <= error * n + 1e-9  # 0.29 * 100 is a little below 29
        accuracies: list[float] = ((n - errors) / n).tolist()
        return cls(n=n, train_accuracies=tuple(accuracies), fitted=int(few.sum()), recipe=recipe)

    def fits(self, share: float) -> bool:
        """Return whether at least this share of the replicas fitted."""
        return self.fitted >= share * len(self.train_accuracies) - 1e-9  # 0.07 * 100 is above 7

    def __repr__(self) -> str:
        replicas = len(self.train_accuracies)
        fitted = f"{self.fitted} of {counted(replicas, 'replica')} fitted"
        counts = f"{counted(self.n, 'example')}: {fitted}"
        return f"EffectiveCapacityTrial({counts})"


@dataclass(frozen=True, kw_only=True)
class EffectiveCapacity(
    Report,
    kind="effective_capacity",
    derived=("replicas", "value", "at_least", "bracket", "relative_error", "interval"),
):
    """Number of examples that a model fits; returned by `effective_capacity`.

    n examples count as *fitted* if at least ``share`` of the replicas, each on its own subset of n
    examples, make at most ``error * n`` errors on them.

    Attributes:
        labels: ``"random"``, drawn for each replica separately, or ``"given"``.
        trials: Trials, in order.
        examples: Number of available examples, the largest n that can be tried.
        share: Share of the replicas that must fit.
        error: Share of errors that a replica may make.
        tolerance: Width of the bracket, relative to its lower end, at which the search stops.
        most_trials: Maximum number of trials of the search.
        confidence: Level of ``interval``.
        stopped_by: Reason for the end of the search.
        num_classes: Number of classes.
        seed: Seed of subsets, labels, and data order.
        environment: Versions, machine, and device.
        learner: Name of an estimator or a training function; None for a network.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import effective_capacity
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50, whiten=False)
        >>> model = cl.mlp(input_shape=(4,), num_classes=2)
        >>> effective_capacity(model, torch.eye(4), recipe=recipe)
        EffectiveCapacity(at least 4 examples with random labels of 2 classes, all there are,
        95% interval [4, unknown); 10 replicas, share 0.5, error 0, inputs plain, seed=0)
    """

    labels: Literal["random", "given"]
    trials: tuple[EffectiveCapacityTrial, ...] = field(repr=False)
    examples: int
    share: float
    error: float
    tolerance: float
    most_trials: int
    confidence: float
    stopped_by: StoppedBy
    num_classes: int
    seed: int
    environment: Environment
    learner: str | None = None

    @property
    def replicas(self) -> int:
        """Number of replicas in each trial."""
        return len(self.trials[0].train_accuracies)

    @property
    def bracket(self) -> tuple[int, int | None]:
        """Largest fitted n and smallest n that was not fitted; the latter is None if all were."""
        return _bracket(
            fitted=[trial.n for trial in self.trials if trial.fits(self.share)],
            missed=[trial.n for trial in self.trials if not trial.fits(self.share)],
        )

    @property
    def value(self) -> int:
        """Largest number of examples that was fitted; 0 if none was."""
        return self.bracket[0]

    @property
    def at_least(self) -> bool:
        """Whether no larger number failed, which makes ``value`` a lower bound."""
        return self.bracket[1] is None

    @property
    def relative_error(self) -> float | None:
        """Width of the bracket relative to its lower end; None if an end is missing or zero."""
        low, high = self.bracket
        return None if high is None or low == 0 else (high - low) / low

    @property
    def interval(self) -> tuple[int, int | None]:
        """Confidence interval for the capacity, at the level ``confidence``.

        The capacity is defined here as the largest n at which a replica fits with a probability of
        at least ``share``. The interval assumes that this probability does not increase with n. Its
        lower end is the largest n tried at which the exact lower limit of the probability is at
        least ``share``, or 0. Its upper end is the smallest n tried at which the exact upper limit
        is below ``share``, or None. At each n, only one of the two limits can mislead, with a
        probability of at most ``(1 - confidence) / most_trials``. With ``share`` 1, the lower end
        is 0, because no sample can show that *all* replicas would fit.
        """
        level = 1 - (1 - self.confidence) / self.most_trials
        limits = [
            (t.n, clopper_pearson(t.fitted, self.replicas, confidence=level)) for t in self.trials
        ]
        return _bracket(
            fitted=[n for n, (low, _) in limits if low >= self.share],
            missed=[n for n, (_, high) in limits if high < self.share],
        )

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "n": trial.n,
                "replicas": self.replicas,
                "fitted": trial.fitted,
                "train_accuracy": math.fsum(trial.train_accuracies) / self.replicas,
                "fits": trial.fits(self.share),
            }
            for trial in self.trials
        ]

    def __repr__(self) -> str:
        low, high = self.bracket
        inside, outside = self.interval
        classes = counted(self.num_classes, "class", "classes")
        what = f"{counted(low, 'example')} with {self.labels} labels of {classes}"
        if high is not None:
            what += f", bracket [{low}, {high})"
        elif self.stopped_by == "all_fitted":
            what = f"at least {what}, all there are"
        else:
            what = f"at least {what}, interrupted"
        return (
            f"EffectiveCapacity({what}, {100 * self.confidence:g}% interval "
            f"[{inside}, {'unknown' if outside is None else outside}); "
            f"{counted(self.replicas, 'replica')}, share {self.share:g}, error {self.error:g}, "
            f"{trained_by(self.trials[0].recipe, self.learner)}, seed={self.seed})"
        )


def _bracket(fitted: list[int], missed: list[int]) -> tuple[int, int | None]:
    return max(fitted, default=0), min(missed, default=None)


def effective_capacity(
    model: ModelSource | Sequence[nn.Module] | _learners.Learner | Any,
    inputs: Rows | Any,
    labels: ArrayLike | Tensor | None = None,
    *,
    recipe: RecipeFor | None = None,
    num_classes: int | None = None,
    replicas: int = 10,
    share: float = 0.5,
    error: float = 0.0,
    tolerance: float = 0.05,
    seed: int = 0,
    confidence: float = 0.95,
    device: torch.device | str | None = None,
    executor: Executor | int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> EffectiveCapacity:
    """Find the largest number of randomly labelled examples that a model fits.

    n examples are *fitted* if at least ``share`` of the replicas, each trained on its own random
    subset of n inputs with its own labels, end with at most ``error * n`` errors on them. The sizes
    16, 32, 64, ... are tried until one is not fitted. The last interval is then bisected until the
    width of the bracket is at most ``tolerance`` times its lower end, or 1. If all examples are
    fitted, the result is a lower bound.

    Each n has its own random numbers, so the trials are independent and
    `EffectiveCapacity.interval` is exact. Bisection assumes that fewer examples are not harder to
    fit. A recipe can violate this: its learning rate decays with *epochs*, and an epoch of few
    examples has few steps. In this case pass a recipe for each n, such as ``lambda n:
    cl.recipes.default("mlp-1x512", input_shape=(3, 32, 32), n=n)``. Copies of an input with
    different labels cannot all be fitted. If an estimator raises a ``ValueError`` for examples of a
    single class, as many do, they count as fitted, because a constant fits them.

    For n examples, replica r uses the first n of
    ``Draws(seed).permutations("effective_capacity/{n}/subset", [r], N)``, and example i there has
    the label ``Draws(seed).integers("effective_capacity/{n}/labels/{r}", [i], K)``.

    Args:
        model: With ``recipe``, a network with one output per class, from whose weights every
            replica starts, a function without arguments that returns it, or a sequence of
            ``replicas`` networks. They are copied. Without ``recipe``, an
            estimator with scikit-learn's interface, or a function
            ``train(data, *, seed) -> predict`` (see `Learner`), trained with ``seed`` each time.
        inputs: Stored inputs of a network, shape ``(N, ...)``, which the recipe prepares. For other
            learners any container of N rows: an array, a data frame, a sparse matrix, a list.
        labels: Class of each input, shape ``(N,)``, to fit these labels instead of random ones.
        recipe: Hyper-parameters, or a function that returns them for n examples; None for other
            learners.
        num_classes: Number of classes K >= 2 of random labels for learners other than networks;
            None for 2.
        replicas: Number of training runs for each n, >= 1. With the default level, ``interval`` has
            two finite ends from about 9 on; with fewer, no result of a trial is significant.
        share: Share of the replicas that must fit, in ``(0, 1]``.
        error: Share of errors that a replica may make, in ``[0, 1)``.
        tolerance: Relative width of the bracket at which the search ends, >= 0.
        seed: Seed of subsets, random labels, and the data order; an integer >= 0.
        confidence: Level of `EffectiveCapacity.interval`, in ``(0, 1)``.
        device: Device of the training; None for the device of the network.
        executor: Executor for learners other than networks: None for this process, a number of
            processes, or any ``concurrent.futures.Executor``, as in `sweep`.
        out: Folder in which finished replicas of other learners are saved. The same call resumes
            from it, also after ``kill -9``; a different ``share``, ``error``, ``tolerance``, or
            number of replicas reuses them. None saves nothing.
        progress: Whether to show progress on standard error.

    Returns:
        The capacity, with all trials. Ctrl-C ends the search and returns the finished trials;
        before the first is finished, ``KeyboardInterrupt`` is raised.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If there are no inputs, the network does not accept them, a label has no
            output, or an option is out of range or does not apply to this type of model.
        NonFiniteLossError: If the loss of a replica becomes infinite or not a number.
        RuntimeError: If a training run on an executor fails; the others are saved in ``out``.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import effective_capacity
        >>> points = torch.randn(100, 5, generator=torch.Generator().manual_seed(0))
        >>> recipe = cl.Recipe(learning_rate=1.0, decay=1.0, epochs=100, whiten=False)
        >>> model = cl.mlp(input_shape=(5,), num_classes=2)  # no hidden layer: a plane
        >>> found = effective_capacity(model, points, recipe=recipe)
        >>> 6 < found.value < 18  # planes separate half of the labellings of 2 (d + 1) = 12 points
        True
        >>> def by_heart(data, *, seed):
        ...     known = {tuple(x): label for x, label in data}
        ...     return lambda inputs: [known[tuple(x)] for x in inputs]
        >>> effective_capacity(by_heart, points.numpy()).bracket  # all were fitted
        (100, None)

    Source: Nakkiran et al. 2020, "Deep double descent", Def. 1 (effective model complexity, there
    of the mean error); Shwartz-Ziv et al. 2024, "Just how flexible are neural networks in
    practice?"; Cover 1965 for the example.
    """
    check_probability("share", share)
    if share == 0:
        raise ValueError(f"`share` must be above 0, got {share}.")
    check_number("error", error)
    if not 0 <= error < 1:
        raise ValueError(f"`error` must lie in [0, 1), got {error}.")
    tolerance = not_negative("tolerance", tolerance)
    check_confidence(confidence)
    replicas = at_least(1, "replicas", replicas)
    criterion = _Criterion(float(share), float(error), tolerance)
    if recipe is None:
        check_left_out(ANY_LEARNER, device=device)
        replica = LearnedReplica.of(model, inputs, labels, num_classes, seed)
        with replica.examples.running(
            executor, out, label="effective capacity", each="replica", progress=progress
        ) as run:
            task: Task = LearnedTask(replica, run, replicas)
            trials, stopped_by = _search(task, criterion)
    else:
        check_left_out("a network", executor=executor, out=out, num_classes=num_classes)
        options = {"seed": seed, "device": device, "progress": progress}
        task = NetworkTask.of(model, inputs, recipe, labels, replicas=replicas, **options)
        trials, stopped_by = _search(task, criterion)
    return EffectiveCapacity(
        labels="random" if labels is None else "given",
        trials=trials,
        examples=task.total,
        share=float(share),
        error=float(error),
        tolerance=tolerance,
        most_trials=most_trials(task.total, tolerance),
        confidence=float(confidence),
        stopped_by=stopped_by,
        num_classes=task.num_classes,
        seed=task.seed,
        environment=task.environment,
        learner=task.learner,
    )


@dataclass(frozen=True)
class _Criterion:
    """When examples count as fitted, and when the search ends."""

    share: float
    error: float
    tolerance: float


def _search(
    task: Task, criterion: _Criterion
) -> tuple[tuple[EffectiveCapacityTrial, ...], StoppedBy]:
    trials: list[EffectiveCapacityTrial] = []
    low, high = 0, None
    while (n := next_size(low, high, task.total, criterion.tolerance)) is not None:
        try:
            errors, recipe = task.errors(n)
        except KeyboardInterrupt:
            if not trials:
                raise
            return tuple(trials), "interrupted"
        trials.append(EffectiveCapacityTrial.of(n, errors, criterion.error, recipe))
        low, high = (n, high) if trials[-1].fits(criterion.share) else (low, n)
    return tuple(trials), "all_fitted" if high is None else "tolerance"


def next_size(low: int, high: int | None, total: int, tolerance: float) -> int | None:
    """Return the size to try after ``low`` was fitted and ``high`` was not, or None at the end."""
    if high is None:
        return None if low == total else min(total, max(_FIRST_SIZE, 2 * low))
    return None if high - low <= max(1, tolerance * low) else (low + high) // 2


def most_trials(total: int, tolerance: float) -> int:
    """Return the largest number of trials of any search: doublings, and halvings of a step."""
    doublings = 1 + max(0, math.ceil(math.log2(total / _FIRST_SIZE)))
    # A step from n to 2 n is n wide, n <= total / 2, and is to become max(1, tolerance * n) wide.
    step = total / 2 if tolerance == 0 else min(total / 2, 1 / tolerance)
    return doublings + math.ceil(math.log2(max(_FIRST_SIZE, step)))
