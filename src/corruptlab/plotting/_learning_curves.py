"""What a network learns first: fit by epoch, beside the epoch of first fitting."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from corruptlab.plotting._fit_curves import fit_curves
from corruptlab.plotting._style import INK, Look, blank, check_names, frame, headline, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 6  # of the legend
_LINE = 5  # of a text, in percent of the axis


def learning_curves(
    fitted: Mapping[str, Sequence[float]],
    learned: Mapping[str, Sequence[float]],
    *,
    chance: float | None = None,
    title: str = "",
    looks: Mapping[str, int] | None = None,
) -> "Figure":
    """Plot the share of examples that are fitted, and that were fitted at least once, by epoch.

    The left panel shows the share that is fitted after each epoch, as `fit_curves`. The right panel
    shows the distribution function of learning times: the share of a group that was fitted at least
    once. It is a non-decreasing step function. Examples that were never fitted are censored at the
    last epoch; if there are any, the curve ends in an arrow, with their share next to it.

    Args:
        fitted: Share of fitted examples after epochs 1, 2, ..., in ``[0, 1]``, by name of the
            group.
        learned: Share of examples that were fitted at least once, for the same groups and epochs.
        chance: Share that is fitted by chance, shown as a dotted line in the left panel; none by
            default.
        title: Title of the figure; none by default.
        looks: Index of the line style of each curve, by name; by default, its position in
            ``fitted``.

    Returns:
        A figure of 11 x 4.5 inches.

    Raises:
        MissingExtraError: If matplotlib is not installed.
        ValueError: If there are no curves, groups or numbers of epochs differ, a share is outside
            ``[0, 1]``, or ``learned`` decreases or is below ``fitted``.

    Example:
        >>> from corruptlab.plotting import learning_curves
        >>> figure = learning_curves({"clean": [0.7, 0.8], "noisy": [0.1, 0.3]},
        ...                          {"clean": [0.7, 0.9], "noisy": [0.1, 0.4]})
        >>> [text.get_text() for text in figure.axes[1].texts]
        ['60% not fitted', '10% not fitted']

    Source: Arpit et al. 2017, "A closer look at memorization in deep networks", §3 (the order in
    which real and random examples are learned).
    """
    rows = _checked(fitted, learned)
    check_names("looks", looks or {}, fitted)
    places = {name: place for place, name in enumerate(fitted)} | dict(looks or {})
    figure = blank(width=11)
    left, right = figure.subplots(1, 2, sharey=True)
    fit_curves(fitted, chance=chance, looks=places, ax=left)
    for name, row in rows.items():
        _draw(right, row, look(places[name]))
    _note_censored(right, rows, places)
    frame(right, "epoch", "fitted at least once, % of the group")
    right.tick_params(labelleft=True)
    right.set_xlim(left.get_xlim())
    left.get_legend().remove()  # which belongs to both
    lines, names = left.get_legend_handles_labels()
    figure.legend(
        lines,
        names,
        loc="outside lower left",
        ncols=_COLUMNS,
        frameon=False,
        handlelength=3,
        labelcolor=INK,
    )
    return headline(left, title)


def _draw(axes: "Axes", shares: NDArray[np.float64], style: Look) -> None:
    epochs = np.arange(1, len(shares) + 1)
    line = {**style.line, "marker": "none"}
    axes.plot(epochs, 100 * shares, drawstyle="steps-post", clip_on=False, **line)
    if shares[-1] < 1:
        axes.plot(epochs[-1:], 100 * shares[-1:], clip_on=False, **{**style.line, "marker": ">"})


def _note_censored(
    axes: "Axes", rows: Mapping[str, NDArray[np.float64]], places: Mapping[str, int]
) -> None:
    """Write the share of each group that is censored beside its curve, one line below another."""
    lowest = -np.inf
    for name, row in sorted(rows.items(), key=lambda item: float(item[1][-1])):
        if row[-1] == 1:
            continue
        lowest = max(100 * row[-1], lowest + _LINE)
        axes.annotate(
            f"{1 - row[-1]:.0%} not fitted",
            (len(row), lowest),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            color=look(places[name]).color,
            annotation_clip=False,
        )


def _checked(
    fitted: Mapping[str, Sequence[float]], learned: Mapping[str, Sequence[float]]
) -> dict[str, NDArray[np.float64]]:
    if not fitted or fitted.keys() != learned.keys():
        raise ValueError(
            "`learned` must hold the groups of `fitted`, at least one, got "
            f"{', '.join(learned) or 'none'} for {', '.join(fitted) or 'none'}."
        )
    rows = {}
    for name, shares in fitted.items():
        fit, row = np.array(shares, np.float64), np.array(learned[name], np.float64)
        if not len(fit) == len(row) == len(next(iter(fitted.values()))) > 0:
            raise ValueError(
                "`fitted` and `learned` must hold as many epochs for every group, at least one, "
                f"got {len(fit)} and {len(row)} for {name!r}."
            )
        if not ((fit >= 0) & (fit <= row) & (row <= 1)).all() or (np.diff(row) < 0).any():
            raise ValueError(
                "`learned` must not decrease, and lie between `fitted` and 1, got "
                f"{row.tolist()} for {name!r}."
            )
        rows[name] = row
    return rows
