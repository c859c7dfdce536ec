"""Statistics of held-out examples: by name, or the user's own."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from corruptlab._json import KIND, Json, encode, identity_of, kind_of
from corruptlab._learners import Wanted, from_logits, name_of
from corruptlab._modules import first_line
from corruptlab._modules import kind_of as name_of_kind

StatisticName: TypeAlias = Literal["accuracy", "balanced_accuracy", "log-likelihood", "auroc", "r2"]
"""Of classes the first four, of real-valued targets the last."""


class Metric(Protocol):
    """Protocol of a metric with the interface of torchmetrics.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> class Recall:
        ...     def reset(self):
        ...         self.found = self.all = 0
        ...     def update(self, predictions, labels):
        ...         positive = labels == 1
        ...         self.found += int((predictions.argmax(1)[positive] == 1).sum())
        ...         self.all += int(positive.sum())
        ...     def compute(self):
        ...         return self.found / max(1, self.all)
        >>> x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
        >>> y = (x[:, 0] > 0).long()
        >>> recipe = cl.Recipe(learning_rate=0.1, epochs=20, batch_size=20, whiten=False)
        >>> model = cl.mlp(8, input_shape=(3,), num_classes=2)
        >>> found = cl.permutation_test(
        ...     model, (x, y), folds=5, recipe=recipe, permutations=99, statistic=Recall())
        >>> found.statistic, found.p_value
        ('Recall', 0.01)
    """

    def update(self, predictions: Tensor, labels: Tensor, /) -> Any:
        """Update the state with a batch.

        Args:
            predictions: Scores ``(n, K)``; probabilities ``(n,)`` of the second class for a metric
                whose class name starts with ``Binary``; or real numbers ``(n,)``.
            labels: Class indices ``(n,)``, or real numbers.
        """

    def compute(self) -> Any:
        """Return the value of the metric over all batches."""

    def reset(self) -> Any:
        """Reset the state."""


Statistic: TypeAlias = StatisticName | Callable[[Tensor, Tensor], Any] | Metric
"""The name of a statistic, a function of predictions and labels that returns a number, or a metric
with ``update``, ``compute``, and ``reset``."""


@dataclass(frozen=True)
class Measure:
    """A statistic, and what it is taken of."""

    name: str
    function: Callable[[Tensor, Tensor], Any]
    wanted: Wanted

    def __call__(self, predictions: Tensor, labels: Tensor) -> float:
        """Return the statistic of predictions that are of the kind wanted."""
        reset = getattr(self.function, "reset", None)
        if callable(reset):  # of an object that gathers what it is called with
            reset()
        return _check_score(self.function(predictions, labels), self.name)

    def of_logits(self, logits: Tensor, labels: Tensor) -> float:
        """Return the statistic of a network's outputs, ``(n, num_classes)``."""
        return self(from_logits(logits, self.wanted), labels)

    def identity(self) -> Json:
        """Return what tells it from others."""
        if self in _NAMED.values():
            return self.name
        if isinstance(self.function, _OfMetric):
            return self.function.identity()
        return identity_of(self.function, "statistic")


@dataclass(frozen=True)
class _OfMetric:
    """A metric that gathers batches as a function of one batch."""

    metric: Any

    @property
    def name(self) -> str:
        return "-" * self.is_loss + type(self.metric).__name__

    @property
    def is_binary(self) -> bool:
        """Whether it takes probabilities of the second class."""
        return type(self.metric).__name__.startswith("Binary")

    @property
    def is_loss(self) -> bool:
        """Whether smaller is better; a test takes the negative."""
        return getattr(self.metric, "higher_is_better", None) is False

    def __call__(self, predictions: Tensor, labels: Tensor) -> Any:
        metric = copy.deepcopy(self.metric)  # several threads may use it, and the user
        if self.is_binary:
            if predictions.shape[1:] != (2,):
                raise ValueError(
                    f"`statistic` must be a metric of {predictions.shape[1]} classes, "
                    f"got {self.name}, of 2."
                )
            predictions = predictions[:, 1].exp()
        try:
            metric.reset()
            metric.update(predictions, labels)
            value = metric.compute()
        except (RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"`statistic` must accept predictions of shape {tuple(predictions.shape)} and "
                f"labels of shape {tuple(labels.shape)}, got the error of {self.name}: "
                f"{first_line(error)}"
            ) from error
        return -value if self.is_loss else value

    def identity(self) -> Json:
        """Return its class and settings."""
        plain = (bool, int, float, str, type(None))
        given = {k: v for k, v in vars(self.metric).items() if isinstance(v, plain) and k[0] != "_"}
        return {KIND: kind_of(type(self.metric)), "settings": encode(given, "statistic")}


def measure_of(statistic: object, *, numbers: bool = False) -> Measure:
    """Return a statistic for classes, or for numbers; None is the usual one."""
    if statistic is None:
        return _NAMED["r2" if numbers else "accuracy"]
    if isinstance(statistic, str):
        if statistic not in _NAMED:
            known = ", ".join(map(repr, get_args(StatisticName)))
            raise ValueError(
                f"`statistic` must be one of {known}, or a function, got {statistic!r}."
            )
        if (statistic == "r2") != numbers:
            kind, other = ("real-valued targets", "'r2'") if numbers else ("classes", "another")
            raise ValueError(
                f"`statistic` must be {other} or a function for {kind}, got {statistic!r}."
            )
        return _NAMED[statistic]
    own: Wanted = "numbers" if numbers else "any"
    if not isinstance(statistic, type) and all(hasattr(statistic, name) for name in _METHODS):
        metric = _OfMetric(statistic)
        return Measure(metric.name, metric, "log-probabilities" if metric.is_binary else own)
    if not callable(statistic) or isinstance(statistic, type):
        kind = name_of_kind(statistic)
        raise TypeError(f"`statistic` must be a name, a function, or a metric, got {kind}.")
    return Measure(name_of(statistic), statistic, own)


def _accuracy(classes: Tensor, labels: Tensor) -> float:
    """Return the share of examples whose class is right."""
    return int((classes == labels).sum()) / len(labels)


def _balanced_accuracy(classes: Tensor, labels: Tensor) -> float:
    """Return the mean over the classes that occur of the share of their examples that is right."""
    right = (classes == labels).double()
    shares = [right[labels == k].mean().item() for k in set(labels.tolist())]
    return math.fsum(shares) / len(shares)


def _log_likelihood(log_probabilities: Tensor, labels: Tensor) -> float:
    """Return the mean log-probability of the labels, in nats."""
    return log_probabilities.gather(1, labels[:, None]).mean().item()


def _auroc(scores: Tensor, labels: Tensor) -> float:
    """Return the area under the curve of each class against the others, averaged."""
    # Of two classes one area says it all. A class that all examples have, or none, has no area;
    # where there is none at all, it is that of chance: a rule that looks at no label's place.
    columns = range(1, 2) if scores.shape[1] == 2 else range(scores.shape[1])
    areas = [_area(scores[:, k].numpy(), (labels == k).numpy()) for k in columns]
    known = [area for area in areas if area is not None]
    return math.fsum(known) / len(known) if known else 0.5


def _area(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float | None:
    """Return the probability that a positive has a larger score than a negative; ties count 1/2."""
    p = int(positive.sum())
    q = len(positive) - p
    if p == 0 or q == 0:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[place.reshape(-1)][positive].sum() - p * (p + 1) / 2) / (p * q))


def _r2(predicted: Tensor, targets: Tensor) -> float:
    """Return 1 less the squared error over that of the targets' mean."""
    residual = ((targets - predicted) ** 2).sum().item()
    total = ((targets - targets.mean()) ** 2).sum().item()
    if total == 0:  # as scikit-learn has it
        return 1.0 if residual == 0 else 0.0
    return 1 - residual / total


_METHODS = "update", "compute", "reset"

_NAMED: dict[str, Measure] = {
    each.name: each
    for each in (
        Measure("accuracy", _accuracy, "classes"),
        Measure("balanced_accuracy", _balanced_accuracy, "classes"),
        Measure("log-likelihood", _log_likelihood, "log-probabilities"),
        Measure("auroc", _auroc, "scores"),
        Measure("r2", _r2, "numbers"),
    )
}


def _check_score(value: object, name: str) -> float:
    """Return the value of a statistic, a number or an array of one, as a finite float."""
    number = value.item() if isinstance(value, Tensor | np.ndarray) and _is_scalar(value) else value
    if not isinstance(number, Real):
        shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor | np.ndarray) else ""
        kind = type(value).__name__
        raise TypeError(f"`statistic` must return a number, got {kind}{shape} from {name}.")
    if not math.isfinite(number):
        raise ValueError(f"`statistic` must return a finite number, got {number} from {name}.")
    return float(number)


def _is_scalar(values: Tensor | NDArray[Any]) -> bool:
    return values.shape in ((), (1,))
