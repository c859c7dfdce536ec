"""What canaries found: rows, a table, a dictionary, a figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corruptlab import _text as text
from corruptlab._environment import Environment
from corruptlab.experiments.memorizing._canaries import Gap, Ratt
from corruptlab.experiments.memorizing._meter import MemorizationEpoch
from corruptlab.plotting import fit_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = 1
"""Version of what `MemorizationReport.to_dict` gives; it grows when a key changes its meaning."""

# Each group's place in the fixed list of looks, so that it looks the same in every figure.
_CURVES = (
    ("planted canaries", "planted", 5),
    ("held-out canaries", "held_out", 2),
    ("held out, true labels", "held_out_true", 1),
    ("clean examples", "clean", 0),
    ("noisy examples", "noisy", 3),
    ("noisy, true labels", "noisy_true", 4),
)

_MOST_ROWS = 12
_LEAST = 6
_GROUPS = (
    ("", ("epoch",)),
    ("planted canaries", ("random", "true")),
    ("held-out canaries", ("random", "true")),
    ("", ("gap",)),
    ("", ("clean",)),
    ("noisy", ("given", "true")),
    ("true error", ("RATT",)),
)
_NOISY = 5  # the place among the groups


@dataclass(frozen=True, kw_only=True, repr=False)
class MemorizationReport:
    """The fit on canaries, on clean, and on noisy examples, by epoch and at the end.

    ``print(report)`` shows a table.

    Attributes:
        epochs: What each call of ``epoch_end`` found, in order.
        final: What was found for the predictor that the training function returned; the last of
            ``epochs`` if it returned none, or was interrupted.
        interrupted: Whether Ctrl-C, or an error, ended the training early.
        train_function: What the training function is called.
        data: What the data is called.
        n_train: Number of examples trained on, planted canaries among them.
        canaries: Number of planted canaries.
        held_out: Number of held-out canaries.
        wrong_canaries: How many planted canaries really have a label other than their true one;
            of K classes ``1 - 1 / K`` of them are expected to.
        noisy: Number of training examples, canaries apart, with labels that are known to be wrong.
        num_classes: Number of classes, K.
        confidence: Level of intervals and bounds.
        seed: Seed of the canaries and of their labels.
        fingerprint: Hash of the labels that were trained on, as `Corrupted.fingerprint` gives it.
        environment: Versions and machine.

    Example:
        >>> import corruptlab as cl
        >>> points = [(float(i), i % 2) for i in range(400)]
        >>> def learn_by_heart(dataset, epoch_end):
        ...     seen = {int(x): label for x, label in dataset}
        ...     return lambda x: [seen.get(int(each), 0) for each in x]
        >>> report = cl.memorization_report(learn_by_heart, points, canaries=40)
        >>> report
        MemorizationReport(learn_by_heart on list: planted 100.0%, held out 52.5%, gap in [...])
        >>> report.gap.p_value < 1e-5
        True
    """

    epochs: tuple[MemorizationEpoch, ...]
    final: MemorizationEpoch
    interrupted: bool
    train_function: str
    data: str
    n_train: int
    canaries: int
    held_out: int
    wrong_canaries: int
    noisy: int
    num_classes: int
    confidence: float
    seed: int
    fingerprint: str
    environment: Environment

    @property
    def gap(self) -> Gap:
        """At the end, planted against held-out canaries: what was memorized."""
        return self.final.gap

    @property
    def ratt(self) -> Ratt:
        """What the canaries say about the true error at the end."""
        return self.final.ratt

    @property
    def chance(self) -> float:
        """Probability that a random label is right: ``1 / K``."""
        return 1 / self.num_classes

    def __repr__(self) -> str:
        """Return a line."""
        planted, held_out = self.final.planted.share or 0.0, self.final.held_out.share or 0.0
        low, high = self.gap.interval
        state = ", interrupted" if self.interrupted else ""
        return (
            f"MemorizationReport({self.train_function} on {self.data}: planted {planted:.1%}, "
            f"held out {held_out:.1%}, gap in [{low:.3f}, {high:.3f}]{state})"
        )

    def __str__(self) -> str:
        """Return a table, with what it means and what made it below."""
        rows = _table(self.epochs, self.final, noisy=self.noisy > 0)
        return "\n".join([*rows, "", *_notes(self), "", *_made_with(self)])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dictionary that JSON can hold."""
        return {
            "kind": "memorization_report",
            "schema": SCHEMA,
            "interrupted": self.interrupted,
            "train_function": self.train_function,
            "data": self.data,
            "n_train": self.n_train,
            "canaries": self.canaries,
            "held_out": self.held_out,
            "wrong_canaries": self.wrong_canaries,
            "noisy": self.noisy,
            "num_classes": self.num_classes,
            "chance": self.chance,
            "confidence": self.confidence,
            "seed": self.seed,
            "fingerprint": self.fingerprint,
            "environment": self.environment.to_dict(),
            "epochs": [row.to_dict() for row in self.epochs],
            "final": self.final.to_dict(),
        }

    def figure(self, *others: "MemorizationReport") -> "Figure":
        """Draw the fit of each group by epoch, and chance.

        With reports of other seeds, ``first.figure(*rest)``, the curves are means over all of them
        with t-intervals at the level of this report, as far as every one goes. The seed of a report
        draws the canaries; what else shall differ is up to the training function.

        Args:
            *others: Reports of the same procedure on data of as many classes.

        Returns:
            A figure as `corruptlab.plotting.fit_curves` makes it: one point an epoch, or the end
            alone if a training function never called ``epoch_end``.

        Raises:
            MissingExtraError: If matplotlib is not installed.
            TypeError: If there is something else than a report among the others.
            ValueError: If one of them has another number of classes.
        """
        reports = (self, *others)
        for other in others:
            self._check_comparable(other)
        length = min(len(report.epochs) for report in reports)
        runs = [report.epochs[:length] or (report.final,) for report in reports]
        curves: dict[str, list[list[float]]] = {}
        looks = {}
        for name, group, place in _CURVES:
            shares = [[getattr(row, group).share for row in rows] for rows in runs]
            if not any(None in row for row in shares):
                curves[name], looks[name] = shares, place
        seeds = f", mean and {self.confidence:.0%} intervals of {len(reports)} seeds"
        return fit_curves(
            curves,
            epochs=[row.epoch for row in runs[0]],
            chance=self.chance,
            looks=looks,
            level=self.confidence,
            title=f"{self.train_function} on {self.data}{seeds if others else ''}",
        )

    def _check_comparable(self, other: object) -> None:
        if not isinstance(other, MemorizationReport):
            raise TypeError(f"`others` must be memorization reports, got {type(other).__name__}.")
        if other.num_classes != self.num_classes:
            raise ValueError(
                f"`others` must have {self.num_classes} classes as this report, "
                f"got {other.num_classes}."
            )


def _table(
    epochs: Sequence[MemorizationEpoch], final: MemorizationEpoch, *, noisy: bool
) -> list[str]:
    """Lay out some epochs, evenly spread, and the end; ``-`` marks what is missing."""
    groups = [group for place, group in enumerate(_GROUPS) if noisy or place != _NOISY]
    body = [_cells(row, str(row.epoch), noisy=noisy) for row in _spread(epochs)]
    body.append(_cells(final, "end", noisy=noisy))
    return text.grouped(groups, body, least=[_LEAST] * len(body[0]), left=0)


def _spread(epochs: Sequence[MemorizationEpoch]) -> list[MemorizationEpoch]:
    """Return all rows if they are few, else some, the first and the last among them."""
    if len(epochs) <= _MOST_ROWS:
        return list(epochs)
    last = len(epochs) - 1
    return [epochs[round(i * last / (_MOST_ROWS - 1))] for i in range(_MOST_ROWS)]


def _points(difference: float) -> str:
    """Return a difference of shares in percentage points, without a sign before zero."""
    return f"{round(100 * difference, 1) + 0.0:.1f}"


def _cells(row: MemorizationEpoch, name: str, *, noisy: bool) -> list[str]:
    canaries = (row.planted, row.planted_true, row.held_out, row.held_out_true)
    return [
        name,
        *(text.percent(group.share) for group in canaries),
        _points(row.gap.value),
        text.percent(row.clean.share),
        *([text.percent(row.noisy.share), text.percent(row.noisy_true.share)] if noisy else []),
        "-" if row.ratt.bound is None else f"{row.ratt.bound:.1%}",
    ]


def _notes(report: MemorizationReport) -> list[str]:
    """Explain the table."""
    gap, k = report.gap, report.num_classes
    low, high = gap.interval
    level = f"{100 * report.confidence:g}%"
    lines = [
        "Examples on whose random, given, or true label the predictor is right; of random labels "
        f"chance alone fits {report.chance:.1%}.",
        f"Gap: {_points(gap.value)} points, {level} interval {_points(low)} .. {_points(high)}; "
        f"Fisher's exact test of no memorization: p = {gap.p_value:.2g}.",
        f"Canaries: {report.canaries:,} planted, of which {report.wrong_canaries:,} have a wrong "
        f"label ({report.canaries * (1 - 1 / k):,.1f} expected); {report.held_out:,} held out.",
        _ratt_note(report.ratt, level),
    ]
    if report.interrupted:
        lines.append("Interrupted: the end is the last epoch that was measured.")
    return text.paragraphs(lines)


def _ratt_note(ratt: Ratt, level: str) -> str:
    known = f"The held-out canaries' true labels bound it by {ratt.held_out_bound:.1%}."
    if ratt.bound is None:
        return f"RATT: no bound, as {ratt.reason}. {known}"
    empty = ", which says nothing" if ratt.vacuous else ""
    return (
        f"RATT: the true error is at most {ratt.bound:.1%}{empty}, with {level} confidence, if "
        "wrong labels are fitted no less often when planted than when not, which the held-out "
        f"canaries do not contradict. {known}"
    )


def _made_with(report: MemorizationReport) -> list[str]:
    """Say what made the rows."""
    made = report.environment
    noise = f", {report.noisy:,} with labels known to be wrong" if report.noisy else ""
    return text.facts(
        {
            "train": report.train_function,
            "data": f"{report.data}, {report.n_train:,} training examples{noise}, "
            f"{report.num_classes} classes",
            "run": f"seed {report.seed}, {made.threads} threads, {made.platform}",
            "with": made.versions,
        }
    )
