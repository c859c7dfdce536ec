"""All tables and figures by name, and how the figures are drawn."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from corruptlab.experiments.paper._exhibit import Exhibit, Measurement, with_ratios
from corruptlab.experiments.paper._fig1 import FIG_1A, FIG_1B, FIG_1C
from corruptlab.experiments.paper._fig2 import FIG_2
from corruptlab.experiments.paper._table1 import TABLE_1
from corruptlab.experiments.paper._table2 import TABLE_2
from corruptlab.experiments.paper._table3 import TABLE_3
from corruptlab.experiments.paper._table4 import TABLE_4
from corruptlab.experiments.paper._theorem1 import THEOREM_1
from corruptlab.experiments.randomization import SETTINGS
from corruptlab.plotting import interval_curves, loss_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_Draw: TypeAlias = Callable[[Exhibit, Sequence[Measurement], "Axes | None"], "Figure"]

_ALL = (TABLE_1, TABLE_2, TABLE_3, TABLE_4, FIG_1A, FIG_1B, FIG_1C, FIG_2, THEOREM_1)

EXHIBITS = MappingProxyType({each.name: each for each in _ALL})
"""Name to table or figure."""


def exhibit(what: str | Exhibit) -> Exhibit:
    """Return a table or figure of the paper.

    Args:
        what: ``"table1"``, ``"table2"``, ``"table3"``, ``"table4"``, ``"fig1a"``, ``"fig1b"``,
            ``"fig1c"``, ``"fig2"``, or ``"theorem1"``; or an `Exhibit`, which is returned
            unchanged.

    Returns:
        The table or figure, with its rows and columns.

    Raises:
        TypeError: If ``what`` is neither a string nor an `Exhibit`.
        ValueError: If the name is unknown.

    Example:
        >>> from corruptlab.experiments import paper
        >>> paper.exhibit("table1")["small-inception crop"].published
        {'train': 100.0, 'test': 89.31}
    """
    if isinstance(what, Exhibit):
        return what
    if not isinstance(what, str):
        raise TypeError(f"`what` must be a name or an Exhibit, got {what!r}.")
    if what not in EXHIBITS:
        raise ValueError(f"`what` must be one of {', '.join(EXHIBITS)}, got {what!r}.")
    return EXHIBITS[what]


def draw(
    what: str | Exhibit, found: Sequence[Measurement], *, ax: "Axes | None" = None
) -> "Figure":
    """Plot a figure of the paper from measurements.

    Args:
        what: Name of the figure, or an `Exhibit`.
        found: Measurements.
        ax: Matplotlib axes for a figure with one panel; by default, the axes of a new figure.

    Returns:
        A matplotlib figure; see `corruptlab.plotting`.

    Raises:
        MissingExtraError: If matplotlib is not installed.
        ValueError: If the exhibit is not a figure, there are no measurements, or ``ax`` is given
            for a figure with several panels.

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
    shown = exhibit(what)
    if not can_draw(shown):
        raise ValueError(f"`what` must be one of {', '.join(_FIGURES)}, got {shown.name!r}.")
    if not found:
        raise ValueError("`found` must hold at least one measurement to draw, got none.")
    return _FIGURES[shown.name](shown, found, ax)


def can_draw(shown: Exhibit) -> bool:
    """Return whether it is a figure."""
    return shown.name in _FIGURES


def _losses(shown: Exhibit, found: Sequence[Measurement], ax: "Axes | None") -> "Figure":
    """Draw Fig. 1a: of several seeds the first one, for losses of steps have no mean curve."""
    first = {each.row: each for each in sorted(found, key=lambda each: -each.seed)}
    rows = [row for row in shown.rows if row.name in first]
    curves = {str(row.parameters["setting"]): first[row.name] for row in rows}
    drawn = {name: each.curves["losses"] for name, each in curves.items() if each.curves}
    if not drawn:
        raise ValueError("`measurements` must hold losses to draw, got none.")
    looks = {name: number for number, name in enumerate(SETTINGS)}
    return loss_curves(
        drawn,
        interpolated={
            name: int(curves[name].measured["steps"])
            for name in drawn
            if curves[name].measured.get("steps")
        },
        looks={name: looks[name] for name in drawn},
        title=_title(shown, found),
        ax=ax,
    )


def _against_p(quantity: str) -> _Draw:
    def drawn(shown: Exhibit, found: Sequence[Measurement], ax: "Axes | None") -> "Figure":
        curves: dict[str, dict[float, list[float]]] = {}
        for each in with_ratios(shown, found):
            asked = shown[each.row].parameters
            value = each.measured.get(quantity)
            number = float(value) if isinstance(value, int | float) else float("nan")
            points = curves.setdefault(str(asked["model"]), {})
            points.setdefault(float(asked["p"]), []).append(number)
        label = next(each.title for each in shown.quantities if each.name == quantity)
        xlabel = "probability p that a label is redrawn"
        return interval_curves({label: curves}, xlabel=xlabel, title=_title(shown, found), ax=ax)

    return drawn


def _by_epoch(shown: Exhibit, found: Sequence[Measurement], ax: "Axes | None") -> "Figure":
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
    return interval_curves(panels, xlabel="epoch", title=_title(shown, found), ax=ax)


def _title(shown: Exhibit, found: Sequence[Measurement]) -> str:
    return f"{shown.name}: {found[0].sample}"


_FIGURES: Mapping[str, _Draw] = {
    "fig1a": _losses,
    "fig1b": _against_p("slowdown"),
    "fig1c": _against_p("test_error"),
    "fig2": _by_epoch,
}
