"""The report of random label heads: exact intervals, a table, a dictionary, a figure."""

import json
import re
from typing import Any

import numpy as np
import pytest
from scipy import stats

import corruptlab as cl


def report(**changes: Any) -> cl.HeadsReport:
    values: dict[str, Any] = {
        "layers": ("conv", "fc"),
        "right": ((52, 50), (80, 58), (100, 61)),
        "total": (100, 100, 100),
        "num_examples": 100,
        "num_classes": 2,
        "num_labels": 1,
        "factor": 0.0,
        "seed": 3,
    }
    return cl.HeadsReport(**{**values, **changes})


def test_accuracy_is_by_epoch_and_layer_beside_chance() -> None:
    np.testing.assert_array_equal(report().accuracy, [[0.52, 0.5], [0.8, 0.58], [1.0, 0.61]])
    assert report(num_classes=4).chance == 0.25


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_interval_is_that_of_clopper_and_pearson(confidence: float) -> None:
    for layer, epoch, right in (("conv", 1, 52), ("fc", 3, 61), ("conv", 3, 100)):
        found = report().interval(layer, epoch, confidence=confidence)
        exact = stats.binomtest(right, 100).proportion_ci(confidence, method="exact")
        assert found == pytest.approx((exact.low, exact.high))


def test_table_shows_at_most_twelve_epochs_and_the_last_one() -> None:
    long = report(right=((50, 50),) * 39 + ((99, 70),), total=(100,) * 40)
    lines = str(long).splitlines()
    rows = lines[2 : lines.index("")]
    assert len(rows) == 12
    assert [rows[0].split(), rows[-1].split()] == [
        ["1", "50.0%", "50.0%"],
        ["40", "99.0%", "70.0%"],
    ]
    assert "95% interval: conv 94.6% .. 100.0%, fc 60.0% .. 78.8%." in " ".join(lines)
    assert repr(long) == "HeadsReport(40 epochs, chance 50.0%: conv 99.0%, fc 70.0%)"


def test_table_tells_labels_and_regularizer() -> None:
    assert "with 3 random labels of 5 classes, seed 3; regularizer 0.5." in str(
        report(num_classes=5, num_labels=3, factor=0.5)
    )


def test_report_before_the_first_step_is_empty() -> None:
    empty = report(right=(), total=())
    assert empty.accuracy.shape == (0, 2)
    assert repr(empty) == "HeadsReport(0 epochs, chance 50.0%: none)"
    assert "interval" not in str(empty)
    with pytest.raises(ValueError, match=r"^`loss` must have been called before there is a figure"):
        empty.plot()


def test_dictionary_is_json() -> None:
    values = json.loads(json.dumps(report().to_dict()))
    assert values["accuracy"] == report().accuracy.tolist()
    assert values["right"] == [[52, 50], [80, 58], [100, 61]]
    assert (values["kind"], values["chance"]) == ("random_label_heads", 0.5)


def test_figure_marks_what_cannot_be_told_from_chance() -> None:
    pytest.importorskip("matplotlib")
    figure = report().plot()
    (points,) = figure.axes[0].get_lines()
    marked = np.rint(points.get_xydata()).tolist()
    assert sorted(marked) == [[1, 0], [1, 1], [2, 1]]  # 58 of 100 may be luck, 61 and 80 not


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pool", 1), "`layer` must only name conv, fc, got 'pool'."),
        (("fc", 0), "`epoch` must lie in 1 .. 3, got 0."),
        (("fc", 4), "`epoch` must lie in 1 .. 3, got 4."),
    ],
)
def test_cells_that_are_not_there(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        report().interval(*arguments)


def test_confidence_out_of_range() -> None:
    with pytest.raises(ValueError, match=r"^`confidence` must lie strictly between 0 and 1, got 1"):
        report().interval("fc", 1, confidence=1.0)
