"""Reports as plain text: columns that line up, and what made them below."""

import difflib
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

Cells: TypeAlias = Sequence[str]

_SPACE = "  "
_WIDTH = 98  # of prose
_NAME = 8  # width of the name of a fact


def aligned(lines: Sequence[Cells], *, left: int = 1) -> list[str]:
    """Align cells in columns, the first ``left`` of them flush left and the others flush right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return _laid_out(lines, widths, left)


def ruled(lines: Sequence[str]) -> list[str]:
    """Insert a rule, as long as the longest line, below the first line."""
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def grouped(
    groups: Sequence[tuple[str, Cells]],
    rows: Sequence[Cells],
    *,
    least: Sequence[int],
    left: int = 1,
) -> list[str]:
    """Align rows below column titles and group titles; ``least`` is each column's minimal width."""
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
    """Wrap texts."""
    return [textwrap.fill(text, width=_WIDTH) for text in texts]


def facts(known: Mapping[str, str]) -> list[str]:
    """Wrap facts, each after its name of at most seven letters."""
    indent = " " * _NAME
    return [
        textwrap.fill(f"{name:{_NAME}}{fact}", width=_WIDTH, subsequent_indent=indent)
        for name, fact in known.items()
    ]


def suggestion(typed: object, known: Iterable[str]) -> str:
    """Return a question after what was probably meant by a mistyped name, or nothing."""
    close = difflib.get_close_matches(str(typed).lower(), list(known), n=1, cutoff=0.7)
    return f" Did you mean {close[0]!r}?" if close else ""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 epoch``, ``1,000 epochs``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float | None) -> str:
    """Format a share; only exactly 1 is 100.0%."""
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
