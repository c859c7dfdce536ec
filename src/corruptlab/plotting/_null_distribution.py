"""A null distribution, and where the observed value lies in it."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from corruptlab.plotting._style import INK, axes_for, figure_of, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BARS = "#B8C4CE"


def null_distribution(
    null: ArrayLike,
    observed: float,
    *,
    name: str = "statistic",
    note: str = "",
    baselines: Mapping[str, ArrayLike] | None = None,
    title: str = "",
    ax: "Axes | None" = None,
) -> "Figure":
    """Plot a histogram of a null distribution with the observed value and baselines.

    The observed value is a vertical black line. The values of each baseline are markers of one
    shape, in a separate row below the axis of the histogram. The figure does not rely on color.

    Args:
        null: Values of the statistic under the null hypothesis, shape ``(B,)``, B >= 1.
        observed: Observed value of the statistic.
        name: Name of the statistic, the label of the axis.
        note: Text next to the observed value, such as the p-value.
        baselines: Values of each baseline, shape ``(r,)``, by name.
        title: Title of the figure.
        ax: Matplotlib axes to draw into; by default, the axes of a new figure.

    Returns:
        A figure of 8 x 4.5 inches (800 x 450 pixels).

    Raises:
        MissingExtraError: If matplotlib is not installed.
        TypeError: If ``ax`` is not a matplotlib axes object.
        ValueError: If there are no values, or a value is not finite.

    Example:
        >>> from corruptlab.plotting import null_distribution
        >>> figure = null_distribution([0.48, 0.5, 0.5, 0.53], 0.8, name="accuracy", note="p = 0.2")
        >>> figure.axes[0].get_xlabel()
        'accuracy'
    """
    values = _checked("null", null)
    marks = {label: _checked("baselines", each) for label, each in (baselines or {}).items()}
    everything = np.concatenate([values, _checked("observed", [observed]), *marks.values()])
    axes = axes_for(ax)
    # Rice's rule; and no more bars than values: accuracies of few examples are few fractions.
    bars = min(len(np.unique(values)), math.ceil(2 * len(values) ** (1 / 3)))
    counts, _, _ = axes.hist(
        values, bins=bars, color=_BARS, edgecolor="white", label="permuted labels"
    )
    top = float(np.max(counts))
    axes.axvline(observed, color=INK, linewidth=2.2, label="original labels")
    for place, (label, each) in enumerate(marks.items(), start=1):
        style = look(place)
        axes.plot(
            each,
            np.full(len(each), -0.08 * place * top),
            style.marker,
            color=style.color,
            markeredgecolor=INK,
            markersize=7,
            linestyle="none",
            label=label,
        )
    margin = 0.06 * max(float(np.ptp(everything)), 1e-3)
    axes.set_xlim(everything.min() - margin, everything.max() + margin)
    axes.set_ylim(-0.08 * (len(marks) + 0.7) * top if marks else 0, 1.12 * top)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= top and tick == int(tick)])
    left = observed > float(np.mean(axes.get_xlim()))
    axes.annotate(
        note,
        (observed, 1.06 * top),
        xytext=(-8 if left else 8, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        color=INK,
    )
    axes.set_xlabel(name)
    axes.set_ylabel("permutations")
    axes.set_title(title)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if ax is None:
        figure_of(axes).legend(loc="outside lower center", ncols=2 + len(marks), frameon=False)
    else:
        axes.legend(frameon=False)
    return figure_of(axes)


def _checked(name: str, values: ArrayLike) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found = np.asarray(values, np.float64).reshape(-1)
    if len(found) == 0 or not np.isfinite(found).all():
        raise ValueError(f"`{name}` must hold finite values, at least one, got {values!r}.")
    return found
