"""Measurements: kept in files, and laid out in tables beside what was published."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from corruptlab._errors import DataFileError
from corruptlab._io import write_whole
from corruptlab._json import read_json
from corruptlab._statistics import mean_and_half_width
from corruptlab._text import aligned, ruled
from corruptlab.experiments.paper._exhibit import Exhibit, Measurement, Quantity, Row, with_ratios
from corruptlab.experiments.paper._exhibits import exhibit as exhibit_of
from corruptlab.experiments.paper._plan import duration

if sys.platform != "win32":
    import fcntl


_EXPECTED = "a list of measurements"
_LEVEL = 0.95
_UNMEASURED = "not measured"
_VERSIONS = ("corruptlab", "torch", "numpy", "python")


def kept_results(folder: str | os.PathLike[str], what: str | Exhibit) -> tuple[Measurement, ...]:
    """Load the saved measurements of a table or figure.

    Args:
        folder: Folder of the files, such as ``docs/results``.
        what: Name of the table or figure, or an `Exhibit`.

    Returns:
        Measurements in the order of the rows; empty if there is no file.

    Raises:
        DataFileError: If the file is damaged, contains an unknown row, or contains a measurement
            twice.

    Example:
        >>> import tempfile
        >>> from corruptlab.experiments import paper
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     paper.kept_results(folder, "table1")
        ()
    """
    exhibit = exhibit_of(what)
    path = _path(folder, exhibit)
    if not os.path.lexists(path):
        return ()
    values = read_json(path, _EXPECTED)
    if not isinstance(values, list):
        raise DataFileError(path, _EXPECTED, f"something else ({type(values).__name__})")
    try:
        found = [Measurement.from_dict(each) for each in values]
    except (ValueError, TypeError, RecursionError) as error:
        raise DataFileError(path, _EXPECTED, f"something else ({error})") from None
    names = [row.name for row in exhibit.rows]
    for each in found:
        if each.row not in names:
            raise DataFileError(path, f"rows of {exhibit.name}", f"{each.row!r}")
    if twice := [key for key, times in Counter(each.key for each in found).items() if times > 1]:
        raise DataFileError(path, "each measurement once", f"{twice[0]} more often")
    return tuple(_ordered(exhibit, found))


def keep_results(
    folder: str | os.PathLike[str], what: str | Exhibit, found: Iterable[Measurement]
) -> Path:
    """Save measurements to a folder of results; safe with concurrent processes.

    A measurement replaces the saved one with the same row, seed, machine, sample, and departures.

    Args:
        folder: Folder of the files; it is created if it does not exist.
        what: Name of the table or figure, or an `Exhibit`.
        found: Measurements.

    Returns:
        Path of the file, which is written atomically.

    Raises:
        DataFileError: If the existing file is damaged.

    Example:
        >>> import tempfile
        >>> from corruptlab.experiments import paper
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     paper.keep_results(folder, "table1", []).name
        'table1.json'
    """
    exhibit = exhibit_of(what)
    path = _path(folder, exhibit)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(path.parent):
        kept = {each.key: each for each in (*kept_results(folder, exhibit), *found)}
        values = [each.to_dict() for each in _ordered(exhibit, kept.values())]
        write_whole(path, json.dumps(values, indent=1, allow_nan=False) + "\n")
    return path


def _ordered(exhibit: Exhibit, found: Iterable[Measurement]) -> list[Measurement]:
    names = [row.name for row in exhibit.rows]
    return sorted(found, key=lambda each: (names.index(each.row), *each.key[2:], each.seed))


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process works on a folder, where the system can tell."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # such as a network file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # which lets the next one in


def _path(folder: str | os.PathLike[str], exhibit: Exhibit) -> Path:
    return Path(folder).expanduser() / f"{exhibit.name}.json"


# -------------------------------------------------------------------------------------- summaries


@dataclass(frozen=True)
class Cell:
    """One quantity of one row as text, and whether it misses what was aimed at."""

    measured: str
    published: str
    deviation: str
    misses: bool


@dataclass(frozen=True)
class Summary:
    """One line of a table: measurements of a row that differ in nothing but the seed."""

    row: Row
    found: tuple[Measurement, ...]
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """Name of the row, with what was changed in it."""
        departed = self.found[0].departed if self.found else ""
        return f"{self.row.name} ({departed})" if departed else self.row.name

    @property
    def seeds(self) -> str:
        """The seeds, ``-`` if there are none."""
        return ", ".join(str(each.seed) for each in self.found) or "-"

    @property
    def seconds(self) -> float | None:
        """Mean time over seeds, or None if one is unknown."""
        known = [each.seconds for each in self.found if each.seconds is not None]
        return sum(known) / len(known) if known and len(known) == len(self.found) else None


def summaries(
    exhibit: Exhibit, found: Sequence[Measurement], *, rows: Iterable[Row] | None = None
) -> list[Summary]:
    """Return a line for each row, machine, sample, and departures, beside what was published."""
    known = with_ratios(exhibit, found)
    lines = []
    for row in exhibit.rows if rows is None else rows:
        own = [each for each in known if each.row == row.name]
        groups: dict[tuple[str, ...], list[Measurement]] = {}
        for each in own:
            alike = (each.machine, each.sample, each.departed, each.note)
            groups.setdefault(alike, []).append(each)
        lines += [_summary(exhibit, row, group) for group in groups.values() or [[]]]
    return lines


def _summary(exhibit: Exhibit, row: Row, group: Sequence[Measurement]) -> Summary:
    ordered = tuple(sorted(group, key=lambda each: each.seed))
    return Summary(row, ordered, tuple(_cell(each, row, ordered) for each in exhibit.quantities))


def _cell(quantity: Quantity, row: Row, found: Sequence[Measurement]) -> Cell:
    published = row.published.get(quantity.name)
    values = [each.measured.get(quantity.name) for each in found]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    tolerance = quantity.tolerance if isinstance(published, int | float) else None
    if not numbers or len(numbers) < len(values):  # a mean of the others would be too good
        words = [value for value in values if isinstance(value, str)]
        misses = tolerance is not None and bool(found)
        return Cell(words[0] if words else "-", quantity.text(published), "-", misses)
    mean, half = mean_and_half_width(numbers, _LEVEL)
    measured = quantity.text(mean) + (f" ± {quantity.text(half)}" if len(numbers) > 1 else "")
    off = quantity.deviation(mean, published)
    if off is None:
        return Cell(measured, quantity.text(published), "-", misses=False)
    misses = tolerance is not None and not abs(round(off, 6)) <= tolerance  # nan does, too
    signed = quantity.form.replace("{:", "{:+").format(off)
    return Cell(measured, quantity.text(published), signed, misses)


# ----------------------------------------------------------------------------------------- tables


class _Column(NamedTuple):
    """A quantity, and whether words or numbers of it were published."""

    quantity: Quantity
    published: bool
    compared: bool


def text(exhibit: Exhibit, found: Sequence[Measurement], *, rows: Iterable[Row]) -> str:
    """Lay a table out as aligned plain text."""
    columns, lines = _columns(exhibit), summaries(exhibit, found, rows=rows)
    body = [_header(columns)]
    body += [[each.name, *_cells(columns, each), each.seeds, _time(each)] for each in lines]
    notes = [f"{exhibit.title} ({exhibit.source})", *_promise(exhibit, lines), *_made_with(lines)]
    return "\n".join([*ruled(aligned(body)), "", *notes])


def markdown(
    what: str | Exhibit, found: Sequence[Measurement], *, rows: Iterable[Row] | None = None
) -> str:
    """Format a table as Markdown, with the environment and command of each measurement.

    Args:
        what: Name of the table or figure, or an `Exhibit`.
        found: Measurements.
        rows: Rows to list, measured or not; None for all.

    Returns:
        The table, followed by remarks, environments, and commands.

    Example:
        >>> from corruptlab.experiments import paper
        >>> rows = paper.exhibit("table4").picked(["mlp-1x512"])
        >>> print(paper.markdown("table4", [], rows=rows).splitlines()[2])
        | mlp-1x512 weight-decay | not measured | 99.21 | | | | |
    """
    exhibit = exhibit_of(what)
    columns, lines = _columns(exhibit), summaries(exhibit, found, rows=rows)
    made = _made_with(lines)
    header = [*_header(columns), "with"]
    body = [header, ["---"] * len(header)]
    for each in lines:
        cells = _cells(columns, each) if each.found else _unmeasured(columns, each)
        made_with = str(1 + made.index(_how(each))) if each.found else ""
        rest = [each.seeds, _time(each), made_with] if each.found else [""] * 3
        body.append([each.name, *cells, *rest])
    remarks = [f"- {remark}" for remark in (*exhibit.remarks, *_promise(exhibit, lines))]
    parts = ["\n".join(_piped(line) for line in body), "\n".join(remarks)]
    if made:
        parts.append("\n".join(f"{number}. {how}" for number, how in enumerate(made, 1)))
        parts.append("\n".join(["```sh", *_commands(lines), "```"]))
    return "\n\n".join(part for part in parts if part) + "\n"


def _columns(exhibit: Exhibit) -> list[_Column]:
    columns = []
    for quantity in exhibit.quantities:
        known = [row.published.get(quantity.name) for row in exhibit.rows]
        numbers = any(isinstance(each, int | float) for each in known)
        columns.append(_Column(quantity, any(each is not None for each in known), numbers))
    return columns


def _header(columns: Sequence[_Column]) -> list[str]:
    names = ["row"]
    for quantity, published, compared in columns:
        names += [quantity.title, *(["published"] * published), *(["off"] * compared)]
    return [*names, "seed", "time"]


def _cells(columns: Sequence[_Column], line: Summary) -> list[str]:
    found: list[str] = []
    for (_, published, compared), cell in zip(columns, line.cells, strict=True):
        found += [cell.measured, *([cell.published] * published), *([_off(cell)] * compared)]
    return found


def _unmeasured(columns: Sequence[_Column], line: Summary) -> list[str]:
    found: list[str] = []
    for column, ((_, published, compared), cell) in enumerate(
        zip(columns, line.cells, strict=True)
    ):
        known = "" if cell.published == "-" else cell.published
        found += ["" if column else _UNMEASURED, *([known] * published), *([""] * compared)]
    return found


def _off(cell: Cell) -> str:
    return f"{cell.deviation} (!)" if cell.misses else cell.deviation


def _time(line: Summary) -> str:
    return "-" if line.seconds is None else duration(line.seconds).removeprefix("about ")


def _promise(exhibit: Exhibit, lines: Sequence[Summary]) -> list[str]:
    """Return the tolerances of the exhibit, and how many rows meet them."""
    promised = [each for each in exhibit.quantities if each.tolerance is not None]
    measured = [each for each in lines if each.found]
    if not promised or not measured:
        return []
    kept = sum(not any(cell.misses for cell in each.cells) for each in measured)
    within = " and ".join(f"{each.title} within {each.tolerance:g}" for each in promised)
    return [
        f"Tolerance: {within} of the published value; (!) marks deviations beyond it. "
        f"{kept} of {len(measured)} measured rows meet it."
    ]


def _made_with(lines: Sequence[Summary]) -> list[str]:
    return list(dict.fromkeys(_how(each) for each in lines if each.found))


def _how(line: Summary) -> str:
    """Return sample, machine, versions, and remarks of a line in one."""
    one = line.found[0]
    threads = one.environment.get("threads")
    threaded = f", {threads} thread{'' if threads == 1 else 's'}" if threads else ""
    known = [f"{name} {one.environment[name]}" for name in _VERSIONS if name in one.environment]
    note = f" {one.note}" if one.note else ""
    return f"{one.sample}; {one.machine}{threaded}; {', '.join(known)}.{note}"


def _commands(lines: Sequence[Summary]) -> list[str]:
    return list(dict.fromkeys(each.command for line in lines for each in line.found))


def _piped(cells: Sequence[str]) -> str:
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"
