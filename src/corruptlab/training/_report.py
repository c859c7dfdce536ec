"""What a fit found."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from corruptlab._environment import Environment
from corruptlab.training._diagnosis_cause import Cause
from corruptlab.training._execution import Execution
from corruptlab.training._history import EpochEnd
from corruptlab.training._recipe import Recipe

Measure: TypeAlias = Literal["loss", "test", "all"]
"""What is measured after every epoch: only the mean loss of its batches; the test accuracy too;
or the accuracy on all training examples as well."""


@dataclass(frozen=True, kw_only=True)
class FitReport:
    """How one network was trained, where it stopped, and how well it does there.

    ``train_accuracy`` and ``test_accuracy`` are of the network as the fit left it: the last
    state, not the best one. The best and the early-stopped test accuracy have names of their own.
    Every accuracy is from a full pass in evaluation mode; none is a running average over batches.

    Attributes:
        name: What the user called this fit; may be empty.
        stopped_by: Why it ended: the name of the stopping rule, such as ``"interpolated"``;
            ``"epochs"`` if the recipe's were over; ``"interrupted"`` by Ctrl-C.
        epochs: Finished epochs.
        steps: Updates of the weights.
        seconds: Time spent training, over all runs of a resumed fit, without reading the data
            and without the passes that measure accuracy.
        seconds_per_epoch: The same for a finished epoch, on average; 0.0 before the first is.
        steps_to_interpolation: Updates until the network was right on every training example,
            seen at the end of an epoch; None if it never was.
        seconds_to_interpolation: Training time until then, or None.
        train_accuracy: Share of the training examples that the network gets right.
        test_accuracy: The same on the test examples; None without a test set.
        train_loss: Mean loss over the training examples.
        losses: Mean loss of each batch before its update, one a step.
        history: What was measured at the end of each epoch.
        diagnosis: Known reasons why the training set was not interpolated, the most telling
            one first; empty if it was, or if none is seen.
        recipe: The hyper-parameters.
        execution: How the machine was used in the end; hand it to another fit to run it alike.
        seconds_per_step: What was measured to decide that, by candidate; empty if nothing was.
        processes: How many processes trained together.
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
    stopped_by: str
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
    history: tuple[EpochEnd, ...] = field(repr=False)
    diagnosis: tuple[Cause, ...]
    recipe: Recipe
    execution: Execution
    seconds_per_step: dict[str, float]
    processes: int
    seed: int
    num_parameters: int
    environment: Environment

    @property
    def generalization_gap(self) -> float | None:
        """Training accuracy less test accuracy; None without a test set."""
        return None if self.test_accuracy is None else self.train_accuracy - self.test_accuracy

    @property
    def best_test_accuracy(self) -> float | None:
        """The largest test accuracy at the end of any epoch: chosen on the test examples.

        None if it was not measured after every epoch.
        """
        return max((end.test for end in self.history if end.test is not None), default=None)

    @property
    def early_stopped_test_accuracy(self) -> float | None:
        """The test accuracy after the epoch whose validation accuracy was the largest.

        Of equal ones the first counts. None without validation examples, or if the test accuracy
        was not measured after every epoch.
        """
        both = [(end.validation, end.test) for end in self.history]
        known = [(v, t) for v, t in both if v is not None and t is not None]
        return max(known, key=lambda pair: pair[0])[1] if known else None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and properties as a dictionary that JSON can hold."""
        return {
            **asdict(self),
            "losses": list(self.losses),
            "history": [asdict(end) for end in self.history],
            "diagnosis": [asdict(cause) for cause in self.diagnosis],
            "generalization_gap": self.generalization_gap,
            "best_test_accuracy": self.best_test_accuracy,
            "early_stopped_test_accuracy": self.early_stopped_test_accuracy,
        }

    def __repr__(self) -> str:
        test = "" if self.test_accuracy is None else f", test {self.test_accuracy:.1%}"
        name = f"{self.name!r}, " if self.name else ""
        return (
            f"FitReport({name}{self.stopped_by} after {self.epochs} epochs = {self.steps} steps, "
            f"{self.seconds:.1f} s; train {self.train_accuracy:.2%}{test})"
        )
