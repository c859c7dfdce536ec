"""Norm bounds of ReLU networks against dense matrices, formulas, and networks."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from corruptlab.capacity.rademacher import golowich_frobenius, golowich_l1_inf
from tests.capacity.rademacher.dense import Map, dense, frobenius, one_inf, seeded, spectral
from tests.capacity.rademacher.naive import Floats, exact, largest, points


def theorem1(norms: list[float], x: Floats) -> float:
    root = math.sqrt(sum(float(row @ row) for row in x))
    return math.prod(norms) * (math.sqrt(2 * len(norms) * math.log(2)) + 1) * root / len(x)


def theorem2(norms: list[float], x: Floats) -> float:
    largest_column = max(float(column @ column) for column in x.T)
    depth = math.sqrt(len(norms) + 1 + math.log(x.shape[1]))
    return 2 / len(x) * math.prod(norms) * depth * math.sqrt(largest_column)


def with_ones(x: Floats) -> Floats:
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def perceptron(*, bias: bool) -> nn.Sequential:
    network = nn.Sequential(
        nn.Flatten(),
        nn.Linear(12, 7, bias=bias),
        nn.ReLU(),
        nn.Dropout(),
        nn.Sequential(nn.Linear(7, 5, bias=bias), nn.ReLU()),
        nn.Identity(),
        nn.Linear(5, 2, bias=bias),
    )
    seeded(network)
    return network


def maps(network: nn.Sequential, *places: tuple[int, tuple[int, ...]]) -> list[Map]:
    return [dense(network[place], shape) for place, shape in places]


def perceptron_maps(network: nn.Sequential) -> list[Map]:
    inner: Any = network[4]
    return [dense(network[1], (12,)), dense(inner[0], (7,)), dense(network[6], (5,))]


def test_given_norms_go_into_the_formulas() -> None:
    x = points(30, 6)
    for norms in ([2.0], [1.5, 2.0, 0.5]):
        assert_allclose(golowich_frobenius(norms, x).value, theorem1(norms, x))
        assert_allclose(golowich_l1_inf(norms, x).value, theorem2(norms, x))


def test_perceptron_without_biases_is_the_product_of_its_matrices() -> None:
    network, x = perceptron(bias=False), points(20, 12)
    layers = [each.matrix for each in perceptron_maps(network)]
    for biases in ("append", "refuse"):
        found = golowich_frobenius(network, x, biases=biases)
        assert_allclose(found.value, theorem1([frobenius(each) for each in layers], x))
        other = golowich_l1_inf(network, x, biases=biases)
        assert_allclose(other.value, theorem2([one_inf(each) for each in layers], x))


@pytest.mark.parametrize("scale", [1.0, 0.01])  # of small ones the constant is the longest row
def test_biases_are_columns_of_matrices_that_hand_a_constant_on(scale: float) -> None:
    network, x = perceptron(bias=True), scale * points(20, 12)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(scale)
    first, second, third = perceptron_maps(network)
    matrices = [first.with_constant_on, second.with_constant_on, third.with_constant]
    y = with_ones(x)
    signal = y.T  # the chain of matrices is the network
    for matrix in matrices[:-1]:
        signal = np.maximum(matrix @ signal, 0)
    outputs = network.eval().double()(torch.from_numpy(x)).detach().numpy()
    assert_allclose((matrices[-1] @ signal).T, outputs, rtol=1e-10)
    found = golowich_frobenius(network, x)
    assert_allclose(found.value, theorem1([frobenius(each) for each in matrices], y))
    other = golowich_l1_inf(network, x)
    assert_allclose(other.value, theorem2([one_inf(each) for each in matrices], y))


def test_constant_is_handed_on_up_to_the_last_bias_only() -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2, bias=False))
    seeded(network)
    x = points(15, 4)
    (first, second) = maps(network, (0, (4,)), (2, (3,)))
    norms = [frobenius(first.with_constant), frobenius(second.matrix)]
    assert_allclose(golowich_frobenius(network, x).value, theorem1(norms, with_ones(x)))


def convolutional(*, bias: bool) -> nn.Sequential:
    network = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, bias=bias),
        nn.ReLU(),
        nn.Conv2d(3, 2, 2, stride=2, bias=bias),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8, 2, bias=bias),
    )
    seeded(network)
    return network


@pytest.mark.parametrize("bias", [False, True])
def test_convolutions_count_as_their_dense_matrices(bias: bool) -> None:
    network, x = convolutional(bias=bias), points(10, 32)
    layers = maps(network, (0, (2, 4, 4)), (2, (3, 4, 4)), (5, (8,)))
    if bias:
        y = with_ones(x)
        matrices = [layers[0].with_constant_on, layers[1].with_constant_on, layers[2].with_constant]
    else:
        y, matrices = x, [each.matrix for each in layers]
    images = x.reshape(10, 2, 4, 4)
    found = golowich_frobenius(network, images)
    assert_allclose(found.value, theorem1([frobenius(each) for each in matrices], y))
    other = golowich_l1_inf(network, images)
    assert_allclose(other.value, theorem2([one_inf(each) for each in matrices], y))


def test_mean_pooling_is_part_of_the_matrix_beside_it() -> None:
    network = nn.Sequential(
        nn.AvgPool2d(2),  # before the first layer
        nn.Conv2d(1, 2, 3, padding=1),
        nn.AvgPool2d(2, stride=1),  # right after a layer
        nn.ReLU(),
        nn.AvgPool2d(3, stride=2, padding=1),  # between ReLU and the next layer
        nn.Conv2d(2, 3, 2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),  # at the end
    )
    seeded(network)
    x = points(6, 64).reshape(6, 1, 8, 8)
    places = [(0, (1, 8, 8)), (1, (1, 4, 4)), (2, (2, 4, 4)), (4, (2, 3, 3)), (5, (2, 2, 2))]
    before, first, after, between, second = maps(network, *places)
    y = with_ones(x.reshape(6, 64))
    weights = (frobenius(first.matrix) * spectral(before.matrix)) ** 2
    inner = spectral(after.matrix) ** 2 * (weights + float(first.offset @ first.offset))
    outer = (frobenius(second.matrix) * spectral(between.matrix)) ** 2
    norms = [math.sqrt(inner + 1), math.sqrt(outer + float(second.offset @ second.offset))]
    assert_allclose(golowich_frobenius(network, x).value, theorem1(norms, y), rtol=1e-6)
    rows = [
        np.abs(first.matrix).sum(1) + np.abs(first.offset),
        np.abs(second.matrix).sum(1) * 4 / 9 + np.abs(second.offset),
    ]
    assert_allclose(one_inf(between.matrix), 4 / 9)  # the padding is averaged over as well
    lengths = [max(rows[0].max(), 1), rows[1].max()]
    assert_allclose(golowich_l1_inf(network, x).value, theorem2(lengths, y))
    # What was bounded is really not above: the matrices with the pooling in them.
    chain = [
        Map(after.matrix @ first.matrix @ before.matrix, after.matrix @ first.offset),
        Map(second.matrix @ between.matrix, second.offset),
    ]
    matrices = [chain[0].with_constant_on, chain[1].with_constant]
    for matrix, norm, length in zip(matrices, norms, lengths, strict=True):
        assert frobenius(matrix) <= norm
        assert one_inf(matrix) <= length + 1e-12


def test_divisor_that_makes_sums_of_means_counts() -> None:
    layer, total = nn.Conv2d(1, 1, 1, bias=False), nn.AvgPool2d(2, divisor_override=1)
    x = points(5, 16).reshape(5, 1, 4, 4)
    after, before = nn.Sequential(layer, nn.ReLU(), total), nn.Sequential(layer, total, nn.ReLU())
    for bound, gain in ((golowich_frobenius, 2), (golowich_l1_inf, 4)):
        plain = bound(nn.Sequential(layer), x).value
        assert_allclose(bound(after, x).value, 4 * plain)
        assert_allclose(bound(before, x).value, gain * plain, rtol=1e-6)


def test_bounds_hold_for_networks_of_their_norms() -> None:
    x, n = points(8, 3), 8
    generator = np.random.default_rng(0)
    for bound, norm in ((golowich_frobenius, frobenius), (golowich_l1_inf, one_inf)):
        values = []
        for _ in range(300):
            a, b = generator.standard_normal((4, 3)), generator.standard_normal((1, 4))
            a, b = a / norm(a), b / norm(b)
            values.append((b @ np.maximum(a @ x.T, 0))[0])
        reached = exact(n, largest(np.array(values)[:60]))
        assert 0.05 < reached <= bound([1.0, 1.0], x).value


def test_relus_at_the_end_and_matrices_without_one_between_change_nothing() -> None:
    layers = [nn.Linear(4, 4, bias=False), nn.Linear(4, 2, bias=False)]
    x = points(9, 4)
    bounds = [
        golowich_frobenius(nn.Sequential(*each), x).value
        for each in (layers, [layers[0], nn.ReLU(), layers[1]], [*layers, nn.ReLU()])
    ]
    assert bounds[0] == bounds[1] == bounds[2]


def test_inputs_may_come_in_blocks_and_a_network_in_float64() -> None:
    network, x = convolutional(bias=True), points(10, 32).reshape(10, 2, 4, 4)
    blocks: Any = iter([x[:3], torch.from_numpy(x[3:])])
    whole = golowich_frobenius(network, x)
    assert_allclose(golowich_frobenius(network.double(), blocks).value, whole.value)
    assert whole.n == 10


@pytest.mark.parametrize("bound", [golowich_frobenius, golowich_l1_inf])
@pytest.mark.parametrize("factor", [2.0**-100, 2.0**80])
def test_scale_of_the_inputs_is_a_factor_beyond_float32_too(bound: Any, factor: float) -> None:
    x = points(10, 4).astype(np.float32)
    scaled = bound([1.0, 2.0], (x * factor).astype(np.float32))
    assert_allclose(scaled.value, factor * bound([1.0, 2.0], x).value, rtol=1e-5)


BATCH_NORM = nn.Sequential(nn.Linear(4, 2, bias=False), nn.BatchNorm1d(2))
MAXIMUM = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.MaxPool2d(2))
INFINITE = nn.Sequential(nn.Linear(4, 1))
nn.init.constant_(INFINITE.get_parameter("0.bias"), math.inf)


@pytest.mark.parametrize("bound", [golowich_frobenius, golowich_l1_inf])
@pytest.mark.parametrize(
    ("network", "error", "text"),
    [
        (
            BATCH_NORM,
            TypeError,
            r"^`network` must be made of Linear, .*, got BatchNorm1d at place 1",
        ),
        (nn.Linear(4, 1), TypeError, r"^`network` must be an nn\.Sequential, got Linear\.$"),
        (
            nn.Sequential(nn.ReLU()),
            ValueError,
            r"^`network` must have a Linear or Conv2d .*, got no",
        ),
        (
            nn.Sequential(nn.Linear(3, 1)),
            ValueError,
            r"^`network` must take .*, got \(4,\) for Line",
        ),
        (
            nn.Sequential(nn.Flatten(0)),
            ValueError,
            r"^`network` must keep examples apart, got Flat",
        ),
        (INFINITE, ValueError, r"^`network` must have finite weights, got .* in Linear\("),
        ("abc", TypeError, r"^`network` must be an nn\.Sequential or a list of norms, got str\.$"),
        (3.0, TypeError, r"^`network` must be an nn\.Sequential or a list of norms, got float\.$"),
        ([], ValueError, r"^`network` must have at least one norm, got none\.$"),
        ([1.0, -1.0], ValueError, r"^`network` must be at least 0, got -1\.0\.$"),
        ([1.0, "2"], TypeError, r"^`network` must be a number, got '2'\.$"),
    ],
)
def test_networks_that_no_theorem_is_about_are_quoted(
    bound: Any, network: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        bound(network, points(5, 4))


@pytest.mark.parametrize("bound", [golowich_frobenius, golowich_l1_inf])
def test_maximum_pooling_biases_and_inputs_that_do_not_suit_are_quoted(bound: Any) -> None:
    with pytest.raises(ValueError, match=r"^`network` must have no MaxPool2d, .*, got one; see"):
        bound(MAXIMUM, points(5, 16).reshape(5, 1, 4, 4))
    with pytest.raises(
        ValueError, match=r"no biases with biases='refuse', got 3 layers with one\.$"
    ):
        bound(perceptron(bias=True), points(5, 12), biases="refuse")
    with pytest.raises(ValueError, match=r"^`biases` must be one of append, refuse, got 'drop'\.$"):
        bound(perceptron(bias=True), points(5, 12), biases="drop")
    with pytest.raises(
        ValueError, match=r"^`inputs` must be finite .*, got example 1 with norm nan"
    ):
        bound([1.0], np.array([[1.0], [math.nan]]))
