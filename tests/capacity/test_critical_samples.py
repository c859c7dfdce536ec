"""Critical samples: exact for linear classifiers, and never more than there are."""

import copy
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import corruptlab as cl
from corruptlab.capacity import critical_sample_ratio

RADII = [0.02, 0.05, 0.1, 0.2, 0.4]


def points(n: int = 60, d: int = 5) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(1))


def linear(classes: int = 6, d: int = 5) -> nn.Linear:
    torch.manual_seed(2)
    return nn.Linear(d, classes)


def network() -> nn.Sequential:
    """A network with layers that differ between training and evaluation."""
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Linear(5, 32), nn.BatchNorm1d(32), nn.Tanh(), nn.Dropout(0.5), nn.Linear(32, 4)
    )
    model[1](torch.randn(50, 32))
    return model


def distances(model: nn.Linear, x: Tensor) -> Tensor:
    """Distance to the nearest decision boundary in the maximum norm, in closed form."""
    scores, weight = model(x).double(), model.weight.double()
    own = scores.argmax(1)
    margins = scores.gather(1, own[:, None]) - scores
    lengths = (weight[own][:, None] - weight[None]).abs().sum(2)  # (n, K)
    ratios = margins / lengths
    ratios[torch.arange(len(x)), own] = torch.inf
    nearest: Tensor = ratios.min(1).values.detach()
    return nearest


@pytest.mark.parametrize("steps", [0, 5])
@pytest.mark.parametrize("classes", [2, 6])
def test_linear_classifier_is_decided_exactly(classes: int, steps: int) -> None:
    model, x = linear(classes), points(300)
    near = distances(model, x)
    found = critical_sample_ratio(model, x, RADII, steps=steps)
    assert 0 < found.ratios[0] < found.ratios[-1] < 1
    for radius in RADII:
        assert found.critical(radius).tolist() == (near < radius).tolist()
    assert found.ratios == tuple(float((near < radius).double().mean()) for radius in RADII)


class Through(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.function(x)
        return out


def test_steps_find_what_the_corner_is_beyond_of() -> None:
    # Another class in a band from 0.4 to 0.6 of the first coordinate.
    model = Through(
        lambda x: torch.stack([(x[:, 0] - 0.5).abs(), torch.full_like(x[:, 0], 0.1)], 1)
    )
    x = torch.zeros(3, 2)
    assert critical_sample_ratio(model, x, 1.0, steps=0).ratios == (0.0,)
    assert critical_sample_ratio(model, x, 1.0, steps=20).ratios == (1.0,)
    assert critical_sample_ratio(model, x, 1.0, steps=20, noise=0.0).ratios == (1.0,)
    assert critical_sample_ratio(model, x, [0.35, 0.5], steps=20).ratios == (0.0, 1.0)


def test_noise_leaves_a_plateau() -> None:
    # No slope near the inputs, and another class from 0.05 of the first coordinate on.
    model = Through(lambda x: torch.stack([x[:, 0] * 0 + 0.05, x[:, 0].clamp(min=0.002)], 1))
    x = torch.zeros(50, 1)
    with pytest.warns(UserWarning, match=r"^the gradient of `model` is zero at 50 of 50 `inputs`"):
        assert critical_sample_ratio(model, x, 0.1, steps=40, noise=0.0).ratios == (0.0,)
    assert critical_sample_ratio(model, x, 0.1, steps=40).ratios[0] > 0.5
    one, two = (critical_sample_ratio(model, x, 0.1, steps=3, seed=seed) for seed in (0, 1))
    assert one.smallest != two.smallest
    parts = critical_sample_ratio(model, x, 0.1, steps=3, batch_size=7)
    assert parts.smallest == one.smallest


@pytest.mark.parametrize("factor", [1.0, 255.0])
def test_no_critical_input_within_a_tiny_radius_is_a_warning(factor: float) -> None:
    model, x = linear(2), torch.linspace(0, 1, 20)[:, None].expand(20, 5)
    model.bias.data[0] += 1000.0
    few: Any = {"steps": 2, "noise": 0.0}
    message = (
        r"^no input is critical, and the largest of `radii`, .*, is 0\.00099 of the range of "
        rf"`inputs`, 0 \.\. {factor:g}; prepare them as in training"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        critical_sample_ratio(model, factor * x, [1e-6, 0.00099 * factor], **few)
    assert caught[0].filename == __file__
    critical_sample_ratio(model, factor * x, [1e-6, 0.00101 * factor], **few)
    critical_sample_ratio(model, torch.ones(3, 5), 1e-6, **few)  # of no range
    sign = Through(lambda x: torch.cat([x, -x], 1))
    near = torch.tensor([[1e-5], [factor]])
    assert critical_sample_ratio(sign, near, 1e-4, **few).ratios == (0.5,)  # tiny, and enough


@pytest.mark.parametrize(("flat", "warned"), [(9, False), (10, True), (20, True)])
def test_inputs_without_a_slope_are_a_warning(flat: int, warned: bool) -> None:
    # Flat up to 0, where the class is the first one.
    model = Through(lambda x: torch.stack([x[:, 0] * 0 + 50.0, x[:, 0].relu()], 1))
    x = torch.cat([-torch.ones(flat, 1), torch.ones(20 - flat, 1)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert critical_sample_ratio(model, x, 0.5, steps=2).ratios == (0.0,)
    messages = [str(each.message).partition(",")[0] for each in caught]
    assert messages == [f"the gradient of `model` is zero at {flat} of 20 `inputs`"] * warned


def test_found_samples_are_critical_and_ratios_do_not_decrease() -> None:
    # A sphere: the class changes at the norm 1, and the nearest change is along a diagonal.
    class Sphere(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            inside = 1 - x.square().sum(1)
            return torch.stack([inside, -inside], dim=1)

    x = 0.4 * points(200, 3)
    found = critical_sample_ratio(Sphere(), x, RADII)
    assert list(found.ratios) == sorted(found.ratios)
    outer = (x.abs()[:, None] + torch.tensor(RADII)[:, None]).norm(dim=2)
    inner = (x.abs()[:, None] - torch.tensor(RADII)[:, None]).clamp(min=0).norm(dim=2)
    inside = x.norm(dim=1) < 1
    truly = torch.where(inside[:, None], outer > 1, inner <= 1)
    for column, radius in enumerate(RADII):
        critical = torch.from_numpy(found.critical(radius))
        assert not (critical & ~truly[:, column]).any()  # a lower bound
        assert (critical & inside).sum() == (truly[:, column] & inside).sum()  # here a tight one


@pytest.mark.slow(seconds=1)
def test_ratios_do_not_depend_on_batches() -> None:
    whole = critical_sample_ratio(network(), points(), RADII, steps=6, batch_size=60)
    parts = critical_sample_ratio(network(), points(), RADII, steps=6, batch_size=7)
    assert whole.smallest == parts.smallest
    assert 0 < whole.ratios[-1] <= 1


def test_search_is_a_function_of_the_seed_and_moves_no_generator() -> None:
    model, x = network(), points()
    torch.manual_seed(9)
    before = torch.get_rng_state()
    one, two = (critical_sample_ratio(model, x, 0.1, steps=3) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert one.smallest == two.smallest


def test_network_stays_as_it_is() -> None:
    model = network()
    model.train()
    model[3].eval()
    before = copy.deepcopy(model.state_dict())
    critical_sample_ratio(model, points(), 0.1)
    assert all(
        torch.equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True)
    )
    assert all(parameter.grad is None for parameter in model.parameters())
    assert [layer.training for layer in model] == [True, True, True, False, True]


def test_inputs_stay_as_they_are_and_may_be_an_array_of_any_shape() -> None:
    x = points(20, 12).view(20, 3, 2, 2)
    kept = x.clone()
    model = nn.Sequential(nn.Flatten(), linear(d=12))
    found = critical_sample_ratio(model, x, RADII)
    assert torch.equal(x, kept)
    assert critical_sample_ratio(model, x.numpy(), RADII).smallest == found.smallest
    assert critical_sample_ratio(nn.Identity(), x.flatten(1), 9.0).ratios == (1.0,)


def test_network_may_write_into_its_input() -> None:
    x = points()
    kept = x.clone()
    plain, writing = (nn.Sequential(nn.ReLU(inplace=way), linear()) for way in (False, True))
    found = critical_sample_ratio(writing, x, RADII)
    assert torch.equal(x, kept)
    assert found.smallest == critical_sample_ratio(plain, x, RADII).smallest


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradients_may_be_off_and_parameters_frozen(mode: Any) -> None:
    model = linear().requires_grad_(False)
    expected = critical_sample_ratio(model, points(), RADII).smallest
    with mode():
        assert critical_sample_ratio(model, points(), RADII).smallest == expected


def test_radii_are_sorted_and_counted_once_and_one_is_enough() -> None:
    found = critical_sample_ratio(linear(), points(), [0.2, 0.05, 0.2])
    assert found.radii == (0.05, 0.2)
    alone = critical_sample_ratio(linear(), points(), 0.2)
    assert alone.ratios == found.ratios[1:]


@pytest.mark.parametrize("radii", [np.array(0.5), torch.tensor(0.5), torch.tensor([0.5])])
def test_radii_may_be_arrays_and_tensors(radii: Any) -> None:
    assert critical_sample_ratio(linear(), points(), radii).radii == (0.5,)


def test_scores_may_be_the_logits_of_an_output() -> None:
    model, x = linear(), points()
    wrapped = Through(lambda inputs: {"logits": model(inputs)})
    found = critical_sample_ratio(wrapped, x, [0.1, 0.2])
    assert found.smallest == critical_sample_ratio(model, x, [0.1, 0.2]).smallest


def test_interval_is_clopper_pearson() -> None:
    found = critical_sample_ratio(linear(), points(), 0.2)
    low, high = found.interval(0.2)
    assert low < found.ratios[0] < high
    narrow = found.interval(0.2, confidence=0.5)
    assert low < narrow[0] < narrow[1] < high


@pytest.mark.slow
def test_network_that_fits_random_labels_has_more_critical_samples() -> None:
    images, labels = cl.datasets.fashion_mnist_mini("train").tensors
    x, true = images[:300] / 255, labels[:300]
    recipe = cl.Recipe(learning_rate=0.05, epochs=200, batch_size=50)
    ratios = []
    random = torch.from_numpy(cl.corrupt((x, true), cl.RandomLabels(), seed=0).targets.copy())
    for targets in (true, random):
        model = cl.mlp(64, input_shape=(1, 28, 28))
        assert cl.fit(model, (x, targets), recipe=recipe).train_accuracy == 1
        ratios.append(critical_sample_ratio(model, x, 0.02).ratios[0])
    assert ratios[1] > ratios[0] + 0.1


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"radii": 0.0}, ValueError, r"^`radii` must be above 0, got 0\.0\.$"),
        ({"radii": [0.1, float("inf")]}, ValueError, r"^`radii` must be finite, got inf\.$"),
        ({"radii": []}, ValueError, r"^`radii` must hold at least one radius, got none\.$"),
        ({"radii": 10**400}, ValueError, r"^`radii` must be finite, got inf\.$"),
        ({"radii": "0.1"}, TypeError, r"^`radii` must be a number, got '0.1'\.$"),
        ({"steps": -1}, ValueError, r"^`steps` must be at least 0, got -1\.$"),
        ({"noise": -0.5}, ValueError, r"^`noise` must be at least 0, got -0\.5\.$"),
        ({"batch_size": 0}, ValueError, r"^`batch_size` must be at least 1, got 0\.$"),
        ({"seed": -1}, ValueError, r"^`seed` must be at least 0, got -1\.$"),
        ({"model": 3}, TypeError, r"^`model` must be a torch\.nn\.Module, got int\.$"),
        ({"model": linear(1)}, ValueError, r"^`model` must have at least 2 outputs, .* got 1\.$"),
        ({"model": nn.Flatten(0)}, ValueError, r"^`model` must return one row of class scores"),
        ({"inputs": torch.empty(0, 5)}, ValueError, r"^`inputs` must have shape \(n, \.\.\.\)"),
        (
            {"inputs": torch.full((2, 5), torch.nan)},
            ValueError,
            r"^`inputs` must hold finite inputs",
        ),
        (
            {"inputs": torch.zeros(2, 5, dtype=torch.uint8)},
            TypeError,
            r"^`inputs` must be floats as the network takes them, got torch\.uint8; ",
        ),
    ],
)
def test_bad_arguments(arguments: Any, kind: type, message: str) -> None:
    values: dict[str, Any] = {"model": linear(), "inputs": points(), "radii": 0.1, **arguments}
    model, inputs, radii = (values.pop(name) for name in ("model", "inputs", "radii"))
    with pytest.raises(kind, match=message):
        critical_sample_ratio(model, inputs, radii, **values)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.detach(), r"^`model` must return scores that have a gradient, got some"),
        (
            lambda x: nn.functional.one_hot(x.argmax(1), 5).float(),
            r"^`model` must return scores that have a gradient, got some",
        ),
        (lambda x: x / 0, r"^`model` must return finite scores, got NaN or infinite ones\.$"),
    ],
)
def test_networks_without_a_gradient_or_finite_scores(function: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        critical_sample_ratio(Through(function), points(), 0.1)


def test_radius_that_was_not_searched() -> None:
    found = critical_sample_ratio(linear(), points(), [0.1, 0.2])
    with pytest.raises(ValueError, match=r"^`radius` must be one of 0\.1, 0\.2, got 0\.3\.$"):
        found.critical(0.3)
    assert np.array_equal(found.critical(0.2) | found.critical(0.1), found.critical(0.2))
