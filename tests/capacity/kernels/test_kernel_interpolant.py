"""A fit interpolates, equals a dense solve, and says what is wrong before it starts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor

from corruptlab.capacity.kernels import (
    GaussianKernel,
    Kernel,
    KernelFit,
    KernelInterpolant,
    LinearKernel,
    NotPositiveDefiniteError,
)
from tests.capacity.kernels.cases import KERNELS, Floats, gram, labels, points, unstored

DEFINITE = ["gaussian", "laplace"]
GAUSSIAN = GaussianKernel(0.3)


def interpolant(kernel: Kernel = GAUSSIAN, **settings: Any) -> KernelInterpolant:
    return KernelInterpolant(kernel, **{"dtype": torch.float64, "block": 11, **settings})


def one_hot(y: Tensor, classes: int = 3) -> Floats:
    return np.asarray(np.eye(classes)[y.numpy()])


@pytest.mark.parametrize("block", [7, 40, 1000])
@pytest.mark.parametrize("name", DEFINITE)
def test_fit_equals_a_dense_solve_in_numpy(name: str, block: int) -> None:
    x, y, new = points(), labels(), points(9, seed=5)
    fit = interpolant(KERNELS[name][0], block=block).fit(x, y, num_classes=3)
    alpha = np.linalg.solve(gram(name, x, x), one_hot(y))
    assert_allclose(fit.coefficients.numpy(), alpha, rtol=0, atol=1e-9 * np.abs(alpha).max())
    assert_allclose(fit.predict(new).numpy(), gram(name, new, x) @ alpha, rtol=0, atol=1e-9)
    assert_array_equal(fit.classify(new).numpy(), (gram(name, new, x) @ alpha).argmax(1))


@pytest.mark.parametrize("block", [1, 7, 40, 100])
@pytest.mark.parametrize("name", list(KERNELS))
def test_ridge_is_the_closed_form_of_every_kernel(name: str, block: int) -> None:
    x, y = points(), points(40, 2, seed=3)
    fit = interpolant(KERNELS[name][0], ridge=0.7, block=block).fit(x, y)
    alpha = np.linalg.solve(gram(name, x, x) + 0.7 * np.eye(40), y.numpy())
    assert_allclose(fit.coefficients.numpy(), alpha, rtol=1e-9, atol=1e-9)


def test_random_labels_are_interpolated_exactly() -> None:
    x, y = points(200), labels(200)
    fit = interpolant().fit(x, y, num_classes=3)
    assert_allclose(fit.predict(x).numpy(), one_hot(y), rtol=0, atol=1e-10)
    assert fit.error(x, y) == 0
    assert fit.residual < 1e-10


def test_float32_interpolates_to_its_own_precision_and_stays_in_it() -> None:
    x, y = points(200).float(), labels(200)
    fit = interpolant(dtype=torch.float32).fit(x, y, num_classes=3)
    assert fit.predict(x).dtype is torch.float32
    assert_allclose(fit.predict(x).numpy(), one_hot(y), rtol=0, atol=1e-3)
    assert fit.estimate.dtype == "float32"


@pytest.mark.parametrize("refinements", [0, 1, 2])
def test_refinement_lowers_the_residual_far_below_float32(refinements: int) -> None:
    x, y = points(300, 3), labels(300)
    narrow = GaussianKernel(3.0)
    fit = interpolant(narrow, dtype=torch.float32, refinements=refinements).fit(x, y, num_classes=3)
    assert len(fit.residuals) <= refinements + 1
    direct = gram_of(narrow, x.float().double()) @ fit.coefficients.numpy()
    assert_allclose(np.abs(one_hot(y) - direct).max(), fit.residual, rtol=1e-3, atol=1e-12)
    if refinements:
        assert fit.residuals[1] < 0.01 * fit.residuals[0]


def test_refinement_that_does_not_help_is_dropped() -> None:
    fit = interpolant(refinements=50).fit(points(), labels(), num_classes=3)
    again = interpolant(refinements=0).fit(points(), labels(), num_classes=3)
    assert len(fit.residuals) < 51
    assert fit.residuals[0] == again.residual
    assert fit.residual == min(fit.residuals)
    kept = gram("gaussian", points(), points()) @ fit.coefficients.numpy()
    assert np.abs(one_hot(labels()) - kept).max() < 1e-12


def test_each_pair_of_tiles_is_computed_once_for_a_residual_in_float64() -> None:
    pairs = []

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        if a.dtype == torch.float64:
            pairs.append((float(a[0, 0]), float(b[0, 0])))
        return GAUSSIAN(a, b)

    x = torch.arange(40.0)[:, None]
    interpolant(kernel, dtype=torch.float32, block=10, refinements=0).fit(x, x[:, 0])
    assert sorted(pairs) == [(i, j) for i in (0, 10, 20, 30) for j in range(0, i + 1, 10)]


def test_images_are_flattened_and_bytes_are_shares_of_255() -> None:
    images = torch.randint(0, 256, (30, 1, 3, 4), generator=torch.Generator().manual_seed(0))
    bytes_, y = images.to(torch.uint8), labels(30)
    fit = interpolant().fit(bytes_, y, num_classes=3)
    same = interpolant().fit(images.flatten(1).double() / 255, y, num_classes=3)
    assert torch.equal(fit.coefficients, same.coefficients)
    assert torch.equal(fit.predict(bytes_[:5]), same.predict(bytes_[:5].flatten(1).double() / 255))


@pytest.mark.parametrize("form", [np.asarray, torch.as_tensor, lambda x: np.asarray(x).tolist()])
def test_arrays_tensors_and_lists_are_the_same(form: Callable[[Any], Any]) -> None:
    fit = interpolant().fit(form(points()), form(labels()), num_classes=3)
    assert torch.equal(
        fit.coefficients, interpolant().fit(points(), labels(), num_classes=3).coefficients
    )


def test_arrays_may_be_read_backwards() -> None:
    backwards = interpolant().fit(points().numpy()[::-1], labels().numpy()[::-1], num_classes=3)
    same = interpolant().fit(points().flip(0), labels().flip(0), num_classes=3)
    assert torch.equal(backwards.coefficients, same.coefficients)
    one = interpolant().fit(points().numpy()[:1][::-1], [1.0])  # which counts as contiguous
    assert one.residual < 1e-12


def test_gradients_are_not_followed_through_a_fit() -> None:
    x, y = points().requires_grad_(), points(40, 2, seed=3).requires_grad_()
    fit = interpolant().fit(x, y)
    assert not fit.coefficients.requires_grad
    assert not fit.predict(x).requires_grad


def test_read_only_arrays_pass_without_a_warning() -> None:
    x = points().numpy()
    x.flags.writeable = False
    assert interpolant().fit(x, labels(), num_classes=3).error(x, labels()) == 0


def test_fit_keeps_nothing_of_the_users_memory_and_changes_nothing_in_it() -> None:
    x, y = points(), points(40, 2, seed=3)
    fit = interpolant().fit(x, y)
    assert torch.equal(x, points())
    assert torch.equal(y, points(40, 2, seed=3))
    before = fit.predict(points(3, seed=8))
    x.zero_()
    assert torch.equal(fit.predict(points(3, seed=8)), before)


def test_same_fit_has_the_same_bits_and_moves_no_generator() -> None:
    state = torch.get_rng_state()
    one, two = (
        interpolant(dtype=torch.float32).fit(points(), labels(), num_classes=3) for _ in range(2)
    )
    assert torch.equal(one.coefficients, two.coefficients)
    assert torch.equal(torch.get_rng_state(), state)


def test_own_functions_are_kernels() -> None:
    def own(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-0.3 * torch.cdist(a, b) ** 2)

    fit = interpolant(own).fit(points(), labels(), num_classes=3)
    same = interpolant().fit(points(), labels(), num_classes=3)
    assert_allclose(fit.coefficients.numpy(), same.coefficients.numpy(), rtol=1e-8, atol=1e-8)
    assert fit.to_dict()["kernel"] == {"name": "own"}


def test_equal_points_with_equal_targets_count_once() -> None:
    x, y = points(), labels()
    twice, both = torch.cat([x, x[3:5], -0.0 * x[:1] + x[:1]]), torch.cat([y, y[3:5], y[:1]])
    fit = interpolant().fit(twice, both, num_classes=3)
    assert fit.num_merged == 3
    assert torch.equal(fit.coefficients, interpolant().fit(x, y, num_classes=3).coefficients)
    assert fit.error(twice, both) == 0


def test_zeros_of_either_sign_are_equal_points() -> None:
    x = torch.tensor([[0.0, 1.0], [-0.0, 1.0], [2.0, 0.0]])
    assert interpolant().fit(x, [1, 1, 0], num_classes=2).num_merged == 1


def test_equal_points_with_other_targets_are_named() -> None:
    x, y = points(), labels() % 2
    x[31], y[31], y[17] = x[17], 0, 1
    text = (
        r"^`y` must be equal on equal points, got class 1 and class 0 for points 17 and 31 of `x`, "
        r"which are the same: drop one, or use a `ridge`\.$"
    )
    with pytest.raises(ValueError, match=text):
        interpolant().fit(x, y, num_classes=2)
    with pytest.raises(ValueError, match=r"got 0\.5 and 2 for points 0 and 1 of"):
        interpolant().fit([[1.0], [1.0]], [0.5, 2.0])
    with pytest.raises(
        ValueError, match=r"got \[0\.0, 1\.0\] and \[1\.0, 1\.0\] for points 0 and 1"
    ):
        interpolant().fit([[1.0], [1.0]], [[0.0, 1.0], [1.0, 1.0]])


def test_ridge_averages_over_equal_points() -> None:
    fit = interpolant(ridge=1e-6).fit([[1.0], [1.0], [9.0]], [0.0, 1.0, 3.0])
    assert fit.num_merged == 0
    assert float(fit.predict([[1.0]])) == pytest.approx(0.5, abs=1e-5)


def test_points_that_become_equal_by_rounding_are_equal() -> None:
    x, y = torch.tensor([[1.0], [1.0 + 1e-12]], dtype=torch.float64), torch.tensor([0, 1])
    with pytest.raises(ValueError, match=r"points 0 and 1 of `x`, which are the same"):
        interpolant(dtype=torch.float32).fit(x, y, num_classes=2)


def test_matrix_that_is_not_positive_definite_is_one_error_with_the_pivot() -> None:
    x = torch.cat([torch.eye(4, dtype=torch.float64), points(8, 4).clamp(-1, 1)])
    with pytest.raises(NotPositiveDefiniteError, match=r"at point 4 of 12 in float64") as caught:
        interpolant(LinearKernel()).fit(x, labels(12), num_classes=3)
    assert caught.value.pivot == 4
    assert abs(caught.value.value) < 1e-12
    fit = interpolant(LinearKernel(), ridge=1e-3).fit(x, labels(12), num_classes=3)
    assert fit.stopped_by == "solved"


def test_progress_tells_the_cost_first(capsys: pytest.CaptureFixture[str]) -> None:
    interpolant().fit(points(), labels(), num_classes=3, progress=True)
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("kernel fit: estimate  1/1  cholesky in float64 on cpu: 40 points, ")
    assert first.endswith(" s")
    interpolant().fit(points(), labels(), num_classes=3)
    assert capsys.readouterr() == ("", "")


class Interrupting:
    """A kernel during which Ctrl-C is pressed: at its ``at``-th use in a type."""

    def __init__(self, at: int, dtype: torch.dtype) -> None:
        self.left, self.dtype = at, dtype

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        if a.dtype == self.dtype:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return GaussianKernel(3.0)(a, b)


def interrupted(kernel: Interrupting, *, stored: bool = False, **settings: Any) -> KernelFit:
    made = interpolant(kernel, **{"dtype": torch.float32, "block": 1000, **settings})
    made = made if stored else unstored(made, 300, 3)
    return made.fit(points(300, 3), labels(300), num_classes=3)


@pytest.mark.parametrize("stored", [False, True])
def test_interrupt_during_the_matrix_passes_through(stored: bool) -> None:
    at, dtype = (1, torch.float64) if stored else (3, torch.float32)
    with pytest.raises(KeyboardInterrupt):
        interrupted(Interrupting(at, dtype), stored=stored)


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("ridge", [0.0, 0.7])
@pytest.mark.parametrize("block", [7, 60, 1000])
def test_stored_matrix_gives_what_tiles_give(block: int, ridge: float, dtype: torch.dtype) -> None:
    kernel = GaussianKernel(30.0)
    made = interpolant(kernel, block=block, ridge=ridge, dtype=dtype, refinements=2)
    x, y = points(300, 3), labels(300)
    stored, tiled = (each.fit(x, y, num_classes=3) for each in (made, unstored(made, 300, 3)))
    assert_allclose(stored.coefficients, tiled.coefficients, rtol=0, atol=1e-9)
    assert_allclose(stored.norms, tiled.norms, rtol=1e-9)
    assert stored.residual < 1e-11
    first = replace(made, refinements=0).fit(x, y, num_classes=3)
    system = kernel(first.points.double(), first.points.double())
    system.diagonal().add_(ridge)
    left = one_hot(y) - (system @ first.coefficients).numpy()
    assert_allclose(np.abs(left).max(), first.residual, rtol=0, atol=1e-12)


def test_stored_matrix_is_evaluated_once_whatever_the_refinements() -> None:
    def evaluated(refinements: int) -> int:
        pairs = 0

        def counting(a: Tensor, b: Tensor) -> Tensor:
            nonlocal pairs
            pairs += len(a) * len(b)
            return GaussianKernel(3.0)(a, b)

        made = interpolant(counting, dtype=torch.float32, block=30, refinements=refinements)
        made.fit(points(300, 3), labels(300), num_classes=3)
        return pairs

    tried = 2 * 8 * 8  # of a few points, before the work
    assert evaluated(0) == evaluated(2) == tried + 300 * 330 // 2


@pytest.mark.parametrize("stored", [False, True])
def test_kernel_that_is_not_finite_above_the_diagonal_is_an_error(stored: bool) -> None:
    def hole(a: Tensor, b: Tensor) -> Tensor:  # which no factorization reads
        return GaussianKernel(30.0)(a, b).masked_fill_((a[:, :1] < 20) & (b[:, 0] > 30), torch.inf)

    x = torch.arange(40.0)[:, None]
    made = interpolant(hole, block=1000)
    made = made if stored else unstored(made, 40, 1, num_outputs=1)
    message = r"^`kernel` must be finite, got nan or inf on the points of `x`\.$"
    with pytest.raises(ValueError, match=message):
        made.fit(x, x[:, 0])


def test_interrupt_during_refinement_keeps_the_solution_so_far() -> None:
    fit = interrupted(Interrupting(2, torch.float64))
    whole = interrupted(Interrupting(-1, torch.float64), refinements=0)
    assert (fit.stopped_by, len(fit.residuals)) == ("interrupted", 1)
    assert torch.equal(fit.coefficients, whole.coefficients)
    assert "interrupted" in repr(fit)


def gram_of(kernel: Kernel, x: Tensor) -> Floats:
    return np.asarray(kernel(x, x).numpy())


def fit_with(**settings: Any) -> KernelFit:
    return interpolant(**settings).fit(points(), labels(), num_classes=3)


def test_bad_settings_are_quoted() -> None:
    with pytest.raises(TypeError, match=r"^`kernel` must be a function of two points, got 3\.$"):
        KernelInterpolant(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^`ridge` must be at least 0, got -1\.$"):
        fit_with(ridge=-1)
    with pytest.raises(ValueError, match=r"^`ridge` must be finite, got nan\.$"):
        fit_with(ridge=float("nan"))
    with pytest.raises(
        ValueError, match=r"^`dtype` must be torch\.float32 or torch\.float64, got torch\.float16"
    ):
        fit_with(dtype=torch.float16)
    with pytest.raises(ValueError, match=r"^`solver` must be one of \('auto', .*, got 'lu'\.$"):
        fit_with(solver="lu")
    with pytest.raises(ValueError, match=r"^`memory` must be above 0, got 0\.$"):
        fit_with(memory=0)
    with pytest.raises(ValueError, match=r"^`tolerance` must be above 0, got 0\.$"):
        fit_with(tolerance=0)
    for name in ("refinements", "rank", "seed"):
        with pytest.raises(ValueError, match=rf"^`{name}` must be at least 0, got -1\.$"):
            fit_with(**{name: -1})
    for name in ("block", "max_iterations"):
        with pytest.raises(ValueError, match=rf"^`{name}` must be at least 1, got 0\.$"):
            fit_with(**{name: 0})
    with pytest.raises(
        ValueError, match=r"^`device` must be usable on this machine, got 'cuda:99'"
    ):
        fit_with(device="cuda:99")


def test_bad_points_are_quoted() -> None:
    def fit(x: Any) -> KernelFit:
        return interpolant().fit(x, labels(), num_classes=3)

    bad = points()
    bad[7, 2] = torch.inf
    with pytest.raises(ValueError, match=r"^`x` must be finite, got nan or inf in row 7\.$"):
        fit(bad)
    with pytest.raises(ValueError, match=r"^`x` must have shape \(n, d\) .*, got \(40,\)\.$"):
        fit(points()[:, 0])
    with pytest.raises(ValueError, match=r"^`x` must have shape \(n, d\) .*, got \(0, 5\)\.$"):
        fit(points()[:0])
    with pytest.raises(TypeError, match=r"^`x` must hold real numbers, got torch\.complex128\.$"):
        fit(points().to(torch.complex128))
    with pytest.raises(TypeError, match=r"^`x` must hold real numbers, got torch\.bool\.$"):
        fit(points() > 0)
    with pytest.raises(TypeError, match=r"^`x` must hold numbers, got \[\['a'\]\]\.$"):
        fit([["a"]])
    with pytest.raises(TypeError, match=r"^`x` must hold numbers, got an array of object\.$"):
        fit(np.array([[None]]))


def test_bad_targets_are_quoted() -> None:
    def fit(y: Any, **classes: Any) -> KernelFit:
        return interpolant().fit(points(), y, **classes)

    with pytest.raises(
        ValueError, match=r"^`y` must hold one target for each of the 40 inputs, got 39\.$"
    ):
        fit(labels()[:39], num_classes=3)
    with pytest.raises(ValueError, match=r"^`y` must hold one target for each .*, got 41\.$"):
        fit(labels(41), num_classes=3)
    with pytest.raises(ValueError, match=r"^`y` must lie in 0 \.\. 2, got -1 at position 0\.$"):
        fit(labels().index_fill(0, torch.tensor([0]), -1), num_classes=3)
    with pytest.raises(
        TypeError, match=r"^`num_classes` must be given for integer labels, got None"
    ):
        fit(labels())
    with pytest.raises(TypeError, match=r"^`num_classes` must be None for real targets, got 3\.$"):
        fit(labels().double(), num_classes=3)
    with pytest.raises(ValueError, match=r"^`y` must lie in 0 \.\. 1, got 2 at position \d+\.$"):
        fit(labels(), num_classes=2)
    with pytest.raises(ValueError, match=r"^`num_classes` must be at least 1, got 0\.$"):
        fit(labels(), num_classes=0)
    with pytest.raises(
        ValueError, match=r"^`y` must have shape \(n,\) for integer labels, got \(40, 1\)\.$"
    ):
        fit(labels()[:, None], num_classes=3)
    with pytest.raises(ValueError, match=r"^`y` must have shape \(n,\) or \(n, k\), got \(40, 0\)"):
        fit(torch.zeros(40, 0))
    bad = points(40, 2)
    bad[5, 1] = torch.nan
    with pytest.raises(ValueError, match=r"^`y` must be finite, got nan or inf in row 5\.$"):
        fit(bad)


def test_what_a_kernel_returns_is_checked_before_the_work() -> None:
    def fit(kernel: Any) -> KernelFit:
        return interpolant(kernel).fit(points(), labels(), num_classes=3)

    with pytest.raises(
        TypeError, match=r"^`kernel` must return a float64 tensor .*, got float32\.$"
    ):
        fit(lambda a, b: (a @ b.T).float())
    with pytest.raises(TypeError, match=r"^`kernel` must return a float64 .*, got ndarray\.$"):
        fit(lambda a, b: (a @ b.T).numpy())
    with pytest.raises(
        ValueError, match=r"^`kernel` must return a matrix of shape \(8, 8\), got \(8,\)\.$"
    ):
        fit(lambda a, b: (a * b).sum(1))
    with pytest.raises(ValueError, match=r"^`kernel` must be finite, got nan or inf"):
        fit(lambda a, b: (a @ b.T).log())
    with pytest.raises(ValueError, match=r"^`kernel` must be symmetric, got matrices .* differ by"):
        fit(lambda a, b: a @ b.T + a[:, :1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("solver", ["cholesky", "cg"])
def test_gpu_agrees_with_the_cpu(solver: str) -> None:
    settings = {"solver": solver, "tolerance": 1e-9}
    here, there = (fit_with(**settings, device=device) for device in ("cpu", "cuda"))
    assert there.points.device.type == there.predict(points(3)).device.type == "cuda"
    assert_allclose(there.coefficients.cpu(), here.coefficients, rtol=0, atol=1e-6)
    assert there.error(points(), labels()) == 0
