"""Replicas, permutation tests, and randomization tests on inputs of several fields."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor, nn

import corruptlab as cl
from corruptlab import Recipe, fit, fit_replicas

N = 30
RECIPE = Recipe(learning_rate=0.3, epochs=4, batch_size=8)
_generator = torch.Generator().manual_seed(0)
LEFT, RIGHT = (torch.randn(N, 3, generator=_generator) for _ in range(2))
TRUTH = (LEFT[:, 0] + RIGHT[:, 0] > 0).long()
LABELS = torch.stack([TRUTH, TRUTH.flip(0), TRUTH.roll(5)])
FIELDS = {"left": LEFT, "right": RIGHT}


class Sides(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Linear(6, 2)
        nn.init.zeros_(self.scores.weight)

    def forward(self, left: Tensor, right: Tensor) -> Any:
        return SimpleNamespace(logits=self.scores(torch.cat([left, right], 1)))


def records() -> list[dict[str, Any]]:
    rows = zip(LEFT, RIGHT, TRUTH.tolist(), strict=True)
    return [{"left": left, "right": right, "label": label} for left, right, label in rows]


def one_tensor() -> tuple[nn.Module, Tensor]:
    """Return the same network for one tensor of inputs, and these inputs."""
    network = nn.Sequential(nn.Linear(6, 2))
    network[0].load_state_dict(MODEL.scores.state_dict())
    return network, torch.cat([LEFT, RIGHT], 1)


MODEL = Sides()


@pytest.mark.parametrize("inputs", [FIELDS, (LEFT, RIGHT)])
def test_replicas_are_fits_of_their_own(inputs: Any) -> None:
    report = fit_replicas(MODEL, inputs, LABELS, recipe=RECIPE, stop=())
    assert report.strategy == "loop"
    for k, labels in enumerate(LABELS):
        alone = Sides()
        alone.load_state_dict(MODEL.state_dict())
        fitted = fit(alone, (FIELDS, labels), recipe=RECIPE, stop=())
        assert report.losses[k] == fitted.losses
        with torch.no_grad():
            assert torch.equal(report.logits(inputs)[k], alone(**FIELDS).logits)
    assert_array_equal(report.accuracy(inputs, LABELS), report.train_accuracy)


def test_replicas_have_their_own_examples() -> None:
    subsets = torch.stack([torch.arange(20), torch.arange(10, 30), torch.arange(0, 20)])
    report = fit_replicas(MODEL, FIELDS, LABELS, recipe=RECIPE, stop=(), subsets=subsets)
    network, inputs = one_tensor()
    expected = fit_replicas(
        network, inputs, LABELS, recipe=RECIPE, stop=(), subsets=subsets, strategy="loop"
    )
    assert_allclose(report.losses, expected.losses, rtol=1e-6)


@pytest.mark.parametrize("strategy", ["loop", "vmap"])
def test_an_output_with_logits_is_its_logits_for_replicas(strategy: Any) -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = one_tensor()[0]

        def forward(self, inputs: Tensor) -> Any:
            return {"logits": self.inner(inputs)}

    network, inputs = one_tensor()
    options: dict[str, Any] = {"recipe": RECIPE, "stop": (), "strategy": strategy}
    found = fit_replicas(Wrapped(), inputs, LABELS, **options)
    assert found.losses == fit_replicas(network, inputs, LABELS, **options).losses


@pytest.mark.parametrize(
    ("inputs", "options", "kind", "message"),
    [
        (
            FIELDS,
            {"strategy": "vmap"},
            ValueError,
            "`strategy` must be 'loop' or 'auto' with inputs with several fields, got 'vmap'.",
        ),
        (
            {"left": LEFT, "right": RIGHT[:4]},
            {},
            ValueError,
            "`inputs` must have fields of one length, one row for each of 30 labels, got 4 rows "
            "for ['right'].",
        ),
        (
            [LEFT, RIGHT],
            {},
            TypeError,
            "`inputs` must be a tensor, or a dictionary or tuple of tensors, got list.",
        ),
    ],
)
def test_a_mistake_is_one_clear_error(inputs: Any, options: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        fit_replicas(MODEL, inputs, LABELS, recipe=RECIPE, **options)


@pytest.mark.slow(seconds=1)
def test_a_permutation_test_is_that_of_one_tensor() -> None:
    network, inputs = one_tensor()
    options: dict[str, Any] = {"folds": 3, "recipe": RECIPE, "permutations": 19}
    expected = cl.permutation_test(network, (inputs, TRUTH), **options)
    found = cl.permutation_test(MODEL, records(), input_key=("left", "right"), **options)
    assert (found.observed, found.p_value) == (expected.observed, expected.p_value)
    assert found.p_value == 0.05
    assert_allclose(found.null, expected.null, atol=0.05)


@pytest.mark.slow(seconds=1)
def test_a_permutation_test_has_a_test_set_of_the_same_fields() -> None:
    options: dict[str, Any] = {"recipe": RECIPE, "permutations": 19}
    found = cl.permutation_test(MODEL, (FIELDS, TRUTH), (FIELDS, TRUTH), **options)
    assert found.p_value == 0.05
    other = {"left": LEFT, "right": RIGHT[:, :2]}
    message = (
        r"^`test` must have inputs like those of `train`, \['left'\]: \(3,\) of torch.float32, "
        r"\['right'\]: \(3,\) of torch.float32, got .*\['right'\]: \(2,\) of torch.float32\.$"
    )
    with pytest.raises(ValueError, match=message):
        cl.permutation_test(MODEL, (FIELDS, TRUTH), (other, TRUTH), **options)


def test_a_randomization_test_changes_labels_alone() -> None:
    keys: dict[str, Any] = {"input_key": ("left", "right"), "label_key": "label"}
    report = cl.randomization_test(MODEL, records(), records(), recipe=RECIPE, **keys)
    assert [row.setting.name for row in report.rows] == ["true", "partial-labels", "random-labels"]
    alone = Sides()
    alone.load_state_dict(MODEL.state_dict())
    assert report["true"].fit.losses == fit(alone, (FIELDS, TRUTH), recipe=RECIPE).losses
    assert report["true"].train_accuracy == report["true"].test_accuracy
    assert report["true"].train_accuracy > 0.7
    with pytest.raises(TypeError, match=r"^`settings` must serve .* got 'shuffled-pixels', for wh"):
        cl.randomization_test(Sides, records(), recipe=RECIPE, settings=["shuffled-pixels"], **keys)


def ragged(some: list[Any]) -> Any:
    sums = torch.stack([torch.stack(list(x)).sum(0) for x, _ in some])
    return sums, torch.tensor([label for _, label in some])


def test_a_randomization_test_collates() -> None:
    rows = [
        ([x, y, x][: 2 + k % 2], k % 2) for k, (x, y) in enumerate(zip(LEFT, RIGHT, strict=True))
    ]
    report = cl.randomization_test(nn.Linear(3, 2), rows, rows, recipe=RECIPE, collate=ragged)
    assert len(report.rows) == 3
    assert report["random-labels"].fit.execution.data == "stream"
    with pytest.raises(TypeError, match=r"^`collate` must return a pair"):
        cl.randomization_test(nn.Linear(3, 2), rows, recipe=RECIPE, collate=lambda some: None)


def test_a_memorization_report_is_that_of_one_tensor() -> None:
    network, inputs = one_tensor()
    options: dict[str, Any] = {"recipe": RECIPE, "canaries": 5}
    expected = cl.memorization_report(network, (inputs, TRUTH), **options)
    found = cl.memorization_report(MODEL, records(), input_key=("left", "right"), **options)
    pairs = [((left, right), int(y)) for left, right, y in zip(LEFT, RIGHT, TRUTH, strict=True)]
    assert found.epochs == expected.epochs
    assert cl.memorization_report(MODEL, pairs, **options).epochs == expected.epochs


def test_a_predictor_may_return_an_output_with_logits() -> None:
    def train(dataset: Any, epoch_end: Any) -> Any:
        def predict(inputs: Any) -> Any:
            first = inputs["left"][:, :1]
            return SimpleNamespace(logits=torch.cat([first, torch.zeros_like(first)], 1))

        return predict

    rows = [({"left": left}, int(y)) for left, y in zip(LEFT, LEFT[:, 0] < 0, strict=True)]
    report = cl.memorization_report(train, rows, canaries=5)
    assert report.final.clean.share == 1.0


def test_a_function_for_batches_is_refused_for_other_learners() -> None:
    def train(data: Any, *, seed: int) -> Any:
        raise AssertionError

    message = r"^`collate` must be left out with an estimator or a function, got <function ragged"
    with pytest.raises(ValueError, match=message):
        cl.randomization_test(train, (LEFT.numpy(), TRUTH.numpy()), collate=ragged)
