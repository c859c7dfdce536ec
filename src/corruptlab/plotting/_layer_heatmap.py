"""A quantity by layer and epoch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from corruptlab._checks import check_probability
from corruptlab.plotting._style import INK, QUIET, axes_for, check_names, figure_of, headline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NUMBERS = 12  # columns in which numbers can be read


def layer_heatmap(
    values: Mapping[str, Sequence[float]],
    *,
    chance: float = 0.0,
    marked: Mapping[str, Sequence[bool]] | None = None,
    title: str = "",
    ax: "Axes | None" = None,
) -> "Figure":
    """Plot accuracy by layer (rows, first layer at the bottom) and epoch (columns).

    The color scale runs from white at ``chance`` or below to dark blue at 1. Marked cells have a
    dot, for example if their accuracy is not significantly above chance. With at most twelve
    epochs, the cells show their values.

    Args:
        values: Accuracies in ``[0, 1]`` by name of the layer, one per epoch, with the same number
            of epochs for each layer.
        chance: Accuracy of guessing, in ``[0, 1)``.
        marked: Whether each cell is marked, by name of the layer.
        title: Title of the figure; none by default.
        ax: Matplotlib axes to draw into; by default, the axes of a new figure.

    Returns:
        A figure with a width of 8 inches. Its height depends on the number of layers.

    Raises:
        MissingExtraError: If matplotlib is not installed.
        TypeError: If ``chance`` is not a number, or ``ax`` is not a matplotlib axes object.
        ValueError: If ``values`` is empty or has different numbers of epochs, a value is outside
            ``[0, 1]``, ``chance`` is outside ``[0, 1)``, or ``marked`` contains an unknown layer.

    Example:
        >>> from corruptlab.plotting import layer_heatmap
        >>> figure = layer_heatmap({"0": [0.5, 0.9], "2": [0.5, 0.6]}, chance=0.5)
        >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
        ['0', '2']
    """
    cells = _checked(values, chance)
    marks = _marks(values, marked or {})
    axes = axes_for(ax, height=1.6 + 0.4 * len(values))
    epochs, rows = np.arange(1, cells.shape[1] + 1), np.arange(len(cells))
    mesh = axes.pcolormesh(
        epochs, rows, cells, shading="nearest", cmap="Blues", vmin=chance, vmax=1.0
    )
    if len(epochs) <= _MOST_NUMBERS:
        for (row, column), value in np.ndenumerate(cells):
            dark = value > (1 + chance) / 2
            axes.text(
                column + 1,
                row,
                f"{value:.0%}",
                ha="center",
                va="bottom" if marks[row, column] else "center",
                color="white" if dark else INK,
            )
    at = np.argwhere(marks)
    axes.plot(at[:, 1] + 1, at[:, 0] - 0.25, ".", color=QUIET, markersize=4, linestyle="none")
    axes.set_yticks(rows, list(values))
    step = -(-len(epochs) // _MOST_NUMBERS)
    axes.set_xticks([1, *range(step, len(epochs) + 1, step)] if step > 1 else epochs)
    axes.set_xlabel("epoch", color=INK)
    axes.set_ylabel("layer", color=INK)
    axes.tick_params(color=QUIET, labelcolor=INK, length=0)
    axes.spines[:].set_visible(False)
    bar = figure_of(axes).colorbar(
        mesh, ax=axes, label=f"accuracy (chance {chance:.3g})", aspect=12
    )
    bar.outline.set_visible(False)
    return headline(axes, title, ax)


def _checked(
    values: Mapping[str, Sequence[float]], chance: float
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    check_probability("chance", chance)
    if chance == 1:
        raise ValueError(f"`chance` must be below 1, got {chance}.")
    sizes = {len(each) for each in values.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(
            "`values` must hold as many epochs for every layer, at least one, got "
            f"{', '.join(map(str, sorted(sizes))) or 'no layer'}."
        )
    cells = np.array(list(values.values()), np.float64)
    wrong = cells[~((cells >= 0) & (cells <= 1))]
    if wrong.size:
        raise ValueError(f"`values` must lie in [0, 1], got {wrong[0]}.")
    return cells


def _marks(
    values: Mapping[str, Sequence[float]], marked: Mapping[str, Sequence[bool]]
) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    check_names("marked", marked, values)
    rows = []
    for name, own in values.items():
        row = list(marked.get(name, [False] * len(own)))
        if len(row) != len(own):
            raise ValueError(
                f"`marked` must hold one value an epoch, got {len(row)} of {len(own)} for {name!r}."
            )
        rows.append(row)
    return np.array(rows, np.bool_)
