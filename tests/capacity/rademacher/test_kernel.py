"""Balls of kernels: all signs, the linear kernel, and matrices that are none of a kernel."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from corruptlab.capacity.rademacher import Convention, Estimate, kernel, linear
from tests.capacity.rademacher.naive import Floats, exact, points, rkhs


def dot(a: Tensor, b: Tensor) -> Tensor:
    return a.flatten(1) @ b.flatten(1).T


def gaussian_gram(x: Floats) -> Floats:
    return np.asarray(np.exp(-((x[:, None] - x[None]) ** 2).sum(-1) / 2))


def gaussian(a: Tensor, b: Tensor) -> Tensor:
    return torch.exp(-(torch.cdist(a, b) ** 2) / 2)


def same(one: Estimate, other: Estimate, rtol: float = 1e-9) -> None:
    assert_allclose(one.sups, other.sups, rtol=rtol)
    assert_allclose(one.scale or 0, other.scale or 0, rtol=rtol)
    for a, b in ((one.lower_bound, other.lower_bound), (one.upper_bound, other.upper_bound)):
        assert a is not None
        assert b is not None
        assert_allclose(a.value, b.value, rtol=rtol)


@pytest.mark.parametrize("convention", ["zhang", "bartlett_mendelson"])
@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_interval_that_fails_once_in_a_million_holds_the_mean_over_all_signs(
    n: int, convention: Convention
) -> None:
    gram = gaussian_gram(points(n))
    truth = exact(n, lambda signs: 1.5 * rkhs(gram)(signs), convention=convention)
    estimate = kernel(gram, radius=1.5, convention=convention, draws=3000, confidence=1 - 1e-6)
    assert estimate.bounded_differences_interval is not None
    for low, high in (estimate.bounded_differences_interval, estimate.t_interval):
        assert low * (1 - 1e-12) <= truth <= high * (1 + 1e-12)


@pytest.mark.parametrize("n", range(1, 11))
def test_mean_over_all_signs_lies_between_the_bounds(n: int) -> None:
    gram = gaussian_gram(points(n, seed=n))
    estimate = kernel(gram, draws=2)
    assert estimate.lower_bound is not None
    assert estimate.upper_bound is not None
    low, high = estimate.lower_bound.value, estimate.upper_bound.value
    assert low * (1 - 1e-12) <= exact(n, rkhs(gram)) <= high * (1 + 1e-12)


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("edge", [1, 7, 30, 2048])
def test_linear_kernel_is_the_l2_ball_however_tiles_are_cut(
    edge: int, gaussian: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corruptlab.capacity.rademacher._kernel._EDGE", edge)
    x = points(30, 4)
    expected = linear(x, radius=2, gaussian=gaussian)
    same(kernel(x @ x.T, radius=2, gaussian=gaussian), expected)
    same(kernel(x, function=dot, radius=2, gaussian=gaussian), expected)
    same(kernel(torch.from_numpy(x), function=dot, radius=2, gaussian=gaussian), expected)


def test_inputs_of_any_shape_reach_the_function_as_they_are() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 3, 3)).astype(np.uint8)
    shapes: set[tuple[int, ...]] = set()

    def noted(a: Tensor, b: Tensor) -> Tensor:
        shapes.update((tuple(a.shape), tuple(b.shape)))
        return dot(a, b)

    same(kernel(images, function=noted), linear(images / 255), rtol=1e-5)
    assert shapes == {(40, 1, 3, 3)}


def test_matrix_and_function_agree_from_a_memory_map_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corruptlab.capacity.rademacher._kernel._EDGE", 9)
    x = points(25)
    gram = gaussian_gram(x)
    np.save(tmp_path / "gram.npy", gram)
    expected = kernel(gram)
    same(kernel(np.load(tmp_path / "gram.npy", mmap_mode="r")), expected)
    same(kernel(x, function=gaussian), expected)
    same(kernel(torch.from_numpy(gram).float()), expected, rtol=1e-5)


def test_function_is_asked_for_each_pair_of_tiles_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corruptlab.capacity.rademacher._kernel._EDGE", 10)
    asked: list[tuple[int, int]] = []

    def noted(a: Tensor, b: Tensor) -> Tensor:
        asked.append((len(a), len(b)))
        return dot(a, b)

    kernel(points(25), function=noted)
    assert asked == [(10, 10), (10, 10), (10, 5), (10, 10), (10, 5), (5, 5)]


def test_kernel_of_rank_one_has_the_absolute_mean_of_a_sum() -> None:
    n = 10
    mean = sum(math.comb(n, k) * abs(n - 2 * k) for k in range(n + 1)) / 2**n / n
    estimate = kernel(np.ones((n, n)), draws=4000, confidence=1 - 1e-6)
    low, high = estimate.t_interval
    assert low < mean < high
    assert min(estimate.sups) == 0  # as many +1 as -1: nothing below 0 by rounding


def test_sums_that_cancel_are_zero_and_not_the_root_of_a_rounding_error() -> None:
    for third in range(1, 60):
        x = np.array([[0.1], [0.1 * third], [0.1 + 0.1 * third]], np.float32)
        gram = (x.astype(np.float64) @ x.T).astype(np.float32)
        sups = np.array(kernel(gram, draws=64).sups)
        assert np.isfinite(sups).all()
        assert sups.min() < 1e-3 * sups.max()


def test_scale_is_the_root_of_the_trace() -> None:
    gram = np.diag([4.0, 9.0, 1.0, 2.0])
    for normal in (False, True):
        assert_allclose(kernel(gram, radius=3, gaussian=normal).scale or 0, 3 * 4 / 4)


def test_many_float32_examples_pass_for_positive_semi_definite() -> None:
    x = np.random.default_rng(0).standard_normal((2500, 2)).astype(np.float32)
    estimate = kernel(x + 10, function=dot, draws=70)  # rank 2, and far from the origin
    same(estimate, linear((x + 10).astype(np.float64), draws=70), rtol=2e-3)


def test_progress_is_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    kernel(np.eye(3))
    assert capsys.readouterr().err == ""
    kernel(np.eye(3), progress=True)
    assert "kernel  1/1" in capsys.readouterr().err


@pytest.mark.parametrize("edge", [2, 2048])
@pytest.mark.parametrize(
    ("gram", "text"),
    [
        (np.ones((2, 3)), r"shape \(n, n\) without a `function`, got \(2, 3\)\.$"),
        (np.ones(4), r"shape \(n, n\) without a `function`, got \(4,\)\.$"),
        (np.ones((0, 0)), r"^`data` must have shape \(n, \.\.\.\) with n >= 1, got \(0, 0\)\.$"),
        (
            np.diag([1, 1, np.nan]),
            r"^`data` must give finite kernel values, got nan at \(2, 2\)\.$",
        ),
        (np.diag([1, np.inf]), r"^`data` must give finite kernel values, got inf at \(1, 1\)\.$"),
        (
            np.eye(3) + np.eye(3, k=2) / 2,
            r"^`data` must give a symmetric matrix, got 0\.5 at \(0, 2\) and 0 at its mirror\.$",
        ),
        (
            np.array([[1.0, 5], [5, -2]]),
            r"^`data` must give a positive semi-definite matrix, got -2 at \(1, 1\)\.$",
        ),
        (
            np.eye(3) + np.fliplr(np.eye(3)) * 4,
            r"^`data` must give a positive semi-definite .* w\^T K w = -.* for some w\.$",
        ),
        (np.array([[0.0, 1], [1, 0]]), r"^`data` must give a positive semi-definite .* = -"),
    ],
)
def test_matrices_of_no_kernel_are_refused(
    gram: Floats, text: str, edge: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corruptlab.capacity.rademacher._kernel._EDGE", edge)
    with pytest.raises(ValueError, match=text):
        kernel(gram)


def test_functions_that_are_no_kernel_are_refused() -> None:
    x = points(4)
    with pytest.raises(TypeError, match=r"^`function` must give a tensor, got ndarray\.$"):
        kernel(x, function=lambda a, b: (a @ b.T).numpy())  # type: ignore[arg-type,return-value]
    with pytest.raises(ValueError, match=r"matrix of shape \(4, 4\) for so .*, got \(4, 3\)\.$"):
        kernel(x, function=lambda a, b: a)
    with pytest.raises(ValueError, match=r"^`data` must give a symmetric matrix"):
        kernel(x, function=lambda a, b: a @ torch.triu(torch.ones(3, 3)).to(a) @ b.T)
    with pytest.raises(TypeError, match=r"^`data` must be a tensor or an array, got list\.$"):
        kernel([1, 2], function=dot)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^`radius` must be above 0, got -1\.$"):
        kernel(np.eye(2), radius=-1)
    with pytest.raises(TypeError, match=r"^`function` must be a function of .*, got 'rbf'\.$"):
        kernel(x, function="rbf")  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "largest"), [(np.float32, 3e38), (np.float64, 1e308)])
def test_sums_that_overflow_are_refused(kind: type, largest: float) -> None:
    with pytest.raises(ValueError, match=r"^`data` must give kernel values whose sums are finite"):
        kernel(np.full((3, 3), largest, kind))
