"""What was measured after each epoch."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class EpochEnd:
    """The end of one epoch.

    Args:
        loss: Mean loss over the batches of the epoch, each before its update.
        train: Accuracy on all training examples; None if not measured.
        validation: The same on the validation examples.
        test: The same on the test examples.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> corners = torch.utils.data.TensorDataset(torch.eye(2), torch.tensor([0, 1]))
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50)
        >>> report = cl.fit(torch.nn.Linear(2, 2), corners, corners, recipe=recipe)
        >>> report.history[-1].test
        1.0
    """

    loss: float
    train: float | None = None
    validation: float | None = None
    test: float | None = None


@dataclass(frozen=True)
class Interpolation:
    """When every training example was right for the first time.

    Args:
        steps: Updates until then.
        seconds: Training time until then.
    """

    steps: int
    seconds: float


@dataclass(frozen=True)
class State:
    """What a fit has to remember besides weights, optimizer, and losses; JSON can hold it.

    Args:
        epochs: Finished epochs.
        seconds: Training time.
        history: What was measured after each finished epoch.
        interpolation: When every training example was right for the first time, or None.
    """

    epochs: int = 0
    seconds: float = 0.0
    history: tuple[EpochEnd, ...] = ()
    interpolation: Interpolation | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary of numbers, lists, and dictionaries."""
        return {**asdict(self), "history": [asdict(end) for end in self.history]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "State":
        """Build a state from what `to_dict` gave.

        Args:
            values: The dictionary.

        Returns:
            The state.
        """
        reached = values["interpolation"]
        return cls(
            epochs=values["epochs"],
            seconds=values["seconds"],
            history=tuple(EpochEnd(**end) for end in values["history"]),
            interpolation=None if reached is None else Interpolation(**reached),
        )
