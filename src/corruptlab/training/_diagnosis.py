"""Why a training set was not interpolated: the reasons, their criteria, and their order."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import scipy
import torch
from torch import Tensor

from corruptlab._duplicates import Duplicates, find_duplicates
from corruptlab._records import Record
from corruptlab.training._loss_curve import LossCurve, State

CauseName: TypeAlias = Literal[
    "augmentation",
    "conflicting_duplicates",
    "dropout",
    "inputs_not_whitened",
    "interrupted",
    "labels_redrawn",
    "learning_rate_decayed",
    "learning_rate_too_high",
    "learning_rate_too_low",
    "stopping_rule",
    "too_few_epochs",
    "too_few_parameters",
    "weight_decay",
]
"""Reasons that `diagnose` can return."""


@dataclass(frozen=True)
class Cause(Record):
    """Reason for a training set that was not interpolated, found in the record of a fit.

    Args:
        name: Name of the reason.
        evidence: Observation that supports it, with its value.
        remedy: Recommended change, an imperative sentence.

    Example:
        >>> print(Cause("dropout", "dropout layers drop 50% of their units", "Set `dropout=0`."))
        dropout: dropout layers drop 50% of their units. Set `dropout=0`.
    """

    name: CauseName
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.evidence}. {self.remedy}"


@dataclass(frozen=True, kw_only=True, eq=False)
class FitRecord:
    """What was seen of one fit; what has a default is only needed where it was on."""

    losses: Sequence[float]  # mean loss of each batch before its update, finite
    targets: Tensor  # the labels that were trained on, (n,)
    train_accuracy: float
    stopped_by: str  # "epochs", "interrupted", or the name of a stopping rule
    steps_per_epoch: int
    batch_size: int
    num_parameters: int
    learning_rate: float
    decay: float = 1.0
    inputs: Tensor | None = None  # as the network saw them, (n, ...), if they were ever together
    # SGD's; 0 for AdamW, whose weight decay is apart from it; None where weight decay is divided by
    # the size of the gradient, so that what it did cannot be told.
    momentum: float | None = 0.0
    weight_decay: float = 0.0
    dropout: Sequence[float] = ()
    augmentation: str | None = None  # what was changed at random in every epoch, in words
    cross_entropy: bool = True  # otherwise the loss cannot be compared with that of chance
    labels_again: Mapping[int, int] = field(default_factory=dict)  # some labels, read once more
    streamed: bool = False  # whether the examples were read anew in every epoch

    @property
    def n(self) -> int:
        """Number of training examples."""
        return len(self.targets)

    @cached_property
    def curve(self) -> LossCurve:
        """How the loss went."""
        left = self.n - (self.steps_per_epoch - 1) * self.batch_size
        return LossCurve(
            losses=self.losses,
            steps_per_epoch=self.steps_per_epoch,
            decay=self.decay,
            chance_loss=self._chance_loss,
            last_weight=left / self.batch_size if 0 < left < self.batch_size else 1.0,
        )

    @cached_property
    def duplicates(self) -> Duplicates | None:
        """Copies among the inputs, if these are known."""
        return None if self.inputs is None else find_duplicates(self.inputs, self.targets)

    @cached_property
    def redrawn(self) -> int:
        """How many of ``labels_again`` differ from the labels that were trained on."""
        before = self.targets[list(self.labels_again)].tolist()
        return sum(map(int.__ne__, before, self.labels_again.values()))

    @property
    def _chance_loss(self) -> float | None:
        """Mean cross-entropy of predicting the frequencies of the labels, in nats."""
        if not self.cross_entropy:
            return None
        _, counts = np.unique(self.targets.cpu().numpy(), return_counts=True)
        return float(scipy.special.entr(counts / counts.sum()).sum())


# Whitened inputs have mean 0 and root mean square 1. Images in [0, 1] have a mean of about half to
# twice their deviation, which slows a fit down; beyond the other bounds it fails with any rate that
# suits whitened inputs, because curvature goes with the mean square.
_OFF, _FAR_OFF = 0.5, 3.0  # mean, in standard deviations
_SMALL, _LARGE = 0.2, 5.0  # root mean square

_MOST = 0.5  # share of the wrong examples that duplicates explain
_NOTICEABLE = 0.01  # share by which weight decay shrinks the weights
_LITTLE = 0.1  # of the rate spent
_MANY_STEPS = 200
_NOTHING = 0.95  # of the loss of chance


def _labels_redrawn(record: FitRecord) -> Cause | None:
    """Tell whether labels that were read again differ from those that were trained on."""
    if not record.redrawn:
        return None
    checked = len(record.labels_again)
    seen = f"{record.redrawn:,} of {checked:,} labels were others when they were read again"
    if not record.streamed:
        seen += ", though this fit kept those of its first reading"
    remedy = "Draw labels once, before training, as `corrupt` does."
    return Cause("labels_redrawn", seen, remedy)


def _decisive_duplicates(record: FitRecord) -> Cause | None:
    """Tell whether conflicting copies account for at least half of the missing accuracy."""
    return _conflicting_duplicates(record) if _share_of_errors(record) >= _MOST else None


def _minor_duplicates(record: FitRecord) -> Cause | None:
    """Tell whether conflicting copies account for less than half of the missing accuracy."""
    return _conflicting_duplicates(record) if _share_of_errors(record) < _MOST else None


def _inputs_not_whitened(record: FitRecord) -> Cause | None:
    """Tell whether mean and scale of all inputs are not even roughly 0 and 1."""
    # A mean makes inputs alike: their second moment has one huge direction, which limits the rate,
    # and all that tells them apart lies in the others. Integers, which may be words, have no scale.
    moments = _moments(record)
    if moments is None or not (_is_far_from_white(*moments) or _is_off(*moments, _OFF)):
        return None
    seen = "inputs have mean {:.3g} and standard deviation {:.3g}".format(*moments)
    remedy = (
        "Standardize the inputs to mean 0 and standard deviation 1, or use `whiten=True` for "
        "images whose brightness and contrast carry no signal."
    )
    return Cause("inputs_not_whitened", seen, remedy)


def _inputs_far_from_white(record: FitRecord) -> Cause | None:
    """Tell whether inputs are so far from white that they spoil the rate."""
    moments = _moments(record)
    return _inputs_not_whitened(record) if moments and _is_far_from_white(*moments) else None


def _inputs_off_white(record: FitRecord) -> Cause | None:
    """Tell whether inputs are not white, but not far off either."""
    return None if _inputs_far_from_white(record) else _inputs_not_whitened(record)


def _too_few_parameters(record: FitRecord) -> Cause | None:
    """Tell whether there are fewer trained numbers than examples: a hint, and no proof."""
    if record.num_parameters >= record.n:
        return None
    seen = (
        f"the network has {record.num_parameters:,} trained parameters for {record.n:,} examples, "
        "which is a hint and no proof"
    )
    enough = f"2n + d with n = {record.n:,}"
    if record.inputs is not None:
        enough = f"2n + d = {2 * record.n + record.inputs[0].numel():,}"
    remedy = (
        f"Try a larger network: a two-layer ReLU network with {enough} weights can represent "
        "any labels of inputs that all differ (Zhang et al. 2017, Theorem 1)."
    )
    return Cause("too_few_parameters", seen, remedy)


def _share_of_errors(record: FitRecord) -> float:
    """Return the share of the wrong examples that no function of the input gets right."""
    found = record.duplicates
    if found is None:
        return 0.0
    wrong = found.n - round(record.train_accuracy * found.n)
    return (found.n - found.attainable) / max(1, wrong)


def _conflicting_duplicates(record: FitRecord) -> Cause | None:
    found = record.duplicates
    if found is None or not found.conflicting:
        return None
    best = min(found.attainable / found.n, 0.9999)  # never 100.00%: something is missing
    seen = (
        f"{found.conflicting:,} of {found.n:,} inputs are exact copies of others with another "
        f"label, so that no network gets more than {best:.2%} right"
    )
    remedy = "Remove the copies, give them one label, or take that accuracy for the goal."
    return Cause("conflicting_duplicates", seen, remedy)


def _moments(record: FitRecord) -> tuple[float, float] | None:
    """Return mean and standard deviation of all values together."""
    inputs = record.inputs
    if inputs is None or not inputs.is_floating_point() or inputs.numel() < 2:
        return None
    mean = float(inputs.detach().mean(dtype=torch.float32))
    norm = float(torch.linalg.vector_norm(inputs.detach(), dtype=torch.float32))
    return mean, math.sqrt(max(0.0, norm**2 / inputs.numel() - mean**2))


def _is_far_from_white(mean: float, deviation: float) -> bool:
    return not _SMALL <= math.hypot(mean, deviation) <= _LARGE or _is_off(mean, deviation, _FAR_OFF)


def _is_off(mean: float, deviation: float, times: float) -> bool:
    return abs(mean) > times * deviation


def _augmentation(record: FitRecord) -> Cause | None:
    """Tell whether inputs were changed at random in every epoch."""
    if record.augmentation is None:
        return None
    seen = f"inputs are augmented anew in every epoch ({record.augmentation})"
    remedy = (
        "Train without augmentation, or allow many more epochs with less decay: every example "
        "is a cloud of inputs, and all of it has to be learned."
    )
    return Cause("augmentation", seen, remedy)


def _dropout(record: FitRecord) -> Cause | None:
    """Tell whether some dropout layer drops something."""
    rates = sorted({rate for rate in record.dropout if rate > 0})
    if not rates:
        return None
    seen = f"dropout layers drop units with probability {', '.join(f'{p:g}' for p in rates)}"
    return Cause("dropout", seen, "Set all dropout probabilities to 0.")


def _weight_decay(record: FitRecord) -> Cause | None:
    """Tell whether weight decay was strong enough, for long enough, to matter."""
    if record.weight_decay == 0:
        return None
    seen, exponent = f"weight decay is {record.weight_decay:g}", _shrinkage(record)
    if exponent is not None:
        lost = -math.expm1(-exponent)
        if lost < _NOTICEABLE:
            return None
        seen += f", which alone would have shrunk the weights by {lost:.0%}"
    return Cause("weight_decay", seen, "Set `weight_decay=0`.")


def _shrinkage(record: FitRecord) -> float | None:
    """Return the exponent by which weight decay alone shrinks the weights, if it can be told.

    Without a gradient a step of rate r shrinks them by r weight_decay at once and by
    r weight_decay / (1 - momentum) in the end: over the fit, to exp of minus the sum of these.
    """
    if record.momentum is None:
        return None
    rate = record.learning_rate * record.steps_per_epoch * record.curve.epochs_at_first_rate
    return record.weight_decay * rate / (1 - record.momentum)


def _learning_rate_too_high(record: FitRecord) -> Cause:
    """Say what an unstable curve shows."""
    curve = record.curve
    seen = (
        f"at a rate of {record.learning_rate:g} the training loss was "
        f"{float(record.losses[0]):.3g} at first, {max(curve.peak, curve.start):.3g} "
        f"at its worst, and {curve.end:.3g} at last, where guessing has {curve.chance_loss:.3g}"
    )
    remedy = f"Try a learning rate of {record.learning_rate / 10:g}."
    return Cause("learning_rate_too_high", seen, remedy)


def _nothing_learned(record: FitRecord) -> Cause | None:
    """Tell whether the loss moved, and settled at that of chance."""
    # Rates that are too high can kill all units in the first few steps, in silence.
    curve = record.curve
    if curve.chance_loss is None or curve.end < _NOTHING * curve.chance_loss:
        return None
    return _learning_rate_too_high(record)


def _learning_rate_too_low(record: FitRecord) -> Cause | None:
    """Say how little a slow curve moved, unless weight decay alone shrank the weights e-fold."""
    if (_shrinkage(record) or 0.0) >= 1:
        return None
    curve = record.curve
    seen = (
        f"at a rate of {record.learning_rate:g} the training loss only went from "
        f"{curve.start:.4g} to {curve.end:.4g} in {_epochs(curve.epochs)}"
    )
    remedy = f"Try a learning rate of {record.learning_rate * 10:g}."
    return Cause("learning_rate_too_low", seen, remedy)


def _learning_rate_decayed(record: FitRecord) -> Cause | None:
    """Tell whether the rate ran out: all further epochs would add a tenth at most."""
    curve = record.curve
    left = curve.rate_left
    if left > _LITTLE or (curve.state != "undecided" and left >= curve.rate_needed):
        return None
    last = record.decay ** (math.ceil(curve.epochs) - 1)
    seen = (
        f"the rate was multiplied by {record.decay:g} after every epoch, down to {last:.2g} of the "
        f"first; even infinitely many further epochs would add only {100 * left:.2g}% to the "
        "rate spent"
    )
    remedy = f"Use a decay closer to 1 than {record.decay:g}."
    return Cause("learning_rate_decayed", seen, remedy)


def _too_few_epochs(record: FitRecord) -> Cause | None:
    """Tell whether the epochs were over before the loss had settled."""
    if record.stopped_by != "epochs" or _learning_rate_decayed(record):
        return None
    curve = record.curve
    remedy = "Allow more epochs."
    if curve.state in ("undecided", "settled"):
        seen = f"the fit had only {_epochs(curve.epochs)}, {len(record.losses):,} steps in all"
        return Cause("too_few_epochs", seen, remedy)
    if curve.state == "unmoved":
        seen = (
            f"the training loss was still {curve.end:.3g} after {_epochs(curve.epochs)}, as at its "
            "start, which random labels can delay"
        )
        return Cause("too_few_epochs", seen, remedy)
    seen = f"the training loss was {curve.end:.3g} and still fell after {_epochs(curve.epochs)}"
    if record.decay == 1 and math.isfinite(curve.rate_needed):
        more = math.ceil(curve.rate_needed * curve.epochs)
        remedy = f"Allow more epochs: at its last speed the loss needs about {more:,} more."
    return Cause("too_few_epochs", seen, remedy)


def _too_few_steps(record: FitRecord) -> Cause | None:
    """Tell whether a loss that seems to have settled had too few steps to show a slow fall."""
    steps = record.curve.epochs_at_first_rate * record.steps_per_epoch
    return None if steps >= _MANY_STEPS or _nothing_learned(record) else _too_few_epochs(record)


def _cut_short(record: FitRecord) -> Cause | None:
    """Tell whether something else than the allowed number of epochs ended the fit."""
    if record.stopped_by == "epochs":
        return None
    after = f"after {_epochs(record.curve.epochs)}"
    if record.stopped_by == "interrupted":
        return Cause("interrupted", f"the fit was interrupted {after}", "Resume training.")
    if record.stopped_by == "on_epoch_end":
        seen = f"an error in `on_epoch_end` ended the fit {after}"
        return Cause("interrupted", seen, "Resume training.")
    seen = f"the stopping rule {record.stopped_by!r} ended the fit {after}"
    return Cause("stopping_rule", seen, "Loosen the rule or leave it out.")


def _epochs(number: float) -> str:
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return f"{text} epoch" if text == "1" else f"{text} epochs"


_Check: TypeAlias = Callable[[FitRecord], Cause | None]

_REGULARIZERS: tuple[_Check, ...] = (_augmentation, _dropout, _weight_decay)
_WHATEVER_THE_CURVE: tuple[_Check, ...] = (_minor_duplicates, _labels_redrawn)


def _unless_held_up(check: _Check) -> _Check:
    """Ask for a reason only where no other one explains that the loss stands still."""

    def last_resort(record: FitRecord) -> Cause | None:
        others = (*_REGULARIZERS, _inputs_not_whitened, _too_few_parameters)
        return None if any(other(record) for other in others) else check(record)

    return last_resort


# What is asked, by how the fit stood when it ended, most decisive first. Before all is what no
# training can overcome. A fit that was still under way lacks time; of one that stands still, how
# it ended says least. A rate is judged after inputs that are far off, for it depends on them.
_UNDER_WAY: tuple[_Check, ...] = (
    _decisive_duplicates,
    _learning_rate_decayed,
    _too_few_epochs,
    _cut_short,
    *_REGULARIZERS,
    _inputs_not_whitened,
    *_WHATEVER_THE_CURVE,
)
_ORDERS: dict[State, tuple[_Check, ...]] = {
    "undecided": _UNDER_WAY,
    "falling": _UNDER_WAY,
    "slow": (
        _decisive_duplicates,
        _inputs_far_from_white,
        _augmentation,  # may slow a fit down as much as a low rate does; the others do not
        _learning_rate_too_low,
        _learning_rate_decayed,
        _cut_short,
        _dropout,
        _weight_decay,
        _inputs_off_white,
        *_WHATEVER_THE_CURVE,
    ),
    "unstable": (
        _decisive_duplicates,
        _inputs_far_from_white,
        _learning_rate_too_high,
        *_REGULARIZERS,
        _inputs_off_white,
        _cut_short,
        *_WHATEVER_THE_CURVE,
    ),
    "unmoved": (
        _decisive_duplicates,
        *_REGULARIZERS,
        _inputs_not_whitened,
        _too_few_parameters,
        _unless_held_up(_learning_rate_decayed),
        _unless_held_up(_too_few_epochs),
        _cut_short,
        *_WHATEVER_THE_CURVE,
    ),
    "settled": (
        _decisive_duplicates,
        *_REGULARIZERS,
        _inputs_not_whitened,
        _too_few_parameters,
        _unless_held_up(_nothing_learned),
        _unless_held_up(_too_few_steps),
        _cut_short,
        *_WHATEVER_THE_CURVE,
    ),
}
# The curve of a network that chases labels says nothing about its training.
_REDRAWN: tuple[_Check, ...] = (
    _labels_redrawn,
    _decisive_duplicates,
    *_REGULARIZERS,
    _inputs_not_whitened,
    _cut_short,
    _minor_duplicates,
)


def diagnose(record: FitRecord) -> tuple[Cause, ...]:
    """Return the known reasons why a fit did not interpolate, most decisive first.

    The state of its loss curve decides what can be concluded and what matters most. A regularizer
    that was on is always named. Reasons that are not known here show as an empty tuple.
    """
    if record.train_accuracy == 1:
        return ()
    redrawn = record.streamed and record.redrawn
    checks = _REDRAWN if redrawn else _ORDERS[record.curve.state]
    causes = (check(record) for check in checks)
    return tuple(cause for cause in causes if cause is not None)
