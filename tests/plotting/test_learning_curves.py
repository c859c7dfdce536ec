"""Fit by epoch beside first fitting: the right steps, and what is censored."""

import io
from typing import Any

import numpy as np
import pytest

from corruptlab.plotting import learning_curves

pytest.importorskip("matplotlib")

FITTED = {"clean": [0.5, 0.9, 1.0], "noisy": [0.1, 0.0, 0.2], "planted": [0.1, 0.1, 0.1]}
LEARNED = {"clean": [0.5, 0.9, 1.0], "noisy": [0.1, 0.15, 0.3], "planted": [0.1, 0.2, 0.28]}


def axes_of(figure: Any) -> list[Any]:
    return list(figure.axes)


def texts(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[1].texts]


@pytest.mark.slow(seconds=1)
def test_panels_show_fit_by_epoch_and_the_steps_of_first_fitting() -> None:
    figure = learning_curves(FITTED, LEARNED, chance=0.1, title="a title")
    left, right = axes_of(figure)
    lines = {str(line.get_label()): line.get_ydata() for line in left.lines}
    for name, shares in FITTED.items():
        np.testing.assert_allclose(lines[name], 100 * np.array(shares))
    steps = [line for line in right.lines if line.get_drawstyle() == "steps-post"]
    for line, shares in zip(steps, LEARNED.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
        np.testing.assert_allclose(line.get_ydata(), 100 * np.array(shares))
    assert figure.get_suptitle() == "a title"
    figure.savefig(io.BytesIO())


def test_censored_examples_are_an_arrow_and_their_share() -> None:
    figure = learning_curves(FITTED, LEARNED)
    assert texts(figure) == ["72% not fitted", "70% not fitted"]
    lines = list[Any](figure.axes[1].lines)
    arrows = [line for line in lines if line.get_marker() == ">"]
    assert [float(line.get_ydata()[0]) for line in arrows] == pytest.approx([30, 28])
    assert all(line.get_xdata().tolist() == [3] for line in arrows)
    notes = list[Any](figure.axes[1].texts)
    low, high = (note.xy[1] for note in notes)
    assert high - low > 4.9  # no text hides another


def test_groups_look_the_same_in_both_panels() -> None:
    figure = learning_curves(FITTED, LEARNED, looks={"planted": 5})
    left, right = axes_of(figure)
    colors = {str(line.get_label()): line.get_color() for line in left.lines}
    steps = [line for line in right.lines if line.get_drawstyle() == "steps-post"]
    assert [line.get_color() for line in steps] == [colors[name] for name in FITTED]


@pytest.mark.parametrize(
    ("fitted", "learned", "message"),
    [
        ({}, {}, r"^`learned` must hold the groups of `fitted`, .* got none for none\.$"),
        ({"a": [0.1]}, {"b": [0.1]}, r"at least one, got b for a\.$"),
        ({"a": [0.1]}, {"a": [0.1, 0.2]}, r"at least one, got 1 and 2 for 'a'\.$"),
        ({"a": []}, {"a": []}, r"at least one, got 0 and 0 for 'a'\.$"),
        (
            {"a": [0.1], "b": [0.1, 0.2]},
            {"a": [0.1], "b": [0.1, 0.2]},
            r"got 2 and 2 for 'b'\.$",
        ),
        ({"a": [0.5]}, {"a": [0.4]}, r"^`learned` must not decrease, .* got \[0\.4\] for 'a'\.$"),
        ({"a": [0.1, 0.1]}, {"a": [0.4, 0.3]}, r"got \[0\.4, 0\.3\] for 'a'\.$"),
        ({"a": [0.1]}, {"a": [float("nan")]}, r"got \[nan\] for 'a'\.$"),
        ({"a": [0.1]}, {"a": [1.5]}, r"got \[1\.5\] for 'a'\.$"),
    ],
)
def test_shares_that_are_none(fitted: Any, learned: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        learning_curves(fitted, learned)


def test_looks_of_other_groups() -> None:
    with pytest.raises(ValueError, match=r"^`looks` must name curves of the figure, got 'b'\.$"):
        learning_curves({"a": [0.1]}, {"a": [0.1]}, looks={"b": 1})
