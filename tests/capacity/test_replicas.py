"""Replicas are measured a few inputs at a time."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from corruptlab.capacity._replicas import Replicas

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
