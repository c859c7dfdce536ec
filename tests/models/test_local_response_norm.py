"""Local response normalization against its formula."""

import pytest
import torch
from torch import nn

from corruptlab.models._local_response_norm import LocalResponseNorm
from tests.models import naive
from tests.models.naive import images


def test_defaults_are_those_of_tensorflows_cifar_10_model() -> None:
    x = 30 * images(2, 12, 3, 3).double()
    torch.testing.assert_close(LocalResponseNorm()(x), torch.from_numpy(naive.lrn(x.numpy())))


@pytest.mark.parametrize(
    ("radius", "bias", "alpha", "beta"), [(0, 1.0, 0.3, 0.5), (2, 2.0, 0.1, 1.0), (9, 0.5, 1.0, 2)]
)
def test_every_number_of_the_formula_is_read(
    radius: int, bias: float, alpha: float, beta: float
) -> None:
    x = images(2, 7, 3, 2).double()
    layer = LocalResponseNorm(radius, bias=bias, alpha=alpha, beta=beta)
    expected = naive.lrn(x.numpy(), radius=radius, bias=bias, alpha=alpha, beta=beta)
    torch.testing.assert_close(layer(x), torch.from_numpy(expected))


def test_pytorchs_layer_has_an_alpha_that_is_size_times_ours() -> None:
    x = 30 * images(2, 12, 3, 3)
    theirs = nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0)
    torch.testing.assert_close(LocalResponseNorm()(x), theirs(x))


def test_gradients_are_those_of_finite_differences() -> None:
    x = (20 * images(1, 6, 2, 2).double()).requires_grad_()
    layer = LocalResponseNorm(2, alpha=0.01)
    assert torch.autograd.gradcheck(layer, (x,))


def test_bfloat16_loses_no_more_than_the_rounding_of_its_output() -> None:
    x = (3 * images(2, 12, 3, 3)).bfloat16()  # 1 + alpha * sum is 1 to 8 bits
    got = LocalResponseNorm()(x)
    exact = torch.from_numpy(naive.lrn(x.double().numpy()))
    assert got.dtype is torch.bfloat16
    # The rounding of the output, and what a sum in bfloat16 can be off: 0.4% of 0.03.
    torch.testing.assert_close(got.double(), exact, rtol=2**-8 + 2e-4, atol=0)
