"""From a table to curves with intervals."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from corruptlab.experiments.sweeps._table import Table
from corruptlab.plotting import interval_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    table: Table,
    x: str,
    y: str | Sequence[str],
    *,
    over: str | Sequence[str],
    by: str | Sequence[str],
    relative_to: Mapping[str, Any] | None,
    labels: Mapping[str, str],
    title: str,
) -> "Figure":
    """Draw columns of a table; see `SweepReport.plot`.

    Args:
        table: The table.
        x: A setting.
        y: A result, or several.
        over: Settings that only repeat.
        by: Settings that tell curves apart.
        relative_to: Settings of a reference trial for the first result.
        labels: What to call columns in the figure.
        title: Line above the figure.

    Returns:
        The figure.

    Raises:
        ValueError: If a setting that varies is named nowhere, or the table is empty.
    """
    results, curves = _listed(y), _listed(by)
    if table.num_rows == 0:
        raise ValueError("`table` must hold a finished trial, got none.")
    for name in (x, *results, *curves):
        table[name]  # says which columns there are if this one is not
    repeated = _listed(over)
    for name in table.settings:
        values = {repr(value) for value in table[name]}
        if len(values) > 1 and name not in (x, *curves, *repeated):
            raise ValueError(
                "`by` must name every setting that varies and is neither `x` nor `over`, "
                f"got {curves}, which leaves {name}."
            )
    panels = {}
    for place, name in enumerate(results):
        label = labels.get(name, name)
        if place == 0 and relative_to:
            column: Any = table.relative(name, **relative_to)
            at = ", ".join(_named(key, value) for key, value in relative_to.items())
            label = f"{label}, as a multiple of {at}"
        else:
            column = table[name]
        panels[label] = _curves(table, x, column, curves)
    return interval_curves(panels, xlabel=labels.get(x, x), title=title)


def _curves(
    table: Table, x: str, column: Any, by: Sequence[str]
) -> dict[str, dict[float, list[float]]]:
    """Return curve name to x to the values of repetitions."""
    curves: dict[str, dict[float, list[float]]] = {}
    for row in range(table.num_rows):
        values = [table[name][row] for name in by]
        curve = ", ".join(_named(n, v) for n, v in zip(by, values, strict=True))
        value = math.nan if column[row] is None else float(column[row])
        curves.setdefault(curve, {}).setdefault(float(table[x][row]), []).append(value)
    return curves


def _named(name: str, value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    return f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}"


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)
