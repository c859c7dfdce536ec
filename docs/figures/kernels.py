"""Draw docs/images/kernels.png: one kernel on labels that mean much, less, and nothing.

    python docs/figures/kernels.py

A Gaussian kernel goes through the first 50 to 4,000 images of the embedded Fashion-MNIST, with the
true labels, with a fifth of them drawn anew, and with all of them. Left, the error on test images
with true labels; right, the norm of the interpolant. The training error is 0 at every point.
"""

from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import corruptlab as cl
from corruptlab.capacity.kernels import GaussianKernel, KernelFit

TARGET = Path(__file__).parent.parent / "images" / "kernels.png"
SIZES = (50, 100, 200, 500, 1000, 2000, 4000)
INK, QUIET, GRID = "#222222", "#666666", "#E4E4E4"


class Look(NamedTuple):
    """How the fits to labels of one kind look."""

    p: float
    name: str
    color: str
    marker: str
    dashes: tuple[int, tuple[float, ...]]


LOOKS = (
    Look(0.0, "true labels", "#0072B2", "o", (0, ())),
    Look(0.2, "a fifth drawn anew", "#009E73", "^", (0, (6, 2))),
    Look(1.0, "random labels", "#D55E00", "s", (0, (1.5, 1.5))),
)


class Curve(NamedTuple):
    """Test error in percent and norm, at each of the sizes."""

    errors: list[float]
    norms: list[float]


def curve(p: float) -> Curve:
    """Interpolate labels of which a share ``p`` was drawn anew."""
    train, test = cl.datasets.load("fashion-mnist-mini")
    labels = cl.corrupt(train, cl.UniformLabels(p=p), seed=0).targets

    def fit(n: int) -> KernelFit:
        x, y = train.images[:n], labels[:n]
        found = cl.KernelInterpolant(GaussianKernel(gamma=0.02)).fit(x, y, num_classes=10)
        assert found.error(x, y) == 0
        return found

    fits = [fit(n) for n in SIZES]
    return Curve(
        [100 * each.error(test.images, test.targets) for each in fits],
        [each.norm for each in fits],
    )


def draw(axes: Axes, look: Look, values: list[float]) -> None:
    """Draw one curve and write its name at its end."""
    axes.plot(
        SIZES,
        values,
        color=look.color,
        linewidth=2,
        linestyle=look.dashes,
        marker=look.marker,
        markersize=6,
        markerfacecolor="white",
        markeredgewidth=1.5,
    )
    axes.annotate(
        look.name,
        (SIZES[-1], values[-1]),
        xytext=(9, 0),
        textcoords="offset points",
        va="center",
        color=INK,
    )


def finish(axes: Axes, title: str) -> None:
    """Set the scales and everything that is not data."""
    axes.set_xscale("log")
    axes.set_xlim(42, 4800)
    axes.set_xticks(SIZES, labels=[f"{n:,}" for n in SIZES])
    axes.minorticks_off()
    axes.set_xlabel("number of images $n$", color=INK)
    axes.set_title(title, loc="left", color=INK, fontsize=11)
    axes.grid(which="major", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", color=QUIET, labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)


def main() -> None:
    """Draw and save the figure."""
    figure = Figure(figsize=(10.4, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for look in LOOKS:
        errors, norms = curve(look.p)
        draw(left, look, errors)
        draw(right, look, norms)
    left.set_ylim(0, 100)
    left.axhline(90, color=QUIET, linewidth=0.8)
    left.annotate(
        "guessing", (SIZES[0], 90), xytext=(0, -12), textcoords="offset points", color=QUIET
    )
    right.set_yscale("log")
    right.set_yticks([5, 10, 20, 50, 100, 200], labels=["5", "10", "20", "50", "100", "200"])
    right.minorticks_off()
    finish(left, "test error in % (training error: 0)")
    finish(right, "norm of the interpolant")
    figure.savefig(TARGET, dpi=100)


if __name__ == "__main__":
    main()
