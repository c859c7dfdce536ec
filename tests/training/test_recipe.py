"""Recipes: validated, frozen, JSON both ways, and the paper's numbers by name."""

import copy
import json
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import TensorDataset

from corruptlab import Augmentation, Recipe, fit, mlp, recipes
from corruptlab.training import center_crop, whiten

built = st.builds(
    Recipe,
    learning_rate=st.floats(1e-6, 10),
    epochs=st.integers(1, 1000),
    momentum=st.floats(0, 0.999),
    decay=st.floats(0.01, 1),
    batch_size=st.integers(1, 4096),
    weight_decay=st.floats(0, 1),
    crop=st.none() | st.integers(1, 64),
    whiten=st.booleans(),
)


@given(built)
def test_json_brings_back_the_same_recipe(recipe: Recipe) -> None:
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@given(built, st.integers(0, 100))
def test_rate_falls_by_the_decay_each_epoch(recipe: Recipe, epoch: int) -> None:
    expected = recipe.learning_rate * math.pow(recipe.decay, epoch)
    assert recipe.learning_rate_in(epoch) == pytest.approx(expected)


def test_the_paper_s_numbers_are_in_its_recipe() -> None:
    recipe = recipes.cifar10("mlp-3x512")
    assert (recipe.learning_rate, recipe.momentum, recipe.decay) == (0.01, 0.9, 0.95)
    assert (recipe.crop, recipe.whiten, recipe.weight_decay) == (28, True, 0.0)
    assert recipe.input_shape((3, 32, 32)) == (3, 28, 28)


def test_a_bare_recipe_changes_nothing_but_bytes() -> None:
    recipe = Recipe(learning_rate=0.1, epochs=3)
    assert [recipe.learning_rate_in(epoch) for epoch in range(3)] == [0.1, 0.1, 0.1]
    floats, bytes_ = torch.randn(4, 3, 5), torch.arange(256).to(torch.uint8).reshape(4, 64)
    assert torch.equal(recipe.prepare(floats), floats)
    assert torch.equal(recipe.prepare(bytes_), bytes_ / 255)


@pytest.mark.slow(seconds=1)
def test_classes_that_differ_in_brightness_are_learned_unless_each_image_is_whitened() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(600) % 3
    images = torch.randn(600, 1, 6, 6, generator=generator) + labels[:, None, None, None]
    train, test = (
        TensorDataset(images[:300], labels[:300]),
        TensorDataset(images[300:], labels[300:]),
    )
    plain = Recipe(learning_rate=0.02, epochs=20, batch_size=20)
    model = mlp(32, input_shape=(1, 6, 6), num_classes=3)
    lost = fit(copy.deepcopy(model), train, test, recipe=replace(plain, whiten=True), stop=())
    kept = fit(model, train, test, recipe=plain, stop=())
    assert kept.test_accuracy is not None
    assert lost.test_accuracy is not None
    assert kept.test_accuracy > 0.9
    assert lost.test_accuracy < 0.5


@pytest.mark.parametrize("n", [4_000, 50_000, 60_000, 1_000_000])
def test_default_recipe_decays_with_images_seen(n: int) -> None:
    recipe = recipes.default("mlp-1x512", input_shape=(1, 28, 28), n=n)
    assert recipe.decay ** (50_000 / n) == pytest.approx(0.95)
    assert recipe.epochs * n == pytest.approx(5_000_000, rel=0.05)
    assert recipe.crop is None


def test_default_recipe_is_bounded_for_very_few_images() -> None:
    assert recipes.default("mlp-1x512", input_shape=(1, 28, 28), n=10).epochs == 2000


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"learning_rate": 0}, ValueError, r"^`learning_rate` must be greater than 0, got 0\.0\.$"),
        ({"learning_rate": math.nan}, ValueError, r"^`learning_rate` must be finite, got nan\.$"),
        ({"learning_rate": "x"}, TypeError, r"^`learning_rate` must be a number, got 'x'\.$"),
        ({"learning_rate": True}, TypeError, r"^`learning_rate` must be a number, got True\.$"),
        ({"momentum": 1}, ValueError, r"^`momentum` must lie in \[0, 1\), got 1\.0\.$"),
        ({"decay": 0}, ValueError, r"^`decay` must lie in \(0, 1\], got 0\.0\.$"),
        ({"decay": 1.1}, ValueError, r"^`decay` must lie in \(0, 1\], got 1\.1\.$"),
        ({"weight_decay": -1}, ValueError, r"^`weight_decay` must be at least 0, got -1\.0\.$"),
        ({"epochs": 0}, ValueError, r"^`epochs` must be at least 1, got 0\.$"),
        ({"epochs": 1.5}, TypeError, r"^`epochs` must be an integer, got 1\.5\.$"),
        ({"batch_size": 0}, ValueError, r"^`batch_size` must be at least 1, got 0\.$"),
        ({"crop": 0}, ValueError, r"^`crop` must be at least 1, got 0\.$"),
        (
            {"optimizer": "lamb"},
            ValueError,
            r"^`optimizer` must be one of sgd, nesterov, adam, adamw, rmsprop, got 'lamb'\.$",
        ),
        (
            {"optimizer": "nesterov", "momentum": 0},
            ValueError,
            r"^`momentum` must be greater than 0 with Nesterov's, got 0\.0\.$",
        ),
        (
            {"precision": "float16"},
            ValueError,
            r"^`precision` must be one of float32, bfloat16, auto, got 'float16'\.$",
        ),
        ({"dropout": 1}, ValueError, r"^`dropout` must lie in \[0, 1\), got 1\.0\.$"),
        (
            {"augmentation": "flip"},
            TypeError,
            r"^`augmentation` must be an Augmentation or None, got 'flip'\.$",
        ),
        ({"whiten": 1}, TypeError, r"^`whiten` must be True or False, got 1\.$"),
    ],
)
def test_values_out_of_range_are_quoted(
    changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        Recipe(**{"learning_rate": 0.1, "epochs": 1, **changes})


def test_unknown_and_missing_names_are_quoted() -> None:
    with pytest.raises(ValueError, match=r"^`values` must only name learning_rate, .* got 'lr'\.$"):
        Recipe.from_dict({"lr": 0.1, "epochs": 1})
    with pytest.raises(ValueError, match=r"^`values` must name learning_rate, got \['epochs'\]\.$"):
        Recipe.from_dict({"epochs": 1})


def test_models_without_a_recipe_are_quoted() -> None:
    for recipe in (recipes.cifar10, recipes.fashion_mnist_mini):
        with pytest.raises(
            ValueError, match=r"^`model` must be one of mlp-1x512, .* got 'resnet'\.$"
        ):
            recipe("resnet")
    with pytest.raises(ValueError, match=r"^`n` must be at least 1, got 0\.$"):
        recipes.default("mlp-1x512", input_shape=(3, 32, 32), n=0)


def test_a_recipe_with_everything_survives_json() -> None:
    changes = Augmentation(flip=True, rotation=25, hue=0.1)
    recipe = Recipe(
        learning_rate=0.1,
        epochs=3,
        optimizer="rmsprop",
        dropout=0.2,
        augmentation=changes,
        precision="auto",
        whiten=True,
        decay=0.95,
    )
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert again.augmentation == changes
    assert hash(again) == hash(recipe)


@pytest.mark.parametrize(
    ("model", "rate", "batch", "weight_decay"),
    [
        ("small-inception", 0.1, 128, 5e-4),
        ("small-inception-no-bn", 0.1, 128, 5e-4),
        ("small-alexnet", 0.01, 128, 5e-4),
        ("mlp-3x512", 0.01, 64, 1e-4),
    ],
)
def test_the_rows_of_table_1_differ_by_their_regularizers_only(
    model: str, rate: float, batch: int, weight_decay: float
) -> None:
    plain = recipes.cifar10(model)
    assert (plain.learning_rate, plain.batch_size, plain.weight_decay) == (rate, batch, 0.0)
    assert (plain.momentum, plain.decay, plain.crop, plain.augmentation) == (0.9, 0.95, 28, None)
    assert recipes.cifar10(model, weight_decay=True) == replace(plain, weight_decay=weight_decay)
    cropped = recipes.cifar10(model, random_crop=True)
    assert cropped == replace(plain, augmentation=Augmentation(random_crop=True))


def test_the_augmentation_of_table_4_rotates_to_25_degrees_and_leaves_the_crop_alone() -> None:
    changes = recipes.cifar10("small-inception", augmentation=True).augmentation
    assert changes is not None
    assert (changes.rotation, changes.flip, changes.random_crop) == (25.0, True, False)
    assert min(changes.brightness, changes.saturation, changes.hue) > 0
    both = recipes.cifar10("small-inception", augmentation=True, random_crop=True).augmentation
    assert both == replace(changes, random_crop=True)


def test_imagenet_recipe_switches_dropout_off_unless_asked() -> None:
    assert recipes.imagenet().dropout == 0.0
    assert recipes.imagenet(weight_decay=True).weight_decay == 4e-5
    with pytest.raises(ValueError, match=r"^`model` must be 'inception-v3', got 'vgg'\.$"):
        recipes.imagenet("vgg")


def test_inputs_are_prepared_as_a_fit_prepares_them() -> None:
    images = torch.randint(0, 256, (4, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    bytes_ = images.to(torch.uint8)
    recipe = Recipe(learning_rate=0.1, epochs=1, crop=6, whiten=True, decay=0.95)
    assert torch.equal(recipe.prepare(bytes_), whiten(center_crop(bytes_, 6)))
    plain = Recipe(learning_rate=0.1, epochs=1, whiten=False, decay=0.95)
    assert torch.equal(plain.prepare(bytes_), bytes_.float() / 255)
    assert torch.equal(plain.prepare(images), images)  # words of a text, perhaps


def test_inputs_that_do_not_suit_are_called_by_their_name() -> None:
    recipe = Recipe(learning_rate=0.1, epochs=1, crop=6, whiten=True, decay=0.95)
    recipe.check_inputs(torch.zeros(2, 3, 6, 6))
    with pytest.raises(ValueError, match=r"^`recipe\.crop` must fit the images of `inputs`, "):
        recipe.check_inputs(torch.zeros(2, 5))
    words = torch.zeros(2, 9, 9, dtype=torch.int64)
    with pytest.raises(TypeError, match=r"^`recipe\.whiten` must be False .*int64 in `words`\.$"):
        recipe.check_inputs(words, name="words")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_images_on_a_gpu_can_be_augmented() -> None:
    recipe = Recipe(
        learning_rate=0.1, epochs=1, augmentation=Augmentation(flip=True), whiten=True, decay=0.95
    )
    recipe.check_inputs(torch.zeros(2, 3, 6, 6, device="cuda"))
