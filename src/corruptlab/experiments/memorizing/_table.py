"""Rows of a memorization report as aligned plain text (ASCII, for any terminal or log)."""

from collections.abc import Sequence

from corruptlab.experiments.memorizing._epoch import MemorizationEpoch
from corruptlab.experiments.randomization._table import percent

_MOST_ROWS = 12
_SPACE = "  "
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


def table(
    epochs: Sequence[MemorizationEpoch], final: MemorizationEpoch, *, noisy: bool
) -> list[str]:
    """Lay rows out as lines.

    Args:
        epochs: The rows.
        final: The last one.
        noisy: Whether there are noisy examples.

    Returns:
        Two lines of header, a rule, a line for some epochs, evenly spread, and one for the end;
        what there is not is a ``-``.
    """
    groups = [group for place, group in enumerate(_GROUPS) if noisy or place != _NOISY]
    body = [_cells(row, str(row.epoch), noisy=noisy) for row in spread(epochs)]
    body.append(_cells(final, "end", noisy=noisy))
    titles = [column for _, columns in groups for column in columns]
    widths = [
        max(6, *(len(line[place]) for line in [titles, *body])) for place in range(len(titles))
    ]
    for place, (group, columns) in zip(_starts(groups), groups, strict=True):
        room = sum(widths[place : place + len(columns)]) + len(_SPACE) * (len(columns) - 1)
        widths[place] += max(0, len(group) - room)
    header, *lines = [_line(cells, widths) for cells in [titles, *body]]
    return [_over(groups, widths), header, "-" * len(header), *lines]


def spread(epochs: Sequence[MemorizationEpoch]) -> list[MemorizationEpoch]:
    """Return all rows if they are few, and otherwise some, with the first and the last."""
    if len(epochs) <= _MOST_ROWS:
        return list(epochs)
    last = len(epochs) - 1
    return [epochs[round(i * last / (_MOST_ROWS - 1))] for i in range(_MOST_ROWS)]


def points(difference: float) -> str:
    """Return a difference of shares in percentage points, without a sign before zero."""
    return f"{round(100 * difference, 1) + 0.0:.1f}"


def _cells(row: MemorizationEpoch, name: str, *, noisy: bool) -> list[str]:
    canaries = (row.planted, row.planted_true, row.held_out, row.held_out_true)
    return [
        name,
        *(percent(group.share) for group in canaries),
        points(row.gap.value),
        percent(row.clean.share),
        *([percent(row.noisy.share), percent(row.noisy_true.share)] if noisy else []),
        "-" if row.ratt.bound is None else f"{row.ratt.bound:.1%}",
    ]


def _starts(groups: Sequence[tuple[str, tuple[str, ...]]]) -> list[int]:
    return [sum(len(columns) for _, columns in groups[:place]) for place in range(len(groups))]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _SPACE.join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _over(groups: Sequence[tuple[str, tuple[str, ...]]], widths: Sequence[int]) -> str:
    rooms = [
        sum(widths[place : place + len(columns)]) + len(_SPACE) * (len(columns) - 1)
        for place, (_, columns) in zip(_starts(groups), groups, strict=True)
    ]
    names = [group for group, _ in groups]
    return _SPACE.join(name.rjust(room) for name, room in zip(names, rooms, strict=True)).rstrip()
