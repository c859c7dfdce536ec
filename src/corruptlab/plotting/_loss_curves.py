"""Training loss against steps, one curve a setting: the paper's Fig. 1a."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from corruptlab.plotting._style import (
    Look,
    axes_for,
    check_names,
    frame,
    headline,
    legend_above,
    look,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats: TypeAlias = NDArray[np.float64]
Scale: TypeAlias = Literal["linear", "log"]
AnyScale: TypeAlias = Literal["auto", "linear", "log"]

# A curve shorter than this share of the longest one is squashed on a linear axis.
_SQUASHED = 0.25


def loss_curves(
    curves: Mapping[str, Sequence[float]],
    *,
    interpolated: Mapping[str, int] | None = None,
    smooth: int = 40,
    scale: AnyScale = "auto",
    title: str = "",
    looks: Mapping[str, int] | None = None,
    ax: "Axes | None" = None,
) -> "Figure":
    """Plot the average training loss by step, one curve per setting.

    A curve shows means over at most ``smooth`` disjoint windows of equal width on the axis: windows
    have equally many steps on a linear axis, and equal ratios on a logarithmic axis, where the
    first windows are single steps and therefore noisier. Every value is used exactly once. A spike
    that is shorter than a window is smoothed out. Curves differ by color, dash pattern, and marker,
    so that they can be distinguished in grayscale and by color-blind readers. Neither pyplot nor
    other global state of matplotlib is used.

    Args:
        curves: Losses by name of the curve, one per step, from the first step on. The legend has
            the order of the mapping, row by row.
        interpolated: Step after which the training set was interpolated, ``1 .. len(losses)``, by
            name of the curve; it is shown as a filled marker. Omit curves that did not interpolate.
        smooth: Number of windows of the longest curve, >= 1; shorter curves have proportionally
            fewer.
        scale: Scale of the horizontal axis. ``"auto"`` is logarithmic if the shortest curve has
            less than a quarter of the steps of the longest.
        title: Title of the figure; none by default.
        looks: Index of the line style of each curve, by name, so that a curve has the same style in
            figures with different selections; by default, its position in ``curves``.
        ax: Matplotlib axes to draw into; by default, the axes of a new figure.

    Returns:
        A figure of 8 x 4.5 inches (800 x 450 pixels).

    Raises:
        MissingExtraError: If matplotlib is not installed.
        TypeError: If ``ax`` is not a matplotlib axes object.
        ValueError: If there are no curves, a curve has no values, ``interpolated`` or ``looks``
            contains an unknown name, a step is outside its curve, or an option has an unknown
            value.

    Example:
        >>> from corruptlab.plotting import loss_curves
        >>> figure = loss_curves({"true labels": [2.3, 0.9, 0.1], "random labels": [2.3, 2.2, 2.0]})
        >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        ['true labels', 'random labels']

    Source: Zhang et al. 2017, Fig. 1a.
    """
    hits, places = dict(interpolated or {}), dict(looks or {})
    _check(curves, hits, places, smooth, scale)
    lengths = [len(losses) for losses in curves.values()]
    axis = _axis(lengths) if scale == "auto" else scale
    axes = axes_for(ax)
    for place, (name, losses) in enumerate(curves.items()):
        windows = max(1, round(smooth * _share(len(losses), max(lengths), axis)))
        edges = window_edges(len(losses), windows, scale=axis)
        points = window_means(losses, edges, scale=axis)
        _draw_curve(axes, name, points, hits.get(name), place, look(places.get(name, place)))
    _dress(axes, axis, marked=bool(hits))
    return headline(axes, title, ax)


def _check(
    curves: Mapping[str, Sequence[float]],
    hits: Mapping[str, int],
    places: Mapping[str, int],
    smooth: int,
    scale: str,
) -> None:
    if not curves:
        raise ValueError("`curves` must hold at least one curve, got none.")
    for name, losses in curves.items():
        if len(losses) == 0:
            raise ValueError(f"`curves` must hold a loss for each step, got none for {name!r}.")
    check_names("interpolated", hits, curves)
    check_names("looks", places, curves)
    for name, step in hits.items():
        if not 1 <= step <= len(curves[name]):
            raise ValueError(
                f"`interpolated` must lie in 1 .. {len(curves[name])} for {name!r}, got {step}."
            )
    if smooth < 1:
        raise ValueError(f"`smooth` must be at least 1, got {smooth}.")
    if scale not in get_args(AnyScale):
        raise ValueError(f"`scale` must be one of {get_args(AnyScale)}, got {scale!r}.")


def _axis(lengths: Sequence[int]) -> Scale:
    return "log" if min(lengths) < _SQUASHED * max(lengths) else "linear"


def _share(steps: int, longest: int, axis: Scale) -> float:
    """Return the part of the axis that a curve covers."""
    return float(np.log1p(steps) / np.log1p(longest)) if axis == "log" else steps / longest


def window_edges(steps: int, windows: int, *, scale: Scale = "linear") -> NDArray[np.int64]:
    """Cut steps ``1 .. steps`` into windows ``edges[k] <= t < edges[k + 1]``, equally wide."""
    # Equally wide on the axis: of equally many steps, up to one, or of an equal ratio of last to
    # first, as far as whole steps allow: no window is narrower than one step.
    space = np.geomspace if scale == "log" else np.linspace
    return np.unique(np.rint(space(1, steps + 1, windows + 1)).astype(np.int64))


def window_means(
    values: Sequence[float], edges: NDArray[np.int64], *, scale: Scale = "linear"
) -> tuple[Floats, Floats]:
    """Return the middle of each window, as the axis shows it, and the mean of its values."""
    # Windows do not overlap: neighbouring points share no value, so that what looks like a trend
    # is one, which a running mean does not promise.
    first, last = edges[:-1], edges[1:] - 1
    middle = np.sqrt(first * last) if scale == "log" else (first + last) / 2
    sums = np.add.reduceat(np.asarray(values, dtype=np.float64), first - 1)
    return middle, sums / np.diff(edges)


def _draw_curve(
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
        **style.line,
        solid_capstyle="round",
        markersize=5.5,
        markeredgewidth=1.3,
        # Markers start a little later on each curve, so that none hides another.
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


def _dress(axes: "Axes", axis: Scale, *, marked: bool) -> None:
    """Give the axes their scale, limits, labels, and legend, once all curves are there."""
    axes.set_xscale(axis)
    axes.set_xlim(left=1 if axis == "log" else 0)
    # Room below zero for the marks, most of which stand on the floor.
    axes.set_ylim(bottom=-0.02 * axes.get_ylim()[1])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    note = "   (filled mark: training set interpolated)" if marked else ""
    frame(axes, f"training steps{note}", "average training loss")
    legend_above(axes)
