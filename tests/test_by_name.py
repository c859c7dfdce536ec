"""What names stand for."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

import corruptlab as cl
from corruptlab._by_name import describe, device_for, loaded, network_for, recipe_for
from corruptlab.datasets import Images, load
from corruptlab.training import Recipe, recipes
from tests.cli.trees import idx_tree


@pytest.fixture
def data(tmp_path: Path) -> str:
    return f"idx:{idx_tree(tmp_path / 'images', n=4000)}"


@pytest.fixture
def train(data: str) -> Images:
    return load(data)[0]


def test_a_pair_is_called_by_both_types() -> None:
    assert describe((torch.zeros(2, 1), [0, 1])) == "(Tensor, list)"
    assert describe([(torch.zeros(1), 0)]) == "list"
    assert describe(cast("Any", SimpleNamespace(name="mine"))) == "mine"
    assert describe(cl.corrupt((torch.zeros(2, 1), [0, 1]))) == "(Tensor, list) with no corruption"


def test_a_wrapped_data_set_is_called_by_what_it_wraps(train: Images) -> None:
    few = torch.utils.data.Subset(train, range(9))
    noisy = cl.corrupt(few, cl.UniformLabels(p=0.4), cl.RandomPixels())
    corruptions = "UniformLabels(p=0.4), RandomPixels()"
    assert describe(few) == f"Subset of {train.name}"
    assert describe(noisy) == f"Subset of {train.name} with {corruptions}"
    cast("Any", noisy).name = "mine"
    assert describe(noisy) == "mine"


def test_data_are_read_once(data: str) -> None:
    assert loaded(data)[0] is loaded(data)[0]


@pytest.mark.parametrize("n", [None, 40])
def test_data_without_a_recipe_of_their_own_get_the_one_of_their_size(
    n: int | None, data: str, train: Images
) -> None:
    shape = (1, 6, 6)
    expected = recipes.default("mlp-1x512", input_shape=shape, n=n or 4000)
    assert recipe_for("mlp-1x512", train, data, n=n) == expected
    assert expected != recipes.default("mlp-1x512", input_shape=shape, n=1)


def test_cifar10_as_a_whole_gets_the_recipe_of_the_paper_s_table(train: Images) -> None:
    whole = recipe_for("small-inception", train, "cifar10:data")
    assert whole == recipes.cifar10("small-inception")


def test_a_network_sees_what_the_recipe_leaves_of_an_image_and_tells_all_classes() -> None:
    few: Any = SimpleNamespace(images=torch.zeros(1, 1, 6, 6), classes=("a", "b", "c"))
    recipe = Recipe(learning_rate=0.1, epochs=1, crop=4, whiten=True, decay=0.95)
    network = network_for("mlp-1x16", few, recipe)
    assert network(torch.zeros(2, 1, 4, 4)).shape == (2, 3)


def test_a_network_has_the_weights_of_its_seed(data: str, train: Images) -> None:
    recipe = recipe_for("mlp-1x16", train, data)
    one, same, other = (network_for("mlp-1x16", train, recipe, seed=seed) for seed in (1, 1, 2))
    weights = [
        torch.nn.utils.parameters_to_vector(each.parameters()) for each in (one, same, other)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(("there", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_a_gpu_where_there_is_one_and_other_names_stay(
    there: bool, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert (device_for("auto"), device_for("cuda:1"), device_for("cpu")) == (
        device,
        "cuda:1",
        "cpu",
    )
