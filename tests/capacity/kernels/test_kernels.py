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
