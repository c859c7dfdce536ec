"""Curves of fitted shares: points, intervals over repetitions, and what cannot be drawn."""

import importlib
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from scipy import stats

from corruptlab.plotting import fit_curves

SEEDS = [[0.1, 0.5, 1.0], [0.2, 0.4, 1.0], [0.1, 0.9, 1.0]]


def curves(figure: Any) -> dict[str, Any]:
    lines = {str(line.get_label()): line for line in figure.axes[0].lines}
    return {name: line for name, line in lines.items() if not name.startswith("_")}


def bars(figure: Any, place: int = 0) -> Any:
    """Return the lower and upper end of each bar of a curve."""
    segments = figure.axes[0].collections[place].get_segments()
    return np.array([segment[:, 1] for segment in segments if len(segment)])


def test_every_point_is_drawn_where_it_was_measured() -> None:
    figure = fit_curves({"a": [0.0, 0.5, 1.0], "b": [1.0, 0.5, 0.0]}, epochs=[10, 20, 40])
    np.testing.assert_array_equal(curves(figure)["a"].get_xdata(), [10, 20, 40])
    np.testing.assert_allclose(curves(figure)["b"].get_ydata(), [100, 50, 0])
    assert list(curves(figure)) == ["a", "b"]


def test_epochs_count_from_one_unless_told_otherwise() -> None:
    assert curves(fit_curves({"a": [0.1, 0.2]}))["a"].get_xdata().tolist() == [1, 2]


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_repetitions_are_drawn_as_means_with_students_intervals_inside_the_axis(
    level: float,
) -> None:
    figure = fit_curves({"a": SEEDS}, level=level)
    values = 100 * np.array(SEEDS)
    np.testing.assert_allclose(curves(figure)["a"].get_ydata(), values.mean(axis=0))
    half = stats.t.ppf((1 + level) / 2, 2) * stats.sem(values)
    expected = np.clip([values.mean(axis=0) - half, values.mean(axis=0) + half], 0, 100).T
    np.testing.assert_allclose(bars(figure), expected)


def test_intervals_end_at_0_and_100_percent() -> None:
    shares = [[0.0, 1.0], [0.1, 0.9], [0.1, 0.9]]
    (zero, low), (high, hundred) = bars(fit_curves({"a": shares}, level=0.9))
    assert (zero, hundred) == (0, 100)
    half = stats.t.ppf(0.95, 2) * stats.sem([0, 10, 10])
    assert (low, high) == pytest.approx((20 / 3 + half, 100 - 20 / 3 - half))


def test_one_repetition_has_no_bars() -> None:
    for shares in ([0.1, 0.2], [[0.1, 0.2]]):
        figure = fit_curves({"a": shares})
        assert not figure.axes[0].collections
        np.testing.assert_allclose(curves(figure)["a"].get_ydata(), [10, 20])


def test_two_repetitions_have_bars() -> None:
    assert bars(fit_curves({"a": [[0.4, 0.5], [0.5, 0.6]]}, level=0.5)).shape == (2, 2)


def test_bars_stand_at_the_markers_which_curves_do_not_share() -> None:
    shares = np.random.default_rng(0).random((3, 40)).tolist()
    figure = fit_curves({"a": shares, "b": shares})
    for place, line in enumerate(curves(figure).values()):
        assert line.get_markevery() == (place, 4)
        drawn: Any = figure.axes[0].collections[place]
        places = [segment[0, 0] for segment in drawn.get_segments() if len(segment)]
        assert places == list(range(1 + place, 41, 4))
        assert to_hex(drawn.get_edgecolor()[0]) == to_hex(line.get_color())


def test_curves_differ_without_colour() -> None:
    lines = curves(fit_curves({f"group {i}": [0.1, 0.2] for i in range(8)})).values()
    assert len({line.get_marker() for line in lines}) == 8


def test_looks_are_places_in_one_list() -> None:
    one, two = fit_curves({"a": [0.1], "b": [0.2]}), fit_curves({"b": [0.2]}, looks={"b": 1})
    assert curves(one)["b"].get_color() == curves(two)["b"].get_color()
    assert curves(one)["b"].get_marker() == curves(two)["b"].get_marker() != "o"


def test_figure_carries_its_title_its_labels_and_a_legend_with_chance_at_its_end() -> None:
    figure = fit_curves({"a": SEEDS}, title="by heart", chance=0.25)
    axes = figure.axes[0]
    assert figure.get_suptitle() == "by heart"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "fitted, % of the group")
    box = axes.get_legend()
    assert box is not None
    assert [text.get_text() for text in box.get_texts()] == ["a", "chance"]
    np.testing.assert_allclose(curves(figure)["chance"].get_ydata(), [25, 25])
    assert axes.get_ylim() == (-2, 102)
    assert axes.get_xlim() == (1, 3)


def test_missing_matplotlib_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name="matplotlib")

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ImportError, match=r"corruptlab\[plot\]"):
        fit_curves({"a": [0.1]})


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
        (
            {"curves": {"a": [[0.1, 0.2], [0.3]]}},
            r"`curves` must hold a share for each epoch of each repetition, got rows of "
            r"different lengths for 'a'\.",
        ),
        (
            {"curves": {"a": [[[0.1, 0.2]]]}},
            r"`curves` must hold a share for each of 1 epochs, got 1 x 2 for 'a'\.",
        ),
        ({"curves": {"a": [1.5]}}, r"`curves` must hold shares in \[0, 1\], got 1\.5 for 'a'\."),
        (
            {"curves": {"a": [float("nan")]}},
            r"`curves` must hold shares in \[0, 1\], got nan for 'a'\.",
        ),
        (
            {"curves": {"a": [[0.5], [-0.1]]}},
            r"`curves` must hold shares in \[0, 1\], got -0\.1 for 'a'\.",
        ),
        ({"curves": {"a": [0.5]}, "chance": 2}, r"`chance` must lie in \[0, 1\], got 2\."),
        (
            {"curves": {"a": [0.5]}, "looks": {"b": 1}},
            r"`looks` must name curves of the figure, got 'b'\.",
        ),
        (
            {"curves": {"a": [0.5]}, "level": 1},
            r"`level` must lie strictly between 0 and 1, got 1\.",
        ),
    ],
)
def test_what_cannot_be_drawn_is_quoted(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        fit_curves(**arguments)
