"""Figures of the paper from what was measured."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from corruptlab.experiments.paper._exhibit import Exhibit
from corruptlab.experiments.paper._measurement import Measurement, with_ratios
from corruptlab.experiments.randomization._settings import SETTINGS
from corruptlab.plotting import interval_curves, loss_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(exhibit: Exhibit, found: Sequence[Measurement]) -> "Figure":
    """Draw a figure.

    Args:
        exhibit: Which one.
        found: What was measured.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: If it is no figure, or nothing was measured.
    """
    if exhibit.name not in _FIGURES:
        raise ValueError(f"`exhibit` must be one of {', '.join(_FIGURES)}, got {exhibit.name!r}.")
    if not found:
        raise ValueError("`measurements` must hold at least one to draw, got none.")
    return _FIGURES[exhibit.name](exhibit, found)


def can_draw(exhibit: Exhibit) -> bool:
    """Return whether it is a figure."""
    return exhibit.name in _FIGURES


def _losses(exhibit: Exhibit, found: Sequence[Measurement]) -> "Figure":
    """Draw Fig. 1a: of several seeds the first one, for losses of steps have no mean curve."""
    first = {each.row: each for each in sorted(found, key=lambda each: -each.seed)}
    rows = [row for row in exhibit.rows if row.name in first]
    curves = {str(row.parameters["setting"]): first[row.name] for row in rows}
    drawn = {name: each.curves["losses"] for name, each in curves.items() if each.curves}
    if not drawn:
        raise ValueError("`measurements` must hold losses to draw, got none.")
    places = {name: place for place, name in enumerate(SETTINGS)}
    return loss_curves(
        drawn,
        interpolated={
            name: int(curves[name].measured["steps"])
            for name in drawn
            if curves[name].measured.get("steps")
        },
        looks={name: places[name] for name in drawn},
        title=_title(exhibit, found),
    )


def _against_p(quantity: str) -> Callable[[Exhibit, Sequence[Measurement]], "Figure"]:
    def drawn(exhibit: Exhibit, found: Sequence[Measurement]) -> "Figure":
        curves: dict[str, dict[float, list[float]]] = {}
        for each in with_ratios(exhibit, found):
            asked = exhibit[each.row].parameters
            value = each.measured.get(quantity)
            number = float(value) if isinstance(value, int | float) else float("nan")
            points = curves.setdefault(str(asked["model"]), {})
            points.setdefault(float(asked["p"]), []).append(number)
        label = next(each.title for each in exhibit.quantities if each.name == quantity)
        xlabel = "probability p that a label is redrawn"
        return interval_curves({label: curves}, xlabel=xlabel, title=_title(exhibit, found))

    return drawn


def _by_epoch(exhibit: Exhibit, found: Sequence[Measurement]) -> "Figure":
    panels: dict[str, dict[str, dict[float, list[float]]]] = {}
    for name in ("train", "test"):
        curves: dict[str, dict[float, list[float]]] = {}
        for each in found:
            for epoch, value in enumerate(each.curves.get(name, ()), 1):
                curves.setdefault(each.row, {}).setdefault(float(epoch), []).append(value)
        if curves:
            panels[f"{name} accuracy, %"] = curves
    if not panels:
        raise ValueError("`measurements` must hold curves to draw, got none.")
    return interval_curves(panels, xlabel="epoch", title=_title(exhibit, found))


def _title(exhibit: Exhibit, found: Sequence[Measurement]) -> str:
    return f"{exhibit.name}: {found[0].sample}"


_FIGURES: Mapping[str, Callable[[Exhibit, Sequence[Measurement]], "Figure"]] = {
    "fig1a": _losses,
    "fig1b": _against_p("slowdown"),
    "fig1c": _against_p("test_error"),
    "fig2": _by_epoch,
}
