"""Means with intervals by category."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from corruptlab.plotting import category_intervals

pytest.importorskip("matplotlib")

TRAIN = {"true": [1.0, 0.9, 0.95], "random": [0.8, 0.7, 0.6]}
TEST = {"random": [0.1, 0.2, 0.3]}


def drawn(axes: Any, place: int) -> tuple[Any, Any]:
    """The line, and the lower and upper end of each bar."""
    line, _, bars = axes.containers[place]
    segments = [segment for each in bars for segment in each.get_segments() if len(segment)]
    return line, np.array([segment[:, 1] for segment in segments])


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_points_are_means_and_bars_are_student_s_intervals(level: float) -> None:
    axes = category_intervals({"train": TRAIN, "test": TEST}, level=level).axes[0]
    for place, values in enumerate((TRAIN, TEST)):
        line, ends = drawn(axes, place)
        np.testing.assert_allclose(line.get_ydata(), [np.mean(v) for v in values.values()])
        intervals = [
            stats.t.interval(level, 2, loc=np.mean(v), scale=stats.sem(v)) for v in values.values()
        ]
        np.testing.assert_allclose(ends, intervals)


def test_series_stand_beside_each_other_at_their_categories() -> None:
    axes = category_intervals({"train": TRAIN, "test": TEST}, ylabel="accuracy").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["true", "random"]
    train, test = (drawn(axes, place)[0] for place in (0, 1))
    np.testing.assert_allclose(np.round(np.array(train.get_xdata(), float)), [0, 1])
    np.testing.assert_allclose(np.round(np.array(test.get_xdata(), float)), [1])
    assert train.get_xdata()[1] < test.get_xdata()[0]
    assert train.get_marker() != test.get_marker()
    dots = [
        np.asarray(line.get_ydata()).tolist() for line in axes.lines if line.get_marker() == "."
    ]
    assert [TRAIN["true"], TRAIN["random"], TEST["random"]] == dots


def test_one_repetition_has_no_bar() -> None:
    axes = category_intervals({"train": {"true": [0.5]}}).axes[0]
    assert len(drawn(axes, 0)[1]) == 0
    assert axes.get_legend() is None


@pytest.mark.parametrize("series", [{}, {"train": {}}, {"train": {"true": []}}])
def test_nothing_to_draw_is_an_error(series: Any) -> None:
    with pytest.raises(ValueError, match=r"^`series` must hold a value for each category, and"):
        category_intervals(series)


def test_level_is_a_probability() -> None:
    with pytest.raises(ValueError, match=r"^`level` must lie strictly between 0 and 1, got 2\.$"):
        category_intervals({"train": TRAIN}, level=2)
