"""What `fit` and `fit_replicas` return."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from corruptlab._environment import Environment
from corruptlab._modules import copied, count_parameters, evaluating
from corruptlab._reports import Report, rows_of
from corruptlab._structured import ModelInputs, as_inputs, outputs_of
from corruptlab._text import counted
from corruptlab._threads import using_threads
from corruptlab.heads import HeadsReport
from corruptlab.plotting import loss_curves
from corruptlab.training._contexts import OPERATIONS_FOR_THREADS
from corruptlab.training._diagnosis import Cause
from corruptlab.training._execution import Execution
from corruptlab.training._recipe import Recipe
from corruptlab.training._replica_engines import State, Strategy, grouping

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_AT_ONCE = 1024  # inputs, in `ReplicasReport.logits`

Measure: TypeAlias = Literal["loss", "test", "all"]
"""What is measured after every epoch: only the mean loss of its batches; the test accuracy too;
or the accuracy on all training examples as well."""


@dataclass(frozen=True)
class EpochEnd:
    """Measurements at the end of one epoch.

    Args:
        loss: Mean loss over the batches of the epoch, each computed before its update.
        train: Accuracy on the training set; None if not measured.
        validation: Accuracy on the validation examples; None if not measured.
        test: Accuracy on the test set; None if not measured.

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


@dataclass(frozen=True, kw_only=True)
class FitReport(
    Report,
    kind="fit",
    derived=("generalization_gap", "best_test_accuracy", "early_stopped_test_accuracy"),
):
    """Result of a fit: the training, its end, and the accuracies there.

    ``train_accuracy`` and ``test_accuracy`` are those of the network at the end of the fit, not of
    the best epoch. The best and the early-stopped test accuracy are separate attributes.
    Every accuracy is from a full pass in evaluation mode; none is a running average over batches.

    Attributes:
        name: Name of the fit; may be empty.
        stopped_by: Reason for the end: the name of the stopping rule, such as ``"interpolated"``;
            ``"epochs"`` after all epochs of the recipe; ``"interrupted"`` by Ctrl-C;
            ``"on_epoch_end"`` by an error in that function.
        epochs: Number of finished epochs.
        steps: Number of optimizer steps.
        seconds: Time spent training, over all runs of a resumed fit, without reading the data,
            without the passes that measure accuracy, and without ``seconds_of_tuning``.
        seconds_of_tuning: Time spent on timing the candidates of ``seconds_per_step`` and on
            capturing steps.
        seconds_per_epoch: Mean training time of a finished epoch; 0.0 before the first.
        steps_to_interpolation: Steps until every training example was classified correctly,
            checked at the end of each epoch; None if this did not happen.
        seconds_to_interpolation: Training time until then, or None.
        train_accuracy: Accuracy on the training set.
        test_accuracy: Accuracy on the test set; None without a test set.
        train_loss: Mean loss over the training examples.
        losses: Mean loss of each batch before its update, one per step.
        history: Measurements at the end of each epoch.
        diagnosis: Reasons why the training set was not interpolated, the most likely first; empty
            if it was, or if no reason was found.
        recipe: Hyper-parameters, with the statistics of the standardization;
            ``recipe.prepare(inputs)`` prepares other inputs in the same way.
        execution: Execution at the end of the fit; pass it to another fit to repeat it.
        seconds_per_step: Measured time per step, by candidate; empty without a measurement.
        not_captured: Reason why steps, or those of a smaller last batch, are not replayed as CUDA
            graphs; empty if they are.
        processes: Number of processes.
        seed: Seed of the data order and of random layers.
        num_parameters: Number of parameters of the network.
        environment: Versions, machine, and device.
        heads: Measurements of the random label heads, if the fit had any.

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
    seconds_of_tuning: float
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
    not_captured: str
    processes: int
    seed: int
    num_parameters: int
    environment: Environment
    heads: HeadsReport | None = None

    @property
    def generalization_gap(self) -> float | None:
        """Training accuracy minus test accuracy; None without a test set."""
        return None if self.test_accuracy is None else self.train_accuracy - self.test_accuracy

    @property
    def best_test_accuracy(self) -> float | None:
        """Largest test accuracy after any epoch: selected on the test examples.

        None if it was not measured after every epoch.
        """
        return max((end.test for end in self.history if end.test is not None), default=None)

    @property
    def early_stopped_test_accuracy(self) -> float | None:
        """Test accuracy after the epoch with the largest validation accuracy.

        Of several such epochs, the first counts. None without validation examples, or if the
        test accuracy was not measured after every epoch.
        """
        both = [(end.validation, end.test) for end in self.history]
        known = [(v, t) for v, t in both if v is not None and t is not None]
        return max(known, key=lambda pair: pair[0])[1] if known else None

    def plot(self, ax: "Axes | None" = None) -> "Figure":
        """Draw the training loss against steps, with a mark at the interpolation.

        Args:
            ax: Axes of matplotlib to draw into; by default those of a new figure.

        Returns:
            A figure as `corruptlab.plotting.loss_curves` makes it.

        Raises:
            MissingExtraError: If matplotlib is not installed.
            ValueError: If there was no step.
        """
        if not self.losses:
            raise ValueError("`losses` must hold the loss of a step to draw, got none.")
        name, reached = self.name or "training", self.steps_to_interpolation
        hits = {} if reached is None else {name: reached}
        return loss_curves({name: self.losses}, interpolated=hits, ax=ax)

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        return [{"epoch": i, **vars(end)} for i, end in enumerate(self.history, 1)]

    def __repr__(self) -> str:
        test = "" if self.test_accuracy is None else f", test {self.test_accuracy:.1%}"
        name = f"{self.name!r}, " if self.name else ""
        return (
            f"FitReport({name}{self.stopped_by} after {counted(self.epochs, 'epoch')} = "
            f"{counted(self.steps, 'step')}, "
            f"{self.seconds:.1f} s; train {self.train_accuracy:.2%}{test}; "
            f"inputs {self.recipe.preparation})"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ReplicasReport(Report, kind="replicas"):
    """Result of `fit_replicas`: the training, the end of each replica, and the trained networks.

    Attributes:
        stopped_by: Reason for the end of each: ``"interpolated"``, ``"epochs"``, or
            ``"interrupted"``.
        epochs: Finished epochs of each, ``int64``, shape ``(R,)``.
        losses: Mean loss of each batch before its update, one sequence per replica.
        train_accuracy: Accuracy of each on its training set at the end, ``float64``, shape
            ``(R,)``; nan for replicas that were not started before Ctrl-C.
        train_loss: Mean cross-entropy over its training examples, ``float64``, shape ``(R,)``.
        strategy: Strategy of the training; see `fit_replicas`.
        group: Number of replicas that were trained at a time, by each thread.
        threads: Number of groups that were trained at a time, each in a thread; 1 if one group was
            trained after the other.
        product_threads: Number of threads among which each product was divided.
        seconds_per_step: Measured time per step of one replica, by strategy; empty without a
            measurement.
        seconds: Time spent, including measurements.
        recipe: Hyper-parameters, with the statistics of the standardization; without them if each
            replica has its own statistics.
        seed: The seed of the data order.
        environment: Versions, machine, and device.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> labels = torch.tensor([[0, 1], [1, 0], [1, 1]])
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50, whiten=False)
        >>> report = cl.fit_replicas(cl.mlp(input_shape=(2,), num_classes=2), torch.eye(2), labels,
        ...                          recipe=recipe)
        >>> report
        ReplicasReport(3 replicas, 3 interpolated; train accuracy 100.0% on average;
                       wide, ...; inputs plain)
        >>> report.logits(torch.eye(2)).argmax(dim=2).tolist()
        [[0, 1], [1, 0], [1, 1]]
    """

    stopped_by: tuple[str, ...]
    epochs: NDArray[np.int64]
    losses: tuple[tuple[float, ...], ...] = field(repr=False)
    train_accuracy: NDArray[np.float64]
    train_loss: NDArray[np.float64]
    strategy: Strategy
    group: int
    seconds_per_step: dict[str, float]
    seconds: float
    recipe: Recipe
    seed: int
    environment: Environment
    threads: int = 1
    product_threads: int = 1
    _network: nn.Module | None = field(default=None, repr=False)  # None in a loaded report
    _states: tuple[State, ...] = field(default=(), repr=False)
    _recipes: tuple[Recipe, ...] = field(default=(), repr=False)  # with each one's statistics

    def __len__(self) -> int:
        return len(self.stopped_by)

    @property
    def interpolated(self) -> NDArray[np.bool_]:
        """Which replicas classify every training example correctly, shape ``(R,)``."""
        return np.array([reason == "interpolated" for reason in self.stopped_by])

    @property
    def steps(self) -> NDArray[np.int64]:
        """Number of optimizer steps of each replica, shape ``(R,)``."""
        return np.array([len(losses) for losses in self.losses])

    def model(self, replica: int) -> nn.Module:
        """Return a copy of one trained network, in the mode of the original network.

        Args:
            replica: Index of the replica, ``0 .. R - 1``.

        Returns:
            The network.

        Raises:
            IndexError: If there is no such replica.
            ValueError: If the report was loaded from a file, which does not hold the networks.
        """
        if not 0 <= replica < len(self):
            raise IndexError(f"`replica` must lie in 0 .. {len(self) - 1}, got {replica}.")
        network = self._copied_network()
        network.load_state_dict(self._states[replica])
        return network

    def logits(self, inputs: ModelInputs) -> Tensor:
        """Return the outputs of every trained network for some inputs, in evaluation mode.

        Args:
            inputs: Inputs as passed to `fit_replicas`, shape ``(n, ...)``; they are prepared by the
                recipe.

        Returns:
            Logits of shape ``(R, n, num_classes)``, on the device of the networks.

        Raises:
            ValueError: If the report was loaded from a file, which does not hold the networks.
        """
        network, outputs = self._copied_network(), []
        device = next(iter(self._states[0].values())).device
        stored = as_inputs(inputs).to(device)
        prepared: Any = None
        prepared_by = None
        operations = 2 * count_parameters(network) * min(len(stored), _AT_ONCE)
        few = using_threads(1) if operations < OPERATIONS_FOR_THREADS else nullcontext()
        with evaluating(network), few:
            for state, recipe in zip(self._states, self._recipes, strict=True):
                if recipe is not prepared_by:
                    prepared, prepared_by = recipe.prepare(stored), recipe
                network.load_state_dict(state)
                # A copy of each batch, because a network may write into what it is given.
                batches = (some.clone() for some in prepared.split(_AT_ONCE))
                outputs.append(torch.cat([outputs_of(network, batch) for batch in batches]))
        return torch.stack(outputs)

    def accuracy(self, inputs: ModelInputs, labels: Tensor) -> NDArray[np.float64]:
        """Return the accuracy of every trained network on some examples.

        Args:
            inputs: As for `logits`.
            labels: ``(n,)`` for all networks alike, or ``(R, n)``.

        Returns:
            Accuracy of each network, ``float64``, shape ``(R,)``.

        Raises:
            ValueError: If the report was loaded from a file, which does not hold the networks.
        """
        hits = self.logits(inputs).argmax(dim=2).cpu() == labels.cpu()
        shares: NDArray[np.float64] = hits.double().mean(dim=1).numpy()
        return shares

    def _copied_network(self) -> nn.Module:
        if self._network is None:
            raise ValueError(
                "`model`, `logits`, and `accuracy` need the networks, which files do not hold; "
                "save the state of `model(replica)` with `torch.save`."
            )
        return copied(self._network)

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        return rows_of(
            replica=range(len(self)),
            stopped_by=self.stopped_by,
            epochs=self.epochs,
            steps=self.steps,
            train_accuracy=self.train_accuracy,
            train_loss=self.train_loss,
        )

    def __repr__(self) -> str:
        return (
            f"ReplicasReport({counted(len(self), 'replica')}, "
            f"{int(self.interpolated.sum())} interpolated; "
            f"train accuracy {np.nanmean(self.train_accuracy):.1%} on average; "
            f"{grouping(self.strategy, self.group, self.threads, self.product_threads)}; "
            f"inputs {self.recipe.preparation})"
        )
