"""RATT: a bound on the true error from how badly random labels are fitted."""

import math
from dataclasses import dataclass

from corruptlab.capacity._clopper_pearson import clopper_pearson
from corruptlab.experiments.memorizing._fitted import Fitted


@dataclass(frozen=True, kw_only=True)
class Ratt:
    """What random labels in the training data say about the error on unseen data.

    A network that has hardly fitted the random labels it was trained on cannot have fitted the true
    ones by memorizing them either. Let m planted canaries have a wrong label, which is uniform
    among the K - 1 wrong classes, and let s be the share of them that is fitted. A network with
    true error R fits a fresh one of that kind with probability ``R / (K - 1)``. If planted wrong
    labels are fitted no less often than fresh ones, up to luck, then with probability
    ``confidence = 1 - d``

        ``R <= (K - 1) (s + sqrt(log(1 / d) / (2 m)))``.

    This is ``bound``: the step on which the theorems of the paper rest, with its constants written
    out. Proof for a network f that minimizes the 0-1 error over its class: hold all but those m
    examples fixed. Write A for the errors on the rest, E for the share of errors on the m, e for
    its expectation, and let g minimize ``A + m e``, while f minimizes ``A + m E``. The two
    inequalities add up to ``e(f) - E(f) >= e(g) - E(g)``. The draw does not enter g, so
    Hoeffding's inequality bounds the right side from below by ``-sqrt(log(1 / d) / (2 m))``, and
    ``e(f) = 1 - R / (K - 1)``, ``E(f) = 1 - s``.

    ``published`` is the paper's theorem for K classes, which knows that the labels are random but
    not which are wrong, and so pays for guessing. Here they are known, so it is the weaker one as
    a rule, and there for comparison: with the share E_S of errors on n clean examples and the
    share E_C on all k canaries,

        ``R <= E_S + (K - 1) - K E_C + (2 K + sqrt(K) + k / (n sqrt(K))) sqrt(log(4 / d) / (2 k))``.

    It replaces the realized numbers of right and wrong labels among the canaries by their
    expectations. (For two classes the paper has a theorem of its own.)

    What has to hold: clean examples and canaries are one i.i.d. sample; labels of the data set are
    true; the network was not chosen by these very numbers (an epoch picked because its bound is
    small has a smaller one by luck); and planted wrong labels are fitted no less often than
    fresh ones. The last is proved for 0-1 empirical risk minimization and assumed for networks.
    Held-out canaries test it: ``contradicted`` says that the lower limit (Clopper-Pearson, at
    ``confidence``) on the rate at which fresh wrong labels are fitted lies above what the
    assumption allows; if it holds, that happens with probability ``2 (1 - confidence)`` at most.

    Where they are known not to hold, a bound is None and ``reason`` says why. It is not cut off
    at 1.

    Attributes:
        bound: Upper limit on the true error, from planted wrong labels; or None.
        published: The same by the paper's theorem, which does not know which labels are wrong.
        reason: Why there is none; empty if there is.
        planted_wrong: Fit of the planted canaries whose random label is wrong, on that label.
        held_out_wrong: The same of the held-out ones.
        contradicted: Whether the held-out canaries contradict the assumption.
        held_out_bound: For comparison, the upper limit of Clopper and Pearson on the true error
            from the true labels of the held-out canaries. It assumes nothing about the training,
            but needs these labels, which RATT can do without.
        confidence: Level of each bound.

    Example:
        >>> from corruptlab.experiments import Fitted, Ratt
        >>> ratt = Ratt.of(
        ...     planted=Fitted(510, 1000),
        ...     planted_wrong=Fitted(10, 500),
        ...     held_out_wrong=Fitted(9, 500),
        ...     held_out_true=Fitted(980, 1000),
        ...     clean=Fitted(8900, 9000),
        ...     noisy=0,
        ...     num_classes=2,
        ...     confidence=0.95,
        ... )
        >>> round(ratt.bound, 3), round(ratt.published, 3), round(ratt.held_out_bound, 3)
        (0.075, 0.288, 0.029)

    Source: Garg, Balakrishnan, Kolter, Lipton 2021, "RATT: leveraging unlabeled data to guarantee
    generalization", ICML, arXiv 2105.00303: the theorem for several
    classes; ``bound`` is derived above.
    """

    bound: float | None
    published: float | None
    reason: str
    planted_wrong: Fitted
    held_out_wrong: Fitted
    contradicted: bool
    held_out_bound: float
    confidence: float

    @classmethod
    def of(
        cls,
        *,
        planted: Fitted,
        planted_wrong: Fitted,
        held_out_wrong: Fitted,
        held_out_true: Fitted,
        clean: Fitted,
        noisy: int,
        num_classes: int,
        confidence: float,
    ) -> "Ratt":
        """Compute the bounds from counts.

        Args:
            planted: Fit of all planted canaries on their random labels.
            planted_wrong: The same of those whose random label is wrong.
            held_out_wrong: The same of the held-out ones whose random label is wrong.
            held_out_true: Fit of all held-out canaries on their true labels.
            clean: Fit of the other training examples.
            noisy: How many of the other training examples have labels that are known to be wrong.
            num_classes: Number of classes, >= 2.
            confidence: Level of each bound, in ``(0, 1)``.

        Returns:
            The bounds, or why there are none.
        """
        slack = _slack(planted_wrong.total, confidence)
        contradicted = _contradicted(planted_wrong, held_out_wrong, slack, confidence)
        reason = _reason(planted_wrong, held_out_wrong, noisy=noisy, contradicted=contradicted)
        bound = published = None
        if not reason:
            bound = (num_classes - 1) * (planted_wrong.right / planted_wrong.total + slack)
            published = _published(planted, clean, num_classes, confidence)
        missed = held_out_true.total - held_out_true.right
        known = clopper_pearson(missed, held_out_true.total, confidence=confidence)[1]
        return cls(
            bound=bound,
            published=published,
            reason=reason,
            planted_wrong=planted_wrong,
            held_out_wrong=held_out_wrong,
            contradicted=contradicted,
            held_out_bound=known,
            confidence=confidence,
        )

    @property
    def vacuous(self) -> bool:
        """Whether there is a bound that says nothing, because it is 1 or more."""
        return self.bound is not None and self.bound >= 1


def _slack(m: int, confidence: float) -> float:
    """Return by how much the mean of m bits strays below its expectation at most (Hoeffding)."""
    return math.sqrt(-math.log1p(-confidence) / (2 * m)) if m else math.inf


def _contradicted(planted: Fitted, fresh: Fitted, slack: float, confidence: float) -> bool:
    if not (planted.total and fresh.total):
        return False
    least = clopper_pearson(fresh.right, fresh.total, confidence=confidence)[0]
    return least > planted.right / planted.total + slack


def _reason(planted: Fitted, fresh: Fitted, *, noisy: int, contradicted: bool) -> str:
    if noisy:
        return f"labels of the data are known to be wrong ({noisy:,} of those trained on)"
    if not planted.total:
        return "no planted canary has a wrong label"
    if contradicted:
        return (
            f"unseen wrong labels are fitted more often ({fresh.right:,} of {fresh.total:,}) than "
            f"planted ones ({planted.right:,} of {planted.total:,}), against its assumption"
        )
    return ""


def _published(planted: Fitted, clean: Fitted, num_classes: int, confidence: float) -> float:
    """Return the bound of the paper for several classes, with the largest constant it allows."""
    k, m, n = num_classes, planted.total, clean.total
    error_clean, error_random = 1 - clean.right / n, 1 - planted.right / m
    c = 2 * k + math.sqrt(k) + m / (n * math.sqrt(k))
    slack = math.sqrt((math.log(4) - math.log1p(-confidence)) / (2 * m))
    return error_clean + (k - 1) - k * error_random + c * slack
