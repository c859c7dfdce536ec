"""Windows: laws of the cut, and means against the textbook loop."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corruptlab.plotting._loss_curves import Scale, window_edges, window_means

SCALES = st.sampled_from(["linear", "log"])


@given(st.integers(1, 3000), st.integers(1, 80), SCALES)
def test_windows_hold_every_step_once(steps: int, windows: int, scale: Scale) -> None:
    edges = window_edges(steps, windows, scale=scale)
    assert edges[0] == 1
    assert edges[-1] == steps + 1
    assert (np.diff(edges) >= 1).all()
    assert len(edges) - 1 <= windows


@given(st.integers(1, 3000), st.integers(1, 80))
def test_linear_windows_are_equally_wide_up_to_one_step(steps: int, windows: int) -> None:
    widths = np.diff(window_edges(steps, windows))
    assert widths.max() - widths.min() <= 1


def test_log_windows_have_equal_ratios_where_steps_allow() -> None:
    edges = window_edges(10**6 - 1, 6, scale="log")
    np.testing.assert_array_equal(edges, [1, 10, 100, 1000, 10**4, 10**5, 10**6])


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=200), st.integers(1, 50), SCALES)
def test_window_means_equal_the_textbook_loop(
    values: list[float], windows: int, scale: Scale
) -> None:
    edges = window_edges(len(values), windows, scale=scale)
    steps, means = window_means(values, edges, scale=scale)
    for k, (start, stop) in enumerate(pairwise(edges)):
        window = range(start, stop)
        assert means[k] == pytest.approx(sum(values[t - 1] for t in window) / len(window))
        assert window[0] <= steps[k] <= window[-1]


def test_as_many_windows_as_steps_give_the_curve_itself() -> None:
    losses = np.random.default_rng(0).random(100)
    steps, means = window_means(losses.tolist(), window_edges(100, 100))
    np.testing.assert_array_equal(steps, np.arange(1, 101))
    np.testing.assert_array_equal(means, losses)


def test_overall_mean_is_kept_by_the_windows() -> None:
    losses = np.random.default_rng(1).random(997)
    edges = window_edges(997, 50, scale="log")
    _, means = window_means(losses.tolist(), edges, scale="log")
    assert (means * np.diff(edges)).sum() / 997 == pytest.approx(losses.mean())
