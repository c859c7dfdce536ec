"""Means with intervals over repetitions, by category."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from corruptlab._checks import check_confidence
from corruptlab._statistics import mean_and_half_width
from corruptlab.plotting._style import axes_for, frame, headline, legend_above, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STEP = 0.18  # between the series of one category


def category_intervals(
    series: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    ylabel: str = "",
    title: str = "",
    level: float = 0.95,
    ax: "Axes | None" = None,
) -> "Figure":
    """Plot means over repetitions with t-intervals, by category.

    An error bar is the t-interval ``mean ± t s / sqrt(n)`` (see `interval_curves`); a single
    repetition has none. Small dots show the repetitions.

    Args:
        series: Values by name of the series and category. Series differ by color and marker. A
            category may be missing in a series.
        ylabel: Label of the vertical axis.
        title: Title of the figure.
        level: Confidence level of the intervals, in ``(0, 1)``.
        ax: Matplotlib axes to draw into; by default, the axes of a new figure.

    Returns:
        A figure 4.5 inches high and 8 inches wide, or wider for more than six categories.

    Raises:
        MissingExtraError: If matplotlib is not installed.
        TypeError: If ``level`` is not a number, or ``ax`` is not a matplotlib axes object.
        ValueError: If there is no series, a category has no values, or ``level`` is out of range.

    Example:
        >>> from corruptlab.plotting import category_intervals
        >>> accuracies = {"true labels": [0.91, 0.93, 0.92], "random labels": [0.12, 0.09, 0.1]}
        >>> figure = category_intervals({"test": accuracies}, ylabel="accuracy")
        >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
        ['true labels', 'random labels']
    """
    check_confidence(level, "level")
    categories = list(dict.fromkeys(name for values in series.values() for name in values))
    if not categories or any(len(v) == 0 for values in series.values() for v in values.values()):
        raise ValueError("`series` must hold a value for each category, and a category, got none.")
    axes = axes_for(ax, width=max(8.0, 1.25 * len(categories)))
    for place, (name, values) in enumerate(series.items()):
        at = [categories.index(each) + _STEP * (place - (len(series) - 1) / 2) for each in values]
        means, bars = np.array([mean_and_half_width(v, level) for v in values.values()]).T
        style = look(place)
        axes.errorbar(
            at,
            means,
            yerr=None if np.isnan(bars).all() else bars,
            label=name,
            linestyle="none",
            color=style.color,
            marker=style.marker,
            markersize=7,
            markerfacecolor="white",
            elinewidth=1.4,
            capsize=4,
            clip_on=False,
            zorder=3,
        )
        for x, each in zip(at, values.values(), strict=True):
            axes.plot([x] * len(each), each, ".", color=style.color, markersize=3, zorder=4)
    axes.set_xticks(range(len(categories)), categories)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    frame(axes, "", ylabel)
    if len(series) > 1:
        legend_above(axes)
    return headline(axes, title, ax)
