"""What a sweep finished, what failed, and its figure."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corruptlab._environment import Environment
from corruptlab._records import Record, kept_as
from corruptlab._reports import Report, Rows, rows_of
from corruptlab._sweeps._store import Store
from corruptlab._sweeps._table import Table, table_of
from corruptlab._text import counted
from corruptlab.plotting import interval_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class TrialFailure(Record):
    """A trial that failed in every attempt.

    Attributes:
        id: Name of the trial.
        settings: Settings of the trial, as JSON values.
        error: Type and message of the last error.
        traceback: Traceback of the last error.
        attempts: Number of attempts.
        path: File with the errors and tracebacks of all attempts.

    Example:
        >>> import tempfile
        >>> import corruptlab as cl
        >>> with tempfile.TemporaryDirectory() as out:
        ...     report = cl.sweep({"p": [2.0]}, cl.sweeps.partial_labels, out=out, retries=0)
        >>> print(report.failures[0])
        p=2.0: ValueError: `p` must lie in [0, 1], got 2.0. (1 attempt)
    """

    id: str
    settings: dict[str, Any] = field(metadata=kept_as(dict, dict))
    error: str
    traceback: str = field(repr=False)
    attempts: int
    path: Path = field(repr=False)

    @classmethod
    def of(cls, store: Store, trial: str) -> "TrialFailure":
        """Build a failure from its file."""
        record = store.failure(trial)
        last = record["attempts"][-1]["error"]
        return cls(
            id=trial,
            settings=record["settings"],
            error=f"{last['kind']}: {last['message']}",
            traceback=last["traceback"],
            attempts=len(record["attempts"]),
            path=store.failure_path(trial),
        )

    def __str__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{settings}: {self.error} ({counted(self.attempts, 'attempt')})"


def failures_in(store: Store, ids: Iterable[str]) -> Iterator[TrialFailure]:
    """Read failures."""
    for trial in ids:
        if store.failed_at(trial) is not None:
            yield TrialFailure.of(store, trial)


@dataclass(frozen=True, kw_only=True)
class SweepReport(Report, Rows[dict[str, Any]], kind="sweep", derived=("failed", "remaining")):
    """Summary of a sweep: finished, cached, and failed trials.

    The results are in the folder of the sweep, from which `table`, `plot`, and iteration read them:
    ``list(report)`` contains a dictionary of settings and results for each finished trial, and
    ``report[report.ids[0]]`` is the dictionary of one trial.

    Attributes:
        out: The folder, as an absolute path.
        total: Number of trials in the grid.
        done: Trials that this call finished.
        cached: Trials that were finished by an earlier call or a concurrent sweep.
        failures: Trials that failed in every attempt.
        interrupted: Whether Ctrl-C ended the sweep.
        seconds: Duration of the sweep.
        environment: Versions and machine of the sweep; each file contains those of its trial.
        ids: Names of all trials, in the order of the grid.

    Example:
        >>> import tempfile
        >>> import corruptlab as cl
        >>> small = {"n": [60], "model": ["mlp-1x64"]}
        >>> with tempfile.TemporaryDirectory() as out:
        ...     cl.sweep({"p": [0.0], **small}, cl.sweeps.partial_labels, out=out)
        ...     cl.sweep({"p": [0.0, 1.0], **small}, cl.sweeps.partial_labels, out=out)
        SweepReport(1 of 1 trial: 1 done, 0 cached, 0 failed)
        SweepReport(2 of 2 trials: 1 done, 1 cached, 0 failed)
    """

    out: Path
    total: int
    done: int
    cached: int
    failures: tuple[TrialFailure, ...]
    interrupted: bool
    seconds: float
    environment: Environment
    ids: tuple[str, ...] = field(repr=False)

    def _show(self) -> None:
        str(self)  # its rows are in a folder, which may be elsewhere

    @property
    def failed(self) -> int:
        """Trials that failed at every attempt."""
        return len(self.failures)

    @property
    def remaining(self) -> int:
        """Trials that are neither finished nor failed; 0 unless the sweep was interrupted."""
        return self.total - self.done - self.cached - self.failed

    @property
    def complete(self) -> bool:
        """Whether every trial is finished."""
        return self.done + self.cached == self.total

    def table(self) -> Table:
        """Return the finished trials in the order of the grid.

        Returns:
            The table, one row per trial.

        Raises:
            DataFileError: If a file is damaged.
        """
        return table_of(Store.of(self.out), self._finished(), sort=False)

    def plot(
        self,
        x: str,
        y: str | Sequence[str],
        *,
        over: str | Sequence[str] = "seed",
        by: str | Sequence[str] = (),
        relative_to: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        title: str = "",
        ax: "Axes | None" = None,
    ) -> "Figure":
        """Draw results against a setting, with intervals over repetitions.

        Args:
            x: Name of a numeric setting.
            y: Name of a numeric result, or several, each in its own panel.
            over: Settings of repetitions, such as the seed: points are means over them, and bars
                95% t-intervals.
            by: Settings with one curve per value.
            relative_to: Settings of the reference trial, such as ``{"p": 0}``, by whose value the
                *first* result is divided; it agrees with each trial in all other settings.
            labels: Labels of columns in the figure; by default their names.
            title: Title of the figure.
            ax: Axes of matplotlib to draw a single result into; by default those of a new figure.

        Returns:
            A figure as `corruptlab.plotting.interval_curves` makes it.

        Raises:
            MissingExtraError: If matplotlib is not installed.
            KeyError: If a column does not exist.
            ValueError: If a varying setting is not named, no trial is finished, or there are
                several results for one ``ax``.

        Source: Zhang et al. 2017, Fig. 1b and 1c.
        """
        return draw(
            self.table(),
            x,
            y,
            over=over,
            by=by,
            relative_to=relative_to,
            labels=labels or {},
            title=title,
            ax=ax,
        )

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        return rows_of(**self.table())

    def _named(self) -> Mapping[str, dict[str, Any]]:
        return dict(zip(self._finished(), map(dict, self._rows()), strict=True))

    def _finished(self) -> list[str]:
        there = set(Store.of(self.out).ids())
        return [each for each in self.ids if each in there]

    def __repr__(self) -> str:
        counts = f"{self.done} done, {self.cached} cached, {self.failed} failed"
        rest = f", {self.remaining} not run" if self.remaining else ""
        state = ", interrupted" if self.interrupted else ""
        finished = f"{self.done + self.cached} of {counted(self.total, 'trial')}"
        return f"SweepReport({finished}: {counts}{rest}{state})"

    def __str__(self) -> str:
        """Return the counts, and a line for each trial that failed."""
        return "\n".join([repr(self), *(f"failed: {each}" for each in self.failures)])


def draw(
    table: Table,
    x: str,
    y: str | Sequence[str],
    *,
    over: str | Sequence[str],
    by: str | Sequence[str],
    relative_to: Mapping[str, Any] | None,
    labels: Mapping[str, str],
    title: str,
    ax: "Axes | None" = None,
) -> "Figure":
    """Draw columns of a table; see `SweepReport.plot`."""
    results, curves = _listed(y), _listed(by)
    if table.num_rows == 0:
        raise ValueError("`table` must hold a finished trial, got none.")
    for name in (x, *results, *curves):
        table[name]  # says which columns there are if this one is not
    repeated = _listed(over)
    for name in table.settings:
        values = {repr(value) for value in table[name]}
        if len(values) > 1 and name not in (x, *curves, *repeated):
            raise ValueError(
                "`by` must name every setting that varies and is neither `x` nor `over`, "
                f"got {curves}, which leaves {name}."
            )
    panels = {}
    for place, name in enumerate(results):
        label = labels.get(name, name)
        if place == 0 and relative_to:
            column: Any = table.relative(name, **relative_to)
            at = ", ".join(_named(key, value) for key, value in relative_to.items())
            label = f"{label}, as a multiple of {at}"
        else:
            column = table[name]
        panels[label] = _curves(table, x, column, curves)
    return interval_curves(panels, xlabel=labels.get(x, x), title=title, ax=ax)


def _curves(
    table: Table, x: str, column: Any, by: Sequence[str]
) -> dict[str, dict[float, list[float]]]:
    """Return curve name to x to the values of repetitions."""
    curves: dict[str, dict[float, list[float]]] = {}
    for row in range(table.num_rows):
        values = [table[name][row] for name in by]
        curve = ", ".join(_named(n, v) for n, v in zip(by, values, strict=True))
        value = math.nan if column[row] is None else float(column[row])
        curves.setdefault(curve, {}).setdefault(float(table[x][row]), []).append(value)
    return curves


def _named(name: str, value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    return f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}"


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)
