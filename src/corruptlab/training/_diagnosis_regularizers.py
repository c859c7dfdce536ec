"""Reasons that were asked for: what keeps a network from memorizing."""

import math

from corruptlab.training._diagnosis_cause import Cause
from corruptlab.training._diagnosis_facts import Facts

_NOTICEABLE = 0.01  # share by which the weights shrink


def augmentation(facts: Facts) -> Cause | None:
    """Tell whether inputs were changed at random in every epoch.

    Args:
        facts: What was seen of a fit.

    Returns:
        The reason, if so.
    """
    if facts.augmentation is None:
        return None
    seen = f"inputs are augmented anew in every epoch ({facts.augmentation})"
    remedy = (
        "Train without augmentation, or allow many more epochs with less decay: every example "
        "is a cloud of inputs, and all of it has to be learned."
    )
    return Cause("augmentation", seen, remedy)


def dropout(facts: Facts) -> Cause | None:
    """Tell whether some dropout layer drops something.

    Args:
        facts: What was seen of a fit.

    Returns:
        The reason, if so.
    """
    rates = sorted({rate for rate in facts.dropout if rate > 0})
    if not rates:
        return None
    seen = f"dropout layers drop units with probability {', '.join(f'{p:g}' for p in rates)}"
    return Cause("dropout", seen, "Set all dropout probabilities to 0.")


def weight_decay(facts: Facts) -> Cause | None:
    """Tell whether weight decay was strong enough, for long enough, to matter.

    Args:
        facts: What was seen of a fit.

    Returns:
        The reason, if weight decay alone would have shrunk the weights by 1% or more, or if the
        optimizer does not let that be told.
    """
    if facts.weight_decay == 0:
        return None
    seen, exponent = f"weight decay is {facts.weight_decay:g}", shrinkage(facts)
    if exponent is not None:
        lost = -math.expm1(-exponent)
        if lost < _NOTICEABLE:
            return None
        seen += f", which alone would have shrunk the weights by {lost:.0%}"
    return Cause("weight_decay", seen, "Set `weight_decay=0`.")


def shrinkage(facts: Facts) -> float | None:
    """Return by how much weight decay alone shrinks the weights, as a logarithm.

    Without a gradient a step of rate ``r`` shrinks them by the share ``r * weight_decay`` at once,
    and by ``r * weight_decay / (1 - momentum)`` in the end. So over the fit they shrink to
    ``exp(-weight_decay * sum(r) / (1 - momentum))`` of what they were.

    Args:
        facts: What was seen of a fit.

    Returns:
        The exponent, >= 0; None if the optimizer does not let it be told.
    """
    if facts.momentum is None:
        return None
    rate = facts.learning_rate * facts.steps_per_epoch * facts.curve.epochs_at_first_rate
    return facts.weight_decay * rate / (1 - facts.momentum)
