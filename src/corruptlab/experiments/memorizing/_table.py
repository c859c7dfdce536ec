"""Rows of a memorization report as aligned plain text (ASCII, for any terminal or log)."""

from collections.abc import Sequence

from corruptlab._text import grouped, percent
from corruptlab.experiments.memorizing._epoch import MemorizationEpoch

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
    return grouped(groups, body, least=[_LEAST] * len(body[0]), left=0)


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
