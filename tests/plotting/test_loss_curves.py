"""The figure: what it shows, what it leaves alone, what it refuses."""

import importlib
import io
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from corruptlab.plotting import loss_curves

NAMES = ["true", "partial", "random", "shuffled", "random pixels", "gaussian"]


def falling(steps: int) -> list[float]:
    return [2.3 * 0.5 ** (4 * step / steps) for step in range(steps)]


def curves(*lengths: int) -> dict[str, list[float]]:
    return {name: falling(steps) for name, steps in zip(NAMES, lengths, strict=False)}


def legend(figure: Figure) -> list[str]:
    box = figure.axes[0].get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def drawn(figure: Figure) -> dict[str, Any]:
    return {str(line.get_label()): line for line in figure.axes[0].lines}


def pixels(figure: Figure) -> np.ndarray[Any, Any]:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="rgba", dpi=100)
    return np.frombuffer(buffer.getvalue(), np.uint8).reshape(-1, 800, 4)


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("count", range(1, 7))
def test_legend_reads_by_rows_in_the_order_of_the_curves(count: int) -> None:
    figure = loss_curves(curves(*[50] * count))
    pixels(figure)  # lays the legend out
    box = figure.axes[0].get_legend()
    assert box is not None
    places = [text.get_window_extent() for text in box.get_texts()]
    by_rows = sorted(range(count), key=lambda i: (-round(places[i].y0), places[i].x0))
    assert [legend(figure)[i] for i in by_rows] == NAMES[:count]


def test_curve_shows_the_losses_when_windows_suffice() -> None:
    losses = falling(40)
    line = drawn(loss_curves({"true": losses}, smooth=40))["true"]
    np.testing.assert_allclose(line.get_xdata(), np.arange(1, 41))
    np.testing.assert_allclose(line.get_ydata(), losses)


def test_mark_stands_where_the_run_interpolated() -> None:
    data = curves(400, 300)
    figure = loss_curves(data, interpolated={"partial": 300})
    marks = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    assert [np.asarray(line.get_xdata()).tolist() for line in marks] == [[300]]
    assert "interpolated" in figure.axes[0].get_xlabel()
    assert "interpolated" not in loss_curves(data).axes[0].get_xlabel()


def test_mark_inside_a_curve_lies_on_it() -> None:
    figure = loss_curves({"true": [3.0, 2.0, 1.0, 0.0]}, interpolated={"true": 3})
    curve, mark = figure.axes[0].lines
    assert np.asarray(curve.get_xdata()).tolist() == [1, 2, 3, 4]
    assert np.asarray(mark.get_ydata()).tolist() == [1.0]


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [((100, 400), "linear"), ((99, 400), "log"), ((7,), "linear")],
    ids=["a quarter", "less than a quarter", "one curve"],
)
def test_axis_is_logarithmic_when_a_linear_one_would_squash_a_curve(
    lengths: tuple[int, ...], expected: str
) -> None:
    assert loss_curves(curves(*lengths)).axes[0].get_xscale() == expected


def test_looks_differ_in_colour_and_without_colour() -> None:
    lines = drawn(loss_curves({str(k): falling(50) for k in range(8)})).values()
    assert len({line.get_color() for line in lines}) == 8
    assert len({line.get_marker() for line in lines}) == 8
    dashed = [line.is_dashed() for line in lines]
    assert all(one != next_one for one, next_one in pairwise(dashed))


def test_looks_keep_a_curve_the_same_in_another_selection() -> None:
    everything = drawn(loss_curves(curves(*[50] * 6)))["random"]
    some = drawn(loss_curves({"random": falling(50)}, looks={"random": 2}))["random"]
    assert (some.get_color(), some.get_marker()) == (
        everything.get_color(),
        everything.get_marker(),
    )


@pytest.mark.slow(seconds=1)
def test_figure_is_white_with_ink_of_every_curve_at_readme_width() -> None:
    figure = loss_curves(curves(*range(50, 350, 50)), interpolated={"true": 50})
    image = pixels(figure)[..., :3]
    assert image.shape == (450, 800, 3)
    assert (image[[0, -1]] == 255).all()
    for name in NAMES:
        color = drawn(figure)[name].get_color()
        ink = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
        assert (np.abs(image.astype(int) - ink).sum(axis=2) < 12).sum() > 100


def test_curves_of_one_step_and_unfinished_ones_can_be_drawn() -> None:
    pixels(loss_curves({"one": [2.3], "nan": [1.0, float("nan"), 0.5]}, interpolated={"one": 1}))


def test_global_state_of_matplotlib_is_untouched(fresh: Callable[[str], str]) -> None:
    program = """
import sys, matplotlib
raw = lambda: list(dict.items(matplotlib.rcParams))  # reading one may load pyplot
before = raw()
from corruptlab.plotting import loss_curves
loss_curves({"true": [2.0, 1.0]}).savefig("/dev/null", format="png")
assert raw() == before
assert "matplotlib.pyplot" not in sys.modules
"""
    assert fresh(program) == ""


def test_missing_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(module: str) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name="matplotlib")

    monkeypatch.setattr(importlib, "import_module", absent)
    message = "`matplotlib` is not installed; install it with: pip install 'corruptlab[plot]'."
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        loss_curves({"true": [1.0]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"curves": {}}, "`curves` must hold at least one curve, got none."),
        (
            {"curves": {"true": []}},
            "`curves` must hold a loss for each step, got none for 'true'.",
        ),
        (
            {"interpolated": {"false": 1}},
            "`interpolated` must name curves of the figure, got 'false'.",
        ),
        ({"looks": {"false": 1}}, "`looks` must name curves of the figure, got 'false'."),
        ({"interpolated": {"true": 3}}, "`interpolated` must lie in 1 .. 2 for 'true', got 3."),
        ({"interpolated": {"true": 0}}, "`interpolated` must lie in 1 .. 2 for 'true', got 0."),
        ({"smooth": 0}, "`smooth` must be at least 1, got 0."),
        ({"scale": "cube"}, "`scale` must be one of ('auto', 'linear', 'log'), got 'cube'."),
    ],
)
def test_bad_arguments_are_named_with_their_value(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        loss_curves(**{"curves": {"true": [2.0, 1.0]}, **arguments})
