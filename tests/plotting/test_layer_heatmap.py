"""Accuracy by layer and epoch: the right cells, marks, and numbers."""

import re
from typing import Any

import numpy as np
import pytest

from corruptlab.plotting import layer_heatmap

pytest.importorskip("matplotlib")

VALUES = {"conv": [0.5, 0.9, 1.0], "fc": [0.5, 0.6, 0.7]}


def numbers(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_cells_are_the_values_first_layer_lowest() -> None:
    figure = layer_heatmap(VALUES, chance=0.5, title="a title")
    (mesh,) = figure.axes[0].collections
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).reshape(2, 3), [*VALUES.values()])
    assert mesh.get_clim() == (0.5, 1.0)
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["conv", "fc"]
    low, high = figure.axes[0].get_ylim()
    assert low < high
    assert numbers(figure) == ["50%", "90%", "100%", "50%", "60%", "70%"]
    assert figure.get_suptitle() == "a title"


def test_many_epochs_have_no_numbers() -> None:
    assert numbers(layer_heatmap({"fc": [0.5] * 13})) == []
    assert len(numbers(layer_heatmap({"fc": [0.5] * 12}))) == 12


@pytest.mark.parametrize(("n", "ticks"), [(3, [1, 2, 3]), (30, [1, *range(3, 31, 3)])])
def test_ticks_are_whole_epochs(n: int, ticks: list[int]) -> None:
    figure = layer_heatmap({"fc": [0.5] * n})
    assert figure.axes[0].get_xticks().tolist() == ticks


def test_marks_stand_in_their_cells() -> None:
    figure = layer_heatmap(VALUES, marked={"fc": [True, False, True]})
    (points,) = figure.axes[0].get_lines()
    assert np.rint(points.get_xydata()).tolist() == [[1, 1], [3, 1]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": {}}, "`values` must hold as many epochs for every layer, at least one, got no"),
        ({"values": {"a": [], "b": []}}, "at least one, got 0."),
        ({"values": {"a": [0.1], "b": [0.1, 0.2]}}, "at least one, got 1, 2."),
        ({"values": {"a": [1.5]}}, "`values` must lie in [0, 1], got 1.5."),
        ({"values": {"a": [float("nan")]}}, "`values` must lie in [0, 1], got nan."),
        ({"values": {"a": [0.5]}, "chance": 1.0}, "`chance` must be below 1, got 1.0."),
        ({"values": {"a": [0.5]}, "chance": -1.0}, "`chance` must lie in [0, 1], got -1.0."),
        ({"values": {"a": [0.5]}, "marked": {"b": [True]}}, "must name curves of the figure, got"),
        ({"values": {"a": [0.5]}, "marked": {"a": []}}, "one value an epoch, got 0 of 1 for 'a'."),
    ],
)
def test_mistakes(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        layer_heatmap(**arguments)
