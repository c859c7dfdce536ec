"""What a randomization test found: rows, a table, a dictionary, a figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from typing_extensions import deprecated

from corruptlab import _text as text
from corruptlab._environment import Environment
from corruptlab._records import Record
from corruptlab._reports import Report, Rows, scalars
from corruptlab.experiments.randomization._settings import SETTINGS, TOKEN_SETTINGS, Setting
from corruptlab.plotting import loss_curves
from corruptlab.training import Augmentation, FitReport, Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GROUPS = (
    ("", ("setting",)),
    ("labels", ("changed",)),
    ("accuracy", ("train", "test")),
    ("", ("gap",)),
)
LEAST = (22, 7, 6, 6, 5)  # so that the tables of two tests line up

_GROUPS = (
    *GROUPS,
    ("to interpolate", ("steps", "seconds")),
    ("over true labels", ("steps", "seconds")),
)
_OPTIMIZERS = {
    "sgd": ("SGD", "momentum"),
    "nesterov": ("SGD", "Nesterov momentum"),
    "adam": ("Adam", "first beta"),
    "adamw": ("AdamW", "first beta"),
    "rmsprop": ("RMSprop", "momentum"),
}
_LEAST = (*LEAST, 7, 7, 7, 7)


class Measured(Protocol):
    """A row of a randomization test, whatever was trained."""

    @property
    def name(self) -> str: ...
    @property
    def setting(self) -> Setting: ...
    @property
    def labels_changed(self) -> float: ...
    @property
    def train_accuracy(self) -> float: ...
    @property
    def test_accuracy(self) -> float | None: ...
    @property
    def generalization_gap(self) -> float | None: ...


@dataclass(frozen=True, kw_only=True, repr=False)
class SettingResult(
    Record,
    derived=(
        "specification",
        "train_accuracy",
        "test_accuracy",
        "generalization_gap",
        "interpolated",
    ),
):
    """Result of one setting of a randomization test.

    Attributes:
        setting: The setting, with estimated parameters.
        fit: Report of the training. Its training accuracy refers to the corrupted labels, its test
            accuracy to clean labels.
        labels_changed: Realized share of training labels that differ from the clean labels.
        fingerprint: Fingerprint of the corrupted training set; see `Corrupted.fingerprint`.
        steps_ratio: Steps to interpolation divided by those on true labels; None if one of the two
            fits did not interpolate, or the test has no setting with true labels.
        seconds_ratio: The same ratio for training time.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> points = [(torch.tensor([1.0, 0.0]), 0), (torch.tensor([0.0, 1.0]), 1)]
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50, whiten=False)
        >>> report = cl.randomization_test(torch.nn.Linear(2, 2), points, recipe=recipe)
        >>> row = report["shuffled-pixels"]
        >>> row.interpolated, row.train_accuracy, row.test_accuracy, row.labels_changed
        (True, 1.0, None, 0.0)
    """

    setting: Setting
    fit: FitReport
    labels_changed: float
    fingerprint: str
    steps_ratio: float | None
    seconds_ratio: float | None

    @classmethod
    def of(
        cls,
        setting: Setting,
        fit: FitReport,
        *,
        labels_changed: float,
        fingerprint: str,
        baseline: FitReport | None,
    ) -> "SettingResult":
        """Build the result from a fit and, if there is one, the fit on true labels."""
        steps = seconds = None
        if baseline is not None:
            steps = _ratio(fit.steps_to_interpolation, baseline.steps_to_interpolation)
            seconds = _ratio(fit.seconds_to_interpolation, baseline.seconds_to_interpolation)
        return cls(
            setting=setting,
            fit=fit,
            labels_changed=labels_changed,
            fingerprint=fingerprint,
            steps_ratio=steps,
            seconds_ratio=seconds,
        )

    @property
    def name(self) -> str:
        """Name of the setting."""
        return self.setting.name

    @property
    def specification(self) -> str | None:
        """Corruptions and seed in one line; see `Setting.specification`."""
        return self.setting.specification(self.fit.seed)

    @property
    def train_accuracy(self) -> float:
        """Accuracy on the training set, with corrupted labels."""
        return self.fit.train_accuracy

    @property
    def test_accuracy(self) -> float | None:
        """Accuracy on the test set after the last epoch, clean labels; None without a test set."""
        return self.fit.test_accuracy

    @property
    def generalization_gap(self) -> float | None:
        """Training accuracy minus test accuracy; None without a test set."""
        return self.fit.generalization_gap

    @property
    def interpolated(self) -> bool:
        """Whether the network classified every training example correctly."""
        return self.fit.steps_to_interpolation is not None

    def __repr__(self) -> str:
        return f"SettingResult({row_line(self)})"


def _ratio(value: float | None, reference: float | None) -> float | None:
    # A fit too short for the clock has no meaningful ratio either.
    return None if value is None or not reference else value / reference


@dataclass(frozen=True, kw_only=True, repr=False)
class RandomizationReport(
    Report, Rows[SettingResult], kind="randomization_test", derived=("complete",)
):
    """Results of a randomization test, one row per setting.

    ``print(report)`` shows a table, ``report["random-labels"]`` is one row, and ``list(report)``
    contains all rows.

    Attributes:
        rows: Results in the order of the fits, true labels first. After Ctrl-C the last one may
            be of an unfinished fit; see its ``fit.stopped_by``.
        remaining: Settings that were not run, or not finished.
        default_settings: Which settings were selected by default, and why; empty if they were
            given.
        interrupted: Whether Ctrl-C ended the test early.
        model: Name of the network.
        num_parameters: Number of parameters of the network.
        data: Name of the data.
        n_train: Number of training examples.
        n_test: Number of test examples; 0 without a test set.
        num_classes: Number of classes.
        recipe: The hyper-parameters, the same for all settings.
        seed: Seed of corruptions, data order, and random layers.
        environment: Versions, machine, and device.
        optimizer: Name of the optimizer function; None for the optimizer of the recipe.
        loss: Name of the loss; None for the cross-entropy.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> points = [(torch.tensor([1.0, 0.0]), 0), (torch.tensor([0.0, 1.0]), 1)]
        >>> report = cl.randomization_test(
        ...     torch.nn.Linear(2, 2),
        ...     points,
        ...     recipe=cl.Recipe(learning_rate=1.0, epochs=50, whiten=False),
        ...     settings=["true", "shuffled-pixels"],
        ... )
        >>> report
        RandomizationReport(Linear on list: true 100.0%/-, shuffled-pixels 100.0%/-)
        >>> report["true"].steps_ratio
        1.0
        >>> sorted(report.to_dict())[:4]
        ['complete', 'data', 'default_settings', 'environment']
    """

    rows: tuple[SettingResult, ...]
    remaining: tuple[Setting, ...]
    interrupted: bool
    model: str
    num_parameters: int
    data: str
    n_train: int
    n_test: int
    num_classes: int
    recipe: Recipe
    seed: int
    environment: Environment
    default_settings: str = ""
    optimizer: str | None = None
    loss: str | None = None

    @property
    def complete(self) -> bool:
        """Whether every setting was run to its end."""
        return not self.remaining

    @property
    def baseline(self) -> FitReport | None:
        """The fit on true labels, or None if it is not among the rows."""
        return next((row.fit for row in self.rows if row.setting.is_clean), None)

    @property
    def finished(self) -> tuple[SettingResult, ...]:
        """Rows of fits that ended without interruption."""
        return tuple(row for row in self.rows if row.fit.stopped_by != "interrupted")

    def _named(self) -> Mapping[str, SettingResult]:
        return {row.name: row for row in self.rows}

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        own = ("epochs", "steps", "steps_to_interpolation", "seconds", "stopped_by")
        return [
            {"name": row.name, **scalars(row), **{name: getattr(row.fit, name) for name in own}}
            for row in self.rows
        ]

    def __repr__(self) -> str:
        """Return a line: a row is training / test accuracy."""
        state = ", interrupted" if self.interrupted else ""
        return f"RandomizationReport({self.model} on {self.data}: {accuracies(self.rows)}{state})"

    def __str__(self) -> str:
        """Return a table, with notes on what it leaves open and what made it below."""
        made = text.facts(facts_of_network(self, f"seed {self.seed}"))
        return "\n".join([*_table(self.rows), "", *_notes(self), "", *made])

    def plot(self, ax: "Axes | None" = None) -> "Figure":
        """Draw the training loss against steps, one curve per setting, true labels first.

        Args:
            ax: Axes of matplotlib to draw into; by default those of a new figure.

        Returns:
            The figure; see `corruptlab.plotting.loss_curves`. Each of the paper's settings has the
            same style in every figure.

        Raises:
            MissingExtraError: If matplotlib is not installed.
            ValueError: If no setting has finished a step.

        Source: Zhang et al. 2017, Fig. 1a.
        """
        rows = [row for row in self.rows if row.fit.losses]
        if not rows:
            raise ValueError("`rows` must hold a setting that made a step, got none.")
        named = (SETTINGS, TOKEN_SETTINGS)  # a setting looks like the one it takes the place of
        known = {name: place for names in named for place, name in enumerate(names)}
        places = [known.get(row.name) for row in rows]
        own = None not in places and len(set(places)) == len(places)
        return loss_curves(
            {row.setting.label: row.fit.losses for row in rows},
            interpolated={
                row.setting.label: row.fit.steps_to_interpolation
                for row in rows
                if row.fit.steps_to_interpolation is not None
            },
            looks={row.setting.label: known[row.name] for row in rows} if own else None,
            title=f"{self.model} on {self.data}",
            ax=ax,
        )

    @deprecated("`figure` is now called `plot`.")
    def figure(self) -> "Figure":
        """Return ``plot()``: the old name."""
        return self.plot()


def sizes_of(n_train: int, n_test: int) -> str:
    """Say how many examples there are."""
    if not n_test:
        return text.counted(n_train, "training example")
    return f"{n_train:,} training and {text.counted(n_test, 'test example')}"


def accuracies(rows: Sequence[Measured]) -> str:
    """Return training / test accuracy of each row, in one line."""
    share = text.percent
    each = [f"{row.name} {share(row.train_accuracy)}/{share(row.test_accuracy)}" for row in rows]
    return ", ".join(each) or "none"


def row_line(row: Measured) -> str:
    """Return what `cells_of` has, in one line."""
    label, changed, train, test, _ = cells_of(row)
    return f"{label}: train {train}, test {test}, labels changed {changed}"


def cells_of(row: Measured) -> list[str]:
    """Return what stands in the first columns of a table: those of `GROUPS`."""
    gap = row.generalization_gap
    return [
        row.setting.label,
        f"{row.labels_changed:.1%}",
        text.percent(row.train_accuracy),
        text.percent(row.test_accuracy),
        "-" if gap is None else f"{100 * gap:.1f}",
    ]


def _table(rows: Sequence[SettingResult]) -> list[str]:
    """Lay rows out as plain ASCII; ``-`` marks what is missing."""
    return text.grouped(_GROUPS, [_cells(row) for row in rows], least=_LEAST)


def _cells(row: SettingResult) -> list[str]:
    steps, seconds = row.fit.steps_to_interpolation, row.fit.seconds_to_interpolation
    return [
        *cells_of(row),
        "-" if steps is None else f"{steps:,}",
        "-" if seconds is None else f"{seconds:,.{_digits(seconds)}f}",
        _times(row.steps_ratio),
        _times(row.seconds_ratio),
    ]


def _digits(seconds: float) -> int:
    return 2 if seconds < 10 else 1 if seconds < 100 else 0


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}x"


def _notes(report: RandomizationReport) -> list[str]:
    """Explain what the table leaves open."""
    lines = ["Training accuracy refers to the corrupted labels, test accuracy to clean labels."]
    if report.default_settings:
        lines.append(report.default_settings)
    if any(row.fit.stopped_by == "epochs" for row in report.rows):
        epochs = text.counted(report.recipe.epochs, "epoch")
        lines.append(f"-: training set not interpolated within {epochs}.")
    for row in report.rows:
        if row.fit.stopped_by == "interrupted":
            done = (
                f"{text.counted(row.fit.epochs, 'epoch')} ({text.counted(row.fit.steps, 'step')})"
            )
            lines.append(f"Interrupted: {row.setting.label}, after {done}.")
    tried = {row.name for row in report.rows}
    if untried := [s.label for s in report.remaining if s.name not in tried]:
        lines.append(f"Not run: {', '.join(untried)}.")
    return lines


def facts_of_network(report: RandomizationReport, seeds: str) -> dict[str, str]:
    """Say what made the rows."""
    sizes = sizes_of(report.n_train, report.n_test)
    made = report.environment
    precision = report.rows[-1].fit.execution.precision if report.rows else report.recipe.precision
    return {
        "model": f"{report.model}, {text.counted(report.num_parameters, 'parameter')}",
        "data": f"{report.data}, {sizes}, {text.counted(report.num_classes, 'class', 'classes')}",
        "recipe": _training(report, precision),
        "run": f"{seeds}, on {made.device}, {text.counted(made.threads, 'thread')}, "
        f"{made.platform}",
        "with": made.versions,
    }


def _training(report: RandomizationReport, precision: str | None) -> str:
    """Describe a recipe; what is rarely set is told where it is."""
    recipe = report.recipe
    optimizer, momentum = _OPTIMIZERS[recipe.optimizer]
    decay = "" if recipe.decay == 1 else f" (x {recipe.decay:g} an epoch)"
    told = [
        f"{optimizer}, learning rate {recipe.learning_rate:g}{decay}",
        f"{momentum} {recipe.momentum:g}",
    ]
    if report.optimizer is not None:
        told = [f"optimizer by {report.optimizer}{decay}"]
    if report.loss is not None:
        told.append(f"loss {report.loss}")
    told += [
        f"batch {recipe.batch_size:,}",
        f"at most {text.counted(recipe.epochs, 'epoch')}",
    ]
    if recipe.weight_decay and report.optimizer is None:
        told.append(f"weight decay {recipe.weight_decay:g}")
    if recipe.dropout is not None:
        told.append(f"dropout {recipe.dropout:g}")
    if recipe.augmentation is not None and not recipe.augmentation.is_identity:
        told.append(_augmentation(recipe.augmentation))
    if recipe.crop is not None:
        told.append(f"crop {recipe.crop}")
    told.append(f"inputs {recipe.preparation}")
    if precision != "float32":
        told.append(f"precision {precision}")
    return ", ".join(told)


def _augmentation(augmentation: Augmentation) -> str:
    changes = {name: value for name, value in augmentation.to_dict().items() if value}
    told = [
        name.replace("_", " ") if value is True else f"{name} {value:g}"
        for name, value in changes.items()
    ]
    return f"augmentation ({', '.join(told)})"
