"""The figure of a permutation test: the right numbers, and readable without colour."""

import importlib
from typing import Any

import numpy as np
import pytest

from corruptlab.plotting import null_distribution

pytest.importorskip("matplotlib")

NULL = np.array([0.4, 0.5, 0.5, 0.5, 0.6, 0.7])
BASELINES = {"shuffled": [0.8, 0.85], "Gaussian": [0.3], "random": [0.45, 0.55, 0.5]}


def axes_of(*args: Any, **options: Any) -> Any:
    return null_distribution(*args, **options).axes[0]


def test_bars_hold_every_value_once_where_it_lies() -> None:
    bars = axes_of(NULL, 0.9).patches
    assert [bar.get_height() for bar in bars] == [1, 3, 1, 1]  # no more bars than values differ
    assert bars[0].get_x() == pytest.approx(0.4)
    assert bars[-1].get_x() + bars[-1].get_width() == pytest.approx(0.7)


def test_many_values_make_more_bars_by_rice_s_rule() -> None:
    assert len(axes_of(np.linspace(0, 1, 1000), 0.5).patches) == 20


def test_the_observed_value_is_a_line_from_bottom_to_top_with_its_note() -> None:
    axes = axes_of(NULL, 0.9, note="p = 0.14, 6 permutations")
    assert list(axes.lines[0].get_xdata()) == [0.9, 0.9]
    assert list(axes.lines[0].get_ydata()) == [0, 1]  # in shares of the height
    (note,) = axes.texts
    assert note.get_text() == "p = 0.14, 6 permutations"
    assert note.xy[0] == 0.9


@pytest.mark.parametrize("observed", [0.9, 0.1])
def test_the_note_stays_inside_and_beside_the_line(observed: float) -> None:
    figure = null_distribution(NULL, observed, note="p = 0.14")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    note, inside = axes.texts[0].get_window_extent(), axes.get_window_extent()
    line = axes.transData.transform((observed, 0))[0]
    assert inside.x0 < note.x0 < note.x1 < inside.x1
    assert note.y1 < inside.y1
    assert note.x1 < line if observed > 0.5 else line < note.x0


def test_everything_is_within_the_limits() -> None:
    axes = axes_of(NULL, 0.9, baselines=BASELINES)
    low, high = axes.get_xlim()
    assert low < 0.3 < 0.9 < high
    assert axes.get_ylim()[0] < min(min(line.get_ydata()) for line in axes.lines[1:])
    assert axes.get_ylim()[1] > 3
    assert set(axes.get_yticks()) <= {0, 1, 2, 3}  # counts are whole


def test_it_is_as_large_as_it_says() -> None:
    figure = null_distribution(NULL, 0.9)
    assert (*figure.get_size_inches(), figure.dpi) == (8, 4.5, 100)


def test_only_the_axes_that_are_read_have_a_line() -> None:
    spines = axes_of(NULL, 0.9).spines
    assert {side for side, spine in spines.items() if spine.get_visible()} == {"left", "bottom"}


def test_baselines_are_told_apart_without_colour() -> None:
    marks = axes_of(NULL, 0.9, baselines=BASELINES).lines[1:]
    assert [list(mark.get_xdata()) for mark in marks] == list(BASELINES.values())
    assert len({mark.get_marker() for mark in marks}) == 3
    assert {mark.get_linestyle() for mark in marks} == {"None"}  # repeats have no order
    heights = [set(mark.get_ydata()) for mark in marks]
    assert all(len(height) == 1 for height in heights)
    assert len(set.union(*heights)) == 3
    assert max(set.union(*heights)) < 0  # below the bars


def test_names_stand_where_they_belong() -> None:
    figure = null_distribution(NULL, 0.9, name="accuracy", title="signal", baselines=BASELINES)
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_title()) == ("accuracy", "signal")
    assert axes.get_ylabel() == "permutations"
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert entries == ["permuted labels", "original labels", *BASELINES]
    figure.draw_without_rendering()
    texts = figure.legends[0].get_texts()
    assert len({round(text.get_window_extent().y0) for text in texts}) == 1  # one row


def test_values_that_are_all_alike_can_be_drawn() -> None:
    axes = axes_of([0.5, 0.5], 0.5)
    assert [bar.get_height() for bar in axes.patches] == [2]
    assert axes.get_xlim()[0] < 0.5 < axes.get_xlim()[1]


@pytest.mark.parametrize(
    ("null", "observed", "baselines", "name"),
    [
        ([], 0.5, {}, "null"),
        ([0.5, np.nan], 0.5, {}, "null"),
        ([0.5], np.inf, {}, "observed"),
        ([0.5], 0.5, {"shuffled": []}, "baselines"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    null: Any, observed: float, baselines: Any, name: str
) -> None:
    with pytest.raises(ValueError, match=rf"^`{name}` must hold finite values, at least one, got "):
        null_distribution(null, observed, baselines=baselines)


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name="matplotlib")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"corruptlab\[plot\]"):
        null_distribution([0.5], 0.5)
