"""The closed form against the matrix of the theorem."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from corruptlab.capacity.interpolation._hinges import (
    condition_number,
    solve,
    with_exact_differences,
)
from corruptlab.capacity.interpolation._prefix_sums import prefix_sums
from tests.capacity.interpolation.naive import Floats, matrix


def line(n: int, *, seed: int = 0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return np.sort(rng.standard_normal(n)), rng.standard_normal((n, 2))


@pytest.mark.parametrize("n", [1, 2, 3, 10, 60])
def test_weights_solve_the_triangular_system(n: int) -> None:
    z, y = line(n)
    b, w, gaps = solve(z, y)
    A = matrix(z, b)
    assert_array_equal(A, np.tril(A))
    assert_array_equal(np.diag(A), gaps)
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
    b, _, gaps = solve(z, y)
    expected = np.linalg.cond(matrix(z, b), np.inf)
    assert_allclose(condition_number(scale * gaps), expected, rtol=1e-6)


def test_condition_number_beyond_float64_is_infinite() -> None:
    assert condition_number(np.array([1e-320, 1.0])) == np.inf


def test_no_interleaving_has_a_larger_smallest_eigenvalue() -> None:
    z, y = line(30)
    ours = solve(z, y).gaps[1:].min()
    rng = np.random.default_rng(0)
    for _ in range(20):
        others = z[:-1] + rng.uniform(size=29) * np.diff(z)
        assert (z[1:] - others).min() <= ours
    assert ours == np.diff(z).min()


@pytest.mark.parametrize("seed", range(3))
def test_differences_of_rounded_slopes_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    slopes = rng.standard_normal((500, 2)) * 10 ** rng.uniform(-10, 10, (500, 2))
    rounded = with_exact_differences(slopes)
    differences = np.diff(rounded, axis=0, prepend=0)
    exact = np.vectorize(Fraction)(np.pad(rounded, ((1, 0), (0, 0))))
    assert_array_equal(np.vectorize(Fraction)(differences), exact[1:] - exact[:-1])
    assert_array_equal(np.cumsum(differences, axis=0), rounded)
    padded = np.pad(np.abs(slopes), ((1, 1), (0, 0)))
    largest = np.max([padded[:-2], padded[1:-1], padded[2:]], axis=0)
    assert (np.abs(rounded - slopes) <= 2.0**-52 * largest).all()


def test_zero_slopes_stay_zero() -> None:
    assert_array_equal(with_exact_differences(np.zeros((3, 1))), np.zeros((3, 1)))


def test_prefix_sums_are_those_of_exact_arithmetic() -> None:
    rng = np.random.default_rng(0)
    terms = rng.standard_normal(2000) * 10 ** rng.uniform(-8, 8, 2000)
    total, exact = Fraction(0), []
    for term in terms.tolist():
        total += Fraction(term)
        exact.append(float(total))
    assert_allclose(prefix_sums(terms), exact, rtol=3e-16)
    assert np.abs(np.cumsum(terms) / exact - 1).max() > 1e-14  # what is gained


def test_prefix_sums_run_along_the_first_axis() -> None:
    assert_array_equal(prefix_sums(np.ones((3, 2))), [[1, 1], [2, 2], [3, 3]])
