"""When to stop: small rules that a fit asks after every epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from corruptlab._checks import at_least, check_number, check_probability


class FitProgress(Protocol):
    """Protocol of the state of a fit that a stopping rule receives after each epoch.

    Example:
        >>> from corruptlab.training import stopping
        >>> def late(now: stopping.FitProgress) -> bool:
        ...     return now.epochs >= 100 and not now.reaches(0.5)
    """

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""

    @property
    def seconds(self) -> float:
        """Training time in seconds."""

    @property
    def epoch_losses(self) -> Sequence[float]:
        """Mean loss over the batches of each finished epoch."""

    @property
    def test_accuracies(self) -> Sequence[float]:
        """Accuracy on the test examples after each finished epoch; empty if not measured."""

    @property
    def validation_accuracies(self) -> Sequence[float]:
        """Accuracy on the validation examples after each finished epoch; empty if not measured."""

    def reaches(self, accuracy: float) -> bool:
        """Return whether the training accuracy is at least a threshold.

        The accuracy is measured on demand, in a pass over the training set that stops as soon as
        the threshold cannot be reached.
        """


class StoppingRule(Protocol):
    """Protocol of a stopping rule; implement it for custom rules.

    Example:
        >>> from corruptlab.training import stopping
        >>> class Falling:
        ...     name = "no longer falling"
        ...     def met(self, now: stopping.FitProgress, /) -> bool:
        ...         return len(now.epoch_losses) > 1 and now.epoch_losses[-1] > now.epoch_losses[-2]
        >>> rule: stopping.StoppingRule = Falling()
    """

    @property
    def name(self) -> str:
        """Value of `FitReport.stopped_by` if this rule ends the fit."""

    def met(self, now: FitProgress, /) -> bool:
        """Return whether to stop the fit after this epoch."""


@dataclass(frozen=True)
class interpolated:  # noqa: N801  # reads as a word: stop=interpolated()
    """Stop when the network classifies every training example correctly.

    Example:
        >>> from corruptlab.training import stopping
        >>> stopping.interpolated().name
        'interpolated'

    Source: Zhang et al. 2017, §2.1: "time to overfit".
    """

    @property
    def name(self) -> str:
        """``"interpolated"``."""
        return "interpolated"

    def met(self, now: FitProgress, /) -> bool:
        """Return whether every training example is classified correctly."""
        return now.reaches(1.0)


@dataclass(frozen=True)
class target:  # noqa: N801  # likewise
    """Stop when the training accuracy reaches a target.

    Args:
        accuracy: Target, in ``[0, 1]``, for the accuracy on all training examples in evaluation
            mode.

    Raises:
        TypeError: If ``accuracy`` is not a number.
        ValueError: If it is out of range.

    Example:
        >>> from corruptlab.training import stopping
        >>> stopping.target(0.999).accuracy
        0.999
    """

    accuracy: float

    def __post_init__(self) -> None:
        check_probability("accuracy", self.accuracy)

    @property
    def name(self) -> str:
        """``"target"``."""
        return "target"

    def met(self, now: FitProgress, /) -> bool:
        """Return whether the training accuracy has reached the target."""
        return now.reaches(self.accuracy)


@dataclass(frozen=True)
class patience:  # noqa: N801  # likewise
    """Stop when a quantity has not improved for a number of epochs.

    The network keeps its last weights, not the best ones; `FitReport` contains the accuracies of
    both.

    Args:
        epochs: Number of epochs without an improvement, >= 1.
        on: Quantity that must improve: the ``"loss"`` of the training batches, or the accuracy on
            the ``"validation"`` or the ``"test"`` examples. A test accuracy that is used for
            stopping is optimistically biased.

    Raises:
        TypeError: If ``epochs`` is not an integer.
        ValueError: If ``epochs`` is below 1, or ``on`` is unknown.

    Example:
        >>> from corruptlab.training import stopping
        >>> stopping.patience(10, on="validation")
        patience(epochs=10, on='validation')

    Source: Zhang et al. 2017, §3.1, early stopping.
    """

    epochs: int
    on: Literal["loss", "validation", "test"] = "loss"

    def __post_init__(self) -> None:
        at_least(1, "epochs", self.epochs)
        if self.on not in ("loss", "validation", "test"):
            raise ValueError(f"`on` must be one of loss, validation, test, got {self.on!r}.")

    @property
    def name(self) -> str:
        """``"patience"``."""
        return "patience"

    def met(self, now: FitProgress, /) -> bool:
        """Return whether the last improvement is at least ``epochs`` epochs ago."""
        if self.on == "loss":
            values = [-loss for loss in now.epoch_losses]
        else:
            values = list(now.test_accuracies if self.on == "test" else now.validation_accuracies)
        return len(values) - 1 - values.index(max(values)) >= self.epochs


@dataclass(frozen=True)
class budget:  # noqa: N801  # likewise
    """Stop after a given training time, also within an epoch.

    The training time is that of `FitReport.seconds`, over all runs of a resumed fit. It is checked
    about twice per second.

    Args:
        limit: Training time in seconds, > 0.

    Raises:
        TypeError: If ``limit`` is not a number.
        ValueError: If it is not greater than 0.

    Example:
        >>> from corruptlab.training import stopping
        >>> stopping.budget(60).limit
        60
    """

    limit: float

    def __post_init__(self) -> None:
        check_number("limit", self.limit)
        if not self.limit > 0:
            raise ValueError(f"`limit` must be greater than 0, got {self.limit}.")

    @property
    def name(self) -> str:
        """``"budget"``."""
        return "budget"

    def met(self, now: FitProgress, /) -> bool:
        """Return whether the training time has reached the limit."""
        return now.seconds >= self.limit


def checked_rules(
    stop: StoppingRule | Sequence[StoppingRule], *, has_test: bool, has_validation: bool
) -> tuple[StoppingRule, ...]:
    """Validate the stopping rules of a fit and return them as a tuple.

    Args:
        stop: One rule, or several.
        has_test: Whether the fit measures the test accuracy after every epoch.
        has_validation: Whether the fit measures the validation accuracy after every epoch.

    Returns:
        The rules, in the same order.

    Raises:
        TypeError: If an element is not a stopping rule.
        ValueError: If a rule requires an accuracy that is not measured.

    Example:
        >>> from corruptlab.training import stopping
        >>> rules = stopping.checked_rules(
        ...     stopping.target(0.9), has_test=False, has_validation=False
        ... )
        >>> rules
        (target(accuracy=0.9),)
    """
    rules = (stop,) if isinstance(stop, str) or not isinstance(stop, Sequence) else tuple(stop)
    for rule in rules:
        if isinstance(rule, type) or not hasattr(rule, "met") or not hasattr(rule, "name"):
            raise TypeError(
                "`stop` must hold stopping rules, objects with a name and a method `met`, "
                f"got {rule!r}."
            )
        measured = {"test": has_test, "validation": has_validation, "loss": True}
        if isinstance(rule, patience) and not measured[rule.on]:
            raise ValueError(
                f"`stop` must only ask for what is measured after every epoch, got {rule!r} "
                f"without {rule.on} examples or without measuring them."
            )
    return rules
