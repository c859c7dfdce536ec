"""Tables of measured beside published, as plain text and as Markdown."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from corruptlab._text import aligned, ruled
from corruptlab.experiments.paper._exhibit import Exhibit, Quantity, Row
from corruptlab.experiments.paper._exhibits import exhibit as exhibit_of
from corruptlab.experiments.paper._measurement import Measurement
from corruptlab.experiments.paper._plan import duration
from corruptlab.experiments.paper._summary import Cell, Summary, summaries

_UNMEASURED = "not measured"
_VERSIONS = ("corruptlab", "torch", "numpy", "python")


class _Column(NamedTuple):
    """A quantity, and whether words or numbers of it were published."""

    quantity: Quantity
    published: bool
    compared: bool


def text(exhibit: Exhibit, found: Sequence[Measurement], *, rows: Iterable[Row]) -> str:
    """Lay a table out as aligned plain text.

    Args:
        exhibit: The table or figure.
        found: What was measured.
        rows: Which rows to list.

    Returns:
        Lines of header, rows, and notes.
    """
    columns, lines = _columns(exhibit), summaries(exhibit, found, rows=rows)
    body = [_header(columns)]
    body += [[each.row.name, *_cells(columns, each), each.seeds, _time(each)] for each in lines]
    notes = [f"{exhibit.title} ({exhibit.source})", *_promise(exhibit, lines), *_made_with(lines)]
    return "\n".join([*ruled(aligned(body)), "", *notes])


def markdown(
    what: str | Exhibit, found: Sequence[Measurement], *, rows: Iterable[Row] | None = None
) -> str:
    """Lay a table out as Markdown, with what made each row, and the commands, below.

    Args:
        what: Name of the table or figure, or the thing itself.
        found: What was measured.
        rows: Which rows to list, measured or not; None for all.

    Returns:
        The table, remarks, circumstances, and commands.

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
        body.append([each.row.name, *cells, *rest])
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
    for place, ((_, published, compared), cell) in enumerate(zip(columns, line.cells, strict=True)):
        known = "" if cell.published == "-" else cell.published
        found += ["" if place else _UNMEASURED, *([known] * published), *([""] * compared)]
    return found


def _off(cell: Cell) -> str:
    return f"{cell.deviation} (!)" if cell.misses else cell.deviation


def _time(line: Summary) -> str:
    return "-" if line.seconds is None else duration(line.seconds).removeprefix("about ")


def _promise(exhibit: Exhibit, lines: Sequence[Summary]) -> list[str]:
    """Say what was promised, and how often it is kept."""
    promised = [each for each in exhibit.quantities if each.tolerance is not None]
    measured = [each for each in lines if each.found]
    if not promised or not measured:
        return []
    kept = sum(not any(cell.misses for cell in each.cells) for each in measured)
    within = " and ".join(f"{each.title} within {each.tolerance:g}" for each in promised)
    return [f"Aimed at: {within}; (!) misses it. {kept} of {len(measured)} measured rows keep it."]


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
