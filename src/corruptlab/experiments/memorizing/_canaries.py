"""Canaries: how they are drawn, and what their fit says about memorization and the true error."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import Subset

from corruptlab._checks import check_number, whole
from corruptlab._data import Fields, InputKey, Key, noise_beneath
from corruptlab._draws import Draws
from corruptlab._records import Record
from corruptlab._statistics import clopper_pearson
from corruptlab._types import Ids, Labels, MapDataset
from corruptlab.corruptions import Corrupted, GivenLabels, corrupt

_LEAST = 2


@dataclass(frozen=True)
class Planting:
    """A training set with planted canaries, and the held-out canaries, all with random labels."""

    train: Corrupted
    held_out: Corrupted
    planted: NDArray[np.bool_]  # which examples of `train` are canaries
    fields: Fields
    told_noisy: NDArray[np.bool_]  # which had a label known to be wrong before

    @classmethod
    def of(
        cls,
        train: MapDataset[Any],
        *,
        canaries: int | float,
        held_out: int | None,
        num_classes: int | None,
        input_key: InputKey | None = None,
        label_key: Key | None = None,
        seed: int,
        noisy: ArrayLike | None = None,
    ) -> "Planting":
        """Draw the canaries and their labels."""
        # Canaries are the first examples in the order of their words: first those to plant, then
        # those to hold out. Words follow the example's number, so more canaries keep the first.
        keys: dict[str, Any] = {"input_key": input_key, "label_key": label_key}
        known = corrupt(train, seed=seed, num_classes=num_classes, **keys)
        if known.num_classes < 2:
            raise ValueError(
                "`num_classes` must be at least 2 for labels to be random, "
                f"got {known.num_classes}."
            )
        _check_distinct(known.ids)
        told = (
            known.is_corrupted if noisy is None else known.is_corrupted | _mask(noisy, len(known))
        )
        if noisy is None and not told.any() and noise_beneath(train):
            warnings.warn(
                "`train` holds a corrupted data set in a wrapper through which its noise cannot "
                "be followed, so noisy examples count as clean; pass noisy=corrupted.is_corrupted.",
                stacklevel=3,  # the caller of `memorization_report`
            )
        k, h = _sizes(canaries, held_out, len(known))
        draws = Draws(seed)
        words = draws.words("memorization_report/canary", known.ids)[:, 0]
        order = np.lexsort((known.ids, words))
        chosen = order[: k + h]
        labels = known.targets.copy()
        labels[chosen] = draws.integers(
            "memorization_report/label", known.ids[chosen], known.num_classes
        )
        kept = np.sort(np.concatenate([order[:k], order[k + h :]]))

        def cut(at: NDArray[np.int64]) -> Corrupted:
            given = GivenLabels(labels[at], ids=known.ids[at])
            indices: Sequence[int] = at.tolist()
            part, k = Subset(known, indices), known.num_classes
            return corrupt(part, given, seed=seed, num_classes=k, **keys)

        return cls(
            train=cut(kept),
            held_out=cut(np.sort(order[k : k + h])),
            planted=np.isin(kept, order[:k]),
            fields=known.fields,
            told_noisy=told[kept],
        )

    @property
    def noisy(self) -> NDArray[np.bool_]:
        """Which examples of ``train`` had a label known to be wrong before, except canaries."""
        return self.told_noisy & ~self.planted

    @property
    def clean_label_known(self) -> NDArray[np.bool_]:
        """Of which of these the true label is known, too."""
        return self.noisy & self.train.is_corrupted

    @property
    def clean(self) -> NDArray[np.bool_]:
        """Which examples of ``train`` are neither canaries nor known to be noisy."""
        return ~(self.told_noisy | self.planted)


def _mask(noisy: ArrayLike, n: int) -> NDArray[np.bool_]:
    """Return which examples the user says are noisy."""
    found = np.asarray(noisy)
    if found.dtype != np.bool_ or found.shape != (n,):
        raise ValueError(
            f"`noisy` must be a mask of booleans, one for each of {n} examples, "
            f"got {found.dtype} of shape {found.shape}."
        )
    return found


def _check_distinct(ids: Ids) -> None:
    numbers, counts = np.unique(ids, return_counts=True)
    if len(numbers) < len(ids):
        twice = numbers[counts.argmax()]
        raise ValueError(
            "`train` must hold every example once, as no canary is held out that is trained on "
            f"elsewhere, got example {twice} {counts.max()} times."
        )


def _sizes(canaries: int | float, held_out: int | None, n: int) -> tuple[int, int]:
    """Return the numbers of planted and of held-out canaries."""
    k = _number(canaries, n)
    h = k if held_out is None else whole("held_out", held_out)
    if h < _LEAST:
        raise ValueError(f"`held_out` must be at least {_LEAST}, got {h}.")
    if k + h >= n:
        raise ValueError(
            f"`canaries` and `held_out` must leave at least one of {n} examples, got {k} and {h}."
        )
    return k, h


def _number(canaries: Any, n: int) -> int:
    check_number("canaries", canaries)
    if isinstance(canaries, Integral):
        k = whole("canaries", canaries)
        if k < _LEAST:
            raise ValueError(f"`canaries` must be at least {_LEAST}, got {k}.")
        return k
    if not 0 < canaries < 1:
        raise ValueError(
            f"`canaries` must be a number of examples or a share in (0, 1), got {canaries}."
        )
    k = round(float(canaries) * n)
    if k < _LEAST:
        raise ValueError(
            f"`canaries` must come to at least {_LEAST}, got {canaries} of {n} examples, "
            f"which is {k}."
        )
    return k


@dataclass(frozen=True)
class Fitted(Record, derived=("share",)):
    """Number of examples of a group on which the predictions equal given labels.

    Args:
        right: Number of examples with equal prediction and label.
        total: Number of examples in the group.

    Example:
        >>> from corruptlab.experiments import Fitted
        >>> Fitted(45, 60).share
        0.75
        >>> Fitted(0, 0).share is None
        True
    """

    right: int
    total: int

    @classmethod
    def of(cls, predicted: Labels, labels: Labels, group: NDArray[np.bool_]) -> "Fitted":
        """Count the correct predictions in one group.

        Args:
            predicted: Predicted classes, shape ``(n,)``.
            labels: Labels, shape ``(n,)``.
            group: Boolean mask of the group, shape ``(n,)``.

        Returns:
            Counts of the group.
        """
        return cls(int(((predicted == labels) & group).sum()), int(group.sum()))

    @property
    def share(self) -> float | None:
        """Share ``right / total``; None for an empty group."""
        return self.right / self.total if self.total else None

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the Clopper-Pearson interval for the probability of a correct prediction.

        Args:
            confidence: Confidence level of the interval, in ``(0, 1)``.

        Returns:
            Lower and upper limit; 0 and 1 for an empty group.
        """
        if not self.total:
            return 0.0, 1.0
        return clopper_pearson(self.right, self.total, confidence=(1 + confidence) / 2)


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Difference in the fit of random labels between planted and held-out canaries.

    ``interval`` combines the Clopper-Pearson limits of both shares, with the error probability
    ``1 - confidence`` divided equally among the four limits. It is conservative, and assumes that
    the canaries of a group are fitted independently of one another.

    ``p_value`` is that of the one-sided Fisher's exact test. It makes no assumptions: which
    canaries are planted was drawn uniformly and independently of their labels, so if planting had
    no effect, every assignment of the fitted canaries to the two groups would be equally likely.

    Attributes:
        value: Share of fitted planted canaries minus share of fitted held-out canaries.
        interval: Lower and upper confidence limit for the expected difference.
        p_value: Probability, under random planting without effect, of at least as many fitted
            canaries in the planted group.

    Example:
        >>> from corruptlab.experiments import Fitted, Gap
        >>> gap = Gap.of(Fitted(9, 10), Fitted(1, 10), confidence=0.95)
        >>> round(gap.value, 3), round(gap.p_value, 6)
        (0.8, 0.000547)

    Source: Clopper and Pearson 1934; Fisher 1935, "The design of experiments", §2.
    """

    value: float
    interval: tuple[float, float]
    p_value: float

    @classmethod
    def of(cls, planted: Fitted, held_out: Fitted, *, confidence: float) -> "Gap":
        """Compare two non-empty groups.

        Args:
            planted: Fit of the planted canaries to their random labels.
            held_out: Fit of the held-out canaries to their random labels.
            confidence: Confidence level of the interval, in ``(0, 1)``.

        Returns:
            Difference, interval, and p-value.
        """
        each = (1 + confidence) / 2  # two intervals, each with half of the doubt
        (low, high), (below, above) = planted.interval(each), held_out.interval(each)
        return cls(
            value=float(planted.right / planted.total - held_out.right / held_out.total),
            interval=(float(low - above), float(high - below)),
            p_value=_fisher(planted, held_out),
        )


def _fisher(planted: Fitted, held_out: Fitted) -> float:
    """Return the upper tail of the hypergeometric law at the number of fitted planted canaries."""
    right = planted.right + held_out.right
    most = min(right, planted.total)
    k = np.arange(planted.right, most + 1)
    logs = (
        _log_choose(planted.total, k)
        + _log_choose(held_out.total, right - k)
        - _log_choose(planted.total + held_out.total, np.array(right))
    )
    return min(1.0, float(np.exp(scipy.special.logsumexp(logs))))


def _log_choose(n: int, k: NDArray[np.int64]) -> NDArray[np.float64]:
    log_gamma = scipy.special.gammaln
    logs: NDArray[np.float64] = log_gamma(n + 1) - log_gamma(k + 1) - log_gamma(n - k + 1)
    return logs


@dataclass(frozen=True, kw_only=True)
class Ratt(Record, derived=("vacuous",)):
    """Bound on the true error from the fit of random labels in the training data (RATT).

    If a network has fitted few of the wrong labels in its training data, it cannot have fitted the
    correct labels by memorization either. Let m planted canaries have wrong labels, drawn uniformly
    from the K - 1 wrong classes, and let s be the share of them that is fitted. A network with true
    error R fits an unseen wrong label of this kind with probability ``R / (K - 1)``. If planted
    wrong labels are fitted at least as often as unseen ones, up to chance, then with probability
    ``confidence = 1 - d``

        ``R <= (K - 1) (s + sqrt(log(1 / d) / (2 m)))``.

    Proof for a network f that minimizes the 0-1 error over its class: hold all examples but those m
    fixed. Let A be the number of errors on the rest, E the share of errors on the m examples, and e
    its expectation. Let g minimize ``A + m e``; f minimizes ``A + m E``. The sum of the two
    inequalities is ``e(f) - E(f) >= e(g) - E(g)``. Since g does not depend on the m examples,
    Hoeffding's inequality bounds the right-hand side from below by ``-sqrt(log(1 / d) / (2 m))``,
    and ``e(f) = 1 - R / (K - 1)``, ``E(f) = 1 - s``.

    This is the argument of the paper for labels that are known to be wrong. The theorems of the
    paper treat random labels, which may be correct, and estimate the number of wrong labels among
    the fitted ones from the fit of clean examples. Here it is known which canaries have wrong
    labels, so this term is not needed.

    The bound assumes that

    - canaries are independent draws from the distribution to which R refers, independent of all
      other training data. The other data may be noisy, since the proof holds them fixed. A label is
      wrong if it differs from the label in the data set (the clean label, if it is `Corrupted`),
      and R counts errors with respect to these labels;
    - the network was not selected by these values. The bound of an epoch that was selected for its
      small bound is optimistic;
    - planted wrong labels are fitted at least as often as unseen ones. This is proved above for the
      minimization of the 0-1 training error, and assumed for networks.

    Held-out canaries test the last assumption: ``contradicted`` is True if the lower
    Clopper-Pearson limit, at level ``confidence``, on the rate at which unseen wrong labels are
    fitted exceeds the value that the assumption allows. If the assumption holds, this happens with
    probability at most ``2 (1 - confidence)``. The bound is then None, and ``reason`` explains why.
    The bound is not clipped to 1.

    Attributes:
        bound: Upper bound on the true error from planted wrong labels, or None.
        reason: Reason for a missing bound; empty if there is one.
        planted_wrong: Fit of the planted canaries with a wrong random label to this label.
        held_out_wrong: Fit of the held-out canaries with a wrong random label to this label.
        contradicted: Whether the held-out canaries contradict the assumption.
        held_out_bound: For comparison, the upper Clopper-Pearson limit on the true error, from the
            true labels of the held-out canaries. It assumes nothing about the training but needs
            these labels, which RATT does not.
        confidence: Confidence level of each bound.

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
        """Compute the bounds from counts of fitted labels.

        Args:
            planted_wrong: Fit of the planted canaries with a wrong random label to this label.
            held_out_wrong: Fit of the held-out canaries with a wrong random label to this label.
            held_out_true: Fit of all held-out canaries to their true labels.
            num_classes: Number of classes, >= 2.
            confidence: Confidence level of each bound, in ``(0, 1)``.

        Returns:
            The bounds, or the reason for a missing bound.
        """
        slack = _slack(planted_wrong.total, confidence)
        contradicted = _contradicted(planted_wrong, held_out_wrong, slack, confidence)
        reason = _reason(planted_wrong, held_out_wrong, contradicted=contradicted)
        share = planted_wrong.share
        missed = held_out_true.total - held_out_true.right
        known = clopper_pearson(missed, held_out_true.total, confidence=confidence)[1]
        return cls(
            bound=None if reason or share is None else float((num_classes - 1) * (share + slack)),
            reason=reason,
            planted_wrong=planted_wrong,
            held_out_wrong=held_out_wrong,
            contradicted=contradicted,
            held_out_bound=float(known),
            confidence=float(confidence),
        )

    @property
    def vacuous(self) -> bool:
        """Whether the bound is vacuous: 1 or more."""
        return self.bound is not None and self.bound >= 1


def _slack(m: int, confidence: float) -> float:
    """Return Hoeffding's bound on how far the mean of m bits falls below its expectation."""
    return math.sqrt(-math.log1p(-confidence) / (2 * m)) if m else math.inf


def _contradicted(planted: Fitted, fresh: Fitted, slack: float, confidence: float) -> bool:
    if not (planted.total and fresh.total):
        return False
    least = clopper_pearson(fresh.right, fresh.total, confidence=confidence)[0]
    return bool(least > planted.right / planted.total + slack)


def _reason(planted: Fitted, fresh: Fitted, *, contradicted: bool) -> str:
    if not planted.total:
        return "no planted canary has a wrong label"
    if contradicted:
        return (
            f"unseen wrong labels are fitted more often ({fresh.right:,} of {fresh.total:,}) than "
            f"planted ones ({planted.right:,} of {planted.total:,}), against its assumption"
        )
    return ""
