"""The norm of a layer is the largest singular value of its dense matrix."""

import math
from typing import Any

import numpy as np
import pytest
import scipy
import torch
from numpy.testing import assert_allclose
from torch import nn

from corruptlab.capacity.rademacher import bartlett_spectral, golowich_l1_inf, spectral_norm
from tests.capacity.rademacher.dense import dense, one_inf, seeded, spectral
from tests.capacity.rademacher.naive import Floats, points

Shape = tuple[int, ...]


def below(pool: nn.Module | None, shape: Shape) -> nn.Sequential:
    """The identity as a convolution, and a pooling layer behind it."""
    identity = nn.Conv2d(shape[0], shape[0], 1, bias=False)
    with torch.no_grad():
        identity.weight.copy_(torch.eye(shape[0])[:, :, None, None])
    return nn.Sequential(identity) if pool is None else nn.Sequential(identity, pool)


def l2_lipschitz(pool: nn.Module, shape: Shape) -> float:
    (constant,) = bartlett_spectral(below(pool, shape), torch.ones(1, *shape)).lipschitz
    return constant


def max_gain(pool: nn.Module, shape: Shape) -> float:
    pooled, alone = (
        golowich_l1_inf(below(each, shape), torch.ones(1, *shape)) for each in (pool, None)
    )
    return pooled.value / alone.value


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(5, 7), (5,)),
        (nn.Linear(7, 1), (7,)),
        (nn.Linear(1, 3), (1,)),
        (nn.Linear(1, 1), (1,)),
        (nn.Linear(40, 40), (40,)),
        (nn.Conv2d(1, 1, 3, padding=1), (1, 5, 4)),
        (nn.Conv2d(2, 3, 3), (2, 6, 6)),
        (nn.Conv2d(2, 3, (3, 2), stride=2, padding=1), (2, 6, 5)),
        (nn.Conv2d(4, 6, 3, groups=2, padding="same"), (4, 5, 5)),
        (nn.Conv2d(2, 2, 3, dilation=2, padding=(2, 0)), (2, 6, 6)),
    ],
)
def test_norm_is_that_of_the_dense_matrix(layer: nn.Linear | nn.Conv2d, shape: Shape) -> None:
    seeded(layer)
    expected = spectral(dense(layer, shape).matrix)
    found = spectral_norm(layer, shape)
    assert_allclose(found, expected, rtol=1e-6)
    assert found >= expected * (1 - 1e-12)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_scipy_is_asked_for_no_matrix_of_size_one(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = scipy.linalg.eigh_tridiagonal

    def as_before_1_13(diagonal: Floats, beside: Floats, **options: Any) -> Any:
        assert len(beside) > 0, "zero-size array to reduction operation maximum"
        return original(diagonal, beside, **options)

    monkeypatch.setattr(scipy.linalg, "eigh_tridiagonal", as_before_1_13)
    layer = seeded(nn.Linear(size, 4))
    assert isinstance(layer, nn.Linear)
    assert_allclose(
        spectral_norm(layer, (size,)), spectral(dense(layer, (size,)).matrix), rtol=1e-6
    )


def test_norm_of_zeros_is_zero_and_of_orthogonal_matrices_one() -> None:
    layer = nn.Linear(6, 6)
    nn.init.zeros_(layer.weight)
    assert spectral_norm(layer, (6,)) == 0
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.linalg.qr(points(6, 6))[0]))
    assert_allclose(spectral_norm(layer, (6,)), 1, rtol=1e-6)


def test_two_equal_largest_singular_values_are_no_obstacle() -> None:
    layer = nn.Linear(5, 5, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.diag(torch.tensor([3.0, 3.0, 2.999, 1.0, 0.0])))
    assert_allclose(spectral_norm(layer, (5,)), 3, rtol=1e-6)


def test_norm_of_a_crowded_spectrum_is_rounded_up() -> None:
    layer = nn.Linear(400, 400, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.diag(1 - 1e-5 * torch.linspace(0, 1, 400).double()))
    assert 1 - 1e-12 <= spectral_norm(layer, (400,)) < 1 + 1e-6


def test_padding_with_zeros_has_a_smaller_norm_than_the_fourier_transform_says() -> None:
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    seeded(layer)
    kernel = torch.zeros(8, 8)
    kernel[:3, :3] = layer.weight[0, 0].detach()
    circular = float(torch.fft.fft2(kernel).abs().max())
    assert 0.8 * circular < spectral_norm(layer, (1, 8, 8)) < circular


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_norm_can_be_taken_where_gradients_are_off(mode: Any) -> None:
    layer = nn.Linear(4, 3)
    expected = spectral_norm(layer, (4,))
    with mode():
        assert spectral_norm(layer, (4,)) == expected
    assert layer.weight.grad is None


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.AvgPool2d(2), (3, 6, 6)),
        (nn.AvgPool2d(3, stride=1, padding=1), (1, 5, 4)),
        (nn.AvgPool2d(3, stride=2, ceil_mode=True, count_include_pad=False), (1, 6, 6)),
        (nn.AvgPool2d(2, divisor_override=1), (2, 4, 4)),
        (nn.AdaptiveAvgPool2d((2, 3)), (2, 5, 7)),
    ],
)
def test_gains_of_mean_pooling_are_norms_of_its_dense_matrix(layer: Any, shape: Shape) -> None:
    matrix = dense(layer, shape).matrix
    assert_allclose(l2_lipschitz(layer, shape), spectral(matrix), rtol=1e-6)
    assert_allclose(max_gain(layer, shape), one_inf(matrix), rtol=1e-6)


def test_means_over_windows_side_by_side_shrink_by_their_edge() -> None:
    assert_allclose(l2_lipschitz(nn.AvgPool2d(4), (2, 8, 8)), 1 / 4, rtol=1e-6)


@pytest.mark.parametrize(
    ("layer", "shape", "constant"),
    [
        (nn.MaxPool2d(2), (3, 6, 6), 1),
        (nn.MaxPool2d(3, stride=2), (1, 7, 7), 2),
        (nn.MaxPool2d(3, stride=1, padding=1), (1, 6, 6), 3),
        (nn.MaxPool2d((3, 2), stride=(1, 2)), (1, 6, 6), math.sqrt(3)),
        (nn.MaxPool2d(3, stride=2, ceil_mode=True), (1, 6, 6), 2),
        (nn.MaxPool2d(2, stride=2, dilation=2), (1, 6, 6), 2),  # pixels 0 and 2, 2 and 4
        (nn.MaxPool2d(2, stride=1, padding=1), (1, 1, 1), 2),  # one pixel, four windows
        (nn.MaxPool2d(3, stride=1), (1, 3, 3), 1),
    ],
)
def test_maximum_stretches_by_the_root_of_the_windows_that_share_a_pixel(
    layer: nn.MaxPool2d, shape: Shape, constant: float
) -> None:
    assert_allclose(l2_lipschitz(layer, shape), constant)
    # Raising each pixel alone from a constant image reaches it where windows are shared most.
    flat = torch.zeros(1, *shape)
    reached = 0.0
    for pixel in range(flat.numel()):
        raised = flat.clone()
        raised.view(-1)[pixel] = 1
        reached = max(reached, float((layer(raised) - layer(flat)).norm()))
    assert_allclose(reached, constant, rtol=1e-6)


@pytest.mark.parametrize(
    ("layer", "shape", "error", "text"),
    [
        (nn.ReLU(), (3,), TypeError, r"^`layer` must be an nn\.Linear or nn\.Conv2d, got ReLU\.$"),
        (
            nn.Linear(3, 2),
            (4,),
            ValueError,
            r"^`network` must take inputs .*, got \(4,\) for Linear",
        ),
        (
            nn.Linear(3, 2),
            (2, 3),
            ValueError,
            r"^`network` must flatten before Linear .*\(2, 3\)\.$",
        ),
        (
            nn.Conv2d(1, 1, 3),
            (2, 5, 5),
            ValueError,
            r"^`network` must take .*, got \(2, 5, 5\) for",
        ),
        (
            nn.Conv2d(1, 1, 3),
            (1, 2, 2),
            ValueError,
            r"^`network` must take .*, got \(1, 2, 2\) for",
        ),
        (
            nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"),
            (1, 5, 5),
            ValueError,
            r"^`network` must pad with zeros, got padding_mode='circular' in Conv2d at place 0\.$",
        ),
    ],
)
def test_layers_and_shapes_that_do_not_fit_are_quoted(
    layer: Any, shape: Shape, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        spectral_norm(layer, shape)
