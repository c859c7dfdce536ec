"""When to stop: small rules that a fit asks after every epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from corruptlab._checks import at_least, check_number, check_probability


class FitProgress(Protocol):
    """What a rule can know at the end of an epoch.

    Example:
        >>> from corruptlab.training import stopping
        >>> def late(now: stopping.FitProgress) -> bool:
        ...     return now.epochs >= 100 and not now.reaches(0.5)
    """

    @property
    def epochs(self) -> int:
        """Finished epochs."""

    @property
    def seconds(self) -> float:
        """Seconds spent training."""

    @property
    def epoch_losses(self) -> Sequence[float]:
        """Mean loss over the batches of each finished epoch."""

    @property
    def test_accuracies(self) -> Sequence[float]:
        """Accuracy on the test examples after each finished epoch; empty if not measured."""

    @property
    def validation_accuracies(self) -> Sequence[float]:
        """The same on the validation examples."""

    def reaches(self, accuracy: float) -> bool:
        """Tell whether the network is right on at least this share of the training examples.

        It is measured for the asking, by a pass that gives up as soon as the answer is no.
        """


class StoppingRule(Protocol):
    """Anything with a name and an answer: write your own where none of these suits.

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
        """Return whether to stop the fit at the end of this epoch."""


@dataclass(frozen=True)
class interpolated:  # noqa: N801  # reads as a word: stop=interpolated()
    """Stop when the network is right on every training example.

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
        """Tell whether every training example is right."""
        return now.reaches(1.0)


@dataclass(frozen=True)
class target:  # noqa: N801  # likewise
    """Stop when the network is right on a share of the training examples.

    Args:
        accuracy: The share, in ``[0, 1]``, over all training examples in evaluation mode.

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
        """Tell whether enough training examples are right."""
        return now.reaches(self.accuracy)


@dataclass(frozen=True)
class patience:  # noqa: N801  # likewise
    """Stop when something has not become better for a number of epochs.

    The network keeps its last weights, not its best ones; `FitReport` names what both came to.

    Args:
        epochs: Epochs without a new best value, >= 1.
        on: What has to become better: the ``"loss"`` of the training batches, or the accuracy on
            the ``"validation"`` or the ``"test"`` examples. Stopping on the test examples makes
            their accuracy an optimistic figure; keep them for the end if you can.

    Raises:
        TypeError: If ``epochs`` is not an integer.
        ValueError: If it is below 1, or ``on`` is not a known name.

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
        """Tell whether the best value is too long ago."""
        if self.on == "loss":
            values = [-loss for loss in now.epoch_losses]
        else:
            values = list(now.test_accuracies if self.on == "test" else now.validation_accuracies)
        return len(values) - 1 - values.index(max(values)) >= self.epochs


@dataclass(frozen=True)
class budget:  # noqa: N801  # likewise
    """Stop after some seconds of training, in the middle of an epoch if need be.

    The clock counts what `FitReport.seconds` counts, over all runs of a fit that was resumed. It is
    looked at about twice a second.

    Args:
        limit: Seconds, > 0.

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
        """Tell whether the time is over."""
        return now.seconds >= self.limit


def checked_rules(
    stop: StoppingRule | Sequence[StoppingRule], *, has_test: bool, has_validation: bool
) -> tuple[StoppingRule, ...]:
    """Return the rules of a fit as a tuple, or say which one cannot be asked.

    Args:
        stop: A rule, or several.
        has_test: Whether the fit measures test examples after every epoch.
        has_validation: Whether it measures validation examples.

    Returns:
        The rules, in their order.

    Raises:
        TypeError: If one is no rule.
        ValueError: If one asks for what is not measured.

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
