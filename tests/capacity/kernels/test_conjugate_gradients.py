"""Conjugate gradients reach the direct solution without a matrix, and a preconditioner helps.

What is private here is a numerical kernel: the iteration, the partial factor, its inverse.
"""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import chisquare
from torch import Tensor

from corruptlab import Draws
from corruptlab._progress import Progress
from corruptlab.capacity.kernels import (
    GaussianKernel,
    KernelFit,
    KernelInterpolant,
    LinearKernel,
    NotPositiveDefiniteError,
)
from corruptlab.capacity.kernels import _conjugate_gradients as module
from corruptlab.capacity.kernels._conjugate_gradients import (
    Iterate,
    Preconditioner,
    conjugate_gradients,
    partial_cholesky,
)
from tests.capacity.kernels.cases import (
    Floats,
    gram,
    labels,
    numbers,
    of_matrix,
    points,
    positive_definite,
)

GAUSSIAN = GaussianKernel(0.3)


def fit(solver: str, **settings: Any) -> KernelFit:
    settings = {"dtype": torch.float64, "block": 50, "rank": 40, **settings}
    interpolant = KernelInterpolant(GAUSSIAN, solver=solver, **settings)  # type: ignore[arg-type]
    return interpolant.fit(points(120), labels(120), num_classes=3)


def iterate(matrix: Tensor, targets: Tensor, goal: float = 1e-12, **settings: Any) -> Iterate:
    settings = {"precondition": lambda r: r, "iterations": 500, **settings}
    return conjugate_gradients(
        lambda v: matrix @ v,
        targets,
        goal=goal * targets.norm(dim=0),
        line=Progress(1, "", show=False),
        **settings,
    )


def test_iteration_solves_each_column_by_itself() -> None:
    matrix, wanted = positive_definite(30), points(30, 3, seed=4)
    wanted[:, 1] *= 1e6
    wanted[:, 2] = 0
    reached = iterate(matrix, matrix @ wanted)
    assert_allclose(reached.solution.numpy(), wanted.numpy(), rtol=1e-8, atol=1e-9)
    assert not reached.interrupted
    alone = iterate(matrix, matrix @ wanted[:, 1:2])
    assert_allclose(reached.solution[:, 1:2].numpy(), alone.solution.numpy(), rtol=1e-9)


def test_column_that_is_solved_rests_while_others_go_on() -> None:
    matrix, targets = positive_definite(30), points(30, 2)
    goal = torch.tensor([1e-2, 1e-12], dtype=torch.float64) * targets.norm(dim=0)
    both = conjugate_gradients(
        lambda v: matrix @ v,
        targets,
        precondition=lambda r: r,
        goal=goal,
        iterations=500,
        line=Progress(1, "", show=False),
    )
    alone = iterate(matrix, targets[:, :1], goal=1e-2)
    assert alone.iterations < both.iterations
    assert_allclose(both.solution[:, :1].numpy(), alone.solution.numpy(), rtol=1e-9)


def test_iterations_are_as_many_as_there_are_eigenvalues() -> None:
    basis = torch.linalg.qr(points(30, 30)).Q
    spectrum = torch.tensor([1.0, 5.0, 20.0], dtype=torch.float64).repeat(10)
    matrix = (basis * spectrum) @ basis.T
    assert iterate(matrix, points(30, 2, seed=1), goal=1e-10).iterations == 3
    exact = iterate(
        matrix, points(30, 2, seed=1), precondition=lambda r: torch.linalg.solve(matrix, r)
    )
    assert exact.iterations == 1


def test_iteration_ends_where_it_is_told_to() -> None:
    matrix, targets = positive_definite(30, least=1e-3), points(30, 2)
    rough = iterate(matrix, targets, goal=1e-2)
    left = (targets - matrix @ rough.solution).norm(dim=0) / targets.norm(dim=0)
    assert 1e-4 < float(left.max()) <= 1e-2
    assert iterate(matrix, targets, iterations=4).iterations == 4


def test_directions_that_are_not_positive_stop_the_column() -> None:
    matrix = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64))
    targets = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    reached = iterate(matrix, targets)
    assert_allclose(reached.solution[:, 0].numpy(), [1, 2, 0], atol=1e-12)
    assert not reached.solution[:, 1].any()
    assert reached.iterations == 2


def test_fit_equals_the_direct_one_to_its_tolerance() -> None:
    direct = fit("cholesky")
    close = fit("cg", tolerance=1e-10)
    assert close.stopped_by == "solved"
    assert close.iterations > 0
    assert_allclose(close.coefficients.numpy(), direct.coefficients.numpy(), atol=1e-6)
    new = points(50, seed=7)
    assert_allclose(close.predict(new).numpy(), direct.predict(new).numpy(), atol=1e-7)
    assert close.norm == pytest.approx(direct.norm, rel=1e-6)


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_true_residual_is_below_the_tolerance_by_column(
    dtype: torch.dtype, tolerance: float
) -> None:
    reached = fit("cg", tolerance=tolerance, dtype=dtype, refinements=3)
    x, y = reached.points.double(), np.eye(3)[labels(120).numpy()]
    left = y - gram("gaussian", x, x) @ reached.coefficients.numpy()
    assert reached.stopped_by == "solved"
    assert (np.linalg.norm(left, axis=0) <= tolerance * np.linalg.norm(y, axis=0)).all()
    assert np.abs(left).max() == pytest.approx(reached.residual, rel=1e-3)


@pytest.mark.parametrize("block", [7, 40, 100])
def test_products_in_tiles_are_the_products(block: int) -> None:
    whole, cut = (fit("cg", block=size, rank=120, tolerance=1e-11) for size in (1000, block))
    assert_allclose(cut.coefficients.numpy(), whole.coefficients.numpy(), rtol=0, atol=1e-8)
    x, y = cut.points, np.eye(3)[labels(120).numpy()]
    left = y - gram("gaussian", x, x) @ cut.coefficients.numpy()
    assert cut.residual == pytest.approx(np.abs(left).max(), abs=1e-13)


@pytest.mark.slow(seconds=1)
def test_fit_that_is_close_enough_is_not_refined() -> None:
    assert len(fit("cg", refinements=5).residuals) == 1
    with pytest.warns(RuntimeWarning, match="stalled"):
        assert len(fit("cg", tolerance=1e-17, refinements=5).residuals) > 1


@pytest.mark.parametrize(("gamma", "n", "d"), [(1e-9, 60, 192), (0.01, 150, 5), (1.0, 150, 2)])
def test_nearly_singular_matrix_gives_the_best_iterate_and_a_warning(
    gamma: float, n: int, d: int
) -> None:
    x, y = points(n, d).float(), labels(n)
    interpolant = KernelInterpolant(GaussianKernel(gamma), solver="cg", max_iterations=200)
    with pytest.warns(
        RuntimeWarning,
        match=r"^Conjugate gradients stalled at a residual of (1|0\.\d+) of the targets after \d+ "
        r"iterations: in float32 the kernel matrix is nearly singular, .* a `ridge`, ",
    ):
        stalled = interpolant.fit(x, y, num_classes=3)
    assert stalled.stopped_by == "stalled"
    left = np.eye(3)[y.numpy()] - gram_of(gamma, x) @ stalled.coefficients.numpy()
    sizes = np.bincount(y.numpy()) ** 0.5  # where it begins: the residual of 0
    assert (np.linalg.norm(left, axis=0) <= sizes * (1 + 1e-6)).all()
    assert stalled.residual == pytest.approx(np.abs(left).max(), rel=1e-3)
    assert stalled.norm < 1e4


def gram_of(gamma: float, x: Tensor) -> Floats:
    return np.asarray(GaussianKernel(gamma)(x.double(), x.double()).numpy())


def test_targets_beyond_the_type_are_not_blamed_on_the_kernel() -> None:
    interpolant = KernelInterpolant(GAUSSIAN, solver="cg", max_iterations=50)
    with pytest.warns(RuntimeWarning, match="stalled"):
        fit = interpolant.fit(points(), 1e60 * points(40, 1)[:, 0])
    assert bool(fit.coefficients.isfinite().all())


def test_kernel_that_is_not_finite_is_said() -> None:
    matrix = positive_definite(40)
    matrix[20, 30] = matrix[30, 20] = torch.inf  # not among those that are tried before the work
    interpolant = KernelInterpolant(of_matrix(matrix), solver="cg", rank=0)
    with pytest.raises(ValueError, match=r"^`kernel` must be finite, got nan or inf on the points"):
        interpolant.fit(numbers(40), labels(), num_classes=3)


def test_ridge_is_part_of_the_iterated_system() -> None:
    close, direct = fit("cg", tolerance=1e-11, ridge=0.3), fit("cholesky", ridge=0.3)
    assert_allclose(close.coefficients.numpy(), direct.coefficients.numpy(), atol=1e-9)


def test_fit_that_runs_out_of_iterations_says_so() -> None:
    with pytest.warns(RuntimeWarning, match=r"^Conjugate gradients stalled .* after 3 iterations"):
        short = fit("cg", tolerance=1e-10, max_iterations=3)
    assert (short.stopped_by, short.iterations) == ("stalled", 3)
    assert short.residual > 1e-3
    assert "cg in float64, stalled," in repr(short)
    assert list(short.seconds) == ["preconditioner", "solve", "residual"]
    assert short.gflops_per_second is None


def test_interrupt_keeps_the_iterate() -> None:
    left = [14]  # pressed once, some iterations into the solution

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return GAUSSIAN(a, b)

    settings: dict[str, Any] = {"dtype": torch.float64, "rank": 0, "solver": "cg", "block": 1000}
    stopped = KernelInterpolant(kernel, **settings).fit(points(), labels(), num_classes=3)
    assert stopped.stopped_by == "interrupted"
    assert 1 < stopped.iterations <= 14
    assert 0 < stopped.residual < 1


@pytest.mark.slow(seconds=1)
def test_preconditioner_saves_iterations_and_full_rank_all_but_one() -> None:
    counts = [fit("cg", rank=rank).iterations for rank in (0, 40, 80, 120)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 2 * counts[2]
    assert counts[3] <= 5


def test_partial_factor_agrees_with_the_matrix_on_its_pivots_and_stays_below_it() -> None:
    x = points()
    whole = gram("gaussian", x, x)
    factor, left = partial_cholesky(GAUSSIAN, x, rank=13, seed=0)
    rest = whole - (factor @ factor.T).numpy()
    assert factor.shape == (40, 13)
    assert_allclose(np.diag(rest), left.numpy(), atol=1e-12)
    assert int((left == 0).sum()) == 13
    assert np.abs(rest[left.numpy() == 0]).max() < 1e-12  # pivot rows are exact
    assert np.linalg.eigvalsh(rest)[0] > -1e-12


def test_partial_factor_of_full_rank_is_the_matrix() -> None:
    factor, left = partial_cholesky(GAUSSIAN, points(), rank=40, seed=0)
    whole = gram("gaussian", points(), points())
    assert_allclose((factor @ factor.T).numpy(), whole, atol=1e-12)
    assert not left.any()


def test_factor_ends_when_nothing_is_left() -> None:
    factor, left = partial_cholesky(LinearKernel(), points(40, 4), rank=30, seed=0)
    assert factor.shape == (40, 4)
    assert not left.any()


def test_seed_decides_the_pivots() -> None:
    one, same, other = (
        partial_cholesky(GAUSSIAN, points(), rank=9, seed=seed)[0] for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def naive_pivots(matrix: Floats, rank: int, seed: int, group: int) -> list[int]:
    """Draw pivots one by one from the dense matrix, each step of elimination written out."""
    rest, draws, proposed = matrix.copy(), Draws(seed), 0
    pivots: list[int] = []
    while len(pivots) < rank:
        ids = range(proposed, proposed + min(group, rank - len(pivots)))
        proposed = ids.stop
        before = rest.diagonal().copy()
        shares = before.cumsum()
        places = draws.uniform("kernels/pivot", ids) * shares[-1]
        for place, u in zip(places, draws.uniform("kernels/keep", ids), strict=True):
            pivot = int((shares <= place).sum())
            now = rest[pivot, pivot]
            if u * before[pivot] < now:
                pivots.append(pivot)
                rest -= np.outer(rest[:, pivot], rest[pivot]) / now
                rest[pivot] = rest[:, pivot] = 0  # which rounding may have missed
    return pivots


@pytest.mark.parametrize("group", [1, 6, 128])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pivots_equal_those_of_a_naive_loop(
    seed: int, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PROPOSALS", group)
    x = points(40, 2)
    _, left = partial_cholesky(GAUSSIAN, x, rank=12, seed=seed)
    expected = naive_pivots(gram("gaussian", x, x), 12, seed, group)
    assert sorted(expected) == (left == 0).nonzero().flatten().tolist()


@pytest.mark.slow
def test_pivots_proposed_in_groups_follow_the_law_of_single_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Diagonal 4, 4, 1, 1; the first two points are nearly one: K = [[4, c], [c, 4]], c = 3.6.
    matrix = torch.diag(torch.tensor([4.0, 4.0, 1.0, 1.0], dtype=torch.float64))
    matrix[0, 1] = matrix[1, 0] = 3.6

    def pair(seed: int) -> frozenset[int]:
        _, left = partial_cholesky(of_matrix(matrix), numbers(4), rank=2, seed=seed)
        return frozenset(int(i) for i in (left == 0).nonzero())

    rest = 4 - 3.6**2 / 4  # what is left of one of the two after the other
    expected = {
        frozenset({0, 1}): 2 * 0.4 * rest / (rest + 2),
        frozenset({2, 3}): 2 * 0.1 * 1 / 9,
        **{frozenset({i, j}): 0.4 / (rest + 2) + 0.1 * 4 / 9 for i in (0, 1) for j in (2, 3)},
    }
    draws = 400
    for proposals in (1, 128):
        monkeypatch.setattr(module, "_PROPOSALS", proposals)
        pairs = [pair(seed) for seed in range(draws)]
        counts = [pairs.count(pair) for pair in expected]
        assert sum(counts) == draws
        assert chisquare(counts, [draws * p for p in expected.values()]).pvalue > 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_matrix_that_is_seen_to_be_indefinite_is_one_error(dtype: torch.dtype) -> None:
    x = numbers(3).to(dtype)
    kernel = of_matrix(torch.tensor([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    with pytest.raises(NotPositiveDefiniteError, match=r"got pivot -3 at point [01] of 3 in float"):
        partial_cholesky(kernel, x, rank=3, seed=0)
    for rank in (0, 3):
        with pytest.raises(NotPositiveDefiniteError, match=r"got pivot -4 at point 2 of 3"):
            partial_cholesky(lambda a, b: -(a @ b.T), x, rank=rank, seed=0)


@pytest.mark.parametrize("where", ["on the diagonal", "beside it"])
def test_matrix_that_is_not_finite_is_one_error(where: str) -> None:
    def kernel(a: Tensor, b: Tensor) -> Tensor:
        same = a[:, None, 0] == b[None, :, 0]
        return GAUSSIAN(a, b).masked_fill_(same == (where == "on the diagonal"), torch.nan)

    with pytest.raises(ValueError, match=r"^`kernel` must be finite, got nan or inf on the points"):
        partial_cholesky(kernel, points(), rank=5, seed=0)


@pytest.mark.parametrize("rank", [0, 3, 40])
@pytest.mark.parametrize("ridge", [0.0, 0.2])
def test_preconditioner_is_the_inverse_it_says(rank: int, ridge: float) -> None:
    x = points()
    approximate = Preconditioner(GAUSSIAN, x, ridge=ridge, rank=rank, seed=0)
    factor, left = partial_cholesky(GAUSSIAN, x, rank=rank, seed=0)
    delta = ridge + max(float(left.mean()), 2**-26)
    inverse = torch.linalg.inv(factor @ factor.T + delta * torch.eye(40, dtype=torch.float64))
    vectors = points(40, 2, seed=3)
    assert_allclose(approximate(vectors), inverse @ vectors, rtol=1e-6, atol=1e-7)


def test_more_columns_bring_the_spectrum_together() -> None:
    x = points()
    whole = torch.from_numpy(gram("gaussian", x, x))

    def spread(rank: int) -> float:
        approximate = Preconditioner(GAUSSIAN, x, ridge=0.0, rank=rank, seed=0)
        spectrum = torch.linalg.eigvals(approximate(whole)).real
        return float(spectrum.max() / spectrum.min())

    spreads = [spread(rank) for rank in (0, 10, 20, 40)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[0] == pytest.approx(float(torch.linalg.cond(whole)), rel=1e-6)
    assert spreads[-1] < 1.01


def test_it_is_symmetric_and_positive_definite_in_float32_too() -> None:
    x = points().float()
    inverse = Preconditioner(GAUSSIAN, x, ridge=0.0, rank=25, seed=0)(torch.eye(40).double())
    assert inverse.dtype is torch.float64
    assert_allclose(inverse.numpy(), inverse.T.numpy(), atol=1e-5 * float(inverse.abs().max()))
    assert float(torch.linalg.eigvalsh((inverse + inverse.T) / 2)[0]) > 0


def test_rows_are_summed_up_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = points(40, 2, seed=3)
    whole = Preconditioner(GAUSSIAN, points(), ridge=0.1, rank=25, seed=0)(vectors)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 7)
    cut = Preconditioner(GAUSSIAN, points(), ridge=0.1, rank=25, seed=0)(vectors)
    assert_allclose(cut.numpy(), whole.numpy(), rtol=1e-9)
