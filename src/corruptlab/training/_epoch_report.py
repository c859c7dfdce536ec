"""What a fit tells of an epoch as soon as it has ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """An epoch that has just ended, for `fit`'s ``on_epoch_end``.

    Attributes:
        name: What the fit is called; a randomization test gives the label of its setting.
        epoch: Finished epochs, >= 1.
        step: Updates of the weights so far.
        loss: Mean loss over the batches of the epoch, each before its update.
        losses: The loss of each of them.
        train_accuracy: Accuracy on all training examples; None if ``measure`` leaves it out.
        validation_accuracy: The same on the validation examples.
        test_accuracy: The same on the test examples.
        learning_rate: The rate of the epoch.
        seconds: Time spent training so far, as `FitReport.seconds` counts it.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> corners = torch.utils.data.TensorDataset(torch.eye(2), torch.tensor([0, 1]))
        >>> recipe = cl.Recipe(learning_rate=0.5, epochs=2)
        >>> def follow(now: cl.training.EpochReport) -> None:
        ...     print(now.epoch, now.step, sorted(now.metrics()))
        >>> report = cl.fit(torch.nn.Linear(2, 2), corners, corners, recipe=recipe, stop=(),
        ...                 on_epoch_end=follow)
        1 1 ['learning_rate', 'loss', 'seconds', 'test_accuracy']
        2 2 ['learning_rate', 'loss', 'seconds', 'test_accuracy']
    """

    name: str
    epoch: int
    step: int
    loss: float
    losses: tuple[float, ...] = field(repr=False)
    train_accuracy: float | None
    validation_accuracy: float | None
    test_accuracy: float | None
    learning_rate: float
    seconds: float

    def metrics(self) -> dict[str, float]:
        """Return the numbers of the epoch by name, without what was not measured.

        Returns:
            ``loss``, ``learning_rate``, ``seconds``, and the accuracies there are.
        """
        named = {
            "loss": self.loss,
            "train_accuracy": self.train_accuracy,
            "validation_accuracy": self.validation_accuracy,
            "test_accuracy": self.test_accuracy,
            "learning_rate": self.learning_rate,
            "seconds": self.seconds,
        }
        return {name: value for name, value in named.items() if value is not None}


OnEpochEnd: TypeAlias = Callable[[EpochReport], object]
"""What is called after every epoch; what it returns does not count."""
