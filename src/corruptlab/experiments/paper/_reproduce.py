"""Repeat a table or figure of the paper."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import deprecated

from corruptlab._errors import DataFileError
from corruptlab._json import decode
from corruptlab._records import kept_as, plain, typed
from corruptlab._reports import Report, Rows
from corruptlab._sweeps import Store
from corruptlab._text import counted
from corruptlab.experiments.paper._exhibit import Exhibit, Measurement, Row, with_ratios
from corruptlab.experiments.paper._exhibits import draw, exhibit
from corruptlab.experiments.paper._plan import Plan, Planned, folder_of, plan
from corruptlab.experiments.paper._results import keep_results, markdown, text
from corruptlab.experiments.paper._training import RunContext, running_in
from corruptlab.experiments.sweeps import SweepReport, TrialFailure, sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _name_of(shown: Exhibit) -> str:
    return shown.name


def _as_json(found: Sequence[Measurement]) -> list[Any]:
    return [{**each.to_dict(), "curves": plain(each.curves)} for each in found]


def _from_json(values: Sequence[Mapping[str, Any]]) -> tuple[Measurement, ...]:
    """Return measurements with their curves, which results that are kept do without."""
    known, kind = [dict(each) for each in values], dict[str, tuple[float, ...]]
    curves = [typed(each.pop("curves", {}), kind, "curves") for each in known]
    return tuple(
        replace(Measurement.from_dict(each), curves=own)
        for each, own in zip(known, curves, strict=True)
    )


@dataclass(frozen=True, kw_only=True)
class Reproduction(
    Report, Rows[tuple[Measurement, ...]], kind="reproduction", derived=("own_recipes",)
):
    """Measured and published numbers of a table or figure, by row.

    ``report["mlp-1x512 plain"]`` contains the measurements of one row, one per seed, and
    ``list(report)`` those of all rows. ``print(report)`` shows a table.

    Attributes:
        exhibit: The table or figure.
        measurements: Measurements in the order of the rows.
        left_out: Reasons why selected rows were not run, by name.
        failures: Trials that failed.
        interrupted: Whether Ctrl-C ended the run; the same call resumes it.
        out: Folder of the trials.
        seconds: Duration of this call.

    Example:
        >>> import tempfile
        >>> import corruptlab as cl
        >>> with tempfile.TemporaryDirectory() as out:
        ...     found = cl.reproduce(
        ...         "theorem1", rows=["depth 2"], data="fashion-mnist-mini", out=out, progress=False
        ...     )
        >>> found
        Reproduction('theorem1': 1 row measured, 0 left out, 0 failed)
        >>> found.measurements[0].measured["weights"]  # 2 * 4000 + 784
        8784
    """

    exhibit: Exhibit = field(repr=False, metadata=kept_as(_name_of, exhibit))
    measurements: tuple[Measurement, ...] = field(metadata=kept_as(_as_json, _from_json))
    left_out: Mapping[str, str]
    failures: tuple[TrialFailure, ...]
    interrupted: bool
    out: Path
    seconds: float

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows with a measurement."""
        there = {each.row for each in self.measurements}
        return tuple(row for row in self.exhibit.rows if row.name in there)

    @property
    def own_recipes(self) -> bool:
        """Whether no recipe of a row was changed."""
        return not any(each.departures for each in self.measurements)

    @property
    def complete(self) -> bool:
        """Whether every selected row was measured with every seed."""
        return not (self.left_out or self.failures or self.interrupted)

    def table(self) -> str:
        """Return measured and published numbers and their differences as plain text."""
        return text(self.exhibit, self.measurements, rows=self.rows)

    def markdown(self) -> str:
        """Return the same table as a Markdown page."""
        return markdown(self.exhibit, self.measurements, rows=self.rows)

    def plot(self, ax: "Axes | None" = None) -> "Figure":
        """Draw the figure of the paper from the measurements.

        Args:
            ax: Axes of matplotlib to draw a figure of one panel into; by default those of a new
                figure.

        Returns:
            The figure.

        Raises:
            MissingExtraError: If matplotlib is not installed.
            ValueError: If the exhibit is a table, nothing was measured, or ``ax`` is given for a
                figure with several panels.

        Source: Zhang et al. 2017, Fig. 1 and 2.
        """
        return draw(self.exhibit, self.measurements, ax=ax)

    @deprecated("`figure` is now called `plot`.")
    def figure(self) -> "Figure":
        """Return ``plot()``: the old name."""
        return self.plot()

    def keep(self, folder: str | os.PathLike[str], *, note: str = "") -> Path:
        """Add the measurements to the results in a folder, such as ``docs/results``.

        Args:
            folder: The folder; a measurement replaces an older one of its row, seed, machine,
                sample, and departures.
            note: Additional information about the measurements.

        Returns:
            Path of the written file.

        Raises:
            DataFileError: If the existing file is damaged.
        """
        noted = [replace(each, note=note) if note else each for each in self.measurements]
        return keep_results(folder, self.exhibit, noted)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; ``rows`` include ratios and published numbers."""
        return {
            **super().to_dict(),
            "title": self.exhibit.title,
            "source": self.exhibit.source,
            "rows": self._numbers(),
        }

    def _numbers(self) -> list[dict[str, Any]]:
        known = with_ratios(self.exhibit, self.measurements)
        published = {row.name: dict(row.published) for row in self.exhibit.rows}
        return [{**each.to_dict(), "published": published[each.row]} for each in known]

    def _named(self) -> Mapping[str, tuple[Measurement, ...]]:
        return {
            row.name: tuple(each for each in self.measurements if each.row == row.name)
            for row in self.rows
        }

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        rows = []
        for each in self._numbers():
            measured = decode(each["measured"])
            printed = {f"published_{name}": value for name, value in each["published"].items()}
            rows.append({"row": each["row"], "seed": each["seed"], **measured, **printed})
        return rows

    def __repr__(self) -> str:
        rows = f"{counted(len(self.rows), 'row')} measured"
        rest = f"{len(self.left_out)} left out, {len(self.failures)} failed"
        state = ", interrupted" if self.interrupted else ""
        return f"Reproduction({self.exhibit.name!r}: {rows}, {rest}{state})"

    def __str__(self) -> str:
        """Return the table, and what is missing from it."""
        lines = [self.table()] if self.measurements else []
        lines += [f"left out: {name}: {why}" for name, why in self.left_out.items()]
        lines += [f"failed: {each}" for each in self.failures]
        return "\n".join(lines) or repr(self)


def reproduce(
    what: str | Exhibit,
    *,
    data: str | Sequence[str],
    out: str | os.PathLike[str],
    rows: Sequence[str] | None = None,
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
    changes: Mapping[str, Any] | None = None,
    device: str = "auto",
    executor: Executor | int | None = None,
    most_hours: float | None = None,
    progress: bool = True,
) -> Reproduction:
    """Run rows of a table or figure of the paper and compare them with the published numbers.

    The time of each row with all epochs is estimated and shown before the first row starts. The
    rows are a `sweep`: each finished row is saved in a file, the same call resumes after an
    interruption, and with more rows or seeds only the new ones are run. Rows without data, rows
    that do not fit the memory, and rows with a parameter that is not published and not given are
    left out, with the reason.

    Args:
        what: ``"table1"`` to ``"table4"``, ``"fig1a"``, ``"fig1b"``, ``"fig1c"``, ``"fig2"``, or
            ``"theorem1"``; or an `Exhibit`.
        data: Where the data are: ``"cifar10:FOLDER"``, ``"idx:FOLDER"`` for MNIST, and
            ``"imagenet:FOLDER"``, one or several. Any other data set that
            `corruptlab.datasets.load` accepts replaces a single one.
        out: Folder for the trials, of any number of tables and figures.
        rows: Names of rows, or words of names, which select all rows that contain them. None for
            all.
        seeds: Seeds, each >= 0; every row is run with each of them.
        epochs: Epochs at most, instead of the recipe's.
        changes: Other parameters of the rows, such as ``{"gamma": 4.0}`` or
            ``{"recipe.batch_size": 256}``.
        device: Device of the trials; ``"auto"`` is a GPU if there is one.
        executor: Executor of the trials, as in `sweep`.
        most_hours: Rows that would take longer are left out, > 0.
        progress: Whether to show the estimates, and how far the work is, on standard error.

    Returns:
        Measured and published numbers; see `Reproduction`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a table, row, data set, or parameter is unknown, a value is out of range,
            or ``out`` contains other files.
        DataFileError: If a file of the data is missing or damaged.
        MissingExtraError: If an extra is missing.

    Example:
        >>> import tempfile
        >>> import corruptlab as cl
        >>> small = {"rows": ["mlp-1x512 plain"], "data": "fashion-mnist-mini", "epochs": 1}
        >>> with tempfile.TemporaryDirectory() as out:
        ...     found = cl.reproduce("table1", out=out, progress=False, **small)
        >>> found.measurements[0].sample
        'fashion-mnist-mini, 4,000 + 1,000 images'

    Source: Zhang et al. 2017, Tables 1 to 4, Fig. 1 and 2, Theorem 1.
    """
    start = time.perf_counter()
    _check_folder(out)
    todo = plan(
        what,
        data=data,
        rows=rows,
        seeds=seeds,
        epochs=epochs,
        changes=changes,
        device=device,
        most_hours=most_hours,
        out=out,
        progress=progress,
    )
    if progress:
        sys.stderr.write(f"{todo}\n")
    return run(todo, out=out, executor=executor, progress=progress, start=start)


def run(
    todo: Plan,
    *,
    out: str | os.PathLike[str],
    executor: Executor | int | None,
    progress: bool,
    start: float,
) -> Reproduction:
    """Run the trials of a plan."""
    found: list[Measurement] = []
    reports: list[SweepReport] = []
    works = {each.row.work: folder_of(out, each.row) for each in todo.trials}
    for work, folder in works.items():  # all of them, before the first one takes hours
        Store.opened(folder, work.trial)
    for work, folder in works.items():
        mine = [each for each in todo.trials if each.row.work == work]
        with running_in(RunContext(progress, folder / "checkpoints")):
            grid = {each.id: each.settings for each in mine}
            report = sweep(list(grid.values()), work.trial, executor, out=folder, progress=progress)
        reports.append(report)
        found += _measured(mine, report)
        if report.interrupted:
            break
    order = [(each.row.name, each.seed) for each in todo.trials]
    return Reproduction(
        exhibit=todo.exhibit,
        measurements=tuple(sorted(found, key=lambda each: order.index((each.row, each.seed)))),
        left_out=todo.left_out,
        failures=tuple(failure for report in reports for failure in report.failures),
        interrupted=any(report.interrupted for report in reports),
        out=Path(out).expanduser(),
        seconds=time.perf_counter() - start,
    )


def _check_folder(out: object) -> None:
    """Reject what cannot be a folder before minutes of estimating."""
    if not isinstance(out, str | os.PathLike):
        raise TypeError(f"`out` must be a folder, got {out!r}.")
    path = Path(out).expanduser()
    first = next(each for each in (path, *path.parents) if each.exists())
    if not first.is_dir():
        raise ValueError(f"`out` must be a folder, got {str(out)!r}, and {first} is a file.")


def _measured(mine: Sequence[Planned], report: SweepReport) -> list[Measurement]:
    """Read the finished trials of a sweep."""
    store = Store.of(report.out)
    there = set(store.ids())
    return [_measurement(each, store) for each in mine if each.id in there]


def _measurement(planned: Planned, store: Store) -> Measurement:
    record = store.result(planned.id)
    result, execution = decode(record["result"]), record["execution"]
    try:
        return Measurement(
            row=planned.row.name,
            seed=planned.seed,
            measured=result["measured"],
            sample=result["sample"],
            machine=result["machine"],
            environment=execution["environment"],
            # After a crash the attempt only had to do the rest; the training knows of all of it.
            seconds=max(execution["seconds"], result.get("seconds", 0.0)),
            finished=execution["finished"],
            command=planned.command,
            departures=planned.departures,
            curves=result["curves"],
        )
    except (KeyError, TypeError) as error:
        expected, found = "a trial of `reproduce`", f"something else ({error})"
        raise DataFileError(store.path(planned.id), expected, found) from None
