"""What a randomization test found: rows, a table, a dictionary, a figure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corruptlab._environment import Environment
from corruptlab._text import facts, percent
from corruptlab.experiments.randomization._result import SettingResult
from corruptlab.experiments.randomization._settings import SETTINGS, Setting
from corruptlab.experiments.randomization._table import table
from corruptlab.plotting import loss_curves
from corruptlab.training import FitReport, Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = 1
"""Version of what `RandomizationReport.to_dict` gives; it grows when a key changes its meaning."""


@dataclass(frozen=True, kw_only=True, repr=False)
class RandomizationReport:
    """One row a setting, and all that is needed to make them again.

    ``print(report)`` shows a table, ``report["random-labels"]`` is one row.

    Attributes:
        rows: Results in the order in which they were made, true labels first. After Ctrl-C the
            last one may be of an unfinished fit; its ``fit.stopped_by`` says so.
        remaining: Settings that were not run, or not to the end.
        interrupted: Whether Ctrl-C ended the test early.
        model: What the network is called.
        num_parameters: Numbers in its parameters.
        data: What the data is called.
        n_train: Number of training examples.
        n_test: Number of test examples; 0 without a test set.
        num_classes: Number of classes.
        recipe: The hyper-parameters, the same for all settings.
        seed: Seed of corruptions, data order, and of what layers draw.
        environment: Versions, machine, and device.

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
        ['complete', 'data', 'environment', 'interrupted']
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

    @property
    def baseline(self) -> FitReport | None:
        """The fit on true labels, or None if it is not among the rows."""
        return next((row.fit for row in self.rows if row.setting.is_clean), None)

    @property
    def finished(self) -> tuple[SettingResult, ...]:
        """The rows whose fit ended by itself."""
        return tuple(row for row in self.rows if row.fit.stopped_by != "interrupted")

    def __getitem__(self, name: str) -> SettingResult:
        """Return the row of one setting.

        Args:
            name: Name of the setting, such as ``"random-labels"``.

        Returns:
            Its row.

        Raises:
            KeyError: If there is no such row; the message lists those there are.
        """
        for row in self.rows:
            if row.name == name:
                return row
        there = ", ".join(row.name for row in self.rows) or "none"
        raise KeyError(f"`name` must be among the rows ({there}), got {name!r}.")

    def __repr__(self) -> str:
        """Return a line: a row is training / test accuracy."""
        rows = [
            f"{r.name} {percent(r.train_accuracy)}/{percent(r.test_accuracy)}" for r in self.rows
        ]
        state = ", interrupted" if self.interrupted else ""
        return (
            f"RandomizationReport({self.model} on {self.data}: {', '.join(rows) or 'none'}{state})"
        )

    def __str__(self) -> str:
        """Return a table, with notes on what it leaves open and what made it below."""
        return "\n".join([*table(self.rows), "", *_notes(self), "", *_made_with(self)])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dictionary that JSON can hold."""
        return {
            "kind": "randomization_test",
            "schema": SCHEMA,
            "complete": not self.remaining,
            "interrupted": self.interrupted,
            "model": self.model,
            "num_parameters": self.num_parameters,
            "data": self.data,
            "n_train": self.n_train,
            "n_test": self.n_test,
            "num_classes": self.num_classes,
            "seed": self.seed,
            "recipe": self.recipe.to_dict(),
            "environment": self.environment.to_dict(),
            "rows": [row.to_dict() for row in self.rows],
            "remaining": [setting.to_dict() for setting in self.remaining],
        }

    def figure(self) -> "Figure":
        """Draw the training loss against steps, one curve a setting, true labels first.

        Returns:
            A figure as `corruptlab.plotting.loss_curves` makes it. The paper's settings look the
            same in every selection of them.

        Raises:
            MissingExtraError: If matplotlib is not installed.
            ValueError: If there is nothing to draw, as no setting made a single step.

        Source: Zhang et al. 2017, Fig. 1a.
        """
        rows = [row for row in self.rows if row.fit.losses]
        if not rows:
            raise ValueError("`rows` must hold a setting that made a step, got none.")
        known = {name: place for place, name in enumerate(SETTINGS)}
        own = all(row.name in known for row in rows)
        return loss_curves(
            {row.setting.label: row.fit.losses for row in rows},
            interpolated={
                row.setting.label: row.fit.steps_to_interpolation
                for row in rows
                if row.fit.steps_to_interpolation is not None
            },
            looks={row.setting.label: known[row.name] for row in rows} if own else None,
            title=f"{self.model} on {self.data}",
        )


def _notes(report: RandomizationReport) -> list[str]:
    """Explain what the table leaves open."""
    lines = ["Training accuracy is on the labels as corrupted, test accuracy on clean ones."]
    if any(row.fit.stopped_by == "epochs" for row in report.rows):
        lines.append(f"-: training set not interpolated within {report.recipe.epochs:,} epochs.")
    for row in report.rows:
        if row.fit.stopped_by == "interrupted":
            done = f"{row.fit.epochs:,} epochs ({row.fit.steps:,} steps)"
            lines.append(f"Interrupted: {row.setting.label}, after {done}.")
    tried = {row.name for row in report.rows}
    if untried := [s.label for s in report.remaining if s.name not in tried]:
        lines.append(f"Not run: {', '.join(untried)}.")
    return lines


def _made_with(report: RandomizationReport) -> list[str]:
    """Say what made the rows."""
    recipe = report.recipe
    sizes = f"{report.n_train:,} training"
    if report.n_test:
        sizes += f" and {report.n_test:,} test"
    training = (
        f"SGD, learning rate {recipe.learning_rate:g} (x {recipe.decay:g} an epoch), "
        f"momentum {recipe.momentum:g}, batch {recipe.batch_size:,}, "
        f"at most {recipe.epochs:,} epochs"
    )
    if recipe.weight_decay:
        training += f", weight decay {recipe.weight_decay:g}"
    made = report.environment
    return facts(
        {
            "model": f"{report.model}, {report.num_parameters:,} parameters",
            "data": f"{report.data}, {sizes} examples, {report.num_classes} classes",
            "recipe": training,
            "run": f"seed {report.seed}, on {made.device}, {made.threads} threads, {made.platform}",
            "with": made.versions,
        }
    )
