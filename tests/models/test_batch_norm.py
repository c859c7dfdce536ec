"""Batch normalization with a shift and no scale is PyTorch's layer in every other respect."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from corruptlab.models._batch_norm import EPSILON, MOMENTUM, UnscaledBatchNorm2d
from tests.models.naive import images


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
