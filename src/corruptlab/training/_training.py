"""One training run: everything that changes from step to step."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from corruptlab._progress import Progress
from corruptlab.training._accuracy import FullPass, full_pass, perfect_pass
from corruptlab.training._batches import Batches, data_order
from corruptlab.training._checks import trainable_parameters
from corruptlab.training._examples import Examples
from corruptlab.training._losses import LossLog
from corruptlab.training._recipe import Recipe
from corruptlab.training._report import StoppedBy

# Batches of a pass that keeps nothing for a gradient can be larger, which is faster.
_MEASURED_AT_ONCE = 256

# Reading a loss makes the processor wait for the device: often enough to watch, too rare to cost.
_SECONDS_BETWEEN_LOOKS = 0.5


class Training:
    """A network on its way from its first step to wherever the fit stops.

    Args:
        model: The network, on the device of the examples.
        examples: What it is trained on.
        recipe: How.
        seed: Decides the data order.
    """

    def __init__(self, model: nn.Module, examples: Examples, *, recipe: Recipe, seed: int) -> None:
        self.model, self.examples, self.recipe, self.seed = model, examples, recipe, seed
        self.batches = Batches(examples, recipe.batch_size)
        self.optimizer = torch.optim.SGD(
            trainable_parameters(model),
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        self.log = LossLog(len(self.batches), recipe.learning_rate)
        self.epochs = 0
        self.seconds = 0.0
        self.seconds_per_epoch = 0.0
        self.interpolated: FullPass | None = None
        self._looked = 0.0

    @property
    def steps_at_most(self) -> int:
        """Steps of all the epochs that the recipe allows."""
        return len(self.batches) * self.recipe.epochs

    def run(self, line: Progress) -> StoppedBy:
        """Train until the training set is interpolated or the epochs are over.

        Args:
            line: Is told how it goes.

        Returns:
            Which of the two it was.
        """
        self.model.train()
        everything = self._in_large_batches(self.examples)
        for epoch in range(self.recipe.epochs):
            with self._clock():
                self._epoch(epoch, line)
            self.epochs = epoch + 1
            self.seconds_per_epoch = self.seconds / self.epochs
            self.interpolated = perfect_pass(self.model, everything)
            if self.interpolated:
                return "interpolated"
        return "epochs"

    def measure(self, examples: Examples) -> FullPass:
        """Measure the network, as it stands, on all of some examples.

        Args:
            examples: The examples.

        Returns:
            Accuracy and loss.
        """
        return full_pass(self.model, self._in_large_batches(examples))

    def _in_large_batches(self, examples: Examples) -> Batches:
        return Batches(examples, max(_MEASURED_AT_ONCE, self.recipe.batch_size))

    def _epoch(self, epoch: int, line: Progress) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate_in(epoch)
        order = data_order(self.seed, epoch, len(self.examples)).to(self.examples.targets.device)
        for inputs, targets in self.batches.shuffled(order):
            self._step(inputs, targets)
            if time.perf_counter() - self._looked >= _SECONDS_BETWEEN_LOOKS:
                self._look(epoch, line)
        self._look(epoch, line)

    def _step(self, inputs: Tensor, targets: Tensor) -> None:
        loss = cross_entropy(self.model(inputs), targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
        self.optimizer.step()
        self.log.add(loss)

    def _look(self, epoch: int, line: Progress) -> None:
        mean = self.log.check()
        line.update(self.log.steps, f"epoch {epoch + 1}  loss {mean:.4f}")
        self._looked = time.perf_counter()

    @contextmanager
    def _clock(self) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - start
