"""Draw docs/images/theorem1.png: the construction of Theorem 1 on twelve points in the plane.

    python docs/figures/theorem1.py

Left, the points with random labels and their projections onto the direction that `interpolate`
found. Right, the network along that direction: where its hinges begin, how each bends the line so
that it meets the next point, and what comes out.
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import corruptlab as cl

TARGET = Path(__file__).parent.parent / "images" / "theorem1.png"
N = 12
INK, QUIET, FAINT, LINE = "#222222", "#666666", "#BBBBBB", "#0072B2"

Floats = NDArray[np.float64]


def example() -> tuple[Floats, Floats]:
    """Return points in the plane and labels of either sign, both random."""
    generator = np.random.default_rng(1057)  # of few whose projections leave room for names
    return generator.uniform(-1, 1, (N, 2)), generator.choice([-1.0, 1.0], N)


def mark(axes: Axes, across: Floats, up: Floats, labels: Floats) -> None:
    """Mark points by their label: filled for 1, hollow for -1."""
    for label, face in ((1, INK), (-1, "white")):
        at = labels == label
        axes.plot(
            across[at],
            up[at],
            "o",
            markersize=6.5,
            markerfacecolor=face,
            markeredgecolor=INK,
            zorder=5,
            label=f"label {label:+d}".replace("-", "\N{MINUS SIGN}"),
        )


def draw_plane(axes: Axes, x: Floats, y: Floats, a: Floats) -> None:
    """Draw the points and where they fall on the line along ``a``."""
    unit = a / np.linalg.norm(a)
    feet = np.outer(x @ unit, unit)
    ends = np.outer([-1.45, 1.45], unit)
    axes.annotate("", ends[1], ends[0], arrowprops={"arrowstyle": "->", "color": LINE, "lw": 1.6})
    axes.text(ends[1, 0] + 0.05, ends[1, 1] + 0.05, "$a$", color=LINE, fontsize=13)
    for point, foot in zip(x, feet, strict=True):
        axes.plot(*zip(point, foot, strict=True), ":", color=QUIET, linewidth=1)
    axes.plot(*feet.T, "|", color=LINE, markersize=7)
    mark(axes, x[:, 0], x[:, 1], y)
    axes.set_aspect("equal")
    axes.set_xlim(-1.5, 1.5)
    axes.set_ylim(-1.5, 1.5)
    axes.set_title("twelve points, random labels,\nprojected onto one direction", fontsize=11)
    axes.legend(loc="lower right", frameon=False, fontsize=9, handletextpad=0.2)
    axes.axis("off")


def draw_line(axes: Axes, net: cl.capacity.Interpolant, x: Floats, y: Floats) -> None:
    """Draw the network along the projections, hinge by hinge."""
    z, b, w = (t.numpy() for t in (net.project(torch.from_numpy(x)), net.b, net.w))
    gap = np.diff(b).min()
    for j in range(1, N):  # the first j hinges go through the first j points, and straight on
        beyond = b[j] + np.array([0, min(np.diff(np.append(b, z.max()))[j], 3 * gap)])
        axes.plot(
            beyond,
            np.maximum(beyond[:, None] - b[:j], 0) @ w[:j],
            linestyle=(0, (2, 2)),
            color=QUIET,
            linewidth=1,
        )
    places = np.append(b[0] - 2 * gap, np.append(b, z.max() + gap))
    axes.plot(places, net.at(torch.from_numpy(places)).numpy(), color=LINE, linewidth=2)
    mark(axes, z, y, y)
    for j, place in enumerate(b):
        axes.plot([place], [-2.6], "^", color=INK, markersize=6, clip_on=False)
        axes.text(place, -2.8, f"$b_{{{j + 1}}}$", ha="center", va="top", fontsize=9)
        axes.axvline(place, color=FAINT, linewidth=0.6, zorder=0)
    for i, place in enumerate(np.sort(z)):
        axes.text(place, 2.75, f"$z_{{{i + 1}}}$", ha="center", va="bottom", fontsize=9)
    axes.axvline(z.max(), color=FAINT, linewidth=0.6, zorder=0)
    axes.set_ylim(-2.6, 2.6)
    axes.set_xlim(places[0], places[-1])
    axes.set_yticks([-1, 0, 1])
    axes.set_xticks([])
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_title("at each hinge the line bends to meet the next point", fontsize=11, pad=22)


def main() -> None:
    """Draw and save the figure."""
    x, y = example()
    net = cl.interpolate(x, y)
    figure = Figure(figsize=(9.6, 4.2), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.75])
    draw_plane(left, x, y, net.a.numpy())
    draw_line(right, net, x, y)
    figure.savefig(TARGET)


if __name__ == "__main__":
    main()
