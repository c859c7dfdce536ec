"""Conjugate gradients reach the direct solution without a matrix, and a preconditioner helps."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from corruptlab._progress import Progress
from corruptlab.capacity.kernels import GaussianKernel, KernelFit, KernelInterpolant
from corruptlab.capacity.kernels._conjugate_gradients import Iterate, conjugate_gradients
from tests.capacity.kernels.cases import gram, labels, points, positive_definite

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


def test_ridge_is_part_of_the_iterated_system() -> None:
    close, direct = fit("cg", tolerance=1e-11, ridge=0.3), fit("cholesky", ridge=0.3)
    assert_allclose(close.coefficients.numpy(), direct.coefficients.numpy(), atol=1e-9)


def test_fit_that_runs_out_of_iterations_says_so() -> None:
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


def test_preconditioner_saves_iterations_and_full_rank_all_but_one() -> None:
    counts = [fit("cg", rank=rank).iterations for rank in (0, 40, 80, 120)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 2 * counts[2]
    assert counts[3] <= 5
