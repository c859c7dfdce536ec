"""The table and the figure of ``corruptlab sweep``."""

from typing import Any

import numpy as np

from corruptlab._statistics import mean_and_half_width
from corruptlab._text import aligned, ruled
from corruptlab.experiments.sweeps import SweepReport, Table

_LEVEL = 0.95
_HEADER = ("model", "p", "seeds", "changed", "fitted", "steps", "over p=0", "test error")
_NOTE = (
    "Means over seeds, with 95% t-intervals. changed: labels that are wrong; fitted: seeds whose\n"
    "training set was interpolated; over p=0: steps to interpolation as a multiple of those on true"
    "\nlabels, same seed; test error: on clean labels."
)


def table(found: Table) -> str:
    """Return one line for each network and p.

    Args:
        found: The finished trials.

    Returns:
        Aligned plain text.
    """
    ratios = found.relative("steps_to_interpolation", p=0.0)
    groups: dict[tuple[str, float], list[int]] = {}
    for row in range(found.num_rows):
        groups.setdefault((str(found["model"][row]), float(found["p"][row])), []).append(row)
    lines = [list(_HEADER)]
    for (model, p), rows in groups.items():
        steps = _floats(found["steps_to_interpolation"][rows])
        lines.append(
            [
                model,
                f"{p:g}",
                f"{len(rows)}",
                f"{np.mean(found['labels_changed'][rows]):.1%}",
                f"{np.isfinite(steps).sum()}",
                _interval(steps, "{:,.0f}"),
                _interval(ratios[rows], "{:.2f}", "x"),
                _interval(100 * found["test_error"][rows], "{:.1f}", "%"),
            ]
        )
    return "\n".join([*ruled(aligned(lines)), "", _NOTE])


def figure(report: SweepReport) -> Any:
    """Draw Fig. 1b and 1c side by side.

    Args:
        report: The sweep, with a finished trial.

    Returns:
        A matplotlib figure.
    """
    found = report.table()
    models = list(dict.fromkeys(found["model"].tolist()))
    several = len(models) > 1
    return report.plot(
        "p",
        ["steps_to_interpolation", "test_error"],
        by="model" if several else (),
        relative_to={"p": 0.0} if 0.0 in found["p"] else None,
        labels={
            "p": "probability p that a label is redrawn",
            "steps_to_interpolation": "steps to interpolation",
            "test_error": "test error, labels clean",
        },
        title=str(found["data"][0]) if several else f"{models[0]} on {found['data'][0]}",
    )


def _interval(values: Any, form: str, unit: str = "") -> str:
    """Return mean and half-width; ``-`` if a value is missing, for the mean would be too good."""
    if not np.isfinite(values).all():
        return "-"
    mean, half = mean_and_half_width(values, _LEVEL)
    spread = f" ± {form.format(half)}" if len(values) > 1 else ""
    return f"{form.format(mean)}{spread}{unit}"


def _floats(values: Any) -> Any:
    return np.array([np.nan if value is None else value for value in values], np.float64)
