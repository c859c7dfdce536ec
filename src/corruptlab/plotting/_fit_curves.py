"""Share of each group of examples that is fitted, by epoch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corruptlab._checks import check_confidence
from corruptlab._statistics import mean_and_half_width
from corruptlab.plotting import _style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Shares: TypeAlias = Sequence[float] | Sequence[Sequence[float]]
"""Shares by epoch, shape ``(epochs,)``, or of several repetitions, ``(repetitions, epochs)``."""

_MARKERS = 10  # about so many on a curve


def fit_curves(
    curves: Mapping[str, Shares],
    *,
    epochs: Sequence[int] | None = None,
    chance: float | None = None,
    title: str = "",
    looks: Mapping[str, int] | None = None,
    level: float = 0.95,
    ax: "Axes | None" = None,
) -> "Figure":
    """Plot the share of fitted examples of each group by epoch.

    For several repetitions, the curve is their mean, and each marker has an error bar: the
    t-interval ``mean ± t s / sqrt(n)``, clipped to ``[0, 1]``. It contains the expected value with
    probability ``level`` if the repetitions are close to normal.

    Curves differ by color, dash pattern, and marker, so that they can be distinguished in grayscale
    and by color-blind readers. Neither pyplot nor other global state of matplotlib is used.

    Args:
        curves: Shares in ``[0, 1]`` by name of the curve, shape ``(epochs,)`` or
            ``(repetitions, epochs)``, with the same number of epochs for all curves. The legend has
            the order of the mapping, row by row.
        epochs: Epochs of the shares; ``1, 2, ...`` by default.
        chance: Share that is fitted by chance, shown as a dotted line; none by default.
        title: Title of the figure; none by default.
        looks: Index of the line style of each curve, by name; by default, its position in
            ``curves``.
        level: Confidence level of the intervals, in ``(0, 1)``.
        ax: Matplotlib axes to draw into; by default, the axes of a new figure.

    Returns:
        A figure of 8 x 4.5 inches (800 x 450 pixels).

    Raises:
        MissingExtraError: If matplotlib is not installed.
        TypeError: If ``level`` is not a number, or ``ax`` is not a matplotlib axes object.
        ValueError: If there are no curves, curves and epochs differ in length, a share is outside
            ``[0, 1]``, ``looks`` contains an unknown name, or ``level`` is out of range.

    Example:
        >>> from corruptlab.plotting import fit_curves
        >>> fits = {"planted": [0.1, 0.6, 1.0], "held out": [0.1, 0.1, 0.1]}
        >>> figure = fit_curves(fits, chance=0.1)
        >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        ['planted', 'held out', 'chance']
    """
    places = dict(looks or {})
    rows = {name: _rows(name, shares) for name, shares in curves.items()}
    at = _checked(rows, epochs, chance, places, level)
    axes = _style.axes_for(ax)
    for place, (name, shares) in enumerate(rows.items()):
        _draw(axes, name, at, shares, place, _style.look(places.get(name, place)), level)
    if chance is not None:
        axes.axhline(
            100 * chance, label="chance", color=_style.QUIET, linestyle=(0, (1, 2)), linewidth=1.4
        )
    _dress(axes, at)
    return _style.headline(axes, title, ax)


def _draw(
    axes: "Axes",
    name: str,
    at: Sequence[int],
    shares: NDArray[np.float64],
    place: int,
    style: _style.Look,
    level: float,
) -> None:
    """Draw the mean of some repetitions, and its intervals where there are several."""
    means, bars = np.array([mean_and_half_width(column, level) for column in shares.T.tolist()]).T
    step = max(1, len(at) // _MARKERS)
    marked = (place % step, step)  # a little later on each curve, so that none hides another
    axes.plot(
        at,
        100 * means,
        label=name,
        **style.line,
        markersize=5.5,
        markeredgewidth=1.3,
        markevery=marked,
        clip_on=False,
        zorder=3 + 0.01 * place,
    )
    if len(shares) > 1:
        axes.errorbar(
            at,
            100 * means,
            yerr=100 * np.minimum(bars, [means, 1 - means]),
            errorevery=marked,
            fmt="none",
            ecolor=style.color,
            elinewidth=1.2,
            capsize=3,
            zorder=3 + 0.01 * place,
        )


def _rows(name: str, shares: Shares) -> NDArray[np.float64]:
    try:
        return np.atleast_2d(np.asarray(shares, np.float64))
    except ValueError:
        raise ValueError(
            "`curves` must hold a share for each epoch of each repetition, got rows of different "
            f"lengths for {name!r}."
        ) from None


def _checked(
    curves: Mapping[str, NDArray[np.float64]],
    epochs: Sequence[int] | None,
    chance: float | None,
    places: Mapping[str, int],
    level: float,
) -> list[int]:
    """Return where the shares stand, or say what does not fit."""
    if not curves or not all(shares.size for shares in curves.values()):
        raise ValueError("`curves` must hold at least one curve with a share, got none.")
    width = next(iter(curves.values())).shape[1]
    at = list(range(1, 1 + width)) if epochs is None else list(epochs)
    for name, shares in curves.items():
        if shares.shape[1:] != (len(at),):
            raise ValueError(
                f"`curves` must hold a share for each of {len(at)} epochs, got "
                f"{' x '.join(map(str, shares.shape[1:]))} for {name!r}."
            )
        if not ((shares >= 0) & (shares <= 1)).all():  # NaN is neither
            wrong = shares[~((shares >= 0) & (shares <= 1))][0]
            raise ValueError(f"`curves` must hold shares in [0, 1], got {wrong} for {name!r}.")
    if chance is not None and not 0 <= chance <= 1:
        raise ValueError(f"`chance` must lie in [0, 1], got {chance}.")
    _style.check_names("looks", places, curves)
    check_confidence(level, "level")
    return at


def _dress(axes: "Axes", at: Sequence[int]) -> None:
    """Give the axes their limits, labels, and legend, once all curves are there."""
    axes.set_ylim(-2, 102)
    if len(at) > 1:
        axes.set_xlim(min(at[0], 1), at[-1])
    axes.locator_params(axis="x", integer=True)
    _style.frame(axes, "epoch", "fitted, % of the group")
    _style.legend_above(axes)
