"""RATT: a bound on the true error from how badly random labels are fitted."""

import math
from dataclasses import dataclass

from corruptlab._statistics import clopper_pearson
from corruptlab.experiments.memorizing._fitted import Fitted


@dataclass(frozen=True, kw_only=True)
class Ratt:
    """What random labels in the training data say about the error on unseen data.

    A network that has hardly fitted the wrong labels it was trained on cannot have fitted the right
    ones by memorizing them either. Let m planted canaries have a wrong label, which is uniform
    among the K - 1 wrong classes, and let s be the share of them that is fitted. A network with
    true error R fits a fresh one of that kind with probability ``R / (K - 1)``. If planted wrong
    labels are fitted no less often than fresh ones, up to luck, then with probability
    ``confidence = 1 - d``

        ``R <= (K - 1) (s + sqrt(log(1 / d) / (2 m)))``.

    Proof for a network f that minimizes the 0-1 error over its class: hold all but those m
    examples fixed. Write A for the number of errors on the rest, E for the share of errors on the
    m, e for its expectation, and let g minimize ``A + m e``, while f minimizes ``A + m E``. The two
    inequalities add up to ``e(f) - E(f) >= e(g) - E(g)``. The m examples do not enter g, so
    Hoeffding's inequality bounds the right side from below by ``-sqrt(log(1 / d) / (2 m))``, and
    ``e(f) = 1 - R / (K - 1)``, ``E(f) = 1 - s``.

    This is the paper's argument for labels that are known to be wrong. Its theorems are about
    labels that are random and may be right, and use the fit of clean examples to tell how many of
    the fitted ones are. Which canaries are wrong is known here, so the bound can do without.

    What has to hold:

    - Canaries are drawn independently from the law that R is about, and apart from all else that
      is trained on. Noise there does no harm, since the proof holds it fixed. A label is wrong if
      it is not that of the data set (the clean one, if it is `Corrupted`), and R counts errors
      against such labels.
    - The network was not chosen by these very numbers. An epoch picked because its bound is small
      has a smaller one by luck.
    - Planted wrong labels are fitted no less often than fresh ones: proved above for 0-1 empirical
      risk minimization, and assumed for networks.

    Held-out canaries test the last: ``contradicted`` says that the lower limit (Clopper-Pearson, at
    ``confidence``) on the rate at which fresh wrong labels are fitted lies above what the
    assumption allows; if it holds, that happens with probability ``2 (1 - confidence)`` at most.
    Then the bound is None and ``reason`` says why. It is not cut off at 1.

    Attributes:
        bound: Upper limit on the true error, from planted wrong labels; or None.
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
        ...     planted_wrong=Fitted(10, 500),
        ...     held_out_wrong=Fitted(9, 500),
        ...     held_out_true=Fitted(980, 1000),
        ...     num_classes=2,
        ...     confidence=0.95,
        ... )
        >>> round(ratt.bound, 3), round(ratt.held_out_bound, 3)
        (0.075, 0.029)

    Source: Garg, Balakrishnan, Kolter, Lipton 2021, "RATT: leveraging unlabeled data to guarantee
    generalization", ICML, arXiv 2105.00303; with the constants of the proof above.
    """

    bound: float | None
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
        planted_wrong: Fitted,
        held_out_wrong: Fitted,
        held_out_true: Fitted,
        num_classes: int,
        confidence: float,
    ) -> "Ratt":
        """Compute the bounds from counts.

        Args:
            planted_wrong: Fit of the planted canaries whose random label is wrong, on that label.
            held_out_wrong: The same of the held-out ones.
            held_out_true: Fit of all held-out canaries on their true labels.
            num_classes: Number of classes, >= 2.
            confidence: Level of each bound, in ``(0, 1)``.

        Returns:
            The bounds, or why there is none.
        """
        slack = _slack(planted_wrong.total, confidence)
        contradicted = _contradicted(planted_wrong, held_out_wrong, slack, confidence)
        reason = _reason(planted_wrong, held_out_wrong, contradicted=contradicted)
        share = planted_wrong.share
        missed = held_out_true.total - held_out_true.right
        known = clopper_pearson(missed, held_out_true.total, confidence=confidence)[1]
        return cls(
            bound=None if reason or share is None else (num_classes - 1) * (share + slack),
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


def _reason(planted: Fitted, fresh: Fitted, *, contradicted: bool) -> str:
    if not planted.total:
        return "no planted canary has a wrong label"
    if contradicted:
        return (
            f"unseen wrong labels are fitted more often ({fresh.right:,} of {fresh.total:,}) than "
            f"planted ones ({planted.right:,} of {planted.total:,}), against its assumption"
        )
    return ""
