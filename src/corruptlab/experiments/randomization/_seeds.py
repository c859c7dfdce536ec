"""A randomization test with several seeds: means and intervals over them."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from corruptlab import _text as text
from corruptlab._checks import at_least, check_choice, natural
from corruptlab._records import Record
from corruptlab._reports import Report, Rows, scalars
from corruptlab._statistics import mean_and_half_width
from corruptlab.experiments.randomization._learned import (
    LearnerReport,
    LearnerResult,
    facts_of_learner,
)
from corruptlab.experiments.randomization._report import (
    GROUPS,
    LEAST,
    RandomizationReport,
    SettingResult,
    accuracies,
    facts_of_network,
)
from corruptlab.experiments.randomization._settings import Setting
from corruptlab.plotting import category_intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OneSeed: TypeAlias = RandomizationReport | LearnerReport
Quantity: TypeAlias = Literal[
    "train_accuracy", "test_accuracy", "generalization_gap", "labels_changed"
]
"""What a row has for every seed."""


@dataclass(frozen=True, kw_only=True, repr=False)
class SeedsResult(Record, derived=(*get_args(Quantity), "interpolated", "intervals")):
    """Results of one setting of a randomization test with several seeds.

    Attributes:
        results: The row of each seed.
        seeds: The seeds.
        confidence: Level of the intervals.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> def by_heart(data: cl.LabelledData, *, seed):
        ...     known = {tuple(x): label for x, label in data}
        ...     return lambda inputs: np.array([known.get(tuple(x), 0) for x in inputs])
        >>> x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
        >>> report = cl.randomization_test(by_heart, (x, y), settings=["random-labels"], seeds=3)
        >>> row = report["random-labels"]
        >>> row
        SeedsResult(random labels: train 100.0% +- 0.0, test -, labels changed ...% +- ...; 3 seeds)
        >>> row.values("train_accuracy"), row.interval("train_accuracy")
        ((1.0, 1.0, 1.0), (1.0, 1.0))
    """

    results: tuple[SettingResult | LearnerResult, ...]
    seeds: tuple[int, ...]
    confidence: float

    @property
    def setting(self) -> Setting:
        """The setting, with the parameters of the first seed."""
        return self.results[0].setting

    @property
    def name(self) -> str:
        """Name of the setting."""
        return self.setting.name

    @property
    def train_accuracy(self) -> float:
        """Mean accuracy on the training set, with corrupted labels."""
        return math.fsum(each.train_accuracy for each in self.results) / len(self.results)

    @property
    def test_accuracy(self) -> float | None:
        """Mean accuracy on the test set, with clean labels; None without a test set."""
        return self._mean("test_accuracy")

    @property
    def generalization_gap(self) -> float | None:
        """Mean training accuracy minus test accuracy; None without a test set."""
        return self._mean("generalization_gap")

    @property
    def labels_changed(self) -> float:
        """Mean realized share of training labels that differ from the clean labels."""
        return math.fsum(each.labels_changed for each in self.results) / len(self.results)

    @property
    def interpolated(self) -> bool:
        """Whether the training set was interpolated with every seed."""
        return all(each.interpolated for each in self.results)

    def values(self, quantity: Quantity) -> tuple[float, ...] | None:
        """Return a quantity for every seed.

        Args:
            quantity: ``"train_accuracy"``, ``"test_accuracy"``, ``"generalization_gap"``, or
                ``"labels_changed"``.

        Returns:
            One value per seed; None without a test set, if the quantity requires it.

        Raises:
            ValueError: If there is no such quantity.
        """
        check_choice("quantity", quantity, get_args(Quantity))
        found = [getattr(each, quantity) for each in self.results]
        return None if None in found else tuple(found)

    def interval(self, quantity: Quantity) -> tuple[float, float] | None:
        """Return Student's t-interval of a mean over the seeds.

        The interval is ``mean ± t s / sqrt(k)`` for k seeds. It contains the expected value with
        probability `confidence` if the values are close to normal. It may extend beyond 0 or 1, and
        has width zero if all seeds agree.

        Args:
            quantity: See `values`.

        Returns:
            Lower and upper end; None for one seed, or without a test set if it is required.

        Raises:
            ValueError: If there is no such quantity.
        """
        values = self.values(quantity)
        if values is None or len(values) < 2:
            return None
        mean, half = mean_and_half_width(values, self.confidence)
        return mean - half, mean + half

    @property
    def intervals(self) -> dict[str, tuple[float, float] | None]:
        """Interval of each quantity, by name; see `interval`."""
        return {name: self.interval(name) for name in get_args(Quantity)}

    def __repr__(self) -> str:
        label, changed, train, test, _ = _cells(self)
        seeds = text.counted(len(self.seeds), "seed")
        return (
            f"SeedsResult({label}: train {train}, test {test}, labels changed {changed}; {seeds})"
        )

    def _mean(self, quantity: Quantity) -> float | None:
        values = self.values(quantity)
        return None if values is None else math.fsum(values) / len(values)


@dataclass(frozen=True, kw_only=True, repr=False)
class SeedsReport(
    Report,
    Rows[SeedsResult],
    kind="randomization_test with several seeds",
    derived=("interrupted", "remaining", "rows"),
):
    """Report of a randomization test with several seeds.

    ``print(report)`` prints a table with one row per setting: the mean over the seeds and the half
    width of Student's t-interval (see `SeedsResult.interval`). ``report["random-labels"]`` is one
    row, and iteration gives all rows.

    Attributes:
        reports: Report of each seed; after Ctrl-C, the last one may be incomplete.
        seeds: All seeds that the test was called with.
        confidence: Level of the intervals.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> points = [(torch.tensor([1.0, 0.0]), 0), (torch.tensor([0.0, 1.0]), 1)]
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50, whiten=False)
        >>> report = cl.randomization_test(torch.nn.Linear(2, 2), points, recipe=recipe, seeds=2)
        >>> report
        SeedsReport(2 seeds: true 100.0%/-, partial-labels 100.0%/-, random-labels 100.0%/-,
        shuffled-pixels 100.0%/-, random-pixels 100.0%/-, gaussian 100.0%/-)
        >>> [row.interpolated for row in report]
        [True, True, True, True, True, True]
    """

    reports: tuple[RandomizationReport | LearnerReport, ...]
    seeds: tuple[int, ...]
    confidence: float = 0.95

    @property
    def rows(self) -> tuple[SeedsResult, ...]:
        """Results of each setting that was finished with at least one seed."""
        found: dict[str, list[tuple[SettingResult | LearnerResult, int]]] = {}
        for report in self.reports:
            for row in _finished(report):
                found.setdefault(row.name, []).append((row, report.seed))
        return tuple(
            SeedsResult(
                results=tuple(row for row, _ in each),
                seeds=tuple(seed for _, seed in each),
                confidence=self.confidence,
            )
            for each in found.values()
        )

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the test early."""
        return any(report.interrupted for report in self.reports)

    @property
    def remaining(self) -> tuple[int, ...]:
        """Seeds that were not run, or not with all settings."""
        done = {report.seed for report in self.reports if not report.remaining}
        return tuple(seed for seed in self.seeds if seed not in done)

    def _named(self) -> Mapping[str, SeedsResult]:
        return {row.name: row for row in self.rows}

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        return [
            {"name": row.name, "seed": seed, **scalars(result)}
            for row in self.rows
            for seed, result in zip(row.seeds, row.results, strict=True)
        ]

    def __repr__(self) -> str:
        """Return a line: a row is mean training / test accuracy."""
        state = ", interrupted" if self.interrupted else ""
        seeds = text.counted(len(self.seeds), "seed")
        return f"SeedsReport({seeds}: {accuracies(self.rows)}{state})"

    def __str__(self) -> str:
        """Return a table, with what made it below."""
        table = text.grouped(GROUPS, [_cells(row) for row in self.rows], least=LEAST)
        notes = [
            "Training accuracy refers to the corrupted labels, test accuracy to clean labels.",
            f"Mean over the seeds, and half width of its {100 * self.confidence:g}% t-interval.",
        ]
        if self.reports and self.reports[-1].default_settings:
            notes.append(self.reports[-1].default_settings)
        if self.remaining:
            notes.append(f"Not finished: {_listed(self.remaining)}.")
        made = text.facts(_facts(self.reports[-1], _listed(self.seeds))) if self.reports else []
        return "\n".join([*table, "", *text.paragraphs(notes), "", *made])

    def plot(self, ax: "Axes | None" = None) -> "Figure":
        """Plot mean accuracies with t-intervals, and the accuracy of every seed.

        Args:
            ax: Matplotlib axes to draw into; by default, the axes of a new figure.

        Returns:
            A matplotlib figure; see `corruptlab.plotting.category_intervals`.

        Raises:
            MissingExtraError: If matplotlib is not installed.
            ValueError: If no setting was finished.
        """
        series: dict[str, dict[str, tuple[float, ...]]] = {}
        quantities: dict[str, Quantity] = {"training": "train_accuracy", "test": "test_accuracy"}
        for name, quantity in quantities.items():
            for row in self.rows:
                if (values := row.values(quantity)) is not None:
                    series.setdefault(name, {})[row.setting.label] = values
        return category_intervals(series, ylabel="accuracy", level=self.confidence, ax=ax)


def _finished(report: OneSeed) -> tuple[SettingResult | LearnerResult, ...]:
    return report.finished if isinstance(report, RandomizationReport) else report.rows


def _facts(report: OneSeed, seeds: str) -> dict[str, str]:
    if isinstance(report, RandomizationReport):
        return facts_of_network(report, seeds)
    return facts_of_learner(report, seeds)


def _listed(seeds: tuple[int, ...]) -> str:
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def _cells(row: SeedsResult) -> list[str]:
    changed = _cell(row, "labels_changed")
    train, test = _cell(row, "train_accuracy"), _cell(row, "test_accuracy")
    return [row.setting.label, changed, train, test, _cell(row, "generalization_gap")]


def _cell(row: SeedsResult, quantity: Quantity) -> str:
    """Return a mean in percent with its half width."""
    values = row.values(quantity)
    if values is None:
        return "-"
    mean, half = mean_and_half_width(values, row.confidence)
    shown = f"{100 * mean:.1f}" if quantity == "generalization_gap" else text.percent(mean)
    return shown if math.isnan(half) else f"{shown} +- {100 * half:.1f}"


def chosen_seeds(seeds: object, first: int) -> tuple[int, ...]:
    """Return a number of seeds from the first on, or those that a user lists."""
    first = natural("seed", first)
    if not isinstance(seeds, Sequence) or isinstance(seeds, str):
        return tuple(range(first, first + at_least(1, "seeds", seeds)))
    if first:
        raise ValueError(f"`seed` must be left out where `seeds` lists them, got {first}.")
    chosen = tuple(natural("seeds", seed) for seed in seeds)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"`seeds` must hold different seeds, at least one, got {list(chosen)}.")
    return chosen


def reports_over_seeds(
    test_of: Callable[[int, str], Iterator[Any]], seeds: tuple[int, ...]
) -> Iterator[SeedsReport]:
    """Return an iterator of the reports so far; the first test is checked at once."""
    return _reports(test_of, test_of(seeds[0], f"seed-{seeds[0]}"), seeds)


def _reports(
    test_of: Callable[[int, str], Iterator[Any]], first: Iterator[Any], seeds: tuple[int, ...]
) -> Iterator[SeedsReport]:
    done: list[OneSeed] = []
    for seed in seeds:
        running = first if seed == seeds[0] else test_of(seed, f"seed-{seed}")
        try:
            for report in running:
                so_far = SeedsReport(reports=(*done, report), seeds=seeds)
                yield so_far
        except (Exception, SystemExit) as error:
            unfinished = getattr(error, "report", None)
            reports = done if unfinished is None else [*done, unfinished]
            if reports:
                with suppress(AttributeError):  # an error of a frozen class keeps nothing
                    error.report = SeedsReport(reports=tuple(reports), seeds=seeds)  # type: ignore[union-attr]  # documented
            raise
        if report.interrupted:
            return
        done.append(report)
