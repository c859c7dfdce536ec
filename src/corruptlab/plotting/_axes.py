"""Drawing losses on one pair of axes: a curve with its mark, then scale, limits, and labels."""

from typing import TYPE_CHECKING

import numpy as np

from corruptlab.plotting._frame import frame, legend_above
from corruptlab.plotting._looks import Look
from corruptlab.plotting._smooth import Floats, Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_curve(
    axes: "Axes", name: str, points: tuple[Floats, Floats], hit: int | None, place: int, style: Look
) -> None:
    """Draw one curve, and a filled mark at the step ``hit`` where it interpolated, if it did."""
    steps, means = points
    if hit is not None and hit > steps[-1]:  # the last mean stands a little before the last step
        steps, means = np.append(steps, hit), np.append(means, means[-1])
    axes.plot(
        steps,
        means,
        label=name,
        color=style.color,
        linestyle=style.linestyle,
        linewidth=style.width,
        solid_capstyle="round",
        marker=style.marker,
        markersize=5.5,
        markerfacecolor="white",
        markeredgewidth=1.3,
        # Markers start a little later on each curve, lest they hide one another.
        markevery=(0.02 + 0.02 * (place % 7), 0.14),
        zorder=3 + 0.01 * place,
    )
    if hit is not None:
        axes.plot(
            [hit],
            [np.interp(hit, steps, means)],
            color=style.color,
            linestyle="none",
            marker=style.marker,
            # Curves may end at one point: what lies below is drawn larger, and so stays visible.
            markersize=max(8.0, 11.5 - 0.7 * place),
            markeredgecolor="white",
            markeredgewidth=0.8,
            clip_on=False,
            zorder=4 + 0.01 * place,
        )


def dress(axes: "Axes", axis: Scale, *, marked: bool) -> None:
    """Give the axes their scale, limits, labels, and legend, once all curves are there."""
    axes.set_xscale(axis)
    axes.set_xlim(left=1 if axis == "log" else 0)
    # Room below zero for the marks, most of which stand on the floor.
    axes.set_ylim(bottom=-0.02 * axes.get_ylim()[1])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    note = "   (filled mark: training set interpolated)" if marked else ""
    frame(axes, f"training steps{note}", "average training loss")
    legend_above(axes)
