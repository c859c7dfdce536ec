"""Replicas are measured a few inputs at a time."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import corruptlab as cl
from corruptlab.capacity._replicas import Replicas, outputs_of, train_replicas

CLASSES = 3


class Linear:
    """What is left of a report: two replicas that multiply, and a note of what they were asked."""

    def __init__(self) -> None:
        self.weights = torch.tensor([[[1.0, -1.0, 0.5]], [[-2.0, 0.0, 1.0]]])
        self.asked: list[int] = []

    def __len__(self) -> int:
        return 2

    def logits(self, inputs: Tensor) -> Tensor:
        self.asked.append(len(inputs))
        return inputs * self.weights


@pytest.mark.parametrize(
    ("most", "asked"),
    [(2 * CLASSES * 5, [5, 5, 2]), (2 * CLASSES * 5 + 5, [5, 5, 2]), (1, [1] * 12)],
)
def test_no_more_outputs_are_held_at_once_than_allowed_but_those_of_one_input(
    most: int, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corruptlab.capacity._replicas._NUMBERS_AT_ONCE", most)
    report: Any = Linear()
    inputs, labels = torch.linspace(-2, 3, 12)[:, None], torch.arange(12) % CLASSES
    outputs = inputs * report.weights
    replicas = Replicas(report, CLASSES)
    assert torch.equal(replicas.predictions(inputs), outputs.argmax(dim=2))
    assert report.asked == asked
    expected = torch.stack([cross_entropy(each, labels, reduction="none") for each in outputs])
    assert torch.allclose(replicas.cross_entropies(inputs, labels).float(), expected)


def test_losses_far_below_float32_are_told_apart_from_none() -> None:
    report: Any = Linear()
    losses = Replicas(report, CLASSES).cross_entropies(torch.tensor([[60.0]]), torch.tensor([0]))
    assert losses.dtype == torch.float64
    assert losses[0].item() == pytest.approx(torch.tensor(-30.0, dtype=torch.float64).exp().item())


@pytest.mark.parametrize("progress", [False, True])
def test_progress_is_shown_where_it_is_asked_for(
    progress: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def noted(*arguments: Any, **options: Any) -> None:
        asked.append(options["progress"])
        raise KeyboardInterrupt

    monkeypatch.setattr("corruptlab.capacity._replicas.fit_replicas", noted)
    with pytest.raises(KeyboardInterrupt):
        train_replicas(
            nn.Linear(4, CLASSES),
            torch.zeros(2, 4),
            torch.zeros(1, 2, dtype=torch.int64),
            num_classes=CLASSES,
            recipe=cl.Recipe(learning_rate=0.1, epochs=1),
            seed=0,
            subsets=None,
            device=torch.device("cpu"),
            progress=progress,
        )
    assert asked == [progress]


def test_inputs_that_the_recipe_does_not_suit_are_quoted() -> None:
    recipe = cl.Recipe(learning_rate=0.1, epochs=1, crop=7)
    with pytest.raises(
        ValueError, match=r"^`recipe\.crop` must fit the images of `inputs`, \(1, 6, 6\), got 7\.$"
    ):
        outputs_of(nn.Flatten(), torch.rand(2, 1, 6, 6), recipe=recipe, device=torch.device("cpu"))


class Noted(nn.Module):
    """Writes to its input and counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x.mul_(2)


def test_a_network_is_tried_without_a_trace_in_it_or_in_the_inputs() -> None:
    model, inputs = Noted(), torch.ones(2, 4)
    recipe = cl.Recipe(learning_rate=0.1, epochs=1, whiten=False)
    assert outputs_of(model, inputs, recipe=recipe, device=torch.device("cpu")) == 4
    assert model.calls == 0
    assert torch.equal(inputs, torch.ones(2, 4))
