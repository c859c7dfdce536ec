"""Rows of a randomization test as aligned plain text (ASCII, for any terminal or log)."""

from collections.abc import Sequence

from corruptlab._text import grouped, percent
from corruptlab.experiments.randomization._result import SettingResult

_GROUPS = (
    ("", ("setting",)),
    ("labels", ("changed",)),
    ("accuracy", ("train", "test")),
    ("", ("gap",)),
    ("to interpolate", ("steps", "seconds")),
    ("over true labels", ("steps", "seconds")),
)
_LEAST = (22, 7, 6, 6, 5, 7, 7, 7, 7)  # so that the tables of two tests line up


def table(rows: Sequence[SettingResult]) -> list[str]:
    """Lay rows out as lines.

    Args:
        rows: The results.

    Returns:
        Two lines of header, a rule, one line a row; what there is not is a ``-``.
    """
    return grouped(_GROUPS, [_cells(row) for row in rows], least=_LEAST)


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
