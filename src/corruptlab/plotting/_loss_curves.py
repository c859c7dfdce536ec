"""Training loss against steps, one curve a setting: the paper's Fig. 1a."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from corruptlab.plotting._axes import draw_curve, dress
from corruptlab.plotting._frame import blank, headline
from corruptlab.plotting._looks import look
from corruptlab.plotting._smooth import Scale, window_edges, window_means

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
) -> "Figure":
    """Draw average training loss against steps, one curve a setting.

    A curve is shown as means over at most ``smooth`` windows side by side, equally wide on the
    axis: of equally many steps on a linear axis, of equal ratio on a logarithmic one (there the
    first windows are single steps, hence the rougher start). No value is used twice and none is
    left out, but a spike shorter than a window is flattened: look at the losses themselves for
    that. Curves differ by colour, dash pattern, and marker, so that they stay apart in grey print
    and for colour-blind readers. Neither pyplot nor any global state of matplotlib is used.

    Args:
        curves: Name to losses, one a step, the first step first. The order of the mapping is the
            order of the legend, row by row.
        interpolated: Name to the step, ``1 .. len(losses)``, after which the training set was
            interpolated; a filled mark stands there. Leave out curves that never got there.
        smooth: Windows that the longest curve gets, >= 1; shorter ones get their share.
        scale: Axis of steps. ``"auto"`` is logarithmic if the shortest curve has less than a
            quarter of the steps of the longest, where a linear axis would squash it.
        title: Line above the figure; none by default.
        looks: Name to place in the fixed list of looks, so that a curve looks the same in figures
            of different selections; by default the place in ``curves``.

    Returns:
        A figure of 8 x 4.5 inches (800 x 450 pixels at its own resolution), ready for
        ``savefig``.

    Raises:
        MissingExtraError: If matplotlib is not installed.
        ValueError: If there is no curve, a curve has no values, ``interpolated`` or ``looks`` names
            an unknown curve, a step lies outside its curve, or an option has an unknown value.

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
    figure = blank()
    axes = figure.add_subplot(facecolor="white")
    for place, (name, losses) in enumerate(curves.items()):
        windows = max(1, round(smooth * _share(len(losses), max(lengths), axis)))
        edges = window_edges(len(losses), windows, scale=axis)
        points = window_means(losses, edges, scale=axis)
        draw_curve(axes, name, points, hits.get(name), place, look(places.get(name, place)))
    dress(axes, axis, marked=bool(hits))
    headline(figure, title)
    return figure


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
    for argument, names in (("interpolated", hits), ("looks", places)):
        for name in names:
            if name not in curves:
                raise ValueError(f"`{argument}` must name curves of the figure, got {name!r}.")
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
