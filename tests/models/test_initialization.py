"""Initial weights follow their law, and are a function of the seed and the layer's name."""

import hashlib
import math
from collections import OrderedDict
from typing import Any

import pytest
import torch
from scipy.stats import kstest, norm, truncnorm, uniform
from torch import nn

from corruptlab.models import Initialization, initialize, small_alexnet, small_inception

GOLDEN = {"small_inception": "5b537dfb6604e91b", "small_alexnet": "6359305403764f75"}


def digest(net: nn.Module) -> str:
    sha = hashlib.sha256()
    for parameter in net.parameters():
        sha.update(parameter.detach().numpy().astype("<f4").tobytes())
    return sha.hexdigest()[:16]


@pytest.mark.parametrize("make", [small_inception, small_alexnet])
def test_golden_weights_hold(make: Any) -> None:
    assert digest(make(seed=0)) == GOLDEN[make.__name__]


@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [
        (nn.Conv1d(24, 40, 5), 24 * 5, 40 * 5),
        (nn.Conv2d(16, 32, (3, 5)), 16 * 15, 32 * 15),
        (nn.Conv2d(16, 32, 3, groups=4), 4 * 9, 32 * 9),
        (nn.Conv3d(4, 16, 3), 4 * 27, 16 * 27),
        (nn.Linear(80, 60), 80, 60),
    ],
    ids=["1d", "2d", "groups", "3d", "linear"],
)
@pytest.mark.parametrize("init", ["glorot_uniform", "truncated_normal"])
def test_weights_follow_their_law_with_the_fans_of_tensorflow(
    layer: Any, fan_in: int, fan_out: int, init: Initialization
) -> None:
    initialize(layer, init, seed=0)
    weights = layer.weight.detach().numpy().ravel()
    if init == "glorot_uniform":
        bound = math.sqrt(6 / (fan_in + fan_out))
        assert kstest(weights, uniform(-bound, 2 * bound).cdf).pvalue > 1e-4
    else:
        assert kstest(weights * math.sqrt(fan_in), truncnorm(-2, 2).cdf).pvalue > 1e-4
    assert not layer.bias.any()


def test_weights_follow_the_name_of_the_layer_and_the_number_of_the_filter() -> None:
    alone = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3)))
    among = nn.Sequential(OrderedDict(first=nn.Conv2d(3, 3, 1), conv=nn.Conv2d(3, 9, 3)))
    renamed = nn.Sequential(OrderedDict(first=nn.Conv2d(3, 4, 3)))
    for net in (alone, among, renamed):
        initialize(net, "truncated_normal", seed=5)
    weight = alone.get_parameter("conv.weight")
    assert torch.equal(weight, among.get_parameter("conv.weight")[:4])
    assert not (weight == renamed.get_parameter("first.weight")).any()
    assert not (weight[0] == weight[1]).any()


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm1d(3), nn.BatchNorm2d(3), nn.BatchNorm3d(3), nn.SyncBatchNorm(3)]
)
def test_batch_norm_starts_as_the_identity_with_nothing_seen(norm: Any) -> None:
    with torch.no_grad():
        for value in norm.state_dict().values():
            value.fill_(7)
    initialize(nn.Sequential(norm), seed=0)
    values = {name: value.tolist() for name, value in norm.state_dict().items()}
    assert values == {
        "weight": [1, 1, 1],
        "bias": [0, 0, 0],
        "running_mean": [0, 0, 0],
        "running_var": [1, 1, 1],
        "num_batches_tracked": 0,
    }


def test_embeddings_are_normal_but_for_padding_and_layer_norm_starts_as_the_identity() -> None:
    net = nn.Sequential(nn.Embedding(500, 16, padding_idx=3), nn.LayerNorm(4))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(3)
    initialize(net, seed=0)
    vectors = net.get_parameter("0.weight").detach()
    assert not vectors[3].any()
    others = torch.cat([vectors[:3], vectors[4:]]).numpy().ravel()
    assert kstest(others * 4, norm.cdf).pvalue > 1e-4
    assert net.get_parameter("1.weight").tolist() == [1] * 4
    assert net.get_parameter("1.bias").tolist() == [0] * 4


def test_other_layers_keep_what_they_have() -> None:
    net = nn.Sequential(
        nn.ConvTranspose2d(2, 2, 3), nn.GroupNorm(1, 3), nn.PReLU(), nn.EmbeddingBag(3, 2)
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(3)
    initialize(net, seed=0)
    assert all(bool((parameter == 3).all()) for parameter in net.parameters())


def test_layers_without_bias_and_of_other_types_are_filled() -> None:
    net = nn.Conv2d(2, 3, 3, bias=False, dtype=torch.float64)
    single = nn.Conv2d(2, 3, 3, bias=False)
    for each in (net, single):
        initialize(each, seed=2)
    assert torch.equal(net.weight, single.weight.double())
