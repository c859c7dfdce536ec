"""Corollary 1: the same function, deeper and narrower, by about as many weights."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from corruptlab.capacity import DeepInterpolant, Interpolant, interpolate
from tests.capacity.interpolation.naive import points, signs

CASES = [(n, depth) for n in (2, 3, 7, 40) for depth in (3, 4, 5, 8, 41) if depth <= n + 1]


def deep(n: int, depth: int, k: int = 0, d: int = 5) -> tuple[DeepInterpolant, Interpolant]:
    x, y = points(n, d), points(n, k or 1, seed=1)
    y = y if k else y[:, 0]
    one = interpolate(x, y, depth=depth)
    assert isinstance(one, DeepInterpolant)
    return one, interpolate(x, y)


def linears(net: nn.Module) -> list[nn.Linear]:
    return [layer for layer in net.modules() if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize("k", [0, 3])
@pytest.mark.parametrize(("n", "depth"), CASES)
def test_function_is_that_of_the_theorem(n: int, depth: int, k: int) -> None:
    net, shallow = deep(n, depth, k)
    for x in (points(n, 5), points(300, 5, seed=4), 1e3 * points(50, 5, seed=4)):
        x_ = torch.from_numpy(x)
        scale = max(1, float(shallow(x_).abs().max()))
        assert_allclose(net(x_), shallow(x_), atol=1e-10 * scale)


@pytest.mark.parametrize("k", [0, 3])
@pytest.mark.parametrize(("n", "depth"), CASES)
def test_plain_layers_compute_it(n: int, depth: int, k: int) -> None:
    net, _ = deep(n, depth, k)
    x = torch.from_numpy(points(300, 5, seed=4))
    dense = net.dense()
    assert_allclose(dense(x).detach().reshape(net(x).shape), net(x), atol=1e-10)
    assert len(linears(dense)) == depth
    assert [type(layer) for layer in dense] == [nn.Linear, nn.ReLU] * (depth - 1) + [nn.Linear]
    assert all((layer.weight.dtype is torch.float64) for layer in linears(dense))


@pytest.mark.parametrize("k", [0, 3])
@pytest.mark.parametrize(("n", "depth"), CASES)
def test_counts_are_those_of_the_layers(n: int, depth: int, k: int) -> None:
    net, _ = deep(n, depth, k)
    first, *later = linears(net.dense())
    assert (first.weight == net.a).all()  # shared: counted once
    count = len(net.a) + int(first.bias.count_nonzero())
    for layer in later:
        count += sum(int(parameter.count_nonzero()) for parameter in layer.parameters())
    assert net.num_weights == count
    assert net.width == max(layer.out_features for layer in [first, *later][:-1])
    assert net.report is not None
    assert (net.report.num_weights, net.report.width, net.report.depth) == (
        count,
        net.width,
        depth,
    )


@pytest.mark.parametrize("k", [1, 2, 10])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 57])
def test_weights_and_width_stay_within_the_corollary_at_every_depth(n: int, k: int) -> None:
    a, b, w = torch.ones(4), torch.arange(n), torch.ones(n, k)
    for depth in range(2, n + 2):
        net = DeepInterpolant(a, b, w, depth=depth)
        assert sum(net.sizes) == n
        assert max(net.sizes) - min(net.sizes) <= 1
        assert len(net.sizes) == depth - 1
        assert net.num_weights <= net.weight_bound == 4 + (6 * k + 3) * n
        assert net.width <= math.ceil(n / (depth - 1)) + 2 * k + 1
        if depth > 2:
            first, last = net.sizes[0], net.sizes[-1]
            formula = 4 + (2 * k + 2) * n - first - k * last + (4 * k + 1) * (depth - 3) + 2 * k
            assert net.num_weights == formula


def test_depth_two_is_the_network_of_the_theorem() -> None:
    shallow = interpolate(points(9, 2), signs(9))
    assert isinstance(shallow, Interpolant)
    net = DeepInterpolant(shallow.a, shallow.b, shallow.w, depth=2)
    x = torch.from_numpy(points(50, 2, seed=4))
    assert_allclose(net(x), shallow(x), atol=1e-12)
    assert_allclose(net.dense()(x).detach()[:, 0], shallow(x), atol=1e-12)
    assert (net.num_weights, net.width) == (shallow.num_weights, 9) == (20, 9)


def test_stored_numbers_are_those_of_the_theorem() -> None:
    net, shallow = deep(40, 5, 2)
    assert sum(p.numel() for p in net.parameters()) == shallow.num_weights


def test_deep_network_classifies() -> None:
    labels: Any = np.arange(30) % 3
    net = interpolate(points(30, 2), labels, num_classes=3, depth=4)
    assert net.classify(torch.from_numpy(points(30, 2))).tolist() == labels.tolist()


def test_report_has_the_residual_of_the_layers() -> None:
    net, shallow = deep(40, 6)
    assert net.report is not None
    assert shallow.report is not None
    outputs = net.dense()(torch.from_numpy(points(40, 5))).detach().numpy()
    errors = outputs - points(40, 1, seed=1)
    assert_allclose(net.report.dense_residual, np.abs(errors).max(), rtol=2)
    assert net.report.residual == shallow.report.residual


@pytest.mark.parametrize("k", [0, 2])
def test_gradients_are_those_of_the_shallow_network(k: int) -> None:
    net, shallow = deep(20, 4, k)
    x = torch.from_numpy(points(60, 5, seed=4)).requires_grad_()
    down = torch.from_numpy(points(60, max(k, 1), seed=3)).reshape(net(x).shape)

    def gradients(model: DeepInterpolant | Interpolant) -> tuple[torch.Tensor, ...]:
        model.requires_grad_()
        return torch.autograd.grad(model(x), [x, model.a, model.b, model.w], down)

    ours, theirs = gradients(net), gradients(shallow)
    for one, other in zip(ours, theirs, strict=True):
        assert_allclose(one, other, rtol=1e-6, atol=1e-6 * float(other.abs().max()))


def test_bad_depths_and_hinges_are_quoted() -> None:
    a, b, w = torch.ones(1), torch.arange(3), torch.ones(3)
    with pytest.raises(ValueError, match=r"^`depth` must lie in 2 \.\. 4 .* points, got 5\.$"):
        DeepInterpolant(a, b, w, depth=5)
    with pytest.raises(ValueError, match=r"^`depth` must lie in 2 \.\. 4 .* points, got 1\.$"):
        DeepInterpolant(a, b, w, depth=1)
    with pytest.raises(ValueError, match=r"^`b` must rise, got 1 after 1\.$"):
        DeepInterpolant(a, torch.tensor([0.5, 1, 1]), w, depth=3)
    with pytest.raises(ValueError, match=r"^`b` must rise, got nan after 1\.$"):
        DeepInterpolant(a, torch.tensor([0.5, 1, math.nan]), w, depth=3)


def test_repr_tells_depth_and_width() -> None:
    net, _ = deep(9, 4)
    assert repr(net) == "DeepInterpolant(n=9, d=5, weights=42, depth=4, width=6)"
