"""Statistics of the training set: against NumPy, exactly once, and the same for all data."""

import json
import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from corruptlab import Augmentation, Recipe, fit, fit_replicas, mlp, permutation_test
from corruptlab.capacity import effective_capacity, memorization, stability
from corruptlab.experiments import randomization_test
from corruptlab.training import Execution, Standardization, center_crop, whiten
from tests.training.cases import RECIPE, network, points

CHANNELS = replace(RECIPE, epochs=2, standardize="channels")
FEATURES = replace(RECIPE, epochs=2, standardize="features")


def images(n: int = 60, seed: int = 0, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, 6, 5), generator=generator).to(torch.uint8)


def image_data(n: int = 60, seed: int = 0) -> TensorDataset:
    return TensorDataset(images(n, seed), torch.arange(n) % 3)


def small_net() -> nn.Module:
    return mlp(8, input_shape=(3, 6, 5), num_classes=3)


def equal_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def statistics(recipe: Recipe) -> Standardization:
    assert isinstance(recipe.standardize, Standardization)
    return recipe.standardize


# ------------------------------------------------------------------------------------- the numbers


def test_channels_have_the_moments_of_numpy() -> None:
    found = statistics(CHANNELS.with_statistics_of(images(700)))
    scaled = images(700).numpy() / 255
    assert_allclose(found.mean, scaled.mean(axis=(0, 2, 3)), rtol=1e-7)
    assert_allclose(found.std, scaled.std(axis=(0, 2, 3)), rtol=1e-7)


def test_features_have_the_moments_of_numpy_whatever_the_number_of_blocks() -> None:
    values = torch.randn(1300, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    found = statistics(FEATURES.with_statistics_of(values))
    flat = values.numpy().reshape(1300, -1)
    assert_allclose(found.mean, flat.mean(axis=0), rtol=1e-12, atol=1e-14)
    assert_allclose(found.std, flat.std(axis=0), rtol=1e-12)


@pytest.mark.parametrize("recipe", [CHANNELS, FEATURES])
def test_prepared_training_inputs_have_mean_zero_and_deviation_one(recipe: Recipe) -> None:
    axes = (0, 2, 3) if recipe is CHANNELS else (0,)
    prepared = recipe.with_statistics_of(images()).prepare(images())
    assert prepared.dtype is torch.float32
    assert_allclose(prepared.double().mean(axes).numpy(), 0, atol=1e-6)
    assert_allclose(prepared.double().std(axes, correction=0).numpy(), 1, rtol=1e-6)


@given(st.sampled_from([1e3, 1e8, -1e12]), st.sampled_from([1e-3, 1.0, 30.0]))
def test_a_large_offset_costs_no_digits_in_float64(offset: float, spread: float) -> None:
    steps = torch.arange(600, dtype=torch.float64)[:, None] % 7
    values = offset + spread * steps
    found = statistics(FEATURES.with_statistics_of(values))
    exact = (values - offset).numpy()  # no rounding: both are near one another
    assert_allclose(found.std[0], exact.std(), rtol=1e-9)
    prepared = FEATURES.with_statistics_of(values).prepare(values).double().numpy()
    last_digit = abs(offset) * 2.0**-52 / exact.std()
    assert_allclose(prepared, (exact - exact.mean()) / exact.std(), atol=1e-6 + 2 * last_digit)


def test_a_mean_that_float32_cannot_hold_is_subtracted_all_the_same() -> None:
    values = torch.tensor([[1e8], [1e8 + 8]])  # neighbours in float32, with a mean between them
    assert FEATURES.with_statistics_of(values).prepare(values).tolist() == [[-1.0], [1.0]]


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e30, -7e-30])
def test_constant_values_become_zero_and_are_not_scaled(constant: float) -> None:
    values = torch.randn(700, 3, generator=torch.Generator().manual_seed(0))
    values[:, 1] = constant
    recipe = FEATURES.with_statistics_of(values)
    assert statistics(recipe).constant == (1,)
    assert statistics(recipe).std[1] == 1
    assert bool((recipe.prepare(values)[:, 1] == 0).all())


def test_fit_names_what_is_constant() -> None:
    data = image_data()
    data.tensors[0][:, :, 0, 0] = 7
    with pytest.warns(
        UserWarning,
        match=r"^`train` has 3 constant features of 90, at \(0, 0, 0\), \(1, 0, 0\), \(2, 0, 0\): "
        r"shifted to 0, and not scaled\.$",
    ) as found:
        report = fit(small_net(), data, recipe=FEATURES)
    assert found[0].filename == __file__
    assert statistics(report.recipe).constant == (0, 30, 60)
    assert math.isfinite(report.train_loss)


def test_replicas_name_what_is_constant() -> None:
    inputs = images(20)
    inputs[:, 1] = 0
    with pytest.warns(
        UserWarning, match=r"^`inputs` has 1 constant channel of 3, at 1: shifted"
    ) as found:
        fit_replicas(small_net(), inputs, torch.zeros(2, 20).long(), recipe=CHANNELS)
    assert found[0].filename == __file__


# ------------------------------------------------------------------------------- order of the steps


def test_crop_comes_first_then_whitening_then_statistics() -> None:
    recipe = replace(CHANNELS, crop=4, whiten=True)
    white = whiten(center_crop(images(), 4)).double().numpy()
    found = statistics(recipe.with_statistics_of(images()))
    assert_allclose(found.mean, white.mean(axis=(0, 2, 3)), atol=1e-12)
    assert_allclose(found.std, white.std(axis=(0, 2, 3)), rtol=1e-12)
    expected = (white - white.mean(axis=(0, 2, 3), keepdims=True)) / white.std(
        axis=(0, 2, 3), keepdims=True
    )
    assert_allclose(
        recipe.with_statistics_of(images()).prepare(images()).numpy(), expected, atol=1e-5
    )


class Recorder(nn.Module):
    """A network that keeps what it is given in training, and in evaluation."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.layer = nn.Linear(channels, 3)
        self.trained: list[Tensor] = []
        self.evaluated: list[Tensor] = []

    def forward(self, inputs: Tensor) -> Tensor:
        (self.trained if self.training else self.evaluated).append(inputs.clone())
        scores: Tensor = self.layer(inputs.flatten(2).mean(2))
        return scores


def test_augmented_images_are_standardized_by_the_statistics_of_those_that_are_not() -> None:
    recipe = replace(CHANNELS, augmentation=Augmentation(flip=True), batch_size=60, epochs=1)
    model = Recorder()
    report = fit(model, image_data(), recipe=recipe, stop=())
    expected = recipe.with_statistics_of(images())
    assert report.recipe == expected
    # A flip moves values and changes none.
    flipped, plain = model.trained[-1], expected.prepare(images())
    assert torch.equal(flipped.flatten().sort().values, plain.flatten().sort().values)
    assert not torch.equal(flipped, plain)


def test_test_and_validation_inputs_are_prepared_by_the_statistics_of_the_training_set() -> None:
    model, shifted = Recorder(), image_data(40, seed=1)
    shifted.tensors[0].clamp_(min=200)
    report = fit(model, image_data(), shifted, validation=shifted, recipe=CHANNELS, stop=())
    assert report.recipe == CHANNELS.with_statistics_of(images())
    expected = report.recipe.prepare(shifted.tensors[0])
    seen = [given for given in model.evaluated if len(given) == 40]
    assert len(seen) >= 2
    assert all(torch.equal(given, expected) for given in seen)


# ---------------------------------------------------------------------------------- how data arrive


class Counted(Dataset[Any]):
    """A data set that counts how often each item is read."""

    def __init__(self, n: int = 600) -> None:
        self.inputs = torch.randn(n, 6, generator=torch.Generator().manual_seed(0))
        self.reads = [0] * n

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        self.reads[index] += 1
        return self.inputs[index], index % 3


def test_a_stream_counts_each_example_once_and_gives_the_same_bits_as_data_in_memory() -> None:
    recipe = replace(FEATURES, batch_size=50, epochs=1)
    plainly = replace(RECIPE, batch_size=50, epochs=1)
    reports, models, reads = [], [], []
    for data in ("device", "stream"):
        model, dataset = network(), Counted()
        execution = Execution(data=data, deterministic=True)
        reports.append(fit(model, dataset, recipe=recipe, stop=(), execution=execution))
        models.append(model)
        plain = Counted()
        fit(network(), plain, recipe=plainly, stop=(), execution=execution)
        reads.append(np.subtract(dataset.reads, plain.reads))
    assert reports[0].recipe == reports[1].recipe
    assert equal_weights(*models)
    assert set(reads[0].tolist()) == {0}  # measured in memory
    rest = np.delete(reads[1], 0)  # the first one shows the shape, too
    assert set(rest.tolist()) == {1}


def test_statistics_do_not_depend_on_the_number_of_threads() -> None:
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(replace(CHANNELS, whiten=True).with_statistics_of(images(1500)))
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1]


def test_integers_are_standardized_too() -> None:
    counts = torch.arange(40).reshape(20, 2) ** 3
    prepared = FEATURES.with_statistics_of(counts).prepare(counts)
    assert prepared.dtype is torch.float32
    assert_allclose(prepared.double().mean(0).numpy(), 0, atol=1e-6)


# ------------------------------------------------------------------------ everything that has a fit


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.float64])
def test_numbers_that_float32_cannot_hold_are_measured_as_they_are(dtype: torch.dtype) -> None:
    large = torch.tensor([[2**24 + 1], [2**24 + 3]], dtype=dtype)  # float32: 2**24 and 2**24 + 4
    found = replace(RECIPE, standardize="features").with_statistics_of(large).standardize
    assert isinstance(found, Standardization)
    assert (found.mean, found.std) == ((2.0**24 + 2,), (1.0,))


def test_replicas_are_what_fits_make_with_all_strategies() -> None:
    inputs, labels = points().tensors
    alone = network()
    expected = fit(alone, points(), recipe=FEATURES, stop=())
    for strategy in ("wide", "vmap", "loop"):
        report = fit_replicas(
            network(),
            inputs,
            torch.stack([labels, labels]),
            recipe=FEATURES,
            strategy=strategy,
            stop=(),
        )
        assert report.recipe == expected.recipe
        outputs = report.logits(inputs)[1]
        assert_allclose(
            outputs.numpy(),
            alone(expected.recipe.prepare(inputs)).detach().numpy(),
            atol=1e-4,
        )


def test_replicas_on_subsets_have_the_statistics_of_their_own_examples() -> None:
    inputs, labels = points().tensors
    subsets = torch.stack([torch.arange(30), torch.arange(30, 60)])
    report = fit_replicas(
        network(), inputs, torch.stack([labels, labels]), recipe=FEATURES, subsets=subsets, stop=()
    )
    assert report.strategy == "loop"
    assert report.recipe == FEATURES
    for replica, own in enumerate(subsets):
        alone = network()
        part = TensorDataset(inputs[own], labels[own])
        fitted = fit(alone, part, recipe=FEATURES, stop=())
        assert statistics(fitted.recipe) == statistics(FEATURES.with_statistics_of(inputs[own]))
        with torch.no_grad():
            expected = alone(fitted.recipe.prepare(inputs))
        assert torch.equal(report.logits(inputs)[replica], expected)
    with pytest.raises(ValueError, match=r"with recipe\.standardize and subsets, got 'wide'\.$"):
        fit_replicas(
            network(),
            inputs,
            torch.stack([labels, labels]),
            recipe=FEATURES,
            subsets=subsets,
            strategy="wide",
        )


def test_held_out_folds_have_no_part_in_the_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    from corruptlab import training

    inputs, labels = points().tensors
    measured, original = [], training.fit_replicas

    def noted(model: Any, some: Tensor, *args: Any, **options: Any) -> Any:
        report = original(model, some, *args, **options)
        measured.append((some, report.recipe))
        return report

    monkeypatch.setattr(training, "fit_replicas", noted)
    folds = np.arange(60) % 3
    permutation_test(
        network(), (inputs, labels), folds=folds, recipe=FEATURES, permutations=4, level=0.2
    )
    sizes = {len(some) for some, _ in measured}
    assert sizes == {40}
    assert all(recipe == FEATURES.with_statistics_of(some) for some, recipe in measured)


@pytest.mark.slow
def test_all_that_trains_takes_a_recipe_that_standardizes() -> None:
    inputs, labels = points().tensors
    pair = (inputs[:4], labels[:4])
    assert memorization(network(), inputs, labels, recipe=FEATURES, replicas=24).replicas == 24
    effective_capacity(network(), inputs[:17], recipe=FEATURES, replicas=2)
    stability(network(), inputs, labels, recipe=FEATURES, fresh=pair, held_out=pair)
    report = randomization_test(network(), points(), points(), recipe=FEATURES)
    assert "inputs standardized" in str(report)
    for row in report.rows:
        assert statistics(row.fit.recipe).per == "features"
    gaussian = next(row for row in report.rows if row.name == "gaussian")
    assert gaussian.fit.recipe != report.rows[0].fit.recipe  # of the inputs that it was fitted on


# -------------------------------------------------------------------------- reports and checkpoints


def test_json_brings_back_statistics_and_a_recipe_without_them_has_its_old_form() -> None:
    for recipe in (CHANNELS, CHANNELS.with_statistics_of(images())):
        assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert "standardize" not in RECIPE.to_dict()


def test_reports_say_how_inputs_were_prepared() -> None:
    for recipe, word in (
        (replace(RECIPE, epochs=1), "plain"),
        (FEATURES, "standardized"),
        (replace(FEATURES, whiten=True), "whitened+standardized"),
        (replace(RECIPE, epochs=1, whiten=True), "whitened"),
    ):
        report = fit(network(), points(), recipe=recipe)
        assert repr(report).endswith(f"; inputs {word})")
        assert report.to_dict()["recipe"] == report.recipe.to_dict()


def test_a_checkpoint_holds_the_statistics_and_the_fit_goes_on_to_the_same_bits(
    tmp_path: Path,
) -> None:
    whole, parts = network(), network()
    recipe = replace(FEATURES, epochs=4)
    fit(whole, points(), recipe=recipe, stop=())
    report = fit(parts, points(), recipe=replace(recipe, epochs=2), stop=(), checkpoint=tmp_path)
    kept = torch.load(tmp_path / "fit.pt", weights_only=True)
    assert Standardization.from_dict(kept["standardize"]) == report.recipe.standardize
    again = network()
    fit(again, points(), recipe=recipe, stop=(), checkpoint=tmp_path)
    assert all(
        torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True)
    )


def test_a_checkpoint_of_other_statistics_is_refused(tmp_path: Path) -> None:
    fit(network(), points(), recipe=FEATURES, stop=(), checkpoint=tmp_path)
    changed = points()
    changed.tensors[0][1] += 1  # none of the few examples that a digest looks at
    for recipe, data in (
        (FEATURES, changed),
        (replace(FEATURES, standardize="channels", whiten=True), points()),
        (replace(FEATURES, standardize=None), points()),
    ):
        with pytest.raises(ValueError, match=r"^`checkpoint` must be a folder of this fit alone"):
            fit(network(), data, recipe=recipe, stop=(), checkpoint=tmp_path)


# ------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"mean": (), "std": ()}, TypeError, r"^`mean` must be a sequence of numbers, got \(\)\.$"),
        ({"mean": 1.0, "std": (1,)}, TypeError, r"^`mean` must be a sequence of numbers, got 1\.0"),
        ({"mean": (1,), "std": (0,)}, ValueError, r"^`std` must hold numbers above 0, got 0\.0\.$"),
        ({"mean": (1, 2), "std": (1,)}, ValueError, r"^`std` must hold 2 numbers, got 1\.$"),
        ({"mean": (math.nan,), "std": (1,)}, ValueError, r"^`mean` must be finite, got nan\.$"),
        ({"mean": ("a",), "std": (1,)}, TypeError, r"^`mean` must be a number, got 'a'\.$"),
        ({"mean": (1,), "std": (1,), "per": "x"}, ValueError, r"^`per` must be one of channels"),
    ],
)
def test_wrong_numbers_are_refused(values: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        Standardization(**values)


def test_wrong_recipes_and_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^`standardize` must be one of channels, features, got"):
        replace(RECIPE, standardize="pixels")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^`recipe\.standardize` must hold the statistics of a"):
        CHANNELS.prepare(images())
    published = replace(RECIPE, standardize=Standardization(mean=(0.5,), std=(0.5,)))
    with pytest.raises(
        ValueError,
        match=r"^`recipe\.standardize` must hold 3 means, one for each of the channels of "
        r"`train`, \(3, 6, 5\), got 1\.$",
    ):
        fit(small_net(), image_data(), recipe=published)
    with pytest.raises(ValueError, match=r"inputs without an axis, got `inputs` of shape \(4,\)"):
        FEATURES.with_statistics_of(torch.zeros(4))
    with pytest.raises(TypeError, match=r"None for complex inputs, got torch\.complex64"):
        FEATURES.with_statistics_of(torch.zeros(4, 2, dtype=torch.complex64))
    bad = points()
    bad.tensors[0][17, 2] = math.nan
    for execution in (Execution(), Execution(data="stream")):
        with pytest.raises(ValueError, match=r"^`train` must hold finite inputs.*in example 17\.$"):
            fit(network(), bad, recipe=FEATURES, execution=execution)


def test_given_numbers_are_used_as_they_are() -> None:
    published = replace(
        RECIPE, epochs=1, standardize=Standardization(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = fit(small_net(), image_data(), recipe=published)
    assert report.recipe == published
