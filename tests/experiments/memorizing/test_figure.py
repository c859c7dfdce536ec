"""The figure of a report, and the curves that it is made of."""

import io
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from corruptlab import SymmetricLabels, corrupt
from corruptlab.plotting import fit_curves

from .cases import clusters, loop, nearest, run


def names(figure: Figure) -> list[str]:
    box = figure.axes[0].get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def drawn(figure: Figure) -> dict[str, Any]:
    return {str(line.get_label()): line for line in figure.axes[0].lines}


def test_figure_shows_the_fit_of_each_group_by_epoch() -> None:
    report = run(loop)
    figure = report.figure()
    line = drawn(figure)["planted canaries, random label"]
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
    shares = [100 * (row.planted.share or 0) for row in report.epochs]
    np.testing.assert_allclose(line.get_ydata(), shares)
    assert names(figure)[-1] == "chance"
    np.testing.assert_allclose(drawn(figure)["chance"].get_ydata(), [25, 25])
    assert "noisy examples, given label" not in names(figure)
    figure.savefig(io.BytesIO())


def test_figure_shows_noisy_examples_where_there_are_some_and_the_end_alone() -> None:
    noisy = corrupt(clusters(), SymmetricLabels(rate=0.3), seed=0)
    figure = run(nearest, noisy).figure()
    lines = drawn(figure)
    assert len(lines) == 7
    np.testing.assert_allclose(lines["noisy examples, true label"].get_ydata(), [0])
    figure.savefig(io.BytesIO())


def test_curves_are_told_apart_without_colour_and_look_the_same_in_every_figure() -> None:
    noisy = corrupt(clusters(), SymmetricLabels(rate=0.3), seed=0)
    few, many = drawn(run(nearest).figure()), drawn(run(nearest, noisy).figure())
    looks = [(line.get_marker(), line.get_linestyle()) for line in many.values()]
    assert len({marker for marker, _ in looks}) == len(looks)
    for name, line in few.items():
        assert line.get_color() == many[name].get_color()
        assert line.get_marker() == many[name].get_marker()


def test_every_point_is_drawn_where_it_was_measured() -> None:
    figure = fit_curves({"a": [0.0, 0.5, 1.0], "b": [1.0, 0.5, 0.0]}, epochs=[10, 20, 40])
    np.testing.assert_array_equal(drawn(figure)["a"].get_xdata(), [10, 20, 40])
    np.testing.assert_allclose(drawn(figure)["b"].get_ydata(), [100, 50, 0])
    assert names(figure) == ["a", "b"]


def test_figure_is_made_without_pyplot_and_carries_its_title() -> None:
    figure = fit_curves({"a": [0.5]}, title="by heart")
    assert figure.get_suptitle() == "by heart"
    assert figure.axes[0].get_ylabel() == "fitted, % of the group"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"curves": {}}, r"`curves` must hold at least one curve with a share, got none\."),
        ({"curves": {"a": []}}, r"`curves` must hold at least one curve with a share, got none\."),
        (
            {"curves": {"a": [0.1], "b": [0.1, 0.2]}},
            r"`curves` must hold a share for each of 1 epochs, got 2 for 'b'\.",
        ),
        (
            {"curves": {"a": [0.1]}, "epochs": [1, 2]},
            r"`curves` must hold a share for each of 2 epochs, got 1 for 'a'\.",
        ),
        ({"curves": {"a": [1.5]}}, r"`curves` must hold shares in \[0, 1\], got 1\.5 for 'a'\."),
        (
            {"curves": {"a": [float("nan")]}},
            r"`curves` must hold shares in \[0, 1\], got nan for 'a'\.",
        ),
        ({"curves": {"a": [0.5]}, "chance": 2}, r"`chance` must lie in \[0, 1\], got 2\."),
        (
            {"curves": {"a": [0.5]}, "looks": {"b": 1}},
            r"`looks` must name curves of the figure, got 'b'\.",
        ),
    ],
)
def test_what_cannot_be_drawn_is_quoted(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        fit_curves(**arguments)
