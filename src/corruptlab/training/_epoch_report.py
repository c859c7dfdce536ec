"""Report of an epoch, passed to `on_epoch_end`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """Report of a finished epoch; the argument of `fit`'s ``on_epoch_end``.

    Attributes:
        name: Name of the fit; in a randomization test, the label of the setting.
        epoch: Number of finished epochs, >= 1.
        step: Number of optimizer steps so far.
        loss: Mean loss over the batches of the epoch, each measured before its update.
        losses: Loss of each batch of the epoch.
        train_accuracy: Accuracy on the training set; None if ``measure`` excludes it.
        validation_accuracy: Accuracy on the validation examples, or None.
        test_accuracy: Accuracy on the test set, or None.
        learning_rate: Learning rate of the epoch.
        seconds: Training time so far, as in `FitReport.seconds`.

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
        """Return the measured values of the epoch as a dictionary.

        Returns:
            ``loss``, ``learning_rate``, ``seconds``, and the measured accuracies.
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
"""Function that is called after every epoch; its return value is ignored."""
