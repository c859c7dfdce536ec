"""The two-layer network as a PyTorch module."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor, nn

from corruptlab.capacity import Interpolant, interpolate
from tests.capacity.interpolation.naive import exact_network, matrix, points, same, signs


def built(n: int = 40, d: int = 3, k: int = 0) -> tuple[Interpolant, Tensor]:
    """A network with one output, or k, and other points to evaluate it at."""
    y = points(n, k, seed=1) if k else signs(n)
    return interpolate(points(n, d), y), torch.from_numpy(points(200, d, seed=5))


def naive(net: Interpolant, x: Tensor) -> Tensor:
    hinges = torch.relu((x @ net.a)[:, None] - net.b)
    return hinges @ net.w


@pytest.mark.parametrize("k", [0, 1, 4])
def test_pieces_equal_the_sum_of_hinges(k: int) -> None:
    net, x = built(k=k)
    assert_allclose(net(x), naive(net, x), atol=1e-10)
    assert net(x).shape == ((200, k) if k else (200,))
    assert net(x).dtype is torch.float64


@pytest.mark.parametrize("k", [0, 1, 4])
def test_dense_network_is_plain_layers_and_equals_the_pieces(k: int) -> None:
    net, x = built(k=k)
    dense = net.dense()
    first, middle, last = dense
    assert isinstance(first, nn.Linear)
    assert isinstance(middle, nn.ReLU)
    assert isinstance(last, nn.Linear)
    assert (first.in_features, first.out_features, last.out_features) == (3, 40, max(k, 1))
    assert [name for name, _ in last.named_parameters()] == ["weight"]
    assert {p.dtype for p in dense.parameters()} == {torch.float64}
    assert_allclose(dense(x).detach().reshape(net(x).shape), net(x), atol=1e-10)


def test_dense_network_shares_no_memory() -> None:
    net, x = built()
    before = net(x)
    with torch.no_grad():
        for parameter in net.dense().parameters():
            parameter.zero_()
    assert_array_equal(net(x), before)


def test_values_are_right_to_the_last_digits_where_the_sum_of_hinges_is_not() -> None:
    n = 300
    z = np.cumsum(10 ** np.random.default_rng(0).uniform(-7, 0, n))  # gaps of any size
    net = interpolate(z[:, None], signs(n))
    places = np.concatenate([z[::20], z[::20] + 1e-3, [z[-1] + 5]])
    a, b, w = (p.numpy() for p in (net.a, net.b, net.w))
    exact = np.array([exact_network(np.array([place]), a, b, w) for place in places])
    by_pieces = net(torch.from_numpy(places[:, None])).numpy()
    by_hinges = matrix(places, b) @ w
    assert np.abs(by_pieces - exact).max() < 1e-13 * np.abs(exact).max()
    assert np.abs(by_hinges - exact).max() > 1e3 * np.abs(by_pieces - exact).max()


def test_hinges_may_come_in_any_order() -> None:
    net, x = built(k=2)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    other = Interpolant(net.a, net.b[order], net.w[order])
    assert_allclose(other(x), net(x), atol=1e-11)


def test_equal_hinges_add_up() -> None:
    one = Interpolant(torch.ones(1), torch.zeros(2), torch.tensor([1.0, 2.0]))
    assert one(torch.tensor([[-1.0], [0.0], [2.0]])).tolist() == [0, 0, 6]


@pytest.mark.parametrize("k", [0, 3])
@pytest.mark.parametrize("shuffled", [False, True])
def test_gradients_are_those_of_the_formula(k: int, shuffled: bool) -> None:
    net, x = built(n=12, k=k)
    if shuffled:
        order = torch.tensor([3, 11, 0, 7, 5, 1, 9, 2, 10, 4, 8, 6])
        net = Interpolant(net.a, net.b[order], net.w[order])
    net.requires_grad_()
    inputs = [x.requires_grad_(), net.a, net.b, net.w]
    down = torch.from_numpy(points(200, max(k, 1), seed=3)).reshape(net(x).shape)
    ours = torch.autograd.grad(net(x), inputs, down)
    theirs = torch.autograd.grad(naive(net, x), inputs, down)
    for one, other in zip(ours, theirs, strict=True):
        assert_allclose(one, other, rtol=1e-8, atol=1e-8 * float(other.abs().max()))


def test_gradient_reaches_points_of_other_types_and_shapes() -> None:
    net, _ = built(d=6)
    x = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    net(x).sum().backward()
    assert x.grad is not None
    assert x.grad.dtype is torch.float32
    z = net.project(x).detach()
    slopes = net.at(z + 1e-6) - net.at(z)
    assert_allclose(x.grad.flatten(1), slopes[:, None] / 1e-6 * net.a, rtol=1e-4)


def test_weights_begin_without_gradient_and_can_be_trained() -> None:
    net, x = built()
    assert not net(x).requires_grad
    net.requires_grad_()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-9)
    before = net(x).detach()
    loss = net(x).square().mean()
    loss.backward()
    optimizer.step()
    after = net(x).detach()
    assert not torch.equal(after, before)
    assert after.square().mean() < loss
    assert_allclose(after, naive(net, x).detach(), atol=1e-8)


def test_changed_weights_are_seen_however_they_change() -> None:
    net, x = built()
    other = Interpolant(net.a, net.b - 0.1, 2 * net.w)
    net(x)

    def check() -> None:
        assert_allclose(net(x), naive(net, x), atol=1e-9)

    with torch.no_grad():
        net.w.mul_(2)
    check()
    net.load_state_dict(other.state_dict())
    same(net, other)
    check()
    for factor in (2.0, 3.0, 4.0):
        net.w.data = factor * other.w.data
        check()
        replaced = {"w": factor * other.w, "b": other.b + factor}
        called = torch.func.functional_call(net, replaced, (x,))
        assert_allclose(called, naive(Interpolant(net.a, replaced["b"], replaced["w"]), x))
    net.b = nn.Parameter(net.b + 1, requires_grad=False)
    check()


def test_pieces_are_found_once() -> None:
    net, x = built()
    net(x)
    found = net._found
    net(x + 1)
    assert net._found is found is not None


def test_copies_and_pickles_are_the_same_network() -> None:
    net, x = built(k=2)
    value = net(x)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert_array_equal(other(x), value)
        assert other.report == net.report
        with torch.no_grad():
            other.w.zero_()
        assert not other(x).any()
    assert_array_equal(net(x), value)


def test_network_lives_through_inference_mode() -> None:
    with torch.inference_mode():
        net, x = built()
        value = net(x)
    points_ = x.clone().requires_grad_()
    net(points_).sum().backward()
    assert points_.grad is not None
    assert_array_equal(net(points_).detach(), value)


def test_network_in_float32_is_evaluated_in_float64() -> None:
    net, x = built()
    rounded = copy.deepcopy(net).float()
    exact = Interpolant(rounded.a, rounded.b, rounded.w)
    assert_array_equal(rounded(x), exact(x))


def test_no_points_give_no_outputs() -> None:
    net, _ = built(k=2)
    assert net(torch.zeros(0, 3)).shape == (0, 2)


def test_repr_tells_the_sizes() -> None:
    assert repr(built()[0]) == "Interpolant(n=40, d=3, weights=83)"
    assert repr(built(k=2)[0]) == "Interpolant(n=40, d=3, outputs=2, weights=123)"


def test_bad_points_and_weights_are_quoted() -> None:
    net, _ = built()
    with pytest.raises(
        ValueError,
        match=r"^`x` must have shape \(m, \.\.\.\) with 3 numbers in a point, got \(5, 2\)\.$",
    ):
        net(torch.zeros(5, 2))
    with pytest.raises(ValueError, match=r"^`x` must have shape .*, got \(3,\)\.$"):
        net(torch.zeros(3))
    with pytest.raises(ValueError, match=r"^`y` must have been class labels for points to have a "):
        net.classify(torch.zeros(5, 3))
    one = torch.ones(1)
    with pytest.raises(ValueError, match=r"^`a` must be one-dimensional and not empty, got \(0,"):
        Interpolant(one[:0], one, one)
    with pytest.raises(ValueError, match=r"^`b` must be one-dimensional and not empty, got \(1, 1"):
        Interpolant(one, one[None], one)
    with pytest.raises(ValueError, match=r"^`w` must have shape \(1,\) or \(1, K\), got \(2,\)\.$"):
        Interpolant(one, one, torch.ones(2))
    with pytest.raises(ValueError, match=r"^`w` must have shape \(1,\) or \(1, K\), got \(1, 0\)"):
        Interpolant(one, one, torch.ones(1, 0))


@pytest.mark.parametrize("k", [0, 3])
def test_arrays_are_points_as_tensors_are(k: int) -> None:
    net, x = built(k=k)
    array = x.numpy()
    frozen = array.copy()
    frozen.flags.writeable = False
    for same_points in (array, frozen, array[:, ::-1].copy()[:, ::-1], array.astype(">f8")):
        assert torch.equal(net(same_points), net(x))
        assert torch.equal(net.project(same_points), net.project(x))
    pixels = np.arange(12, dtype=np.uint8).reshape(4, 3)
    assert torch.equal(net(pixels), net(torch.from_numpy(pixels)))
    deep = interpolate(points(40, 3), signs(40), depth=3)
    assert torch.equal(deep(array), deep(x))


def test_arrays_are_classified() -> None:
    x, labels = points(20, 3), np.arange(20) % 4
    assert interpolate(x, labels, num_classes=4).classify(x).tolist() == labels.tolist()


def test_points_that_are_no_real_numbers_are_named() -> None:
    net, _ = built()
    for wrong in (np.array([["a", "b", "c"]]), np.array([[1j, 0, 0]])):
        with pytest.raises(
            TypeError, match=r"^`x` must hold real numbers, got (<U1|complex128)\.$"
        ):
            net(wrong)
    with pytest.raises(ValueError, match=r"^`x` must have shape \(m, \.\.\.\) with 3 numbers"):
        net(np.zeros((2, 4)))


@pytest.mark.slow
def test_plain_layers_are_exported_for_any_number_of_points() -> None:
    dense = interpolate(points(40, 3), signs(40), depth=3).dense()
    x = torch.from_numpy(points(7, 3, seed=5))
    shapes = ({0: torch.export.Dim("points")},)
    exported = torch.export.export(dense, (x[:2],), dynamic_shapes=shapes).module()
    assert torch.equal(exported(x), dense(x))
