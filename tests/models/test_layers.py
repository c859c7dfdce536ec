"""Layers equal their formulas and PyTorch's layers, where these have the same law."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from corruptlab.models._layers import (
    EPSILON,
    MOMENTUM,
    LocalResponseNorm,
    SameConv2d,
    SameMaxPool2d,
    UnscaledBatchNorm2d,
    same_padding,
)
from tests.models import naive
from tests.models.naive import images

# --------------------------------------------------------------------------------------- padding


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_padding_gives_the_least_that_holds_all_places_and_puts_the_odd_zero_last(
    kernel: int, stride: int
) -> None:
    for size in range(1, 12):
        before, after = same_padding(size, kernel=kernel, stride=stride)
        places, reach = -(-size // stride), size + before + after
        assert 0 <= after - before <= 1
        assert (reach - kernel) // stride + 1 == places or before == after == 0
        assert reach == size or reach == (places - 1) * stride + kernel


@pytest.mark.parametrize("size", [4, 5, 7, 8, 13])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1), (5, 3), (2, 2)])
def test_convolution_is_tensorflows(size: int, kernel: int, stride: int) -> None:
    layer = SameConv2d(2, 3, kernel, stride)
    x = images(2, 2, size, size + 1)
    expected = naive.conv(x, layer.weight, layer.bias, stride)
    torch.testing.assert_close(layer(x), expected)
    assert layer(x).shape[-2:] == (-(-size // stride), -(-(size + 1) // stride))


def test_convolution_of_an_even_image_looks_at_other_pixels_than_pytorchs_padding() -> None:
    layer = SameConv2d(1, 1, 3, stride=2, bias=False)
    with torch.no_grad():
        layer.weight.zero_()[0, 0, 0, 0] = 1  # gives the upper left pixel of each window
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert torch.equal(layer(x), x[:, :, ::2, ::2])


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 28])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (2, 2), (3, 3), (5, 2)])
def test_pooling_is_tensorflows(size: int, kernel: int, stride: int) -> None:
    x = images(2, 2, size, size + 1) - 5  # all negative: a zero of the padding would win
    torch.testing.assert_close(SameMaxPool2d(kernel, stride)(x), naive.pool(x, kernel, stride))


# --------------------------------------------------------------------- local response normalization


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


# ------------------------------------------------------------------------------ batch normalization


def pair(momentum: float = MOMENTUM) -> tuple[UnscaledBatchNorm2d, nn.BatchNorm2d]:
    ours = UnscaledBatchNorm2d(5, momentum=momentum)
    theirs = nn.BatchNorm2d(5, eps=EPSILON, momentum=momentum)
    with torch.no_grad():
        for layer in (ours, theirs):
            layer.bias.copy_(torch.arange(5.0))
    return ours, theirs


@pytest.mark.parametrize("momentum", [0.1, 0.7])
def test_outputs_averages_and_gradients_are_pytorchs_with_a_scale_of_one(momentum: float) -> None:
    ours, theirs = pair(momentum)
    x = y = torch.empty(0)
    for seed in range(3):
        x, y = (3 * images(4, 5, 2, 2, seed=seed) + 1 for _ in "xy")
        x.requires_grad_(), y.requires_grad_()
        ours(x).square().sum().backward()
        theirs(y).square().sum().backward()
        torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    assert ours.num_batches_tracked == 3
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))
    assert ours.num_batches_tracked == 3


def test_the_shift_is_the_only_parameter_and_the_scale_is_not_saved() -> None:
    layer = UnscaledBatchNorm2d(5)
    assert [name for name, _ in layer.named_parameters()] == ["bias"]
    assert set(layer.state_dict()) == {"bias", "running_mean", "running_var", "num_batches_tracked"}


def test_averages_are_those_of_the_data_after_a_hundred_batches() -> None:
    layer = UnscaledBatchNorm2d(2)
    x = 3 * images(64, 2, 4, 4) + 7
    for _ in range(100):
        layer(x)
    # What the start, 0 and 1, still weighs: 0.9**100 = 3e-5.
    torch.testing.assert_close(layer.eval()(x), layer.train()(x), rtol=1e-3, atol=1e-3)


def test_momentum_can_be_changed_and_none_is_the_plain_mean() -> None:
    batches = [images(4, 5, 2, 2, seed=seed) for seed in range(3)]
    ours, theirs = pair()
    for layer in (ours, theirs):
        layer.momentum = 0.4
        layer(batches[0])
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    update_bn(batches, ours)
    means = torch.stack([batch.mean((0, 2, 3)) for batch in batches])
    torch.testing.assert_close(ours.running_mean, means.mean(0))


def test_it_turns_into_synchronized_batch_norm_with_the_same_outputs() -> None:
    ours, _ = pair()
    ours(images(4, 5, 2, 2))
    synchronized = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(ours).eval())  # type: ignore[no-untyped-call]  # PyTorch's
    assert isinstance(synchronized, nn.SyncBatchNorm)
    assert sum(parameter.numel() for parameter in synchronized.parameters()) == 5
    x = images(4, 5, 2, 2, seed=1)
    torch.testing.assert_close(synchronized(x), ours.eval()(x))


def test_it_pickles_moves_and_starts_again() -> None:
    layer = pickle.loads(pickle.dumps(pair()[0])).double()
    x = images(4, 5, 2, 2).double()
    assert layer(x).dtype is torch.float64
    layer.to_empty(device="cpu").reset_parameters()
    fresh = UnscaledBatchNorm2d(5).double()
    torch.testing.assert_close(layer.eval()(x), fresh.eval()(x))
    assert not layer.num_batches_tracked


def test_bfloat16_images_keep_their_type_and_averages_theirs() -> None:
    layer = UnscaledBatchNorm2d(5)
    x = 3 * images(8, 5, 4, 4) + 1
    got = layer(x.bfloat16())
    assert got.dtype is torch.bfloat16
    assert layer.running_mean is not None
    assert layer.running_mean.dtype is torch.float32
    torch.testing.assert_close(got.float(), UnscaledBatchNorm2d(5)(x), rtol=0.02, atol=0.02)
