"""What a search for the largest number of examples that are fitted came to."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from corruptlab._environment import Environment
from corruptlab.capacity._clopper_pearson import clopper_pearson
from corruptlab.training import Recipe

StoppedBy: TypeAlias = Literal["tolerance", "all_fitted", "interrupted"]
"""Why a search ended: the bracket is narrow, all examples are fitted, or Ctrl-C was pressed."""


@dataclass(frozen=True, kw_only=True)
class EffectiveCapacityTrial:
    """All replicas on one number of examples.

    Attributes:
        n: Number of examples that each replica was trained on.
        train_accuracies: Share of them that each replica got right.
        fitted: Replicas with few enough errors.
        recipe: The hyper-parameters.

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
    recipe: Recipe

    def fits(self, share: float) -> bool:
        """Tell whether at least this share of the replicas fitted."""
        return self.fitted >= share * len(self.train_accuracies) - 1e-9  # 0.07 * 100 is above 7

    def __repr__(self) -> str:
        replicas = len(self.train_accuracies)
        counts = f"{self.n} examples: {self.fitted} of {replicas} replicas fitted"
        return f"EffectiveCapacityTrial({counts})"


@dataclass(frozen=True, kw_only=True)
class EffectiveCapacity:
    """How many examples a network and a recipe fit.

    n examples count as *fitted* if at least ``share`` of the replicas, each on its own subset of n
    examples, make at most ``error * n`` errors on them.

    Attributes:
        labels: ``"random"``, drawn anew for each replica, or ``"given"``.
        trials: What was tried, in order.
        examples: Number of examples there are; no more can be tried.
        share: Share of the replicas that have to fit.
        error: Share of errors that a replica may make.
        tolerance: Width of the bracket, relative to its lower end, at which the search ends.
        most_trials: Trials that such a search can take at most.
        confidence: Level of ``interval``.
        stopped_by: Why the search ended.
        num_classes: Number of classes.
        seed: Seed of subsets, labels, and data order.
        environment: Versions, machine, and device.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import effective_capacity
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50, whiten=False)
        >>> model = cl.mlp(input_shape=(4,), num_classes=2)
        >>> effective_capacity(model, torch.eye(4), recipe=recipe)
        EffectiveCapacity(at least 4 examples with random labels of 2 classes, all there are,
        95% interval [4, unknown); 10 replicas, share 0.5, error 0, seed=0)
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

    @property
    def replicas(self) -> int:
        """Number of replicas in each trial."""
        return len(self.trials[0].train_accuracies)

    @property
    def bracket(self) -> tuple[int, int | None]:
        """The largest number that was fitted, and the smallest that was not; None if all were."""
        return _bracket(
            fitted=[trial.n for trial in self.trials if trial.fits(self.share)],
            missed=[trial.n for trial in self.trials if not trial.fits(self.share)],
        )

    @property
    def value(self) -> int:
        """The largest number of examples that was fitted; 0 if none was."""
        return self.bracket[0]

    @property
    def at_least(self) -> bool:
        """Whether nothing larger was tried in vain, so that ``value`` is only a lower bound."""
        return self.bracket[1] is None

    @property
    def relative_error(self) -> float | None:
        """Width of the bracket relative to its lower end; None without an upper or lower one."""
        low, high = self.bracket
        return None if high is None or low == 0 else (high - low) / low

    @property
    def interval(self) -> tuple[int, int | None]:
        """Numbers between which the capacity lies with probability ``confidence`` at least.

        Here it is the largest n at which a replica fits with a probability of at least ``share``,
        provided that this probability does not grow with n. The lower end is the largest n tried at
        which the exact lower limit of that probability is not below ``share``, or 0; the upper end
        is the smallest at which the exact upper limit is, or None. At any n only one of the two can
        mislead, and each does so with probability ``(1 - confidence) / most_trials`` at most. That
        *all* replicas would fit (``share`` 1) no sample can tell: then the lower end is 0.
        """
        level = 1 - (1 - self.confidence) / self.most_trials
        limits = [
            (t.n, clopper_pearson(t.fitted, self.replicas, confidence=level)) for t in self.trials
        ]
        return _bracket(
            fitted=[n for n, (low, _) in limits if low >= self.share],
            missed=[n for n, (_, high) in limits if high < self.share],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and properties as a dictionary that JSON can hold."""
        return {
            **asdict(self),
            "trials": [asdict(trial) for trial in self.trials],
            "replicas": self.replicas,
            "value": self.value,
            "at_least": self.at_least,
            "bracket": list(self.bracket),
            "relative_error": self.relative_error,
            "interval": list(self.interval),
        }

    def __repr__(self) -> str:
        low, high = self.bracket
        sure, out = self.interval
        what = f"{low} examples with {self.labels} labels of {self.num_classes} classes"
        if high is not None:
            what += f", bracket [{low}, {high})"
        elif self.stopped_by == "all_fitted":
            what = f"at least {what}, all there are"
        else:
            what = f"at least {what}, interrupted"
        return (
            f"EffectiveCapacity({what}, {100 * self.confidence:g}% interval "
            f"[{sure}, {'unknown' if out is None else out}); {self.replicas} replicas, "
            f"share {self.share:g}, error {self.error:g}, seed={self.seed})"
        )


def _bracket(fitted: list[int], missed: list[int]) -> tuple[int, int | None]:
    return max(fitted, default=0), min(missed, default=None)
