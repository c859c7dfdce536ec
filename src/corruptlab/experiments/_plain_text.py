"""Reports as plain text: columns that line up, and what made them below."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Cells: TypeAlias = Sequence[str]

_SPACE = "  "
_WIDTH = 98  # columns that prose may take
_NAME = 8  # columns of the name of a fact


def aligned(lines: Sequence[Cells], *, left: int = 1) -> list[str]:
    """Lay cells out in columns.

    Args:
        lines: The cells of each line, equally many.
        left: How many columns, from the first on, are flush left; the others are flush right.

    Returns:
        One text a line, without spaces at its end.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return _laid_out(lines, widths, left)


def ruled(lines: Sequence[str]) -> list[str]:
    """Put a rule below the first of some lines, as long as the longest."""
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def grouped(
    groups: Sequence[tuple[str, Cells]],
    rows: Sequence[Cells],
    *,
    least: Sequence[int],
    left: int = 1,
) -> list[str]:
    """Lay rows out below the titles of their columns, and those below titles of groups.

    Args:
        groups: The title over some columns, which may be empty, and theirs.
        rows: The cells of each row.
        least: How wide each column is at least.
        left: How many columns are flush left.

    Returns:
        Two lines of header, a rule, one line a row.
    """
    lines = [[title for _, titles in groups for title in titles], *rows]
    columns = zip(least, zip(*lines, strict=True), strict=True)
    widths = [max(width, *map(len, column)) for width, column in columns]
    rooms, start = [], 0
    for over, titles in groups:
        own = slice(start, start := start + len(titles))
        room = sum(widths[own]) + len(_SPACE) * (len(titles) - 1)
        widths[own.start] += max(0, len(over) - room)
        rooms.append(room)
    header = [over.rjust(room) for (over, _), room in zip(groups, rooms, strict=True)]
    return [_SPACE.join(header).rstrip(), *ruled(_laid_out(lines, widths, left))]


def paragraphs(texts: Sequence[str]) -> list[str]:
    """Break texts into lines where they are too long for one."""
    return [textwrap.fill(text, width=_WIDTH) for text in texts]


def facts(known: Mapping[str, str]) -> list[str]:
    """Lay facts out below one another, each after its name.

    Args:
        known: Names, of at most seven letters, to facts.

    Returns:
        One text a fact, of several lines if it is long.
    """
    indent = " " * _NAME
    return [
        textwrap.fill(f"{name:{_NAME}}{fact}", width=_WIDTH, subsequent_indent=indent)
        for name, fact in known.items()
    ]


def percent(share: float | None) -> str:
    """Return a share as a percentage that says 100.0% only when nothing is missing."""
    if share is None:
        return "-"
    return f"{share if share == 1 else min(share, 0.999):.1%}"


def _laid_out(lines: Sequence[Cells], widths: Sequence[int], left: int) -> list[str]:
    sides = [str.ljust] * left + [str.rjust] * (len(widths) - left)
    return [
        _SPACE.join(
            flush(cell, width) for flush, cell, width in zip(sides, line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]
