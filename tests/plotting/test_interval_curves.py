"""Curves with intervals: the right numbers, and readable without colour."""

import importlib
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from corruptlab.plotting import interval_curves

pytest.importorskip("matplotlib")

STEPS = {0.0: [96.0, 128.0, 96.0], 0.5: [200.0, 210.0, 190.0], 1.0: [320.0, 288.0, 320.0]}


def curve(axes: Any, place: int = 0) -> tuple[Any, Any]:
    """The line, and the lower and upper end of each bar."""
    line, _, bars = axes.containers[place]
    segments = [segment for each in bars for segment in each.get_segments() if len(segment)]
    return line, np.array([segment[:, 1] for segment in segments])


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_points_are_means_and_bars_are_student_s_intervals(level: float) -> None:
    figure = interval_curves({"steps": {"": STEPS}}, xlabel="p", level=level)
    line, ends = curve(figure.axes[0])
    assert line.get_xdata().tolist() == [0, 0.5, 1]
    np.testing.assert_allclose(line.get_ydata(), [np.mean(v) for v in STEPS.values()])
    expected = [
        stats.t.interval(level, len(v) - 1, loc=np.mean(v), scale=stats.sem(v))
        for v in STEPS.values()
    ]
    np.testing.assert_allclose(ends, expected)


def test_points_are_drawn_in_order_of_x() -> None:
    figure = interval_curves({"y": {"": {1.0: [3.0], 0.0: [1.0], 0.5: [2.0]}}})
    assert curve(figure.axes[0])[0].get_ydata().tolist() == [1, 2, 3]


def test_one_repetition_has_no_bar() -> None:
    _, ends = curve(interval_curves({"y": {"": {0.0: [3.0]}}}).axes[0])
    assert len(ends) == 0
    _, ends = curve(interval_curves({"y": {"": {0.0: [3.0], 1.0: [3.0, 4.0]}}}).axes[0])
    assert len(ends) == 1
    assert ends.mean() == pytest.approx(3.5)


def test_a_missing_value_leaves_its_point_out_instead_of_the_value() -> None:
    figure = interval_curves({"y": {"": {0.0: [1.0, 2.0], 1.0: [1.0, math.nan]}}})
    assert np.isnan(curve(figure.axes[0])[0].get_ydata()).tolist() == [False, True]


def test_curves_differ_without_colour_and_look_alike_in_all_panels() -> None:
    names = [f"model {i}" for i in range(8)]
    figure = interval_curves(
        {"steps": dict.fromkeys(names, STEPS), "error": dict.fromkeys(names[1:], STEPS)}
    )
    lines = [[curve(axes, i)[0] for i in range(len(axes.containers))] for axes in figure.axes]
    styles = {(line.get_marker(), line._dash_pattern[1] is None) for line in lines[0]}
    assert len({marker for marker, _ in styles}) == len(names)
    assert {solid for _, solid in styles} == {True, False}
    for first, second in zip(lines[0][1:], lines[1], strict=True):
        assert first.get_marker() == second.get_marker()
        assert first.get_color() == second.get_color()
    assert figure.axes[1].get_legend() is not None
    assert figure.axes[1].get_legend_handles_labels()[1] == names[1:]


def test_labels_stand_where_they_belong_and_one_curve_needs_no_legend() -> None:
    figure = interval_curves({"steps": {"": STEPS}, "error": {"": STEPS}}, xlabel="p", title="both")
    assert [axes.get_ylabel() for axes in figure.axes] == ["steps", "error"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["p", "p"]
    assert figure.get_suptitle() == "both"
    assert all(axes.get_legend() is None for axes in figure.axes)
    assert all(axes.get_ylim()[0] == 0 for axes in figure.axes)


def test_every_panel_has_the_same_room_and_points_at_its_edge_are_whole() -> None:
    for panels in (["steps"], ["steps", "error", "ratio"]):
        figure = interval_curves({label: {"": STEPS} for label in panels})
        assert figure.get_size_inches().tolist() == pytest.approx([5.2 * len(panels), 4.5])
        assert not any(curve(axes)[0].get_clip_on() for axes in figure.axes)


def test_the_legend_stands_inside_the_figure_and_above_the_curves() -> None:
    figure = interval_curves({"y": {"a": STEPS, "b": STEPS}})
    figure.draw_without_rendering()  # lays it out
    (axes,) = figure.axes
    legend = axes.get_legend()
    assert legend is not None
    assert axes.get_window_extent().y1 < legend.get_window_extent().y0
    assert legend.get_window_extent().y1 < figure.bbox.y1


def test_values_below_zero_are_not_cut_off() -> None:
    assert interval_curves({"y": {"": {0.0: [-3.0]}}}).axes[0].get_ylim()[0] < -3


BAD: list[tuple[Any, dict[str, Any], str]] = [
    ({}, {}, r"^`panels` must hold at least one panel, got none\.$"),
    ({"y": {}}, {}, r"^`panels` must hold at least one curve, got none for 'y'\.$"),
    ({"y": {"a": {}}}, {}, r"^`panels` must hold a value for each point, got none for 'a'\.$"),
    ({"y": {"a": {0.0: []}}}, {}, r"must hold a value for each point, got none for 'a'\.$"),
    (
        {"y": {"": STEPS}},
        {"level": 1.0},
        r"^`level` must lie strictly between 0 and 1, got 1\.0\.$",
    ),
    (
        {"y": {"": STEPS}},
        {"level": math.nan},
        r"^`level` must lie strictly between 0 and 1, got nan\.$",
    ),
]


@pytest.mark.parametrize(("panels", "options", "message"), BAD)
def test_what_cannot_be_drawn_is_refused(panels: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        interval_curves(panels, **options)


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name="matplotlib")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"corruptlab\[plot\]"):
        interval_curves({"y": {"": STEPS}})
