"""What a fit found."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from corruptlab._environment import Environment
from corruptlab.training._recipe import Recipe

StoppedBy: TypeAlias = Literal["interpolated", "epochs", "interrupted"]
"""Why a fit ended: every training example is right, the recipe's epochs are over, or Ctrl-C."""


@dataclass(frozen=True, kw_only=True)
class FitReport:
    """How one network was trained, where it stopped, and how well it does there.

    All accuracies are of the network as the fit left it (the last state, not the best one),
    from a full pass in evaluation mode; none is a running average over batches.

    Attributes:
        name: What the user called this fit; may be empty.
        stopped_by: Why it ended: ``"interpolated"``, ``"epochs"``, or ``"interrupted"``.
        epochs: Finished epochs.
        steps: Updates of the weights.
        seconds: Time spent training, without reading the data and without the passes
            that measure accuracy.
        seconds_per_epoch: The same for a finished epoch, on average; 0.0 before the first is.
        steps_to_interpolation: Updates until the network was right on every training example,
            seen at the end of an epoch; None if it never was.
        seconds_to_interpolation: Training time until then, or None.
        train_accuracy: Share of the training examples that the network gets right.
        test_accuracy: The same on the test examples; None without a test set.
        train_loss: Mean cross-entropy over the training examples.
        losses: Mean cross-entropy of each batch before its update, one a step.
        recipe: The hyper-parameters.
        seed: The seed of the data order and of what layers draw.
        num_parameters: Numbers in the network's parameters.
        environment: Versions, machine, and device.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> corners = torch.utils.data.TensorDataset(torch.eye(2), torch.tensor([0, 1]))
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50)
        >>> report = cl.fit(torch.nn.Linear(2, 2), corners, corners, recipe=recipe)
        >>> report.stopped_by, report.train_accuracy, report.generalization_gap
        ('interpolated', 1.0, 0.0)
    """

    name: str
    stopped_by: StoppedBy
    epochs: int
    steps: int
    seconds: float
    seconds_per_epoch: float
    steps_to_interpolation: int | None
    seconds_to_interpolation: float | None
    train_accuracy: float
    test_accuracy: float | None
    train_loss: float
    losses: tuple[float, ...] = field(repr=False)
    recipe: Recipe
    seed: int
    num_parameters: int
    environment: Environment

    @property
    def generalization_gap(self) -> float | None:
        """Training accuracy less test accuracy; None without a test set."""
        return None if self.test_accuracy is None else self.train_accuracy - self.test_accuracy

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and properties as a dictionary that JSON can hold."""
        return {
            **asdict(self),
            "losses": list(self.losses),
            "generalization_gap": self.generalization_gap,
        }

    def __repr__(self) -> str:
        test = "" if self.test_accuracy is None else f", test {self.test_accuracy:.1%}"
        name = f"{self.name!r}, " if self.name else ""
        return (
            f"FitReport({name}{self.stopped_by} after {self.epochs} epochs = {self.steps} steps, "
            f"{self.seconds:.1f} s; train {self.train_accuracy:.2%}{test})"
        )
