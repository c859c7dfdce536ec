"""Linear heads that learn while they are asked."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# Of the mean variance of all features; so a feature that hardly varies is not blown up, and the
# scale of all of them does not matter.
_EPSILON = 1e-5
_LEAST = 1e-12  # a layer that is the same for the whole batch becomes 0


class Readers:
    """One linear softmax regression for each layer, on standardized features, trained by Adam.

    There is no bias: where all examples look alike all scores are 0, and the first class is
    predicted. Weights start at 0, so that no random number is drawn.
    """

    def __init__(self, num_labels: int, num_classes: int, learning_rate: float) -> None:
        self._shape = (num_labels, num_classes)
        self._rate = learning_rate
        self.weights: list[Tensor] = []  # (num_labels * num_classes, d) each
        self._optimizer: torch.optim.Adam | None = None

    def sized(self, features: Sequence[Tensor]) -> None:
        """Make the heads when the sizes of the features become known."""
        rows = self._shape[0] * self._shape[1]
        self.weights = [each.new_zeros(rows, each.shape[1]) for each in features]
        # Adam moves a weight by at most about its rate, hence a score by about d times that.
        groups = [{"params": [each], "lr": self._rate / each.shape[1]} for each in self.weights]
        # One call for all weights, where PyTorch has it from 2.4 on.
        fused = features[0].device.type in ("cpu", "cuda")
        self._optimizer = torch.optim.Adam(groups, fused=fused)

    def predicted(self, place: int, standard: Tensor) -> Tensor:
        """Return log-probabilities, shape ``(n, num_labels, num_classes)``."""
        return self._log_softmax(standard @ self.weights[place].T)

    def gradient(self, logs: Tensor, targets: Tensor, standard: Tensor) -> Tensor:
        """Return the gradient of the sum of cross-entropies with respect to the weights."""
        # `one_hot` would look at the values, for which a GPU has to be waited for.
        errors = logs.exp()
        errors.scatter_add_(2, targets[:, :, None], logs.new_full((*targets.shape, 1), -1.0))
        return errors.flatten(1).T @ standard

    def confusion(self, place: int, standard: Tensor) -> Tensor:
        """Return how far predictions are from uniform: the mean of ``KL(uniform || predicted)``."""
        # A copy of the weights, which `step` moves before the backward pass reads them.
        logs = self._log_softmax(standard @ self.weights[place].T.clone())
        return -logs.mean() - math.log(self._shape[1])

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Move the weights along gradients of means."""
        assert self._optimizer is not None
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.grad = gradient
        self._optimizer.step()
        self._optimizer.zero_grad()

    def _log_softmax(self, scores: Tensor) -> Tensor:
        return scores.view(-1, *self._shape).log_softmax(2)


def standardized(features: Tensor) -> Tensor:
    """Return features with mean 0 and variance 1 over the batch."""
    centered = features - features.mean(0)
    variance = centered.square().mean(0)  # `torch.var_mean` takes six times as long on a processor
    return centered * (variance + _EPSILON * variance.mean() + _LEAST).rsqrt()
