"""Names build the networks they name."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from corruptlab.models import by_name, mlp, small_alexnet, small_inception

NAMED: dict[str, Callable[..., nn.Module]] = {
    "mlp-1x512": lambda **options: mlp(512, **options),
    "mlp-3x512": lambda **options: mlp(512, 512, 512, **options),
    "small-inception": small_inception,
    "small-inception-no-bn": lambda **options: small_inception(batch_norm=False, **options),
    "small-alexnet": small_alexnet,
}


def assert_same(one: nn.Module, other: nn.Module) -> None:
    assert str(one) == str(other)
    for (key, value), (name, same) in zip(
        one.state_dict().items(), other.state_dict().items(), strict=True
    ):
        assert key == name
        assert torch.equal(value, same)


@pytest.mark.parametrize("name", NAMED)
def test_names_give_the_paper_networks(name: str) -> None:
    assert_same(by_name(name), NAMED[name]())


@pytest.mark.parametrize("name", NAMED)
def test_shape_classes_and_seed_are_handed_on(name: str) -> None:
    built = by_name(name, input_shape=(1, 12, 9), num_classes=3, seed=5)
    assert_same(built, NAMED[name](input_shape=(1, 12, 9), num_classes=3, seed=5))


def test_errors_of_the_network_pass_through() -> None:
    with pytest.raises(
        ValueError, match=r"^`input_shape` must have .* at least 4, got \(3, 2, 2\)"
    ):
        by_name("small-alexnet", input_shape=(3, 2, 2))
    with pytest.raises(
        ValueError, match=r"^`input_shape` must have .* at least 75, got \(3, 28, 28\)"
    ):
        by_name("inception-v3", input_shape=(3, 28, 28))


def test_unknown_names_list_all_known_ones() -> None:
    known = (
        "mlp-1x512, mlp-3x512, small-inception, small-inception-no-bn, small-alexnet, "
        "inception-v3, text-transformer"
    )
    with pytest.raises(
        ValueError, match=rf"^`name` must be one of {known} \(or mlp-.*, got 'resnet'"
    ):
        by_name("resnet")
