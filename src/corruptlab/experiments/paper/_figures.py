"""Figures of the paper from what was measured."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from corruptlab.experiments.paper._exhibit import Exhibit
from corruptlab.experiments.paper._exhibits import exhibit as exhibit_of
from corruptlab.experiments.paper._measurement import Measurement, with_ratios
from corruptlab.experiments.randomization import SETTINGS
from corruptlab.plotting import interval_curves, loss_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(what: str | Exhibit, found: Sequence[Measurement]) -> "Figure":
    """Draw a figure of the paper from what was measured.

    Args:
        what: Name of the figure, or the thing itself.
        found: What was measured.

    Returns:
        A figure as `corruptlab.plotting` makes it.

    Raises:
        MissingExtraError: If matplotlib is not installed.
        ValueError: If it is no figure, or nothing was measured.

    Example:
        >>> from corruptlab.experiments import paper
        >>> once = paper.Measurement(
        ...     row="mlp-1x512 p=1",
        ...     seed=0,
        ...     measured={"test_error": 89.47},
        ...     sample="CIFAR-10, 50,000 + 10,000 images",
        ...     machine="AMD EPYC, 2 cores, 24 GiB",
        ...     environment={"torch": "2.13.0+cpu"},
        ...     seconds=528.0,
        ...     command="corruptlab reproduce fig1c --rows mlp --data cifar10:FOLDER",
        ... )
        >>> paper.draw("fig1c", [once]).axes[0].get_ylabel()
        'test error, %'

    Source: Zhang et al. 2017, Fig. 1 and 2.
    """
    exhibit = exhibit_of(what)
    if not can_draw(exhibit):
        raise ValueError(f"`what` must be one of {', '.join(_FIGURES)}, got {exhibit.name!r}.")
    if not found:
        raise ValueError("`found` must hold at least one measurement to draw, got none.")
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
