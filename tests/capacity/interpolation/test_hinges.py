"""The closed form against the matrix of the theorem."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from corruptlab.capacity import InterpolationReport, interpolate
from tests.capacity.interpolation.naive import Floats, matrix


def line(n: int, *, seed: int = 0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return np.sort(rng.standard_normal(n)), rng.standard_normal((n, 2))


def solve(z: Floats, y: Floats) -> tuple[Floats, Floats, InterpolationReport]:
    """Return hinges, weights, and the report for points on a line, in rising order."""
    net = interpolate(z[:, None], y, direction=[1.0])
    assert net.report is not None
    return net.b.numpy(), net.w.numpy(), net.report


@pytest.mark.parametrize("n", [1, 2, 3, 10, 60])
def test_weights_solve_the_triangular_system(n: int) -> None:
    z, y = line(n)
    b, w, _ = solve(z, y)
    A = matrix(z, b)
    assert_array_equal(A, np.tril(A))
    assert_allclose(A @ w, y, atol=1e-11)
    assert_allclose(w, np.linalg.solve(A, y), rtol=1e-8)


@pytest.mark.parametrize("n", [1, 2, 10])
def test_hinges_lie_between_the_projections(n: int) -> None:
    z, y = line(n)
    b, _, _ = solve(z, y)
    assert (b < z).all()
    assert_array_equal(b[1:], z[:-1])  # as far left of the next projection as can be
    if n > 1:
        assert_allclose(z[0] - b[0], (z[-1] - z[0]) / (n - 1))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 10, 60])
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_condition_number_is_that_of_the_matrix(n: int, scale: float) -> None:
    z, y = line(n)
    if n == 1:  # the gap is 1 then, whatever the scale
        z *= 0
    b, _, _ = solve(z, y)
    expected = np.linalg.cond(matrix(z, b), np.inf)
    assert_allclose(solve(scale * z, y)[2].condition_number, expected, rtol=1e-6)


def test_condition_number_beyond_float64_is_infinite() -> None:
    _, _, report = solve(np.array([0.0, 1e-320, 1.0]), np.ones(3))
    assert report.condition_number == np.inf


def test_no_interleaving_has_a_larger_smallest_eigenvalue() -> None:
    z, y = line(30)
    ours = solve(z, y)[2].smallest_eigenvalue
    rng = np.random.default_rng(0)
    for _ in range(20):
        others = z[:-1] + rng.uniform(size=29) * np.diff(z)
        assert (z[1:] - others).min() <= ours
    assert ours == np.diff(z).min()


@pytest.mark.parametrize("seed", range(3))
def test_slopes_are_exact_sums_of_the_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z, y = np.cumsum(10 ** rng.uniform(-4, 0, 500)), rng.standard_normal((500, 2))
    b, w, _ = solve(z, y)
    rounded = np.cumsum(w, axis=0)
    exact = np.cumsum(np.vectorize(Fraction)(w), axis=0)
    assert_array_equal(np.vectorize(Fraction)(rounded), exact)
    slopes = np.diff(y, axis=0, prepend=0) / (z - b)[:, None]
    padded = np.pad(np.abs(slopes), ((1, 1), (0, 0)))
    largest = np.max([padded[:-2], padded[1:-1], padded[2:]], axis=0)
    assert (np.abs(rounded - slopes) <= 2.0**-52 * largest).all()


def test_zero_slopes_stay_zero() -> None:
    assert_array_equal(solve(np.arange(3.0), np.zeros((3, 1)))[1], np.zeros((3, 1)))
