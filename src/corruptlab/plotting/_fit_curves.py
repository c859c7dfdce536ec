"""Share of each group of examples that is fitted, by epoch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from corruptlab._errors import require
from corruptlab.plotting._looks import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _QUIET, _GRID = "#222222", "#666666", "#E4E4E4"
_COLUMNS = 2
_MARKERS = 10  # about so many on a curve


def fit_curves(
    curves: Mapping[str, Sequence[float]],
    *,
    epochs: Sequence[int] | None = None,
    chance: float | None = None,
    title: str = "",
    looks: Mapping[str, int] | None = None,
) -> "Figure":
    """Draw which share of each group of examples is fitted after each epoch.

    Curves differ by colour, dash pattern, and marker, so that they stay apart in grey print and for
    colour-blind readers. Neither pyplot nor any global state of matplotlib is used.

    Args:
        curves: Name to shares in ``[0, 1]``, all equally many. The order of the mapping is the
            order of the legend, column by column.
        epochs: Where the shares stand; ``1, 2, ...`` by default.
        chance: Share that luck alone fits, drawn as a dotted line; none by default.
        title: Line above the figure; none by default.
        looks: Name to place in the fixed list of looks; by default the place in ``curves``.

    Returns:
        A figure of 8 x 4.5 inches (800 x 450 pixels at its own resolution), ready for
        ``savefig``.

    Raises:
        MissingExtraError: If matplotlib is not installed.
        ValueError: If there is no curve, curves and epochs are not equally many, a share is not in
            ``[0, 1]``, or ``looks`` names an unknown curve.

    Example:
        >>> from corruptlab.plotting import fit_curves
        >>> fits = {"planted": [0.1, 0.6, 1.0], "held out": [0.1, 0.1, 0.1]}
        >>> figure = fit_curves(fits, chance=0.1)
        >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        ['planted', 'held out', 'chance']
    """
    places = dict(looks or {})
    at = _checked(curves, epochs, chance, places)
    figure: Figure = require("matplotlib.figure", extra="plot").Figure(
        figsize=(8, 4.5), dpi=100, layout="constrained", facecolor="white"
    )
    axes = figure.add_subplot(facecolor="white")
    for place, (name, shares) in enumerate(curves.items()):
        style, step = look(places.get(name, place)), max(1, len(at) // _MARKERS)
        axes.plot(
            at,
            [100 * share for share in shares],
            label=name,
            color=style.color,
            linestyle=style.linestyle,
            linewidth=style.width,
            marker=style.marker,
            markersize=5.5,
            markerfacecolor="white",
            markeredgewidth=1.3,
            # Markers start a little later on each curve, lest they hide one another.
            markevery=(place % step, step),
            clip_on=False,
            zorder=3 + 0.01 * place,
        )
    if chance is not None:
        axes.axhline(
            100 * chance, label="chance", color=_QUIET, linestyle=(0, (1, 2)), linewidth=1.4
        )
    _dress(axes, at, title)
    return figure


def _checked(
    curves: Mapping[str, Sequence[float]],
    epochs: Sequence[int] | None,
    chance: float | None,
    places: Mapping[str, int],
) -> list[int]:
    """Return where the shares stand, or say what does not fit."""
    if not curves or not all(curves.values()):
        raise ValueError("`curves` must hold at least one curve with a share, got none.")
    at = list(range(1, 1 + len(next(iter(curves.values()))))) if epochs is None else list(epochs)
    for name, shares in curves.items():
        if len(shares) != len(at):
            raise ValueError(
                f"`curves` must hold a share for each of {len(at)} epochs, got {len(shares)} "
                f"for {name!r}."
            )
        for share in shares:
            if not 0 <= share <= 1:
                raise ValueError(f"`curves` must hold shares in [0, 1], got {share} for {name!r}.")
    if chance is not None and not 0 <= chance <= 1:
        raise ValueError(f"`chance` must lie in [0, 1], got {chance}.")
    for name in places:
        if name not in curves:
            raise ValueError(f"`looks` must name curves of the figure, got {name!r}.")
    return at


def _dress(axes: "Axes", at: Sequence[int], title: str) -> None:
    """Give the axes their limits, labels, and legend, once all curves are there."""
    axes.set_ylim(-2, 102)
    if len(at) > 1:
        axes.set_xlim(min(at[0], 1), at[-1])
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("epoch", color=_INK)
    axes.set_ylabel("fitted, % of the group", color=_INK)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", color=_QUIET, labelcolor=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_QUIET)
    axes.legend(
        ncols=_COLUMNS,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        frameon=False,
        handlelength=4,
        labelcolor=_INK,
    )
    if title:
        axes.figure.suptitle(title, x=0.01, ha="left", color=_INK)
