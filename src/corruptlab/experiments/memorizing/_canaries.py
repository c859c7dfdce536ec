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
    """How many examples of a group a predictor is right on, with respect to some labels.

    Args:
        right: How many it is right on.
        total: How many there are.

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
        """Count in one group.

        Args:
            predicted: Predicted classes, shape ``(n,)``.
            labels: Labels they are compared with, shape ``(n,)``.
            group: Which examples belong to the group, shape ``(n,)``.

        Returns:
            The counts.
        """
        return cls(int(((predicted == labels) & group).sum()), int(group.sum()))

    @property
    def share(self) -> float | None:
        """Share of the group that is right; None for an empty group."""
        return self.right / self.total if self.total else None

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the exact two-sided limits of Clopper and Pearson on the probability to be right.

        Args:
            confidence: Level of the interval, in ``(0, 1)``.

        Returns:
            Lower and upper limit; 0 and 1 for an empty group.
        """
        if not self.total:
            return 0.0, 1.0
        return clopper_pearson(self.right, self.total, confidence=(1 + confidence) / 2)


@dataclass(frozen=True, kw_only=True)
class Gap:
    """By how much more often random labels are fitted when they were trained on.

    ``interval`` is the difference of the exact limits of Clopper and Pearson on both probabilities,
    with the doubt ``1 - confidence`` shared out evenly among the four: conservative, and as they do
    it takes the canaries of a group to be fitted or not independently of one another.

    ``p_value`` is that of Fisher's exact test, one-sided. It takes nothing for granted: which of
    the canaries are planted was drawn evenly and apart from their labels, so if planting made no
    difference, every division of those that are fitted would have had the same chance.

    Attributes:
        value: Share of the planted canaries that are fitted, less that of the held-out ones.
        interval: Lower and upper limit on what that is on average.
        p_value: Probability that drawing which canaries to plant alone brings at least as many of
            the fitted ones among the planted.

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
        """Compare two groups, neither of them empty.

        Args:
            planted: Fit of the planted canaries on their random labels.
            held_out: The same of the held-out ones.
            confidence: Level of the interval, in ``(0, 1)``.

        Returns:
            The comparison.
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
        """Whether there is a bound that says nothing, because it is 1 or more."""
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
