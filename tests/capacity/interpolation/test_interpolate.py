"""What `interpolate` promises: any targets at any different points."""

import contextlib
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import corruptlab as cl
from corruptlab.capacity import Interpolant, interpolate
from tests.capacity.interpolation.naive import (
    Floats,
    matrix,
    network,
    points,
    same,
    signs,
    values,
)


def limit(net: Interpolant, y: Floats) -> float:
    """What `float64` weights can do: a slope is as coarse as that of the steepest neighbour."""
    gaps = np.diff(net.b.numpy())
    ratio = max(gaps[1:] / gaps[:-1], default=1), max(gaps[:-1] / gaps[1:], default=1)
    return float(2.0**-50 * (len(gaps) + 10 + max(ratio)) * np.abs(y).max())


@pytest.mark.parametrize("direction", ["auto", "random", "best"])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (1, 5), (2, 1), (2, 3), (3, 2), (50, 1), (300, 7)])
def test_network_goes_through_all_points(n: int, d: int, direction: Any) -> None:
    x, y = points(n, d), points(n, 1, seed=1)[:, 0]
    net = interpolate(x, y, direction=direction)
    assert np.abs(values(net, x) - y).max() <= limit(net, y)


@pytest.mark.parametrize(("n", "d"), [(1, 1), (4, 6), (300, 7)])
def test_one_output_takes_exactly_2n_plus_d_weights(n: int, d: int) -> None:
    net = interpolate(points(n, d), signs(n))
    assert [(name, p.numel()) for name, p in net.named_parameters()] == [
        ("a", d),
        ("b", n),
        ("w", n),
    ]
    assert net.num_weights == 2 * n + d
    assert net.report is not None
    assert net.report.num_weights == net.report.weight_bound == 2 * n + d
    assert len(net.state_dict()) == 3


def test_k_outputs_take_n_plus_d_plus_n_k_weights() -> None:
    x, y = points(40, 6), points(40, 3, seed=1)
    net = interpolate(x, y)
    assert sum(p.numel() for p in net.parameters()) == net.num_weights == 40 + 6 + 40 * 3
    assert_allclose(values(net, x), y, atol=1e-12)


def test_outputs_are_solved_for_one_by_one() -> None:
    x, y = points(40, 6), points(40, 3, seed=1)
    together = interpolate(x, y)
    for k in range(3):
        alone = interpolate(x, y[:, k])
        assert_array_equal(alone.w, together.w[:, k])
        assert_array_equal(values(alone, x), values(together, x)[:, k])


@pytest.mark.parametrize(("n", "d"), [(1, 2), (5, 2), (80, 4)])
def test_weights_are_those_of_the_matrix_of_the_theorem(n: int, d: int) -> None:
    x, y = points(n, d), signs(n)
    net = interpolate(x, y)
    a, b, w = (p.numpy() for p in (net.a, net.b, net.w))
    order = np.argsort(x @ a)
    z = (x @ a)[order]
    assert (b < z).all()
    assert (z[:-1] <= b[1:] + 1e-15).all()
    solution = np.asarray(np.linalg.solve(matrix(z, b), y[order]), np.float64)
    assert_allclose(w, solution, rtol=1e-6, atol=1e-6 * np.abs(w).max())
    elsewhere = points(500, d, seed=7)
    assert_allclose(values(net, elsewhere), network(elsewhere, a, b, solution), atol=1e-6)


def test_function_between_and_beyond_the_points_is_the_polygon_through_them() -> None:
    x = np.array([[0.0], [1.0], [3.0]])
    net = interpolate(x, np.array([2.0, -1.0, 5.0]))
    places = np.array([[-9.0], [-1.5], [-0.75], [0.0], [0.5], [1.0], [2.0], [3.0], [4.0]])
    assert_allclose(values(net, places), [0, 0, 1, 2, 0.5, -1, 2, 5, 8], atol=1e-14)


@pytest.mark.slow(seconds=1)
@settings(max_examples=40)
@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=1, max_size=20),
    st.lists(st.floats(-1e3, 1e3), min_size=20, max_size=20),
    st.integers(0, 10),
)
def test_small_integers(rows: list[list[int]], targets: list[float], seed: int) -> None:
    x = np.unique(np.array(rows, np.int16), axis=0)
    y = np.array(targets)[: len(x)]
    net = interpolate(x, y, seed=seed, candidates=3)
    assert np.abs(values(net, x) - y).max() <= limit(net, y)


@settings(max_examples=40)
@given(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=20, unique=True),
    st.integers(1, 4),
    st.integers(-140, 140),
    st.integers(-140, 140),
)
def test_points_on_a_line_at_any_scale(
    places: list[int], d: int, exponent: int, y_exponent: int
) -> None:
    x = np.outer(places, np.arange(1, d + 1)) * 10.0**exponent
    y = signs(len(x)) * 10.0**y_exponent
    net = interpolate(x, y, candidates=3)
    assert np.abs(values(net, x) - y).max() <= limit(net, y)


@settings(max_examples=40)
@given(st.lists(st.integers(-16, 3), min_size=1, max_size=20))
def test_gaps_of_any_size_are_bridged_or_refused(exponents: list[int]) -> None:
    places = np.unique(np.cumsum(10.0 ** np.array([0, *exponents])))
    assume(len(places) == len(exponents) + 1)  # none was lost by rounding
    y = signs(len(places))
    net: Interpolant | None = None
    with contextlib.suppress(ValueError):
        net = interpolate(places[:, None], y)
    widths = np.sort([np.diff(places)[1:], np.diff(places)[:-1]], axis=0)
    if net is None:
        assert max(widths[1] / widths[0]) > 1e8
    else:
        assert np.abs(values(net, places[:, None]) - y).max() <= min(1e-6, limit(net, y))


def test_neighbours_in_float64_are_told_apart() -> None:
    x = np.array([[1.0], [1 + 2.0**-52], [1 + 2.0**-51]])
    y = np.array([1.0, -1.0, 1.0])
    assert_allclose(values(interpolate(x, y), x), y, atol=1e-12)


def test_unbridgeable_gaps_are_named() -> None:
    x = np.array([[0.0], [1e-16], [1.0]])
    with pytest.raises(
        ValueError,
        match=r"^`x` must have projections with gaps that `float64` weights can bridge, got one "
        r"1e\+16 times as wide as its neighbour, so that targets are missed by \d\.?\d*\.$",
    ):
        interpolate(x, np.array([1.0, -1.0, 1.0]))


@pytest.mark.parametrize("y", [0.0, 5.0])
def test_equal_targets_are_fitted_too(y: float) -> None:
    x = points(30, 3)
    assert_allclose(values(interpolate(x, np.full(30, y)), x), y, atol=1e-13)


@pytest.mark.parametrize(("encoding", "outputs"), [("one_vs_rest", (50, 7)), ("index", (50,))])
def test_labels_come_back(encoding: Any, outputs: tuple[int, ...]) -> None:
    x = torch.from_numpy(points(50, 4))
    labels = torch.arange(50) % 7
    net = interpolate(x, labels, num_classes=7, encoding=encoding)
    assert net(x).shape == outputs
    assert_array_equal(net.classify(x), labels)
    assert net.classify(x).dtype is torch.int64
    expected = 2.0 * (labels[:, None] == torch.arange(7)) - 1 if len(outputs) == 2 else labels
    assert_allclose(net(x), expected, atol=1e-10)


def test_index_is_rounded_to_a_class_that_there_is() -> None:
    x = torch.tensor([[0.0], [1.0], [2.0]])
    net = interpolate(x, torch.tensor([2, 0, 2]), num_classes=3, encoding="index")
    assert net.classify(torch.tensor([[0.2], [0.4], [50.0], [1.2]])).tolist() == [2, 1, 2, 0]
    flipped = interpolate(x, torch.tensor([0, 2, 0]), num_classes=3, encoding="index")
    assert flipped.classify(torch.tensor([[50.0]])).tolist() == [0]


def test_uint8_labels_are_labels() -> None:
    x, labels = points(9, 2), np.arange(9).astype(np.uint8)
    same(
        interpolate(x, labels, num_classes=9),
        interpolate(x, labels.astype(np.int32), num_classes=9),
    )


def test_top_level_name_is_this_function() -> None:
    assert cl.interpolate is interpolate


@pytest.mark.parametrize(
    ("kind", "classes"), [(np.int8, 128), (np.int8, 200), (np.uint8, 256), (np.uint8, 1000)]
)
def test_number_of_classes_may_be_more_than_labels_of_their_type_hold(
    kind: type, classes: int
) -> None:
    x, labels = points(9, 2), np.array([0, np.iinfo(kind).max, 100, 99, 98, 3, 2, 1, 0])
    net, same_labels = (
        interpolate(x, each, num_classes=classes, encoding="index")
        for each in (labels.astype(kind), labels)
    )
    same(net, same_labels)


def test_classes_that_would_be_misread_are_refused() -> None:
    x, labels = np.array([[0.0], [1e-9], [1.0]]), [1, 10**7 - 1, 5]
    with pytest.raises(
        ValueError, match=r"^`x` must have projections with gaps .* so that targets are missed by "
    ):
        interpolate(x, labels, num_classes=10**7, encoding="index")
    net = interpolate(x, np.array(labels, float))  # a millionth of the largest for real targets
    assert np.abs(values(net, x) - labels).max() > 0.25
