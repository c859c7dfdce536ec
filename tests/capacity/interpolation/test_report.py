"""The report is right about the network."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from corruptlab.capacity import DeepInterpolant, Interpolant, interpolate
from tests.capacity.interpolation.naive import (
    Floats,
    Twice,
    matrix,
    points,
    signs,
    values,
)


def dense_residual(net: DeepInterpolant | Interpolant, x: Floats, y: Floats) -> float:
    outputs = net.dense()(torch.from_numpy(x)).detach().numpy()[:, 0]
    return float(np.abs(outputs - y).max())


def test_report_is_right_about_the_network() -> None:
    x, y = points(200, 6), signs(200)
    net = interpolate(x, y)
    report = net.report
    assert report is not None
    z = np.sort(net.project(torch.from_numpy(x)).numpy())
    A = matrix(z, net.b.numpy())
    assert (report.n, report.d, report.outputs, report.depth, report.width) == (200, 6, 1, 2, 200)
    assert report.smallest_gap == np.diff(z).min()
    assert_allclose(report.relative_gap, np.diff(z).min() / (z[-1] - z[0]))
    assert report.smallest_eigenvalue == np.diag(A).min()
    assert_allclose(report.condition_number, np.linalg.cond(A, np.inf), rtol=1e-6)
    assert report.residual == np.abs(values(net, x) - y).max()
    assert_allclose(report.dense_residual, dense_residual(net, x, y), rtol=2, atol=1e-13)
    assert report.residual < report.dense_residual < 1e-8
    assert report.dense_points == 200
    assert report.seconds_reading > 0
    assert report.seconds_solving > 0


def test_report_reads_well_and_fits_json() -> None:
    report = interpolate(np.repeat(points(20, 6), 2, axis=0), np.repeat(signs(20), 2)).report
    assert report is not None
    assert repr(report).startswith(
        "InterpolationReport(20 points (20 duplicates merged) by 46 weights, depth 2, width 20; "
        "direction separated, smallest gap 0.0"
    )
    assert json.loads(json.dumps(report.to_dict()))["environment"]["device"] == "cpu"


@pytest.mark.parametrize("direction", ["auto", "random"])
@pytest.mark.parametrize("depth", [2, 5])
@pytest.mark.parametrize("offset", [1e4, 1e8])
def test_dense_residual_is_what_plain_layers_miss_far_from_zero(
    offset: float, depth: int, direction: Any
) -> None:
    x, y = points(300, 8) + offset, signs(300)
    net = interpolate(x, y, depth=depth, direction=direction)
    assert net.report is not None
    assert_allclose(net.report.dense_residual, dense_residual(net, x, y), rtol=0.05)
    assert net.report.dense_residual > offset * 1e-13
    error = np.abs(values(net, x) - y).max()  # the weights themselves are good
    assert error < min(1e-9, 0.2 * net.report.dense_residual)


@pytest.mark.slow(seconds=1)
def test_points_of_many_numbers_are_put_through_plain_layers_in_pieces() -> None:
    x, y = points(300, 8000) + 1e6, signs(300)
    net = interpolate(x, y, direction="random")
    assert net.report is not None
    assert net.report.dense_points == 111
    whole = dense_residual(net, x, y)
    assert whole / 5 < net.report.dense_residual < 2 * whole


@pytest.mark.parametrize(("direction", "kind"), [("random", np.float64), ("auto", np.int16)])
def test_dense_residual_is_that_of_the_same_points_in_any_order_and_blocks(
    direction: Any, kind: type
) -> None:
    scale, offset = (1, 1e6) if kind is np.float64 else (1000, 0)
    x: NDArray[Any] = (scale * points(2000, 3) + offset).astype(kind)
    y = signs(2000)
    order = np.random.default_rng(2).permutation(2000)
    twice = np.concatenate([order, order[:700]])
    one, *others = (
        interpolate(*data, direction=direction).report
        for data in (
            (x, y),
            (x[order], y[order]),
            (Twice(x[order], y[order], 1, 5, 1000, 994),),
            (x[twice], y[twice]),
        )
    )
    assert one is not None
    assert one.dense_points == 524
    for other in others:
        assert other is not None
        assert_allclose(other.dense_residual, one.dense_residual, rtol=0.5)
    assert [each.dense_points for each in others[:2] if each] == [524, 524]


@pytest.mark.parametrize(("n", "some"), [(1, 1), (1000, 1000), (10_000, 104), (200_000, 16)])
def test_dense_residual_of_many_points_is_found_on_some(n: int, some: int) -> None:
    report = interpolate(np.linspace(0, 1, n)[:, None], signs(n)).report
    assert report is not None
    assert report.dense_points == some


def test_separated_direction_has_a_far_larger_gap_than_random_ones() -> None:
    x, y = points(2000, 40), signs(2000)
    random = [interpolate(x, y, direction="random", seed=s).report for s in range(9)]
    best, separated = (interpolate(x, y, direction=way).report for way in ("best", "auto"))
    assert best is not None
    assert separated is not None
    median = np.median([each.relative_gap for each in random if each])
    assert best.relative_gap > median
    assert separated.direction == "separated"
    assert separated.relative_gap > 10 * median
    assert separated.condition_number < best.condition_number
    assert separated.relative_gap <= 1 / 1999


@pytest.mark.parametrize("n", [3, 8, 20])
def test_few_points_are_spaced_almost_equally(n: int) -> None:
    report = interpolate(points(n, 30), signs(n)).report
    assert report is not None
    assert report.relative_gap > 0.9 / (n - 1)
    assert report.relative_gap <= (1 + 1e-12) / (n - 1)


def test_scale_of_the_points_does_not_change_the_conditioning() -> None:
    x, y = points(100, 6), signs(100)
    one = interpolate(x, y).report
    assert one is not None
    for scale in (2.0**-400, 2.0**400):
        other = interpolate(scale * x, y).report
        assert other is not None
        assert_allclose(other.relative_gap, one.relative_gap, rtol=1e-6)
        assert_allclose(other.condition_number, one.condition_number, rtol=1e-6)
