"""What all figures share: an empty figure, the frame of its axes, a legend, and a headline."""

from typing import TYPE_CHECKING

from corruptlab._errors import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, _GRID = "#222222", "#666666", "#E4E4E4"

_COLUMNS = 3


def blank(width: float = 8, height: float = 4.5) -> "Figure":
    """Return an empty white figure that neither pyplot nor any global state knows of.

    Args:
        width: Inches, of 100 pixels.
        height: Likewise.

    Returns:
        The figure.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    figure: Figure = require("matplotlib.figure", extra="plot").Figure(
        figsize=(width, height), dpi=100, layout="constrained", facecolor="white"
    )
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


def headline(figure: "Figure", title: str) -> None:
    """Write a title above the figure, if there is one."""
    if title:
        figure.suptitle(title, x=0.01, ha="left", color=INK)
