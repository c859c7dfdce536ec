"""Reasons that lie in rate and length of the training."""

import math

from corruptlab.training._diagnosis_cause import Cause
from corruptlab.training._diagnosis_facts import Facts
from corruptlab.training._diagnosis_regularizers import shrinkage

_LITTLE = 0.1  # of the rate spent
_MANY_STEPS = 200
_NOTHING = 0.95  # of what guessing has


def learning_rate_too_high(facts: Facts) -> Cause:
    """Say what an unstable curve shows.

    Args:
        facts: What was seen of a fit whose curve is unstable.

    Returns:
        The reason.
    """
    curve = facts.curve
    seen = (
        f"at a rate of {facts.learning_rate:g} the training loss was "
        f"{float(facts.losses[0]):.3g} at first, {max(curve.peak, curve.start):.3g} "
        f"at its worst, and {curve.end:.3g} at last, where guessing has {curve.guessing:.3g}"
    )
    remedy = f"Try a learning rate of {facts.learning_rate / 10:g}."
    return Cause("learning_rate_too_high", seen, remedy)


def nothing_learned(facts: Facts) -> Cause | None:
    """Tell whether the loss moved, and settled at what guessing has.

    Rates that are too high can kill all units in the first few steps, in silence.

    Args:
        facts: What was seen of a fit whose curve is settled.

    Returns:
        A rate that is too high, if the loss at last is at least 0.95 of guessing's.
    """
    curve = facts.curve
    if curve.guessing is None or curve.end < _NOTHING * curve.guessing:
        return None
    return learning_rate_too_high(facts)


def learning_rate_too_low(facts: Facts) -> Cause | None:
    """Say how little a slow curve moved.

    Args:
        facts: What was seen of a fit whose curve is slow.

    Returns:
        The reason, unless weight decay alone would have shrunk the weights e-fold: such steps
        were not too small.
    """
    if (shrinkage(facts) or 0.0) >= 1:
        return None
    curve = facts.curve
    seen = (
        f"at a rate of {facts.learning_rate:g} the training loss only went from "
        f"{curve.start:.4g} to {curve.end:.4g} in {_epochs(curve.epochs)}"
    )
    remedy = f"Try a learning rate of {facts.learning_rate * 10:g}."
    return Cause("learning_rate_too_low", seen, remedy)


def learning_rate_decayed(facts: Facts) -> Cause | None:
    """Tell whether the rate ran out while there was something left to learn.

    Args:
        facts: What was seen of a fit whose curve has not settled.

    Returns:
        The reason, if infinitely many further epochs would add at most a tenth to the sum of all
        rates, and less than the loss would need at its last speed.
    """
    curve = facts.curve
    left = curve.rate_left
    if left > _LITTLE or (curve.state != "undecided" and left >= curve.rate_needed):
        return None
    last = facts.decay ** (math.ceil(curve.epochs) - 1)
    seen = (
        f"the rate was multiplied by {facts.decay:g} after every epoch, down to {last:.2g} of the "
        f"first; even infinitely many further epochs would add only {100 * left:.2g}% to the "
        "rate spent"
    )
    remedy = f"Use a decay closer to 1 than {facts.decay:g}."
    return Cause("learning_rate_decayed", seen, remedy)


def too_few_epochs(facts: Facts) -> Cause | None:
    """Tell whether the epochs were over before the loss had settled.

    Args:
        facts: What was seen of a fit whose curve has not settled.

    Returns:
        The reason, unless something else ended the fit, or the rate had run out.
    """
    if facts.stopped_by != "epochs" or learning_rate_decayed(facts):
        return None
    curve = facts.curve
    remedy = "Allow more epochs."
    if curve.state in ("undecided", "settled"):
        seen = f"the fit had only {_epochs(curve.epochs)}, {len(facts.losses):,} steps in all"
        return Cause("too_few_epochs", seen, remedy)
    if curve.state == "unmoved":
        seen = (
            f"the training loss was still {curve.end:.3g} after {_epochs(curve.epochs)}, as at its "
            "start, which random labels can delay"
        )
        return Cause("too_few_epochs", seen, remedy)
    seen = f"the training loss was {curve.end:.3g} and still fell after {_epochs(curve.epochs)}"
    if facts.decay == 1 and math.isfinite(curve.rate_needed):
        more = math.ceil(curve.rate_needed * curve.epochs)
        remedy = f"Allow more epochs: at its last speed the loss needs about {more:,} more."
    return Cause("too_few_epochs", seen, remedy)


def too_few_steps(facts: Facts) -> Cause | None:
    """Tell whether a loss that seems to have settled had few steps to show where it leads.

    Args:
        facts: What was seen of a fit whose curve is settled.

    Returns:
        Too few epochs, if there were fewer than 200 steps of the first rate, too few to tell a slow
        fall from the noise of small batches, and if the network learned something.
    """
    steps = facts.curve.epochs_at_first_rate * facts.steps_per_epoch
    return None if steps >= _MANY_STEPS or nothing_learned(facts) else too_few_epochs(facts)


def cut_short(facts: Facts) -> Cause | None:
    """Tell whether something else than the allowed number of epochs ended the fit.

    Args:
        facts: What was seen of a fit.

    Returns:
        What it was, if so.
    """
    if facts.stopped_by == "epochs":
        return None
    after = f"after {_epochs(facts.curve.epochs)}"
    if facts.stopped_by == "interrupted":
        return Cause("interrupted", f"the fit was interrupted {after}", "Let the fit go on.")
    seen = f"the stopping rule {facts.stopped_by!r} ended the fit {after}"
    return Cause("stopping_rule", seen, "Loosen the rule or leave it out.")


def _epochs(number: float) -> str:
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return f"{text} epoch" if text == "1" else f"{text} epochs"
