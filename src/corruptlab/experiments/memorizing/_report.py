"""Memorization of a training procedure, measured by canaries: the call and its report."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import ArrayLike
from torch import nn
from typing_extensions import Never, deprecated

from corruptlab import _text as text
from corruptlab._by_name import describe
from corruptlab._checks import at_least, check_confidence
from corruptlab._data import InputKey, Key
from corruptlab._environment import Environment
from corruptlab._fits import watched_fits
from corruptlab._learners import Learner, Predictor
from corruptlab._random_state import preserve_rng_state
from corruptlab._reports import Report
from corruptlab._types import MapDataset
from corruptlab.corruptions import Corrupted
from corruptlab.experiments.memorizing._canaries import Fitted, Gap, Planting, Ratt
from corruptlab.experiments.memorizing._learned import train_function_of
from corruptlab.experiments.memorizing._learning_times import LearningTimes
from corruptlab.experiments.memorizing._meter import MemorizationEpoch, MemorizationMeter
from corruptlab.plotting import fit_curves, learning_curves
from corruptlab.training import Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
class MemorizationReport(Report, kind="memorization_report", derived=("chance",)):
    """Accuracy on canaries, clean examples, and noisy examples, by epoch and at the end.

    ``print(report)`` shows a table.

    Attributes:
        epochs: Measurements of each call of ``epoch_end``, in order.
        final: Measurements of the predictor that the training function returned; the last of
            ``epochs`` if it returned none or was interrupted.
        interrupted: Whether Ctrl-C or an error ended the training early.
        train_function: Name of the training function.
        data: Name of the data.
        n_train: Number of training examples, including planted canaries.
        canaries: Number of planted canaries.
        held_out: Number of held-out canaries.
        wrong_canaries: Number of planted canaries whose random label differs from the true one;
            for K classes a share of ``1 - 1 / K`` is expected.
        noisy: Number of training examples with labels known to be wrong, without canaries.
        num_classes: Number of classes, K.
        confidence: Level of intervals and bounds.
        seed: Seed of the canaries and of their labels.
        fingerprint: Hash of the training labels; see `Corrupted.fingerprint`.
        environment: Versions and machine.
        learning_times: Epochs of the first fit of the random or given labels, for ``clean``,
            ``noisy``, ``planted``, and ``held_out``; all are censored if there are no ``epochs``.
        recipe: Hyper-parameters of a network; None for other learners and training functions.

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
    learning_times: Mapping[str, LearningTimes] = field(default_factory=dict)
    recipe: Recipe | None = None

    @property
    def gap(self) -> Gap:
        """Difference between planted and held-out canaries at the end: the memorization."""
        return self.final.gap

    @property
    def ratt(self) -> Ratt:
        """Bound on the true error at the end."""
        return self.final.ratt

    @property
    def chance(self) -> float:
        """Probability that a random label is right: ``1 / K``."""
        return 1 / self.num_classes

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        return [*map(_flat, self.epochs), {**_flat(self.final), "epoch": "end"}]

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

    def plot(
        self, ax: "Axes | None" = None, *, others: Sequence["MemorizationReport"] = ()
    ) -> "Figure":
        """Draw the accuracy of each group by epoch, and chance.

        With reports of other seeds, ``first.plot(others=rest)``, the curves are means over all
        reports with t-intervals at the confidence of this one, up to the last epoch that all have.
        The seed of a report determines its canaries only.

        Args:
            ax: Axes of matplotlib to draw into; by default those of a new figure.
            others: Reports of the same procedure on data of as many classes.

        Returns:
            The figure of `corruptlab.plotting.fit_curves`; without epochs, the end alone.

        Raises:
            MissingExtraError: If matplotlib is not installed.
            TypeError: If ``others`` contains anything other than reports.
            ValueError: If a report has a different number of classes.
        """
        if isinstance(others, MemorizationReport):
            raise TypeError("`others` must be a sequence of memorization reports, got one of them.")
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
            ax=ax,
        )

    def plot_learning(self) -> "Figure":
        """Draw the accuracy by epoch, and beside it the share that was fitted at least once.

        Returns:
            A figure as `corruptlab.plotting.learning_curves` makes it; see `learning_times`.

        Raises:
            MissingExtraError: If matplotlib is not installed.
            ValueError: If the training function never called ``epoch_end``.
        """
        if not (self.epochs and self.learning_times):
            raise ValueError("`epoch_end` must have been called for learning times, got no epoch.")
        known = {group: times.shares for group, times in self.learning_times.items() if times.total}
        shown = [curve for curve in _CURVES if curve[1] in known]
        return learning_curves(
            {name: [getattr(row, group).share for row in self.epochs] for name, group, _ in shown},
            {name: known[group] for name, group, _ in shown},
            chance=self.chance,
            looks={name: look for name, _, look in shown},
            title=f"{self.train_function} on {self.data}",
        )

    @deprecated("`figure` is now called `plot`, and takes `others` by keyword.")
    def figure(self, *others: "MemorizationReport") -> "Figure":
        """Return ``plot(others=others)``: the old name."""
        return self.plot(others=others)

    def _check_comparable(self, other: object) -> None:
        if not isinstance(other, MemorizationReport):
            raise TypeError(f"`others` must be memorization reports, got {type(other).__name__}.")
        if other.num_classes != self.num_classes:
            raise ValueError(
                f"`others` must have {self.num_classes} classes as this report, "
                f"got {other.num_classes}."
            )


def _flat(row: MemorizationEpoch) -> dict[str, Any]:
    """Return the shares and the gap of one row of a data frame."""
    shares = {name: group.share for name, group in vars(row).items() if isinstance(group, Fitted)}
    low, high = row.gap.interval
    gap = {"gap": row.gap.value, "gap_low": low, "gap_high": high, "p_value": row.gap.p_value}
    return {"epoch": row.epoch, **shares, **gap, "ratt_bound": row.ratt.bound}


def _table(
    epochs: Sequence[MemorizationEpoch], final: MemorizationEpoch, *, noisy: bool
) -> list[str]:
    """Lay out some epochs, evenly spread, and the end; ``-`` marks what is missing."""
    groups = [group for place, group in enumerate(_GROUPS) if noisy or place != _NOISY]
    body = [_cells(row, str(row.epoch), noisy=noisy) for row in _rows_to_print(epochs)]
    body.append(_cells(final, "end", noisy=noisy))
    return text.grouped(groups, body, least=[_LEAST] * len(body[0]), left=0)


def _rows_to_print(epochs: Sequence[MemorizationEpoch]) -> list[MemorizationEpoch]:
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
        "Share of examples whose random, given, or true label is predicted; chance for random "
        f"labels is {report.chance:.1%}.",
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
    known = f"The true labels of the held-out canaries bound it by {ratt.held_out_bound:.1%}."
    if ratt.bound is None:
        return f"RATT: no bound, as {ratt.reason}. {known}"
    empty = ", which is vacuous" if ratt.vacuous else ""
    return (
        f"RATT: the true error is at most {ratt.bound:.1%}{empty}, with {level} confidence, if "
        "planted wrong labels are fitted at least as often as unseen ones, which the held-out "
        f"canaries do not contradict. {known}"
    )


def _made_with(report: MemorizationReport) -> list[str]:
    """Return the training, the data, and the environment, one line each."""
    made, recipe = report.environment, report.recipe
    noise = f", {report.noisy:,} with labels known to be wrong" if report.noisy else ""
    told = {"train": report.train_function}
    told["data"] = (
        f"{report.data}, {text.counted(report.n_train, 'training example')}{noise}, "
        f"{text.counted(report.num_classes, 'class', 'classes')}"
    )
    if recipe is not None:
        told["recipe"] = (
            f"{recipe.optimizer}, learning rate {recipe.learning_rate:g}, "
            f"batch {recipe.batch_size:,}, at most {text.counted(recipe.epochs, 'epoch')}, "
            f"inputs {recipe.preparation}"
        )
    told["run"] = f"seed {report.seed}, {text.counted(made.threads, 'thread')}, {made.platform}"
    return text.facts({**told, "with": made.versions})


TrainFunction: TypeAlias = Callable[[Corrupted, MemorizationMeter], Predictor | None]
"""Function of the training data and ``epoch_end`` that returns a predictor, or None."""

AnyLearner: TypeAlias = TrainFunction | nn.Module | Learner | Any
"""A training function, a network with a recipe, or an estimator."""


def memorization_report(
    train_function: AnyLearner,
    train: MapDataset[Any] | tuple[Any, Any],
    *apart: Never,
    recipe: Recipe | None = None,
    canaries: int | float = 0.05,
    held_out: int | None = None,
    noisy: ArrayLike | None = None,
    num_classes: int | None = None,
    input_key: InputKey | None = None,
    label_key: Key | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    batch_size: int = 256,
) -> MemorizationReport:
    """Plant random-label canaries in a copy of the data, train, and measure their fit.

    Some examples are assigned labels drawn uniformly from all K classes. The planted canaries stay
    in the training data; the others are held out. Every network predicts the random labels of
    held-out canaries with probability 1 / K, so a higher accuracy on planted canaries is due to
    memorization alone. Your own data set is not changed.

    ``train_function(dataset, epoch_end)`` trains in any way on ``dataset``, a `Corrupted` with the
    same items, and returns a predictor: a network, or a function from a batch of inputs to scores
    ``(b, K)`` or classes ``(b,)``. Inputs are those that the data set returns, transforms included,
    stacked (PIL images as bytes with the channels first); for a network that `fit` trained, they
    are prepared as in that fit. Each call of ``epoch_end(predictor)`` adds a row to the report (see
    `MemorizationMeter`).

    It can also be any learner of `permutation_test`: a network with a ``recipe``, which is copied,
    trained until it interpolates, and measured after every epoch; an estimator with scikit-learn's
    interface, which is cloned; or a function ``train(data, *, seed) -> predict`` (see `Learner`).
    Estimators and functions are measured once, after training.

    Ctrl-C during training returns the report so far. An error (or an exit, into which some trainers
    turn Ctrl-C) is raised with the report so far, if any, as its attribute ``report``.

    Copies of an input count as different examples: a copy of a canary with its true label
    counteracts the random label. `audit` finds such copies.

    Args:
        train_function: Function that trains on a data set and returns a predictor; or a learner.
        train: Any map-style data set of (input, label) items, each example once, or a pair
            ``(X, y)``. The clean labels of a `Corrupted` data set identify its noisy examples.
        *apart: Not supported: pass labels in the pair ``(X, y)``.
        recipe: Hyper-parameters, if ``train_function`` is a network.
        canaries: Number of planted canaries, >= 2, or their share of the examples in ``(0, 1)``,
            which is rounded to a number. Intervals shrink with its inverse square root.
        held_out: Number of held-out canaries, >= 2; by default equal to ``canaries``.
        noisy: Mask of the examples with a known wrong label, shape ``(n,)``, if not `Corrupted`.
        num_classes: Number of classes K, if it cannot be inferred from the data set.
        input_key: Position or name of the input in an item, or several of them, as in `fit`.
        label_key: Position or name of the label in an item.
        seed: Seed of the selection of canaries, of their labels, and of a learner; an
            integer >= 0.
        confidence: Level of intervals and bounds, in ``(0, 1)``.
        batch_size: Number of examples per call of a predictor, >= 1.

    Returns:
        Accuracy on every group by epoch, the gap with its interval, and the RATT bound where its
        assumptions hold; it prints as a table and draws a figure.

    Raises:
        TypeError: If an argument has the wrong type, or ``train_function`` does not return a
            predictor.
        ValueError: If an argument is out of range or does not fit the data, or a predictor returns
            the wrong shape.
        KeyboardInterrupt: If Ctrl-C is pressed before the first measurement.
        SystemExit: If ``train_function`` exits.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> train = torch.utils.data.Subset(cl.datasets.fashion_mnist_mini("train"), range(500))
        >>> def nearest(dataset, epoch_end):
        ...     images, labels = cl.materialize(dataset)
        ...     seen = images.flatten(1).float()
        ...     return lambda x: labels[torch.cdist(x.flatten(1).float(), seen).argmin(dim=1)]
        >>> report = cl.memorization_report(nearest, train, canaries=100)
        >>> report
        MemorizationReport(nearest on Subset of fashion-mnist-mini: planted 100.0%,
        held out ...%, gap in [...])

    Source: Zhang et al. 2017, §2.1 (random labels); Carlini et al. 2019, "The secret sharer"
    (canaries); Garg et al. 2021, "RATT" (the bound, see `Ratt`).
    """
    if apart:
        form, got = "(X, y), as in memorization_report(model, (X, y), ...)", type(apart[0]).__name__
        raise TypeError(f"`train` must be a data set or a pair {form}, got {got} beside it.")
    check_confidence(confidence)
    confidence, batch_size = float(confidence), at_least(1, "batch_size", batch_size)
    keys: dict[str, Any] = {"input_key": input_key, "label_key": label_key}
    with watched_fits() as fits:
        with preserve_rng_state():  # random transforms of the data set would move them
            trained = train_function_of(train_function, train, recipe, num_classes, keys, seed=seed)
            planting = Planting.of(
                trained.data,
                canaries=canaries,
                held_out=held_out,
                num_classes=trained.num_classes,
                **trained.keys,
                seed=seed,
                noisy=noisy,
            )
            meter = MemorizationMeter(
                planting, confidence=confidence, batch_size=batch_size, fits=fits
            )
        run = _Run(meter, planting, trained.name, describe(train), confidence, trained.recipe)
        try:
            predictor = trained.function(planting.train, run.meter)
            return run.report(predictor)
        except KeyboardInterrupt:
            if not run.meter.epochs:
                raise
            return run.report(interrupted=True)
        except (Exception, SystemExit) as error:  # some trainers turn Ctrl-C into an exit
            if run.meter.epochs:
                with suppress(AttributeError):  # an error of a frozen class keeps nothing
                    error.report = run.report(interrupted=True)  # type: ignore[union-attr]  # documented
            raise


@dataclass(frozen=True)
class _Run:
    """Constant parts of a report."""

    meter: MemorizationMeter
    planting: Planting
    train_function: str
    data: str
    confidence: float
    recipe: Recipe | None

    def report(
        self, predictor: Predictor | None = None, *, interrupted: bool = False
    ) -> MemorizationReport:
        """Measure a predictor, if there is one, and report it as the end."""
        epochs = self.meter.epochs
        if predictor is not None:
            final = self.meter.measured(predictor, epoch=len(epochs))
        elif epochs:
            final = epochs[-1]
        else:
            raise TypeError(
                "`train_function` must return a predictor or call `epoch_end` with one, got None."
            )
        data = self.planting
        return MemorizationReport(
            epochs=epochs,
            final=final,
            interrupted=interrupted,
            train_function=self.train_function,
            data=self.data,
            n_train=len(data.train),
            canaries=int(data.planted.sum()),
            held_out=len(data.held_out),
            wrong_canaries=final.ratt.planted_wrong.total,
            noisy=int(data.noisy.sum()),
            num_classes=int(data.train.num_classes),
            confidence=self.confidence,
            seed=data.train.seed,
            fingerprint=data.train.fingerprint,
            environment=Environment.here(),
            learning_times=self.meter.learning_times,
            recipe=self.recipe,
        )
