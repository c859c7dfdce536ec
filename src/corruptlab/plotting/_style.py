"""What all figures share: an empty figure, its frame, legend, and headline, the looks of curves."""

import math
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from corruptlab._errors import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, _GRID = "#222222", "#666666", "#E4E4E4"

_COLUMNS = 3
_LEGEND_ROW = 18  # points


def blank(width: float = 8, height: float = 4.5) -> "Figure":
    """Return an empty white figure, in inches of 100 pixels, that pyplot does not know of."""
    figure: Figure = require("matplotlib.figure", extra="plot").Figure(
        figsize=(width, height), dpi=100, layout="constrained", facecolor="white"
    )
    return figure


def axes_for(ax: "Axes | None", width: float = 8, height: float = 4.5) -> "Axes":
    """Return the axes that are given, or those of a new figure."""
    if ax is None:
        return blank(width, height).add_subplot(facecolor="white")
    kind: type = require("matplotlib.axes", extra="plot").Axes
    if not isinstance(ax, kind):
        raise TypeError(f"`ax` must be axes of matplotlib, got {type(ax).__name__}.")
    return ax


def figure_of(axes: "Axes") -> "Figure":
    """Return the whole figure that axes are in, which may be those of a part of it."""
    figure: Figure = axes.figure.figure
    return figure


def frame(axes: "Axes", xlabel: str, ylabel: str) -> None:
    """Name the axes, and draw as little around the curves as shows where they are."""
    axes.set_xlabel(xlabel, color=INK)
    axes.set_ylabel(ylabel, color=INK)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", color=QUIET, labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)


def legend_above(axes: "Axes") -> None:
    """Put the legend above the curves, where it hides none of them, to be read by rows."""
    lines, names = axes.get_legend_handles_labels()
    # matplotlib fills a legend by columns.
    order = [i for first in range(_COLUMNS) for i in range(first, len(lines), _COLUMNS)]
    axes.legend(
        [lines[i] for i in order],
        [names[i] for i in order],
        ncols=min(_COLUMNS, len(lines)),
        loc="lower left",
        bbox_to_anchor=(0, 1),
        frameon=False,
        handlelength=3,
        labelcolor=INK,
    )


def headline(axes: "Axes", title: str, ax: "Axes | None" = None) -> "Figure":
    """Write a title, if there is one, above the figure or the axes that are given; return it."""
    figure = figure_of(axes)
    if title and ax is None:
        figure.suptitle(title, x=0.01, ha="left", color=INK)
    elif title:
        legend = axes.get_legend()
        rows = 0 if legend is None else math.ceil(len(legend.get_texts()) / _COLUMNS)
        axes.set_title(title, loc="left", color=INK, pad=6 + _LEGEND_ROW * rows)
    return figure


class Look(NamedTuple):
    """Colour, dash pattern, marker, and width of one curve, as matplotlib spells them."""

    color: str
    dashes: tuple[float, ...]
    marker: str
    width: float

    @property
    def line(self) -> dict[str, Any]:
        """How matplotlib draws a line with hollow markers in this look."""
        return {
            "color": self.color,
            "linestyle": (0, self.dashes) if self.dashes else "-",
            "linewidth": self.width,
            "marker": self.marker,
            "markerfacecolor": "white",
        }


# Colours of Okabe and Ito (2008), made to differ under the common kinds of colour blindness, but
# for their yellow, which vanishes on white. Black is for the curve all others are read against.
# Wide solid and narrow dashed curves take turns, so that two that coincide both stay visible: to a
# fully connected network shuffled pixels are as easy as true labels, and those curves do coincide.
LOOKS = (
    Look("#000000", (), "o", 2.6),
    Look("#56B4E9", (5, 1.5), "s", 1.8),
    Look("#0072B2", (), "D", 2.2),
    Look("#009E73", (2, 1.5), "^", 1.8),
    Look("#CC79A7", (), "v", 2.6),
    Look("#D55E00", (3.5, 1.5), "P", 1.8),
    Look("#E69F00", (), "X", 2.2),
    Look("#999999", (6, 1.5, 1, 1.5), "p", 1.8),
)


def look(place: int) -> Look:
    """Return the look of the curve at a place in the order, starting over after the last one."""
    return LOOKS[place % len(LOOKS)]


def check_names(argument: str, names: Iterable[str], curves: Collection[str]) -> None:
    """Refuse names that are none of the curves'."""
    for name in names:
        if name not in curves:
            raise ValueError(f"`{argument}` must name curves of the figure, got {name!r}.")
