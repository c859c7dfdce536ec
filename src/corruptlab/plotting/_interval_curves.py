"""Curves of means with intervals over repetitions: the paper's Fig. 1b and 1c."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from corruptlab._checks import check_confidence
from corruptlab._statistics import mean_and_half_width
from corruptlab.plotting._style import axes_for, blank, frame, headline, legend_above, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve: TypeAlias = Mapping[float, Sequence[float]]
"""Place on the axis to the values that repetitions gave there."""


def interval_curves(
    panels: Mapping[str, Mapping[str, Curve]],
    *,
    xlabel: str = "",
    title: str = "",
    level: float = 0.95,
    ax: "Axes | None" = None,
) -> "Figure":
    """Plot means over repetitions with t-intervals, one panel per quantity.

    An error bar is the t-interval ``mean ± t s / sqrt(n)``. It contains the expected value with
    probability ``level`` if the repetitions are close to normal. A single repetition has no error
    bar. A point with a missing value (``nan``), for example because a network did not interpolate,
    is not drawn, because the mean of the other values would be biased. Curves differ by color, dash
    pattern, and marker. Neither pyplot nor other global state of matplotlib is used.

    Args:
        panels: Values by label of the vertical axis and name of the curve. A curve has the same
            style in all panels. The name of a single curve may be empty.
        xlabel: Label of the horizontal axis.
        title: Title of the figure; none by default.
        level: Confidence level of the intervals, in ``(0, 1)``.
        ax: Matplotlib axes for a single panel; by default, the axes of a new figure.

    Returns:
        A figure with a height of 4.5 inches and a width of 5.2 inches per panel.

    Raises:
        MissingExtraError: If matplotlib is not installed.
        TypeError: If ``level`` is not a number, or ``ax`` is not a matplotlib axes object.
        ValueError: If there are no panels, curves, or values, ``level`` is out of range, or there
            are several panels for one ``ax``.

    Example:
        >>> from corruptlab.plotting import interval_curves
        >>> steps = {0.0: [96, 128, 96], 1.0: [320, 288, 320]}
        >>> figure = interval_curves({"steps": {"mlp-1x512": steps}}, xlabel="p")
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['steps']

    Source: Zhang et al. 2017, Fig. 1b and 1c.
    """
    _check(panels, level)
    if ax is None:
        places = list(blank(width=5.2 * len(panels)).subplots(1, len(panels), squeeze=False)[0])
    elif len(panels) == 1:
        places = [axes_for(ax)]
    else:
        raise ValueError(f"`ax` must be None for several panels, got axes for {len(panels)}.")
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    for axes, (label, curves) in zip(places, panels.items(), strict=True):
        for name, curve in curves.items():
            _draw(axes, name, curve, names.index(name), level)
        _dress(axes, xlabel, label)
    return headline(places[0], title, ax)


def _draw(axes: "Axes", name: str, curve: Curve, place: int, level: float) -> None:
    style = look(place)
    x = np.array(sorted(curve), np.float64)
    means, bars = np.array([mean_and_half_width(curve[each], level) for each in x]).T
    axes.errorbar(
        x,
        means,
        yerr=None if np.isnan(bars).all() else bars,
        label=name or None,
        **style.line,
        markersize=6,
        markeredgewidth=1.4,
        elinewidth=1.2,
        capsize=4,
        clip_on=False,
        zorder=3 + 0.01 * place,
    )


def _dress(axes: "Axes", xlabel: str, ylabel: str) -> None:
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    frame(axes, xlabel, ylabel)
    if axes.get_legend_handles_labels()[0]:
        legend_above(axes)


def _check(panels: Mapping[str, Mapping[str, Curve]], level: float) -> None:
    if not panels:
        raise ValueError("`panels` must hold at least one panel, got none.")
    for label, curves in panels.items():
        if not curves:
            raise ValueError(f"`panels` must hold at least one curve, got none for {label!r}.")
        for name, curve in curves.items():
            if not curve or any(len(values) == 0 for values in curve.values()):
                raise ValueError(
                    f"`panels` must hold a value for each point, got none for {name!r}."
                )
    check_confidence(level, "level")
