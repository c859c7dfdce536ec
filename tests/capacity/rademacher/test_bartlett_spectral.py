"""Spectral complexity against dense matrices and the formula written with divisions."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from torch import nn

from corruptlab.capacity.rademacher import SpectralComplexity, bartlett_spectral
from tests.capacity.rademacher.dense import dense, seeded, spectral, two_one
from tests.capacity.rademacher.naive import Floats, points


def formula(matrices: list[Floats], gaps: list[Floats], rho: float) -> float:
    """R_A as the paper prints it."""
    norms = [spectral(each) for each in matrices]
    terms = [(two_one(g) / s) ** (2 / 3) for g, s in zip(gaps, norms, strict=True)]
    return rho * math.prod(norms) * math.pow(sum(terms), 1.5)


def perceptron(*, bias: bool, seed: int = 0) -> nn.Sequential:
    network = nn.Sequential(nn.Linear(6, 5, bias=bias), nn.ReLU(), nn.Linear(5, 3, bias=bias))
    seeded(network, seed=seed)
    return network


def test_perceptron_without_biases_equals_the_formula() -> None:
    network, x = perceptron(bias=False), points(11, 6)
    matrices = [dense(network[0], (6,)).matrix, dense(network[2], (5,)).matrix]
    found = bartlett_spectral(network, x, biases="refuse")
    assert_allclose(found.value, formula(matrices, matrices, 1), rtol=1e-6)
    assert_allclose(found.spectral_norms, [spectral(each) for each in matrices], rtol=1e-6)
    assert_allclose(found.input_norm, np.linalg.norm(x))
    assert_allclose(found.margin_normalizer, np.linalg.norm(x) * found.value / 11)
    assert (found.width, found.n, found.lipschitz) == (6, 11, (1.0, 1.0))


def test_distance_is_measured_from_the_reference() -> None:
    network, start, x = perceptron(bias=True), perceptron(bias=True, seed=1), points(11, 6)
    maps = [dense(network[0], (6,)), dense(network[2], (5,))]
    others = [dense(start[0], (6,)), dense(start[2], (5,))]
    matrices = [maps[0].with_constant_on, maps[1].with_constant]
    gaps = [
        matrices[0] - others[0].with_constant_on,
        matrices[1] - others[1].with_constant,
    ]
    found = bartlett_spectral(network, x, reference=start)
    assert_allclose(found.value, formula(matrices, gaps, 1), rtol=1e-6)
    assert_allclose(found.input_norm, math.sqrt(np.linalg.norm(x) ** 2 + 11))
    assert found.width == 7
    assert bartlett_spectral(network, x, reference=network).value == 0
    assert bartlett_spectral(network, x, reference=network).rademacher(margin=1.0).value == 0


def test_without_a_reference_the_constant_is_handed_on_for_free() -> None:
    network, x = perceptron(bias=True), points(11, 6)
    maps = [dense(network[0], (6,)), dense(network[2], (5,))]
    matrices = [maps[0].with_constant_on, maps[1].with_constant]
    gaps = [maps[0].with_constant, maps[1].with_constant]
    assert_allclose(bartlett_spectral(network, x).value, formula(matrices, gaps, 1), rtol=1e-6)


def test_convolutions_and_pooling_count_as_the_operators_they_are() -> None:
    network = nn.Sequential(
        nn.AvgPool2d(2),
        nn.Conv2d(2, 3, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=1),
        nn.Conv2d(3, 4, 2, bias=False),
        nn.AvgPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4, 2, bias=False),
    )
    seeded(network)
    x = points(7, 200).reshape(7, 2, 10, 10)
    matrices = [
        dense(network[1], (2, 5, 5)).matrix,
        dense(network[4], (3, 3, 3)).matrix,
        dense(network[8], (4,)).matrix,
    ]
    found = bartlett_spectral(network, x)
    assert_allclose(found.lipschitz, [3, 0.5, 1], rtol=1e-6)
    assert_allclose(found.value, formula(matrices, matrices, 1.5), rtol=1e-5)
    assert_allclose(found.input_norm, np.linalg.norm(x) / 2, rtol=1e-6)
    assert found.width == 75


def test_width_counts_the_constant_only_where_it_is_handed_on() -> None:
    x = points(5, 4)
    for last, width in ((False, 6), (True, 7)):
        layers = [nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2, bias=last)]
        assert bartlett_spectral(nn.Sequential(*layers), x).width == width


def test_shrinking_layers_shrink_no_constant_that_is_handed_on() -> None:
    layers = [nn.Conv2d(1, 1, 1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(1, 1, 1), nn.AvgPool2d(2)]
    found = bartlett_spectral(nn.Sequential(*layers), points(3, 16).reshape(3, 1, 4, 4))
    assert_allclose(found.lipschitz, [1, 0.5], rtol=1e-6)
    first = bartlett_spectral(nn.Sequential(layers[2], layers[0]), np.ones((3, 1, 4, 4)))
    assert_allclose(first.input_norm, math.sqrt(3 * 16 / 4 + 3), rtol=1e-6)


def test_lipschitz_constant_bounds_what_the_network_does() -> None:
    network, x = perceptron(bias=True), torch.from_numpy(points(200, 6)).float()
    constant = bartlett_spectral(network, x).lipschitz_constant
    with torch.no_grad():
        moved = (network(x[:100]) - network(x[100:])).norm(dim=1)
    assert bool((moved <= constant * (x[:100] - x[100:]).norm(dim=1)).all())


def test_layer_of_zeros_is_no_division_by_zero() -> None:
    network = perceptron(bias=False)
    nn.init.zeros_(network.get_parameter("2.weight"))
    assert bartlett_spectral(network, points(4, 6)).value == 0


def made(**changes: Any) -> SpectralComplexity:
    fields: dict[str, Any] = {
        "spectral_norms": (2.0, 3.0),
        "distances": (1.0, 8.0),
        "lipschitz": (1.0, 0.5),
        "width": 10,
        "input_norm": 4.0,
        "n": 1000,
    }
    return SpectralComplexity(**{**fields, **changes})


def test_value_by_hand() -> None:
    # 0.5 * 6 * ((1/2)^(2/3) + (8/3)^(2/3))^(3/2), and 6 drawn into the sum
    assert_allclose(made().value, (3 ** (2 / 3) + 16 ** (2 / 3)) ** 1.5 / 2)
    assert_allclose(made().lipschitz_constant, 3)


@pytest.mark.parametrize("margin", [10.0, 100.0, 1e5])
def test_bound_at_a_margin_is_dudleys_integral_at_its_best(margin: float) -> None:
    found, n = made(n=60_000), 60_000
    r = 2 * found.input_norm * found.value * math.sqrt(math.log(2 * 10**2)) / margin

    def dudley(log_a: float) -> float:
        a = math.exp(log_a)
        integral = quad(lambda log_eps: r, log_a, math.log(math.sqrt(n)))[0]  # of r/eps d eps
        return float(4 * a / math.sqrt(n) + 12 / n * integral)

    best = minimize_scalar(dudley, bounds=(-30, math.log(math.sqrt(n))), method="bounded").fun
    bound = found.rademacher(margin=margin)
    assert_allclose(bound.value, best, rtol=1e-6)
    assert bound.value < 0.5
    papers = 4 / n**1.5 + 18 * r * math.log(n) / n  # a = 1/n, as in the paper
    assert bound.value <= papers
    assert (bound.n, bound.convention, bound.confidence) == (n, "zhang", 1.0)


def test_bound_says_nothing_at_small_margins_and_less_at_larger_ones() -> None:
    values = [made(n=60_000).rademacher(margin=margin).value for margin in (1e-9, 0.1, 20, 40)]
    assert values[0] == values[1] == 0.5
    assert values[1] > values[2] > values[3]


def test_margins_are_divided_by_the_normalizer() -> None:
    found = made()
    scores = points(9, 4)
    labels = np.arange(9) % 4
    margins = [
        row[y] - max(row[j] for j in range(4) if j != y)
        for row, y in zip(scores, labels, strict=True)
    ]
    expected = np.array(margins) / (4 * found.value / 1000)
    result = found.normalized_margins(torch.from_numpy(scores), torch.from_numpy(labels))
    assert_allclose(result.numpy(), expected)


def test_record_survives_json_and_reads_as_one_line() -> None:
    record = json.loads(json.dumps(made().to_dict()))
    assert record["spectral_norms"] == [2.0, 3.0]
    assert record["value"] == made().value
    assert repr(made()).startswith(
        "SpectralComplexity(12.2373; Lipschitz constant 3, 2 layers, n=1000"
    )


def test_what_does_not_fit_is_quoted() -> None:
    x = points(4, 6)
    other = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3))
    text = r"^`reference` must .* shapes \[\(5, 6\), \(3, 5\)\], got \[\(4, 6\), \(3, 4\)\]\.$"
    with pytest.raises(ValueError, match=text):
        bartlett_spectral(perceptron(bias=False), x, reference=other)
    with pytest.raises(TypeError, match=r"^`network` must be an nn\.Sequential, got list\.$"):
        bartlett_spectral([1.0], x)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"'refuse', got 2 layers with one\.$"):
        bartlett_spectral(perceptron(bias=True), x, biases="refuse")
    with pytest.raises(ValueError, match=r"^`margin` must be above 0, got 0\.$"):
        made().rademacher(margin=0)
    with pytest.raises(ValueError, match=r"K >= 2 and .*, got \(3, 1\) and \(3,\)\.$"):
        made().normalized_margins(torch.zeros(3, 1), torch.zeros(3))
    with pytest.raises(ValueError, match=r"shape \(m,\), got \(3, 2\) and \(2,\)\.$"):
        made().normalized_margins(torch.zeros(3, 2), torch.zeros(2))
    labels = torch.tensor([0, 2])
    with pytest.raises(ValueError, match=r"^`labels` must lie in 0 \.\. 1, got 2\.$"):
        made().normalized_margins(torch.zeros(2, 2), labels)
    with pytest.raises(ValueError, match=r"^`labels` must lie in 0 \.\. 1, got -1\.$"):
        made().normalized_margins(torch.zeros(2, 2), labels - 1)
    with pytest.raises(TypeError, match=r"^`labels` must be integers, got torch\.float32\.$"):
        made().normalized_margins(torch.zeros(2, 2), labels.float())


def test_reference_has_no_bias_that_no_matrix_of_the_network_has_a_column_for() -> None:
    x, start = points(11, 6), perceptron(bias=True, seed=1)
    text = r"^`reference` must have no bias after the last one of `network`, got one in Linear\("
    with pytest.raises(ValueError, match=text):
        bartlett_spectral(perceptron(bias=False), x, reference=start, biases="refuse")
    network = nn.Sequential(nn.Linear(6, 5, bias=False), nn.ReLU(), nn.Linear(5, 3))
    seeded(network)
    maps = [dense(network[0], (6,)), dense(network[2], (5,))]
    others = [dense(start[0], (6,)), dense(start[2], (5,))]
    gaps = [
        two_one(one.with_constant_on - other.with_constant_on)
        for one, other in zip(maps, others, strict=True)
    ]
    found = bartlett_spectral(network, x, reference=start)
    assert_allclose(found.distances, gaps)
