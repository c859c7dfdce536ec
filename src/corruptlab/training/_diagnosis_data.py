"""Reasons that lie in the data, or in how few numbers shall remember it."""

import math

import torch

from corruptlab.training._diagnosis_cause import Cause
from corruptlab.training._diagnosis_facts import Facts

# Whitened inputs have mean 0 and root mean square 1. Images in [0, 1] have a mean of about half to
# twice their deviation, which slows a fit down; beyond the other bounds it fails with any rate that
# suits whitened inputs, because curvature goes with the mean square.
_OFF, _FAR_OFF = 0.5, 3.0  # mean, in standard deviations
_SMALL, _LARGE = 0.2, 5.0  # root mean square

_MOST = 0.5  # share of the wrong examples


def labels_redrawn(facts: Facts) -> Cause | None:
    """Tell whether labels that were read again differ from those that were trained on.

    Args:
        facts: What was seen of a fit.

    Returns:
        The reason, if a single one differs.
    """
    if not facts.redrawn:
        return None
    checked = len(facts.labels_again)
    seen = f"{facts.redrawn:,} of {checked:,} labels were others when they were read again"
    if not facts.streamed:
        seen += ", though this fit kept those of its first reading"
    remedy = "Draw labels once, before training, as `corrupt` does."
    return Cause("labels_redrawn", seen, remedy)


def decisive_duplicates(facts: Facts) -> Cause | None:
    """Tell whether conflicting copies account for at least half of the missing accuracy.

    Args:
        facts: What was seen of a fit.

    Returns:
        The reason, if so.
    """
    return _conflicting_duplicates(facts) if _share_of_errors(facts) >= _MOST else None


def minor_duplicates(facts: Facts) -> Cause | None:
    """Tell whether conflicting copies account for less than half of the missing accuracy.

    Args:
        facts: What was seen of a fit.

    Returns:
        The reason, if so.
    """
    return _conflicting_duplicates(facts) if _share_of_errors(facts) < _MOST else None


def inputs_not_whitened(facts: Facts) -> Cause | None:
    """Tell whether mean or scale of all inputs together are not 0 and 1, even roughly.

    A mean makes all inputs alike: their second moment has one huge direction, which limits the
    rate, and all that tells them apart lies in the others. Integers, which may be words, and
    single numbers have no scale.

    Args:
        facts: What was seen of a fit.

    Returns:
        The reason, if the mean is more than half a standard deviation away from 0, or the root
        mean square lies outside ``[0.2, 5]``.
    """
    moments = _moments(facts)
    if moments is None or not (_is_far_from_white(*moments) or _is_off(*moments, _OFF)):
        return None
    seen = "inputs have mean {:.3g} and standard deviation {:.3g}".format(*moments)
    remedy = "Whiten the inputs: shift and scale them to mean 0 and standard deviation 1."
    return Cause("inputs_not_whitened", seen, remedy)


def inputs_far_from_white(facts: Facts) -> Cause | None:
    """Tell whether inputs are so far off that they spoil the rate.

    Args:
        facts: What was seen of a fit.

    Returns:
        The reason, if the mean is more than three standard deviations away from 0, or the root
        mean square lies outside ``[0.2, 5]``.
    """
    moments = _moments(facts)
    return inputs_not_whitened(facts) if moments and _is_far_from_white(*moments) else None


def inputs_off_white(facts: Facts) -> Cause | None:
    """Tell whether inputs are not white, but not far off either.

    Args:
        facts: What was seen of a fit.

    Returns:
        The reason, if so.
    """
    return None if inputs_far_from_white(facts) else inputs_not_whitened(facts)


def too_few_parameters(facts: Facts) -> Cause | None:
    """Tell whether there are fewer trained numbers than examples: a hint, and no proof.

    Args:
        facts: What was seen of a fit.

    Returns:
        The reason, if so, with the number of weights that are known to be enough.
    """
    if facts.num_parameters >= facts.n:
        return None
    seen = (
        f"the network has {facts.num_parameters:,} trained parameters for {facts.n:,} examples, "
        "which is a hint and no proof"
    )
    enough = f"2n + d with n = {facts.n:,}"
    if facts.inputs is not None:
        enough = f"2n + d = {2 * facts.n + facts.inputs[0].numel():,}"
    remedy = (
        f"Try a larger network: a two-layer ReLU network with {enough} weights can represent "
        "any labels of inputs that all differ (Zhang et al. 2017, Theorem 1)."
    )
    return Cause("too_few_parameters", seen, remedy)


def _share_of_errors(facts: Facts) -> float:
    """Return the share of the wrong examples that no function of the input gets right."""
    found = facts.duplicates
    if found is None:
        return 0.0
    wrong = found.n - round(facts.train_accuracy * found.n)
    return (found.n - found.attainable) / max(1, wrong)


def _conflicting_duplicates(facts: Facts) -> Cause | None:
    found = facts.duplicates
    if found is None or not found.conflicting:
        return None
    best = min(found.attainable / found.n, 0.9999)  # never 100.00%: something is missing
    seen = (
        f"{found.conflicting:,} of {found.n:,} inputs are exact copies of others with another "
        f"label, so that no network gets more than {best:.2%} right"
    )
    remedy = "Remove the copies, give them one label, or take that accuracy for the goal."
    return Cause("conflicting_duplicates", seen, remedy)


def _moments(facts: Facts) -> tuple[float, float] | None:
    """Return mean and standard deviation of all values together."""
    inputs = facts.inputs
    if inputs is None or not inputs.is_floating_point() or inputs.numel() < 2:
        return None
    mean = float(inputs.detach().mean(dtype=torch.float32))
    norm = float(torch.linalg.vector_norm(inputs.detach(), dtype=torch.float32))
    return mean, math.sqrt(max(0.0, norm**2 / inputs.numel() - mean**2))


def _is_far_from_white(mean: float, deviation: float) -> bool:
    return not _SMALL <= math.hypot(mean, deviation) <= _LARGE or _is_off(mean, deviation, _FAR_OFF)


def _is_off(mean: float, deviation: float, times: float) -> bool:
    return abs(mean) > times * deviation
