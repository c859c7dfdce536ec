"""From networks, functions, and arrays to classes; and what is no predictor."""

import functools
import types
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from corruptlab import memorization_report

from .cases import CLASSES, clusters, network, rule, run

SCORES = torch.eye(CLASSES)


@pytest.mark.parametrize(
    "predictor",
    [
        rule,
        lambda x: rule(x).numpy(),
        lambda x: rule(x).tolist(),
        lambda x: rule(x).to(torch.uint8),
        lambda x: SCORES[rule(x)],
        lambda x: SCORES[rule(x)].numpy(),
        lambda x: SCORES[rule(x)].bfloat16(),
        lambda x: SCORES[rule(x)].requires_grad_(),
        lambda x: torch.cat([SCORES[rule(x)], torch.full((len(x), 3), -torch.inf)], dim=1),
    ],
    ids=["classes", "array", "list", "bytes", "scores", "score array", "bfloat16", "grad", "wide"],
)
def test_every_form_of_one_predictor_is_measured_alike(predictor: Any) -> None:
    found = run(lambda data, epoch_end: predictor).final
    assert found == run(lambda data, epoch_end: rule).final
    assert found.held_out_true.share == found.clean.share == 1.0


def test_batches_do_not_matter_and_are_no_larger_than_asked_for() -> None:
    sizes = []

    def counting(x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        return rule(x)

    found = run(lambda data, epoch_end: counting, batch_size=17).final
    assert found == run(lambda data, epoch_end: rule).final
    assert max(sizes) == 17
    assert sum(sizes) == 400


def test_network_is_measured_in_evaluation_mode_and_put_back_layer_by_layer() -> None:
    seen = []

    class Spy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append((self.training, torch.is_grad_enabled()))
            return x

    inner = network()
    model = nn.Sequential(Spy(), inner)
    inner[3].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    run(lambda data, epoch_end: model)
    assert set(seen) == {(False, False)}
    assert model.training
    assert not inner[3].training
    assert inner[1].training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


class Held:
    """Holds a network and calls it."""

    def __init__(self, model: nn.Module) -> None:
        self.parts = {"body": [model]}

    def __call__(self, x: torch.Tensor) -> Any:
        return self.parts["body"][0](x)

    def predict(self, x: torch.Tensor) -> Any:
        return self(x)


class Slotted:
    """Holds a network in a slot."""

    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held

    def __call__(self, x: torch.Tensor) -> Any:
        return self.held(x)


def by_default(model: nn.Module) -> Any:
    def predict(x: torch.Tensor, model: nn.Module = model) -> Any:
        return model(x)

    return predict


def through_a_helper(model: nn.Module) -> Any:
    def helper(x: torch.Tensor) -> Any:
        return model(x)

    return functools.wraps(rule)(lambda x: helper(x))


GLOBAL: dict[str, Any] = {"model": None}
settings = types.ModuleType("settings")


def by_name(x: torch.Tensor) -> Any:
    return GLOBAL["model"](x)


def in_a_module(x: torch.Tensor) -> Any:
    return settings.network(x)


def globally(model: nn.Module) -> Any:
    GLOBAL["model"] = model
    return by_name


def from_a_module(model: nn.Module) -> Any:
    vars(settings)["network"] = model
    return in_a_module


@pytest.mark.parametrize(
    "around",
    [
        lambda model: lambda x: model(x),
        lambda model: model.forward,
        lambda model: functools.partial(lambda network, x: network(x), model),
        lambda model: functools.partial(lambda x, *, network: network(x), network=model),
        Held,
        lambda model: Held(model).predict,
        Slotted,
        lambda model: Slotted(Held(model)),
        by_default,
        through_a_helper,
        globally,
        from_a_module,
    ],
    ids=[
        "closure", "method", "partial", "keyword", "object", "its method", "slot", "nested",
        "default", "helper", "global", "module",
    ],
)  # fmt: skip
def test_networks_of_a_function_are_measured_as_networks_are(around: Any) -> None:
    model = network()
    model[3].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = run(lambda data, epoch_end: around(model))
    assert model.training
    assert not model[3].training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert found.final == run(lambda data, epoch_end: model).final


def test_a_network_that_cannot_be_found_is_told_of_once() -> None:
    hidden = iter(lambda: model, None)  # an iterator shows nobody what it gives

    def train_function(data: Any, epoch_end: Any) -> Any:
        epoch_end(lambda x: next(hidden)(x))
        return lambda x: next(hidden)(x)

    model: nn.Module = network()
    text = r"^the predictor calls a network in training mode .*, got Sequential; give the network "
    with pytest.warns(UserWarning, match=text) as told:
        run(train_function)
    assert len(told) == 1
    model.eval()
    run(train_function)
    model = nn.Linear(2, CLASSES)  # the same in both modes
    run(train_function)


def test_a_function_that_fails_leaves_no_mode_and_no_hook_behind() -> None:
    model = network()

    def predict(x: torch.Tensor) -> Any:
        model(x)
        raise ZeroDivisionError

    for failing in (predict, lambda x: 1 / 0):
        with pytest.raises(ZeroDivisionError):
            run(lambda data, epoch_end, failing=failing: failing)
    assert model.training
    model(torch.zeros(4, 2))  # in training mode, and nobody looks


def test_functions_are_measured_without_gradients() -> None:
    seen = []

    def predict(x: torch.Tensor) -> torch.Tensor:
        seen.append(torch.is_grad_enabled())
        return rule(x)

    run(lambda data, epoch_end: predict)
    assert set(seen) == {False}


def test_network_gets_inputs_on_the_device_of_its_parameters() -> None:
    devices = []

    class Elsewhere(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(1, device="meta"))

        def forward(self, x: dict[str, Any]) -> torch.Tensor:
            devices.extend([x["a"].device.type, x["b"][0].device.type])
            return torch.zeros(len(x["a"]), 2)

    items = [({"a": torch.zeros(2), "b": [torch.ones(1)]}, i % 2) for i in range(20)]
    memorization_report(lambda data, epoch_end: Elsewhere(), items, canaries=3)
    assert set(devices) == {"meta"}


def test_images_of_pil_come_as_bytes_with_the_channels_first() -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(256, size=(20, 5, 4, 3), dtype=np.uint8)
    items = [(image.fromarray(each), i % 2) for i, each in enumerate(pixels)]
    shapes = []

    def predict(x: torch.Tensor) -> torch.Tensor:
        shapes.append((tuple(x.shape[1:]), x.dtype))
        return torch.zeros(len(x), dtype=torch.int64)

    memorization_report(lambda data, epoch_end: predict, items, canaries=3)
    assert set(shapes) == {((3, 5, 4), torch.uint8)}


@pytest.mark.parametrize(
    ("predictor", "kind", "message"),
    [
        (
            3,
            TypeError,
            r"`train_function` must give a predictor, .*\(of a scikit-learn model, its method "
            r"`predict`\), got int\.",
        ),
        (None, TypeError, r"`train_function` must return a predictor or call .*, got None\."),
        (lambda x: "cat", TypeError, r"the predictor must return a tensor or .*, got str\."),
        (
            lambda x: (SCORES[rule(x)], x),
            TypeError,
            r"the predictor must return one tensor or array of scores or classes, got a tuple of 2 "
            r"that do not make one\.",
        ),
        (lambda x: ["cat"] * len(x), TypeError, r"the predictor must return numbers, got <U3\."),
        (
            lambda x: SCORES[:, :3][rule(x)],
            ValueError,
            r"the predictor must return scores of shape \(256, 4\) or integer classes of shape "
            r"\(256,\) for 256 inputs, got float32 of shape \(256, 3\)\.",
        ),
        (lambda x: rule(x)[1:], ValueError, r"the predictor .*, got int64 of shape \(255,\)\."),
        (
            lambda x: rule(x).float(),
            ValueError,
            r"the predictor .*, got float32 of shape \(256,\)\.",
        ),
        (
            lambda x: torch.where(x[:, :1] > 5, torch.nan, SCORES[rule(x)]),
            ValueError,
            r"the predictor must return scores that are numbers, got NaN for \d+ of 256 inputs; "
            r"has the training diverged\?",
        ),
    ],
)
def test_what_is_no_predictor_is_quoted(
    predictor: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=f"^{message}$"):
        run(lambda data, epoch_end: predictor)


def test_inputs_that_do_not_stack_come_as_a_list_which_no_network_takes() -> None:
    ragged = [(torch.full((1 + i % 7,), float(i)), i % 2) for i in range(20)]
    met: list[Any] = []

    def classes(some: list[torch.Tensor]) -> list[int]:
        met.extend(some)
        return [0] * len(some)

    memorization_report(lambda data, epoch_end: classes, ragged, canaries=2, seed=3)
    assert sorted(len(each) for each in met) == sorted(len(x) for x, _ in ragged)
    message = (
        r"^the data set must have inputs that stack to a batch .*, got Tensor of several shapes"
    )
    with pytest.raises(TypeError, match=message):
        memorization_report(lambda data, epoch_end: network(), ragged, canaries=2)


def test_inputs_come_in_every_batch_as_they_do_in_the_others() -> None:
    ragged = [(torch.full((1 + i % 7,), float(i)), i % 2) for i in range(20)]
    alike = [(torch.full((3,), float(i)), i % 2) for i in range(20)]
    kinds: set[type[Any]] = set()

    def classes(some: Any) -> list[int]:
        kinds.add(type(some))
        return [0] * len(some)

    for data, kind in [(ragged, list), (alike, torch.Tensor)]:
        kinds.clear()
        # A batch of one would stack by itself.
        memorization_report(lambda data, epoch_end: classes, data, canaries=2, batch_size=1)
        assert len(kinds) == 1
        assert all(issubclass(each, kind) for each in kinds)


def test_an_input_of_another_shape_among_many_that_stack_is_an_error() -> None:
    odd = [(torch.zeros(3 + (i == 101)), i % 2) for i in range(500)]
    message = r"^the data set must have inputs that all stack to a batch, or none that do, got Ten"
    with pytest.raises(TypeError, match=message):
        memorization_report(lambda data, epoch_end: lambda x: [0] * len(x), odd, canaries=2)


def test_train_function_must_be_a_function() -> None:
    message = r"^`train_function` must be a function of a data set and .*, got int\.$"
    with pytest.raises(TypeError, match=message):
        run(3, train=clusters())


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"confidence": 1.0}, ValueError, r"`confidence` must lie strictly .*, got 1\.0\."),
        ({"batch_size": 0}, ValueError, r"`batch_size` must be at least 1, got 0\."),
        ({"batch_size": 2.5}, TypeError, r"`batch_size` must be an integer, got 2\.5\."),
    ],
)
def test_bad_settings_are_quoted(
    changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=f"^{message}$"):
        run(**changes)
