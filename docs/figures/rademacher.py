"""Draw docs/images/rademacher.png: complexity against n for linear classes on real images.

    python docs/figures/rademacher.py

Shows both balls on the first 10 to 4,000 images of the embedded Fashion-MNIST, pixels divided by
255, with the t-interval of 100 draws and the bounds that hold each value.
"""

from pathlib import Path
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import corruptlab as cl
from corruptlab.capacity.rademacher import Bound, linear

TARGET = Path(__file__).parent.parent / "images" / "rademacher.png"
SIZES = (10, 20, 50, 100, 200, 500, 1000, 2000, 4000)
INK, QUIET, GRID = "#222222", "#666666", "#E4E4E4"


class Look(NamedTuple):
    """How one ball looks, and what its curves are called."""

    ball: Literal["l2", "l1"]
    color: str
    marker: str
    fill: str
    name: str
    upper: str
    lower: str
    lift: int  # of the upper bound's name, in points, lest it hide the name below it


LOOKS = (
    Look(
        ball="l2",
        color="#0072B2",
        marker="o",
        fill="#D4E6F1",
        name=r"$\|w\|_2 \leq 1$",
        upper="second moment",
        lower="Khintchine-Kahane",
        lift=12,
    ),
    Look(
        ball="l1",
        color="#D55E00",
        marker="s",
        fill="#F8E1D1",
        name=r"$\|w\|_1 \leq 1$",
        upper="Massart",
        lower="Khintchine",
        lift=0,
    ),
)


def value(bound: Bound | None) -> float:
    """Return the number of a bound that is known to be there."""
    assert bound is not None
    return bound.value


def draw(axes: Axes, look: Look) -> None:
    """Draw the complexity of one ball in the band between its bounds."""
    pixels = cl.datasets.load("fashion-mnist-mini")[0].images / 255
    found = [linear(pixels[:n], ball=look.ball) for n in SIZES]
    values = [each.value for each in found]
    lower = [value(each.lower_bound) for each in found]
    upper = [value(each.upper_bound) for each in found]
    axes.fill_between(SIZES, lower, upper, color=look.fill, linewidth=0)
    for curve, dashes in ((upper, (6, 2)), (lower, (1.5, 2))):
        axes.plot(SIZES, curve, color=look.color, linewidth=1.2, linestyle=(0, dashes))
    axes.errorbar(
        SIZES,
        values,
        yerr=[each.t_interval[1] - each.value for each in found],
        color=look.color,
        linewidth=2,
        capsize=6,
        marker=look.marker,
        markersize=5,
        markerfacecolor="white",
        markeredgewidth=1.5,
    )
    for text, curve, lift, weight in (
        (look.upper, upper, look.lift, "normal"),
        (look.name, values, 0, "bold"),
        (look.lower, lower, 0, "normal"),
    ):
        axes.annotate(
            text,
            (SIZES[-1], curve[-1]),
            xytext=(10, lift),
            textcoords="offset points",
            va="center",
            color=INK,
            fontweight=weight,
        )


def main() -> None:
    """Draw and save the figure."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for look in LOOKS:
        draw(axes, look)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(8.5, 4600)
    axes.set_xlabel("number of images $n$", color=INK)
    axes.set_ylabel("Rademacher complexity", color=INK)
    axes.set_title(
        "Linear functions on Fashion-MNIST: 100 draws, 95% t-intervals, and the bounds around them",
        loc="left",
        color=INK,
        fontsize=10,
    )
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(which="major", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", color=QUIET, labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET, dpi=100)


if __name__ == "__main__":
    main()
