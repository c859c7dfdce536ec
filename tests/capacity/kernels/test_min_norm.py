"""The least solution is the pseudo-inverse's, and SGD from zero ends there."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from corruptlab import Draws
from corruptlab.capacity.kernels import KernelInterpolant, LinearKernel, min_norm
from tests.capacity.kernels.cases import points


@pytest.mark.parametrize("k", [None, 1, 3])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (6, 20), (20, 20)])
def test_weights_equal_those_of_the_pseudo_inverse(n: int, d: int, k: int | None) -> None:
    x, y = points(n, d), points(n, k or 1, seed=1)
    y = y[:, 0] if k is None else y
    least = min_norm(x, y)
    assert least.weights.shape == ((d,) if k is None else (d, k))
    assert_allclose(least.weights.numpy(), np.linalg.pinv(x.numpy()) @ y.numpy(), rtol=1e-7)
    assert_allclose((x.T @ least.coefficients).numpy(), least.weights.numpy(), rtol=1e-12)
    assert least.rank == n
    assert least.residual < 1e-12
    assert least.norm == pytest.approx(float(least.weights.norm()))


def test_weights_are_shorter_than_any_other_solution() -> None:
    x, y = points(6, 20), points(6, 1, seed=1)[:, 0]
    least = min_norm(x, y)
    away = torch.linalg.svd(x).Vh[6:]  # directions that X does not see
    for direction in away:
        other = least.weights + 0.1 * direction
        assert_allclose((x @ other).numpy(), y.numpy(), atol=1e-12)
        assert float(other.norm()) > least.norm


def test_dependent_rows_with_a_solution_are_solved() -> None:
    x = torch.cat([points(4, 9), points(4, 9)[:2] + points(4, 9)[2:]])
    y = x @ points(1, 9, seed=3)[0]
    least = min_norm(x, y)
    assert least.rank == 4
    assert_allclose(least.weights.numpy(), np.linalg.pinv(x.numpy()) @ y.numpy(), rtol=1e-9)


def test_more_rows_than_columns_with_a_solution_are_solved() -> None:
    x, truth = points(30, 4), points(1, 4, seed=3)[0]
    least = min_norm(x, x @ truth)
    assert least.rank == 4
    assert_allclose(least.weights.numpy(), truth.numpy(), rtol=1e-12)
    assert_allclose((x.T @ least.coefficients).numpy(), truth.numpy(), rtol=1e-9)


@pytest.mark.parametrize(("n", "d", "rank"), [(30, 4, 4), (6, 9, 2)])
def test_system_without_a_solution_is_refused_unless_the_nearest_is_wanted(
    n: int, d: int, rank: int
) -> None:
    x, y = points(n, rank) @ points(rank, d, seed=2), points(n, 2, seed=1)
    with pytest.raises(
        ValueError,
        match=rf"^`x` must have a solution of X w = y, got rank {rank} for {n} rows and a residual "
        r"of 0\.\d+ of \|\|y\|\|: pass `least_squares=True` for the nearest\.$",
    ):
        min_norm(x, y)
    nearest = min_norm(x, y, least_squares=True)
    expected = np.linalg.pinv(x.numpy()) @ y.numpy()
    assert_allclose(nearest.weights.numpy(), expected, rtol=1e-8, atol=1e-10)
    left = np.linalg.norm(x.numpy() @ expected - y.numpy()) / np.linalg.norm(y.numpy())
    assert nearest.residual == pytest.approx(left, rel=1e-9)


def test_rows_that_nearly_depend_on_one_another_lose_no_digits_to_their_inner_products() -> None:
    x = points(5, 12)
    x[4] = x[3] + 1e-7 * x[4]
    y = x @ points(1, 12, seed=3)[0]
    least = min_norm(x, y)
    assert least.rank == 5
    assert_allclose(least.weights.numpy(), np.linalg.pinv(x.numpy()) @ y.numpy(), rtol=1e-6)


def test_well_conditioned_rows_need_no_singular_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.linalg, "svd")
    assert min_norm(points(6, 20), points(6, 2)).rank == 6


def test_targets_of_zero_have_the_solution_zero() -> None:
    least = min_norm(points(6, 20), torch.zeros(6))
    assert (least.norm, least.residual) == (0.0, 0.0)


def test_kernel_interpolant_with_the_linear_kernel_is_the_least_solution() -> None:
    x, y, new = points(6, 20), points(6, 2, seed=1), points(4, 20, seed=2)
    fit = KernelInterpolant(LinearKernel(), dtype=torch.float64).fit(x, y)
    least = min_norm(x, y)
    assert_allclose(fit.predict(new).numpy(), (new @ least.weights).numpy(), rtol=1e-10)
    assert fit.norm == pytest.approx(least.norm)


def sgd(x: torch.Tensor, y: torch.Tensor, start: torch.Tensor, epochs: int) -> torch.Tensor:
    """Plain SGD on half the squared loss, one example a step, in a new order every epoch."""
    w, rate = start.clone(), 1 / float(x.square().sum(1).max())
    for order in Draws(0).permutations("sgd", range(epochs), len(x)):
        for i in order:
            w -= rate * (x[i] @ w - y[i]) * x[i]
    return w


def test_sgd_from_zero_ends_at_the_least_solution() -> None:
    x, y = points(10, 30), points(10, 1, seed=1)[:, 0]
    reached = sgd(x, y, torch.zeros(30, dtype=torch.float64), epochs=300)
    assert_allclose(reached.numpy(), min_norm(x, y).weights.numpy(), atol=1e-9)


def test_sgd_from_elsewhere_ends_at_another_solution() -> None:
    x, y, start = points(10, 30), points(10, 1, seed=1)[:, 0], points(1, 30, seed=5)[0]
    reached = sgd(x, y, start, epochs=300)
    assert_allclose((x @ reached).numpy(), y.numpy(), atol=1e-8)
    unseen = start - torch.linalg.pinv(x) @ (x @ start)  # the part that no row touches stays
    assert_allclose(reached.numpy(), (min_norm(x, y).weights + unseen).numpy(), atol=1e-8)
    assert float(reached.norm()) > 1.1 * min_norm(x, y).norm


def test_bad_arguments_are_quoted() -> None:
    x = points(6, 3)
    with pytest.raises(ValueError, match=r"^`x` must have shape \(n, d\) .*, got \(6,\)\.$"):
        min_norm(x[:, 0], x[:, 0])
    with pytest.raises(ValueError, match=r"^`y` must have shape \(6,\) or \(6, k\), got \(5,\)\.$"):
        min_norm(x, torch.zeros(5))
    with pytest.raises(ValueError, match=r"^`y` must have shape .*, got \(6, 1, 1\)\.$"):
        min_norm(x, torch.zeros(6, 1, 1))
    with pytest.raises(ValueError, match=r"^`tolerance` must be above 0, got 0\.$"):
        min_norm(x, torch.zeros(6), tolerance=0)
    with pytest.raises(TypeError, match=r"^`y` must hold numbers, got 'six'\.$"):
        min_norm(x, "six")
    x[2, 0] = torch.nan
    with pytest.raises(ValueError, match=r"^`x` must be finite, got nan or inf in row 2\.$"):
        min_norm(x, torch.zeros(6))
    with pytest.raises(ValueError, match=r"^`y` must be finite, got nan or inf in row 2\.$"):
        min_norm(points(6, 3), x[:, 0])
