"""Kernels are their formulas, symmetric, and positive semi-definite."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from corruptlab.capacity.kernels import (
    GaussianKernel,
    LaplaceKernel,
    LinearKernel,
    PolynomialKernel,
)
from tests.capacity.kernels.cases import KERNELS, gram, points

NAMES = list(KERNELS)


@pytest.mark.parametrize("name", NAMES)
def test_kernel_equals_its_formula_pair_by_pair(name: str) -> None:
    a, b = points(9), points(6, seed=1)
    assert_allclose(KERNELS[name][0](a, b).numpy(), gram(name, a, b), rtol=1e-12, atol=1e-13)
    single = KERNELS[name][0](a.float(), b.float())
    assert single.dtype is torch.float32
    assert_allclose(single.numpy(), gram(name, a.float(), b.float()), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_kernel_matrix_is_symmetric_and_positive_semi_definite(name: str) -> None:
    x = points(60, 4)
    matrix = KERNELS[name][0](x, x)
    assert_allclose(matrix.numpy(), matrix.T.numpy(), rtol=1e-13)
    spectrum = torch.linalg.eigvalsh((matrix + matrix.T) / 2)
    assert float(spectrum[0]) > -1e-12 * float(spectrum[-1])


@pytest.mark.parametrize("name", NAMES)
def test_kernel_leaves_its_points_alone(name: str) -> None:
    a, b = points(4), points(3, seed=1)
    KERNELS[name][0](a, b)
    assert torch.equal(a, points(4))
    assert torch.equal(b, points(3, seed=1))


@pytest.mark.parametrize("kernel", [GaussianKernel(0.3), LaplaceKernel(2.0)])
def test_kernels_of_distances_forget_where_the_origin_is(kernel: GaussianKernel) -> None:
    x = points(30).float()
    far = (x.double() + 3000).float()  # what the shift rounds away is no fault of the kernel
    assert_allclose(kernel(far, far), kernel((far - 3000), (far - 3000)), atol=2e-5)


def test_gaussian_of_points_far_from_zero_stays_at_most_one_and_symmetric() -> None:
    x = points(50).float() * 1e-3 + 1
    matrix = GaussianKernel(0.3)(x, x)
    assert float(matrix.max()) <= 1
    assert_allclose(GaussianKernel(0.3)(x, x[:7]).T, GaussianKernel(0.3)(x[:7], x), atol=1e-7)


def test_laplace_of_near_and_equal_points_keeps_its_digits_in_float32() -> None:
    scale = 1e-3  # about as long as the distances, so that each digit of them shows
    x = 10 * points(40, 20).float()
    near = x + 1e-4 * points(40, 20, seed=1).float()
    exact = (x.double() - near.double()).norm(dim=1)
    found = -scale * LaplaceKernel(scale)(x, near).diagonal().double().log()
    assert_allclose(found.numpy(), exact.numpy(), rtol=1e-5)
    assert_allclose(LaplaceKernel(scale)(x, x).diagonal().numpy(), 1, rtol=0)
    # Which a root of the plain formula does not do: this is why close pairs are computed anew.
    sizes = x.square().sum(1) + near.square().sum(1)
    plain = (sizes - 2 * (x * near).sum(1)).clamp(min=0).sqrt().double()
    assert float((plain - exact).abs().max()) > 1e-4


@pytest.mark.slow
def test_close_pairs_are_computed_anew_in_pieces() -> None:
    x = torch.cat([points(900, 20, seed=i).float() + 100 * i for i in (0, 1)])
    matrix = LaplaceKernel(5.0)(x, x)  # 1.6 million close pairs, of 32 million coordinates
    for rows in (slice(0, 5), slice(890, 910), slice(1795, 1800)):
        exact = torch.exp(-torch.cdist(x[rows].double(), x.double()) / 5.0)
        assert_allclose(matrix[rows].double().numpy(), exact.numpy(), rtol=1e-5, atol=1e-7)


def test_gaussian_width_follows_gamma() -> None:
    at = torch.tensor([[0.0], [1.0]])
    for deviation in (0.5, 2.0):
        value = GaussianKernel(1 / (2 * deviation**2))(at[:1], deviation * at[1:])
        assert_allclose(value.item(), np.exp(-0.5), rtol=1e-6)


def test_polynomial_is_the_linear_kernel_at_its_simplest() -> None:
    a, b = points(5), points(4, seed=1)
    assert torch.equal(PolynomialKernel(1, constant=0)(a, b), LinearKernel()(a, b))


def test_kernels_can_be_compared_and_printed() -> None:
    assert GaussianKernel(0.02) == GaussianKernel(0.02) != GaussianKernel(0.03)
    assert repr(PolynomialKernel(2)) == "PolynomialKernel(degree=2, gamma=1.0, constant=1.0)"
    assert len({LaplaceKernel(1.0), LaplaceKernel(1.0), LinearKernel()}) == 2


@pytest.mark.parametrize("value", [0, -1.5])
def test_lengths_have_to_be_positive(value: float) -> None:
    with pytest.raises(ValueError, match=rf"^`gamma` must be above 0, got {value}\.$"):
        GaussianKernel(value)
    with pytest.raises(ValueError, match=rf"^`scale` must be above 0, got {value}\.$"):
        LaplaceKernel(value)
    with pytest.raises(ValueError, match=rf"^`gamma` must be above 0, got {value}\.$"):
        PolynomialKernel(2, gamma=value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_lengths_have_to_be_finite(value: float) -> None:
    with pytest.raises(ValueError, match=rf"^`gamma` must be finite, got {value}\.$"):
        GaussianKernel(value)


def test_other_bad_parameters_are_quoted() -> None:
    with pytest.raises(TypeError, match=r"^`gamma` must be a number, got 'wide'\.$"):
        GaussianKernel("wide")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^`degree` must be at least 1, got 0\.$"):
        PolynomialKernel(0)
    with pytest.raises(TypeError, match=r"^`degree` must be an integer, got 2\.5\.$"):
        PolynomialKernel(2.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^`constant` must be at least 0, got -1\.$"):
        PolynomialKernel(2, constant=-1)
