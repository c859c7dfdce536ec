"""Reference architectures are exact to the parameter and start from the same weights everywhere."""

import hashlib
import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest, truncnorm, uniform
from torch import nn

from corruptlab.models import by_name, initialize, mlp

GOLDEN = "fcc59457b3a0c459"


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("widths", "parameters"), [((512,), 1_209_866), ((512, 512, 512), 1_735_178), ((), 23_530)]
)
def test_parameter_counts_are_those_of_the_paper(widths: tuple[int, ...], parameters: int) -> None:
    assert count(mlp(*widths)) == parameters


def test_other_shapes_and_class_counts_count_as_they_should() -> None:
    model = mlp(7, 5, input_shape=(1, 28, 28), num_classes=3)
    assert count(model) == 784 * 7 + 7 + 7 * 5 + 5 + 5 * 3 + 3
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 3)


def test_output_equals_the_formula() -> None:
    model = mlp(6, 4, input_shape=(5,), num_classes=3, seed=1)
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    expected = x
    layers = [layer for layer in model if isinstance(layer, nn.Linear)]
    for k, layer in enumerate(layers):
        expected = expected @ layer.weight.T + layer.bias
        expected = expected.clamp(min=0) if k < 2 else expected
    torch.testing.assert_close(model(x), expected)


def test_names_give_the_same_networks() -> None:
    for name, model in (("mlp-1x512", mlp(512)), ("mlp-3x512", mlp(512, 512, 512))):
        named = by_name(name)
        for a, b in zip(named.parameters(), model.parameters(), strict=True):
            assert torch.equal(a, b)
    assert by_name("mlp-2x9", input_shape=(4,), num_classes=2).get_parameter("3.weight").shape == (
        9,
        9,
    )


def test_seed_decides_the_weights_and_no_global_generator_moves() -> None:
    before = torch.get_rng_state()
    one, same, other = (mlp(8, input_shape=(4,), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.get_parameter("1.weight"), same.get_parameter("1.weight"))
    assert not (one.get_parameter("1.weight") == other.get_parameter("1.weight")).any()


def test_golden_weights_hold() -> None:
    weight = mlp(16, input_shape=(8,), seed=0).get_parameter("1.weight").detach().numpy()
    digest = hashlib.sha256(weight.astype("<f4").tobytes()).hexdigest()
    assert digest[:16] == GOLDEN


def test_glorot_weights_follow_their_law_and_biases_are_zero() -> None:
    model = mlp(200, input_shape=(300,), seed=3)
    bound = math.sqrt(6 / 500)
    weights = model.get_parameter("1.weight").detach().numpy().ravel()
    assert kstest(weights, uniform(-bound, 2 * bound).cdf).pvalue > 1e-4
    assert not model.get_parameter("1.bias").any()


def test_truncated_normal_weights_follow_their_law() -> None:
    model = mlp(200, input_shape=(300,), seed=3, init="truncated_normal")
    weights = model.get_parameter("1.weight").detach().numpy().ravel()
    assert kstest(weights * math.sqrt(300), truncnorm(-2, 2).cdf).pvalue > 1e-4
    assert np.abs(weights).max() <= 2 / math.sqrt(300)


def test_initialize_works_inside_other_networks() -> None:
    model = nn.Sequential(nn.PReLU(), nn.Flatten(), nn.Linear(8, 2, bias=False))
    kept = model.get_parameter("0.weight").clone()
    initialize(model, seed=4)
    assert torch.equal(model.get_parameter("0.weight"), kept)
    assert (model.get_parameter("2.weight").abs() <= math.sqrt(6 / 10)).all()


@pytest.mark.parametrize("name", ["mlp", "mlp-0x5", "mlp-1x0", "resnet", "MLP-1x512", "mlp-1x5 "])
def test_unknown_names_list_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^`name` must be one of mlp-1x512, .* got '{name}'\.$"):
        by_name(name)


def test_any_sequence_of_sizes_is_a_shape() -> None:
    for shape in ((3, 4), [3, 4], torch.Size((3, 4)), np.array([3, 4])):
        assert mlp(input_shape=shape)[1].in_features == 12  # type: ignore[arg-type]


def test_bad_sizes_and_laws_are_quoted() -> None:
    with pytest.raises(ValueError, match=r"^`widths` must be at least 1, got \(5, 0\)\.$"):
        mlp(5, 0)
    with pytest.raises(ValueError, match=r"^`num_classes` must be at least 1, got \[?0"):
        mlp(5, num_classes=0)
    for shape in (8, None):
        told = rf"^`input_shape` must be a tuple of integers, such as \(8,\), got {shape!r}\.$"
        with pytest.raises(TypeError, match=told):
            mlp(input_shape=shape)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^`input_shape` must be at least 1, got \(-1, 4\)\.$"):
        mlp(5, input_shape=(-1, 4))
    with pytest.raises(ValueError, match=r"^`init` must be one of glorot_uniform, .* got 'zeros'"):
        mlp(5, init="zeros")  # type: ignore[arg-type]
