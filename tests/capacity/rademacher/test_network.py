"""Networks trained on random signs: against a loop of fits, closed forms, and real images."""

import copy
import json
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest
from torch import Tensor

import corruptlab as cl
from corruptlab.capacity import rademacher
from corruptlab.capacity.rademacher import network
from corruptlab.training import whiten
from tests.capacity.naive import FROZEN, LONG, SHORT, fitted, groups_of, plane, points, press_ctrl_c


def signs(n: int, draws: int, seed: int = 0) -> Tensor:
    """Bit t of the word of example i, for fewer than 64 draws; shape ``(draws, n)``."""
    words = cl.Draws(seed).words("rademacher/signs/0", np.arange(n))[:, 0]
    return torch.tensor([[1 if int(w) >> t & 1 else -1 for w in words] for t in range(draws)])


@pytest.mark.slow
def test_network_that_looks_up_its_inputs_has_correlation_one() -> None:
    found = network(cl.mlp(256, input_shape=(8,), num_classes=2), points(40, 8), recipe=LONG)
    assert found.draws == 20
    assert set(found.sups) == {1.0}
    assert found.t_interval == (1.0, 1.0)


@pytest.mark.parametrize("classes", [2, 5])
def test_network_that_learns_nothing_guesses(classes: int) -> None:
    n, draws = 500, 8
    found = network(
        plane(4, classes), points(n, 4), recipe=FROZEN, draws=draws, num_classes=classes
    )
    hits = round((found.value * (classes - 1) + 1) / classes * n * draws)
    assert binomtest(hits, n * draws, 1 / classes).pvalue > 1e-4
    assert 0 < np.ptp(found.sups) < 0.3


def test_draws_equal_a_loop_of_fits_on_the_signs_of_the_other_classes() -> None:
    x = points(30, 4)
    expected = []
    for sigma in signs(30, 4, seed=3):
        logits = fitted(plane(4), x, (sigma == 1).long(), SHORT, seed=3)(x)
        h = torch.sign(logits[:, 1] - logits[:, 0])
        expected.append(sum(float(s * v) for s, v in zip(sigma, h, strict=True)) / 30)
    found = network(plane(4), x, recipe=SHORT, draws=4, seed=3)
    assert_allclose(found.sups, expected, atol=1e-12)
    assert 0 < min(expected) < max(expected) < 1


def test_classes_equal_a_loop_of_fits() -> None:
    x = points(30, 4)
    expected = []
    for t in range(3):
        y = torch.from_numpy(cl.Draws(1).integers(f"rademacher/classes/{t}", np.arange(30), 3))
        predicted = fitted(plane(4, 3), x, y, SHORT, seed=1)(x).argmax(dim=1)
        marks = [(3 * int(p == label) - 1) / 2 for p, label in zip(predicted, y, strict=True)]
        expected.append(sum(marks) / 30)
    found = network(plane(4, 3), x, recipe=SHORT, draws=3, seed=1, num_classes=3)
    assert_allclose(found.sups, expected, atol=1e-12)
    assert found.num_classes == 3


def test_bytes_are_cropped_and_whitened_as_in_fit() -> None:
    images = torch.randint(
        0, 256, (24, 1, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    recipe = cl.Recipe(learning_rate=0.1, decay=1.0, epochs=4, batch_size=8, crop=4, whiten=True)
    model = cl.mlp(input_shape=(1, 4, 4), num_classes=2)
    prepared = whiten(images[..., 1:5, 1:5])
    expected = []
    for sigma in signs(24, 3):
        logits = fitted(model, images, (sigma == 1).long(), recipe)(prepared)
        expected.append(float((sigma * torch.sign(logits[:, 1] - logits[:, 0])).mean()))
    for same in (images, images.numpy()):
        found = network(model, same, recipe=recipe, draws=3)
        assert_allclose(found.sups, expected, atol=1e-6)


def test_training_stays_below_the_exact_supremum_of_the_same_signs() -> None:
    # Planes on a line are thresholds: 2 n sign vectors, over which `finite` takes the supremum.
    x = torch.arange(-6.0, 6.0)[:, None] / 3
    heads = [[1] * k + [-1] * (12 - k) for k in range(12)]
    exact = rademacher.finite(np.array(heads + [[-v for v in row] for row in heads]), draws=30)
    found = network(plane(1), x, recipe=LONG, draws=30)
    assert all(low <= high + 1e-9 for low, high in zip(found.sups, exact.sups, strict=True))
    assert 0.5 * exact.value < found.value < exact.value  # the loss is not the error


def test_plane_on_many_points_is_far_from_one() -> None:
    found = network(plane(5), points(300, 5), recipe=SHORT, draws=5)
    assert 0 < found.value < 0.3


def test_further_draws_change_none_before_them_and_groups_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few, many = (network(plane(4), points(30, 4), recipe=SHORT, draws=d) for d in (3, 7))
    assert few.sups == many.sups[:3]
    groups_of(monkeypatch, 3)
    assert network(plane(4), points(30, 4), recipe=SHORT, draws=7).sups == many.sups


def test_each_draw_can_have_a_network_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    groups_of(monkeypatch, 2)
    x, models = points(50, 4), [plane(4, seed=seed) for seed in range(5)]
    found = network(models, x, recipe=FROZEN, draws=5)
    expected = [
        float((sigma * torch.sign(model(x).detach() @ torch.tensor([-1.0, 1.0]))).mean())
        for sigma, model in zip(signs(50, 5), models, strict=True)
    ]
    assert_allclose(found.sups, expected, atol=1e-6)


def test_seed_decides_and_neither_networks_nor_generators_change() -> None:
    model, x = plane(4), points(30, 4)
    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    one, same, other = (network(model, x, recipe=SHORT, draws=4, seed=s) for s in (1, 1, 2))
    assert one.sups == same.sups != other.sups
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert model.training


def test_lower_bound_says_so_and_passes_for_no_upper_one() -> None:
    found = network(plane(4), points(30, 4), recipe=SHORT, draws=3)
    assert (found.scale, found.lower_bound, found.upper_bound) == (None, None, None)
    assert found.bounded_differences_interval is None
    assert repr(found).startswith(
        "Estimate(Rademacher complexity of Sequential with 10 parameters, lower bound reached by "
        "training: "
    )
    with pytest.raises(
        ValueError, match=r"^`scale` must be known for a concentration bound, got None for "
    ):
        rademacher.risk_bound(0.1, found)


def test_signs_convert_to_the_other_convention_and_classes_do_not() -> None:
    x = points(30, 4)
    two = network(plane(4), x, recipe=SHORT, draws=3)
    assert_allclose(two.to_convention("bartlett_mendelson").value, 2 * two.value)
    three = network(plane(4, 3), x, recipe=SHORT, draws=3, num_classes=3)
    assert "with 15 parameters on 3 classes, lower bound" in repr(three)
    with pytest.raises(ValueError, match=r"^`convention` must be 'zhang' .*'bartlett_mendelson'"):
        three.to_convention("bartlett_mendelson")


def test_record_survives_json_and_names_the_recipe() -> None:
    found = network(plane(4), points(30, 4), recipe=SHORT, draws=3, seed=5, confidence=0.8)
    record = json.loads(json.dumps(found.to_dict()))
    assert cl.Recipe.from_dict(record["recipe"]) == SHORT
    assert (record["seed"], record["draws"], record["n"]) == (5, 3, 30)
    assert (record["num_classes"], record["confidence"]) == (2, 0.8)
    assert record["environment"]["device"] == "cpu"
    assert_array_equal(record["sups"], found.sups)


def test_ctrl_c_keeps_whole_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    x = points(30, 4)
    expected = network(plane(4), x, recipe=FROZEN, draws=6).sups
    groups_of(monkeypatch, 3)
    with monkeypatch.context() as patch:
        press_ctrl_c(patch, epoch=3)
        found = network(plane(4), x, recipe=FROZEN, draws=20)
    assert found.sups == expected
    groups_of(monkeypatch, 2)
    with monkeypatch.context() as patch:
        press_ctrl_c(patch, epoch=2)
        assert network(plane(4), x, recipe=FROZEN, draws=20).sups == expected[:2]
    press_ctrl_c(monkeypatch, epoch=1)
    with pytest.raises(KeyboardInterrupt):
        network(plane(4), x, recipe=FROZEN, draws=20)


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"draws": 1}, ValueError, r"^`draws` must be at least 2, got 1\.$"),
        ({"num_classes": 1}, ValueError, r"^`num_classes` must be at least 2, got 1\.$"),
        (
            {"num_classes": 3},
            ValueError,
            r"^`num_classes` must be 2, the outputs of `model`, got 3; random signs need a network",
        ),
        (
            {"model": plane(4, 10)},
            ValueError,
            r"^`num_classes` must be 10, the outputs of `model`, got 2; ",
        ),
        ({"confidence": 1.0}, ValueError, r"^`confidence` must lie strictly .*, got 1\.0\.$"),
        (
            {"model": [plane(4)] * 2},
            ValueError,
            r"^`model` must be one network or one for each of the 20 replicas, got 2\.$",
        ),
        (
            {"model": [plane(4), "x"]},
            TypeError,
            r"^`model` must be a torch\.nn\.Module, a function that makes one, or",
        ),
    ],
)
def test_bad_arguments_are_quoted(change: dict[str, Any], kind: type[Exception], text: str) -> None:
    arguments: dict[str, Any] = {"model": plane(4), "recipe": SHORT, **change}
    with pytest.raises(kind, match=text):
        network(arguments.pop("model"), points(6, 4), **arguments)


@pytest.mark.slow
def test_memorizing_network_is_near_one_and_plane_is_not_on_real_images(
    cifar10_images: Tensor,
) -> None:
    recipe = cl.Recipe(learning_rate=0.03, decay=0.99, epochs=40, crop=28, whiten=True)
    wide = network(cl.mlp(512, num_classes=2), cifar10_images[:500], recipe=recipe, draws=2)
    assert wide.value > 0.95
    slow = cl.Recipe(learning_rate=0.001, decay=0.8, epochs=10, crop=28, whiten=True)
    flat = network(cl.mlp(num_classes=2), cifar10_images[:20_000], recipe=slow, draws=2)
    assert flat.n == 20_000
    assert 0.05 < flat.value < 0.3
