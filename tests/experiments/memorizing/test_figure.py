"""The figure of a report, of one seed and of several."""

import io
import math
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from corruptlab import SymmetricLabels, corrupt
from corruptlab.corruptions import Corrupted
from corruptlab.experiments import MemorizationMeter, MemorizationReport

from .cases import clusters, loop, nearest, rule, run


def names(figure: Figure) -> list[str]:
    box = figure.axes[0].get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def drawn(figure: Figure) -> dict[str, Any]:
    lines = {str(line.get_label()): line for line in figure.axes[0].lines}
    return {name: line for name, line in lines.items() if not name.startswith("_")}


def noisy() -> Corrupted:
    return corrupt(clusters(), SymmetricLabels(rate=0.3), seed=0)


def some(epochs: int, seed: int) -> MemorizationReport:
    """Return a report of so many epochs in which nothing was trained."""

    def train_function(dataset: Corrupted, epoch_end: MemorizationMeter) -> Any:
        for _ in range(epochs):
            epoch_end(rule)
        return rule

    return run(train_function, seed=seed)


def test_figure_shows_the_fit_of_each_group_by_epoch() -> None:
    report = run(loop)
    figure = report.plot()
    for name, group in {
        "planted canaries": "planted",
        "held-out canaries": "held_out",
        "held out, true labels": "held_out_true",
        "clean examples": "clean",
    }.items():
        line = drawn(figure)[name]
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
        shares = [100 * getattr(row, group).share for row in report.epochs]
        np.testing.assert_allclose(line.get_ydata(), shares)
    np.testing.assert_allclose(drawn(figure)["chance"].get_ydata(), [25, 25])
    assert len(names(figure)) == 5
    assert not figure.axes[0].collections  # one seed has no interval
    figure.savefig(io.BytesIO())


def test_figure_shows_noisy_examples_where_there_are_some_and_the_end_alone() -> None:
    figure = run(nearest, noisy()).plot()
    lines = drawn(figure)
    assert len(lines) == 7
    np.testing.assert_allclose(lines["noisy examples"].get_ydata(), [100])
    np.testing.assert_allclose(lines["noisy, true labels"].get_ydata(), [0])
    figure.savefig(io.BytesIO())


def test_curves_are_told_apart_without_colour_and_look_the_same_in_every_figure() -> None:
    few, many = drawn(run(nearest).plot()), drawn(run(nearest, noisy()).plot())
    looks = [(line.get_marker(), line.get_linestyle()) for line in many.values()]
    assert len({marker for marker, _ in looks}) == len(looks)
    for name, line in few.items():
        assert line.get_color() == many[name].get_color()
        assert line.get_marker() == many[name].get_marker()
    assert few["clean examples"].get_color() == "#000000"  # what all others are read against


def test_several_seeds_are_drawn_as_means_with_intervals_as_far_as_all_go() -> None:
    reports = [some(epochs, seed) for seed, epochs in enumerate((4, 2, 3))]
    figure = reports[0].plot(others=reports[1:])
    line = drawn(figure)["planted canaries"]
    np.testing.assert_array_equal(line.get_xdata(), [1, 2])
    shares = [100 * report.epochs[0].planted.right / 60 for report in reports]
    assert len(set(shares)) > 1
    np.testing.assert_allclose(line.get_ydata(), [np.mean(shares)] * 2)
    bar: Any = figure.axes[0].collections[0]
    (low, high) = bar.get_segments()[0][:, 1]
    half = stats.t.ppf(0.975, 2) * np.std(shares, ddof=1) / math.sqrt(3)
    assert (low, high) == pytest.approx((np.mean(shares) - half, np.mean(shares) + half))
    assert figure.get_suptitle() == (
        "train_function on TensorDataset, mean and 95% intervals of 3 seeds"
    )


def test_ends_alone_are_drawn_where_one_of_several_has_no_epochs() -> None:
    figure = some(2, seed=0).plot(others=[some(0, seed=1)])
    assert len(drawn(figure)["planted canaries"].get_xdata()) == 1


def test_intervals_are_at_the_level_of_the_report() -> None:
    lengths = []
    for confidence in (0.5, 0.95):
        first, other = (run(lambda data, _: rule, seed=s, confidence=confidence) for s in (0, 1))
        bar: Any = first.plot(others=[other]).axes[0].collections[0]
        lengths.append(np.diff(bar.get_segments()[0][:, 1])[0])
    assert lengths[0] < lengths[1]


def test_other_reports_that_do_not_fit_are_refused() -> None:
    report = run(nearest)
    with pytest.raises(TypeError, match=r"^`others` must be a sequence of .*, got one of them\.$"):
        report.plot(others=report)  # type: ignore[arg-type]  # the point
    with pytest.raises(TypeError, match=r"^`others` must be memorization reports, got list\.$"):
        report.plot(others=[[report]])  # type: ignore[list-item]  # the point
    message = r"^`others` must have 4 classes as this report, got 5\.$"
    with pytest.raises(ValueError, match=message):
        report.plot(others=[run(nearest, num_classes=5)])
