"""Linear heads that learn while they are asked."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding

from corruptlab.heads._state import check_parts, check_tensor

# Of the mean variance of all features; so a feature that hardly varies is not blown up, and the
# scale of all of them does not matter.
_EPSILON = 1e-5
_LEAST = 1e-12  # a layer that is the same for the whole batch becomes 0
_DECAY, _SQUARE_DECAY, _ADAM_EPSILON = 0.9, 0.999, 1e-8  # of Adam, as in PyTorch


class Readers:
    """One linear softmax regression for each layer, on standardized features, trained by Adam.

    There is no bias: where all examples look alike all scores are 0, and the first class is
    predicted. Weights start at 0, so that no random number is drawn. Layers of one size are read
    together, and all weights stand in one vector: a small call costs as much as a small layer.
    """

    def __init__(self, num_labels: int, num_classes: int, learning_rate: float) -> None:
        self._shape = (num_labels, num_classes)
        self.rate = learning_rate
        self.sizes: list[int] = []  # d of each layer
        self.weights: list[Tensor] = []  # of each layer, (rows, d): parts of the vector
        self._step = 0
        self._weights = self._exp_avg = self._exp_avg_sq = torch.zeros(0)
        self._rates = torch.zeros(0)  # one for each weight
        self._groups: list[list[int]] = []  # layers of one size
        self._places = torch.zeros(0, dtype=torch.int64)  # of layers in the order of the groups
        self._one_hot = torch.eye(num_classes)
        self._parts: list[Tensor] = []  # of the weights, by group
        self._buffers: list[Tensor] = []
        self._squares: list[Tensor] = []

    def sized(self, sizes: Sequence[int], device: torch.device) -> None:
        """Make the heads when the sizes of the features are known; move them to the device."""
        if len(self._rates) and self._rates.device == device:
            return
        if not self.sizes:
            self.sizes = list(sizes)
            numbers = self._rows * sum(sizes)
            self._weights, self._exp_avg, self._exp_avg_sq = (
                torch.zeros(numbers) for _ in range(3)
            )
        self._weights, self._exp_avg = self._weights.to(device), self._exp_avg.to(device)
        self._exp_avg_sq, self._one_hot = self._exp_avg_sq.to(device), self._one_hot.to(device)
        layers = range(len(self.sizes))
        self._groups = [
            [at for at in layers if self.sizes[at] == d] for d in dict.fromkeys(self.sizes)
        ]
        order = [at for group in self._groups for at in group]
        self._places = torch.tensor(order, device=device).argsort()
        self._parts = self._split(self._weights)
        rows = [row for part in self._parts for row in part]
        self.weights = [rows[place] for place in self._places.tolist()]
        # Adam moves a weight by at most about its rate, hence a score by about d times that.
        self._rates = torch.empty_like(self._weights)
        for part in self._split(self._rates):
            part.fill_(self.rate / part.shape[2])

    def _split(self, vector: Tensor) -> list[Tensor]:
        """Return the parts of a vector like that of the weights, ``(layers, rows, d)`` each."""
        shapes = [(len(group), self._rows, self.sizes[group[0]]) for group in self._groups]
        parts = torch.split(vector, [math.prod(shape) for shape in shapes])
        return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]

    def answers(self, features: Sequence[Tensor], targets: Tensor) -> tuple[Tensor, Tensor]:
        """Predict labels, ``(n, num_labels)``, from each layer's features, ``(n, d)``.

        Returns:
            How many of an example's labels are right, ``(layers, n)``, and the gradient of the sum
            of cross-entropies with respect to all weights, a vector.
        """
        if len(targets) == 0:
            return targets.new_zeros(len(features), 0).long(), torch.zeros_like(self._weights)
        centered, squares = self._buffers_for(features)
        scales, scores = [], []
        for group, around, square, weight in zip(
            self._groups, centered, squares, self._parts, strict=True
        ):
            together = [features[at] for at in group]
            x = torch.stack(together, out=around) if len(group) > 1 else together[0][None]
            torch.sub(x, x.mean(1, keepdim=True), out=around)
            scales.append(_scale(torch.mul(around, around, out=square).mean(1, keepdim=True)))
            scores.append(around @ (weight * scales[-1]).mT)
        # (layers, n, num_labels, num_classes)
        joined = _joined(scores)
        asked = joined.view(*joined.shape[:2], *self._shape)
        right = (asked.argmax(3) == targets).sum(2)
        # `one_hot` would look at the values, for which a GPU has to be waited for.
        errors = asked.softmax(3).sub_(embedding(targets, self._one_hot)).flatten(2).mT
        errors_of = torch.split(errors, [len(group) for group in self._groups])
        gradients = [
            torch.bmm(error, around).mul_(scale).flatten()
            for error, around, scale in zip(errors_of, centered, scales, strict=True)
        ]
        if len(self._groups) > 1:
            right = right.index_select(0, self._places)
        return right, _joined(gradients)

    def _buffers_for(self, features: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return memory for the centered features of each group, and for their squares."""
        # Large fresh tensors take a processor longer to map than to fill. Squares of all groups
        # share the memory, as they are needed one after the other.
        n, first = len(features[0]), features[0]
        if (
            not self._buffers
            or self._buffers[0].shape[1] != n
            or (self._buffers[0].device != first.device)
        ):
            self._buffers = [
                first.new_empty(len(group), n, self.sizes[group[0]]) for group in self._groups
            ]
            squared = first.new_empty(max(each.numel() for each in self._buffers))
            self._squares = [squared[: each.numel()].view_as(each) for each in self._buffers]
        return self._buffers, self._squares

    def confusion(self, place: int, features: Tensor) -> Tensor:
        """Return how far predictions are from uniform: the mean of ``KL(uniform || predicted)``."""
        centered = features - features.mean(0)
        standard = centered * _scale(centered.square().mean(0))
        # A copy of the weights, which `step` moves before the backward pass reads them.
        scores = standard @ self.weights[place].T.clone()
        logs = scores.view(-1, *self._shape).log_softmax(2)
        return -logs.mean() - math.log(self._shape[1])

    def step(self, gradient: Tensor) -> None:
        """Move all weights along the gradient of a mean, by Adam."""
        self._step += 1
        self._exp_avg.lerp_(gradient, 1 - _DECAY)
        self._exp_avg_sq.mul_(_SQUARE_DECAY).addcmul_(gradient, gradient, value=1 - _SQUARE_DECAY)
        bias, root = 1 - _DECAY**self._step, math.sqrt(1 - _SQUARE_DECAY**self._step)
        deviation = self._exp_avg_sq.sqrt().add_(_ADAM_EPSILON * root)  # times `root`
        move = torch.div(self._exp_avg, deviation, out=deviation)
        self._weights.addcmul_(move, self._rates, value=-root / bias)

    def state(self) -> dict[str, Any]:
        """Return copies of all that learns, on the CPU."""
        return {
            "sizes": list(self.sizes),
            "step": self._step,
            "weights": self._weights.to("cpu", copy=True),
            "exp_avg": self._exp_avg.to("cpu", copy=True),
            "exp_avg_sq": self._exp_avg_sq.to("cpu", copy=True),
        }

    def restore(self, state: dict[str, Any], layers: int) -> None:
        """Take over what `state` returned; all of it is looked at before anything is changed."""
        tensors = "weights", "exp_avg", "exp_avg_sq"
        check_parts(state, "sizes", "step", *tensors)
        sizes, step = state["sizes"], state["step"]
        if not isinstance(sizes, list) or any(type(size) is not int for size in [*sizes, step]):
            raise TypeError("`state` must hold integers as sizes and step of the heads.")
        if len(sizes) not in (0, layers):
            raise ValueError(f"`state` must hold sizes of {layers} layers, got {len(sizes)}.")
        for name in tensors:
            check_tensor(name, state[name], torch.float32, [self._rows * sum(sizes)])
        self.sizes, self._step = list(sizes), step
        self._weights, self._exp_avg, self._exp_avg_sq = (state[name].clone() for name in tensors)
        self._rates = torch.zeros(0)  # `sized` makes what depends on the device at the next step

    @property
    def _rows(self) -> int:
        return self._shape[0] * self._shape[1]


def _joined(parts: list[Tensor]) -> Tensor:
    """Return parts one after the other; a single one is not copied."""
    return torch.cat(parts) if len(parts) > 1 else parts[0]


def _scale(variance: Tensor) -> Tensor:
    """Return what standardizes centered features, by their variances."""
    return torch.add(variance, variance.mean(-1, keepdim=True), alpha=_EPSILON).add_(_LEAST).rsqrt()
