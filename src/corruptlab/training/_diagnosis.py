"""Why a training set was not interpolated."""

from collections.abc import Callable
from typing import TypeAlias

from corruptlab.training._diagnosis_cause import Cause
from corruptlab.training._diagnosis_curve import State
from corruptlab.training._diagnosis_data import (
    decisive_duplicates,
    inputs_far_from_white,
    inputs_not_whitened,
    inputs_off_white,
    labels_redrawn,
    minor_duplicates,
    too_few_parameters,
)
from corruptlab.training._diagnosis_facts import Facts
from corruptlab.training._diagnosis_regularizers import augmentation, dropout, weight_decay
from corruptlab.training._diagnosis_training import (
    cut_short,
    learning_rate_decayed,
    learning_rate_too_high,
    learning_rate_too_low,
    nothing_learned,
    too_few_epochs,
    too_few_steps,
)

Check: TypeAlias = Callable[[Facts], Cause | None]

_REGULARIZERS: tuple[Check, ...] = (augmentation, dropout, weight_decay)
_WHATEVER_THE_CURVE: tuple[Check, ...] = (minor_duplicates, labels_redrawn)


def _unless_held_up(check: Check) -> Check:
    """Ask for a reason only where no other one explains that the loss stands still."""

    def last_resort(facts: Facts) -> Cause | None:
        others = (*_REGULARIZERS, inputs_not_whitened, too_few_parameters)
        return None if any(other(facts) for other in others) else check(facts)

    return last_resort


# What is asked, by how the fit stood when it ended, most decisive first. Before all is what no
# training can overcome. A fit that was still under way lacks time; of one that stands still, how
# it ended says least. A rate is judged after inputs that are far off, for it depends on them.
_UNDER_WAY: tuple[Check, ...] = (
    decisive_duplicates,
    learning_rate_decayed,
    too_few_epochs,
    cut_short,
    *_REGULARIZERS,
    inputs_not_whitened,
    *_WHATEVER_THE_CURVE,
)
_ORDERS: dict[State, tuple[Check, ...]] = {
    "undecided": _UNDER_WAY,
    "falling": _UNDER_WAY,
    "slow": (
        decisive_duplicates,
        inputs_far_from_white,
        augmentation,  # may slow a fit down as much as a low rate does; the others do not
        learning_rate_too_low,
        learning_rate_decayed,
        cut_short,
        dropout,
        weight_decay,
        inputs_off_white,
        *_WHATEVER_THE_CURVE,
    ),
    "unstable": (
        decisive_duplicates,
        inputs_far_from_white,
        learning_rate_too_high,
        *_REGULARIZERS,
        inputs_off_white,
        cut_short,
        *_WHATEVER_THE_CURVE,
    ),
    "unmoved": (
        decisive_duplicates,
        *_REGULARIZERS,
        inputs_not_whitened,
        too_few_parameters,
        _unless_held_up(learning_rate_decayed),
        _unless_held_up(too_few_epochs),
        cut_short,
        *_WHATEVER_THE_CURVE,
    ),
    "settled": (
        decisive_duplicates,
        *_REGULARIZERS,
        inputs_not_whitened,
        too_few_parameters,
        _unless_held_up(nothing_learned),
        _unless_held_up(too_few_steps),
        cut_short,
        *_WHATEVER_THE_CURVE,
    ),
}
# The curve of a network that chases labels says nothing about its training.
_REDRAWN: tuple[Check, ...] = (
    labels_redrawn,
    decisive_duplicates,
    *_REGULARIZERS,
    inputs_not_whitened,
    cut_short,
    minor_duplicates,
)


def diagnose(facts: Facts) -> tuple[Cause, ...]:
    """Tell which known reasons a fit shows for not having interpolated its training set.

    It depends on how the loss went (see `Curve.state`) what can be concluded and what matters
    most; each reason has its criterion in the docstring of its function. A regularizer that was on
    is always named, early if the loss had settled and late if the fit was still under way.
    Reasons that are not known here, such as a poor initialization, show as an empty tuple.

    Reading the inputs for copies takes a fraction of a second on CIFAR-10.

    Args:
        facts: What was seen of the fit.

    Returns:
        The reasons, most decisive first; empty if every example is right, or if none is seen.

    Example:
        >>> import torch
        >>> facts = Facts(
        ...     losses=[1.2, 1.1], targets=torch.tensor([0, 1]), train_accuracy=0.5,
        ...     stopped_by="epochs", steps_per_epoch=2, batch_size=1, num_parameters=9,
        ...     learning_rate=0.1,
        ... )
        >>> for cause in diagnose(facts):
        ...     print(cause)
        too_few_epochs: the fit had only 1 epoch, 2 steps in all. Allow more epochs.

    Source: Zhang et al. 2017, §2 and Table 4, for what memorizes and what stands in its way.
    """
    if facts.train_accuracy == 1:
        return ()
    redrawn = facts.streamed and facts.redrawn
    checks = _REDRAWN if redrawn else _ORDERS[facts.curve.state]
    causes = (check(facts) for check in checks)
    return tuple(cause for cause in causes if cause is not None)
