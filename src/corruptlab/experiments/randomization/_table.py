"""Rows of a randomization test as aligned plain text (ASCII, for any terminal or log)."""

from collections.abc import Sequence

from corruptlab.experiments.randomization._result import SettingResult

# (title over the columns, [(title of a column, least width), ...])
_GROUPS = (
    ("", [("setting", 22)]),
    ("labels", [("changed", 7)]),
    ("accuracy", [("train", 6), ("test", 6)]),
    ("", [("gap", 5)]),
    ("to interpolate", [("steps", 7), ("seconds", 7)]),
    ("over true labels", [("steps", 7), ("seconds", 7)]),
)
_COLUMNS = [column for _, columns in _GROUPS for column in columns]
_SPACE = "  "


def table(rows: Sequence[SettingResult]) -> list[str]:
    """Lay rows out as lines.

    Args:
        rows: The results.

    Returns:
        Two lines of header, a rule, one line a row; what there is not is a ``-``.
    """
    body = [[title for title, _ in _COLUMNS], *map(_cells, rows)]
    widths = [
        max(least, *(len(line[place]) for line in body))
        for place, (_, least) in enumerate(_COLUMNS)
    ]
    header, *lines = [_line(line, widths) for line in body]
    return [_titles(widths), header, "-" * len(header), *lines]


def percent(share: float | None) -> str:
    """Return a share as a percentage that says 100.0% only when nothing is missing."""
    if share is None:
        return "-"
    return f"{share if share == 1 else min(share, 0.999):.1%}"


def _cells(row: SettingResult) -> list[str]:
    fit, gap = row.fit, row.generalization_gap
    steps, seconds = fit.steps_to_interpolation, fit.seconds_to_interpolation
    return [
        row.setting.label,
        f"{row.labels_changed:.1%}",
        percent(row.train_accuracy),
        percent(row.test_accuracy),
        "-" if gap is None else f"{100 * gap:.1f}",
        "-" if steps is None else f"{steps:,}",
        "-" if seconds is None else f"{seconds:,.{_digits(seconds)}f}",
        _times(row.steps_ratio),
        _times(row.seconds_ratio),
    ]


def _digits(seconds: float) -> int:
    return 2 if seconds < 10 else 1 if seconds < 100 else 0


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}x"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name = cells[0].ljust(widths[0])
    numbers = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return _SPACE.join([name, *numbers])


def _titles(widths: Sequence[int]) -> str:
    rest, parts = list(widths), []
    for title, columns in _GROUPS:
        own, rest = rest[: len(columns)], rest[len(columns) :]
        parts.append(title.rjust(sum(own) + len(_SPACE) * (len(own) - 1)))
    return _SPACE.join(parts).rstrip()
