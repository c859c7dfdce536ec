"""Train a network on a data set until it interpolates."""

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, get_args

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._fits import note_fit
from corruptlab._progress import Progress
from corruptlab._types import MapDataset
from corruptlab.training._accuracy import FullPass
from corruptlab.training._checkpoint import Checkpoint, identity_of
from corruptlab.training._checks import (
    check_batch_norm,
    check_kinds,
    check_loss,
    check_outputs,
    resolve_device,
    trainable_parameters,
)
from corruptlab.training._choice import plain
from corruptlab.training._execution import Execution, Reading
from corruptlab.training._facts import causes
from corruptlab.training._losses import NonFiniteLossError
from corruptlab.training._memory import explained_memory
from corruptlab.training._modes import (
    deterministic_kernels,
    dropout_of,
    kept_generators,
    kept_modes,
    recording_gradients,
)
from corruptlab.training._optimizers import OptimizerFactory, can_fuse, make_optimizer
from corruptlab.training._preparation import Preparation
from corruptlab.training._processes import Processes, own_device
from corruptlab.training._reading import read
from corruptlab.training._recipe import Recipe
from corruptlab.training._report import FitReport, Measure
from corruptlab.training._resident import Resident
from corruptlab.training._source import Source
from corruptlab.training._stepper import Loss
from corruptlab.training._stopping import StoppingRule, checked_rules, interpolated
from corruptlab.training._training import Plan, Training

_UNTIL_INTERPOLATED = (interpolated(),)
_AS_MEASURED = Execution()


def fit(
    model: nn.Module,
    train: MapDataset[Any],
    test: MapDataset[Any] | None = None,
    *,
    recipe: Recipe,
    validation: MapDataset[Any] | None = None,
    loss: Loss = cross_entropy,
    optimizer: OptimizerFactory | None = None,
    stop: StoppingRule | Sequence[StoppingRule] = _UNTIL_INTERPOLATED,
    measure: Measure = "test",
    seed: int = 0,
    device: torch.device | str | None = None,
    execution: Execution = _AS_MEASURED,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_seconds: float = 60.0,
    progress: bool = False,
    name: str = "",
) -> FitReport:
    """Train ``model``, in place, until every training example is right or the epochs are over.

    The data are read once, moved to the device once, and cropped and whitened there once; what
    does not fit there passes through a ``DataLoader`` (see `Execution`). Each epoch visits
    the examples in the order `Draws` gives for ``(seed, epoch)``. After every epoch the stopping
    rules are asked; whether the training set is interpolated is judged by a pass over *all* of it
    in evaluation mode, which gives up at the first error and is nearly free until it succeeds.

    On the CPU the same seed and execution give the same bits; with
    ``execution=Execution(deterministic=True)`` those of a plain loop with ``torch.optim``. On a GPU
    they do as far as its kernels are deterministic. A fit of more than half a minute
    measures what is fastest; hand `FitReport.execution` on to run another one alike.

    Under ``torchrun`` the same call trains in all processes together: each takes its share of
    every batch of ``recipe.batch_size``, gradients are averaged, all stop at the same step, and
    all return the same report. Batch norm takes its statistics over a process's share.

    With ``checkpoint`` the state is kept in a folder, at least every ``checkpoint_seconds``; the
    same call finds it there and goes on, on the CPU to the same bits as without the interruption.

    Ctrl-C ends the training and returns the report of the network as it stands (while the data
    are still being read there is nothing to report, and ``KeyboardInterrupt`` passes through; so
    it does in each of several processes).

    Args:
        model: Any network that gives one row of class scores for an input. It stays on ``device``;
            each layer is put back into the mode, training or evaluation, it was in.
        train: Map-style data set of (input, integer label) items of one shape, at least one.
        test: The same for the test accuracy.
        recipe: The hyper-parameters.
        validation: The same for early stopping, see `FitReport.early_stopped_test_accuracy`.
        loss: Outputs ``(b, num_classes)`` and labels ``(b,)`` in, mean loss ``()`` out.
        optimizer: Makes the optimizer from the trainable parameters, instead of the recipe's; the
            recipe's decay applies to the rate that it comes with.
        stop: Stopping rules (see `corruptlab.training.stopping`); the fit stops when one is met.
            Without any, all epochs are done.
        measure: What is measured after every epoch: only the mean ``"loss"`` of its batches, the
            ``"test"`` accuracy too, or ``"all"``, training accuracy included.
        seed: Decides the data order, the augmentation, and what layers such as dropout draw; any
            integer >= 0. The initial weights are those ``model`` comes with.
        device: Where to train; None for where the network is, and under ``torchrun`` for
            each process's own GPU if there are any.
        execution: How the machine is used.
        checkpoint: Folder for the checkpoints of this fit alone, or None for none.
        checkpoint_seconds: Seconds between two checkpoints, >= 0; one more is made at the end.
        progress: Whether to show progress on standard error.
        name: What to call this fit in its report and progress line.

    Returns:
        What happened; see `FitReport`.

    Raises:
        TypeError: If an input, a label, or an argument is of a wrong kind.
        ValueError: If a data set is empty, an input is not finite, a label has no output, the
            recipe's crop, the network, or the device does not suit, or ``checkpoint``
            holds another fit.
        DataFileError: If the file in ``checkpoint`` is no checkpoint.
        MemoryError: If the memory of the device is full.
        NonFiniteLossError: If the loss becomes infinite or not a number.

    Example:
        >>> import torch
        >>> from corruptlab import Recipe, fit
        >>> inputs = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> corners = torch.utils.data.TensorDataset(inputs, torch.tensor([0, 1]))
        >>> recipe = Recipe(learning_rate=1.0, epochs=50)
        >>> report = fit(torch.nn.Linear(2, 2), corners, recipe=recipe)
        >>> report.stopped_by, report.train_accuracy
        ('interpolated', 1.0)

    Source: Zhang et al. 2017, §2.1 and App. A.
    """
    check_kinds(
        model=model,
        recipe=recipe,
        loss=loss,
        optimizer=optimizer,
        execution=execution,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
    )
    if measure not in get_args(Measure):
        raise ValueError(f"`measure` must be one of loss, test, all, got {measure!r}.")
    rules = checked_rules(
        stop,
        has_test=test is not None and measure != "loss",
        has_validation=validation is not None,
    )
    Draws(seed)  # an unfit seed shall not cost the time to read the data
    place = resolve_device(model, own_device(device))
    processes = Processes.here(place)
    processes.check_alike(recipe=recipe, seed=seed, measure=measure)

    def source(dataset: MapDataset[Any] | None, role: str) -> Source | None:
        if dataset is None:
            return None
        return read(
            dataset,
            role,
            preparation=Preparation.of(recipe),
            execution=execution,
            processes=processes,
            seed=seed,
            progress=progress and processes.first,
        )

    with explained_memory(recipe, place), recording_gradients():
        learned, held_out, unseen = (
            source(train, "train"),
            source(validation, "validation"),
            source(test, "test"),
        )
        assert learned is not None
        plan = Plan(
            recipe=recipe,
            seed=seed,
            loss=loss,
            rules=rules,
            measure=measure,
            train=learned,
            validation=held_out,
            test=unseen,
            processes=processes,
            execution=execution,
            checkpoint_seconds=checkpoint_seconds,
        )
        note_fit(model, recipe)
        model.to(place)
        with (
            kept_generators(place),
            kept_modes(model),
            dropout_of(model, recipe.dropout),
            deterministic_kernels(execution.deterministic, place),
        ):
            num_classes = check_outputs(
                model, [s for s in (learned, held_out, unseen) if s is not None]
            )
            check_loss(loss, num_classes, place)
            one = partial(learned.first, 1)
            check_batch_norm(model, one, len(learned), recipe.batch_size, processes)
            training = _training(model, plan, optimizer, checkpoint)
            return _followed(training, train, progress=progress and processes.first, name=name)


def _training(
    model: nn.Module,
    plan: Plan,
    factory: OptimizerFactory | None,
    folder: str | os.PathLike[str] | None,
) -> Training:
    """Get ready to train, from the start or from where a checkpoint stands."""
    parameters = trainable_parameters(model)
    fused = not plan.execution.deterministic and can_fuse(parameters)
    optimizer = make_optimizer(parameters, plan.recipe, factory, fused=fused)
    kept = None
    if folder is not None:
        identity = identity_of(
            plan.recipe, plan.seed, model, plan.loss, optimizer, plan.train.digest()
        )
        kept = Checkpoint(folder, identity)
    start = replace(plain(plan.execution, plan.recipe.precision), data=_reading(plan))
    training = Training(model, optimizer, plan, start=start, checkpoint=kept)
    training.resume()
    return training


def _reading(plan: Plan) -> Reading:
    """Return how the data reach the device, if it is one way for all of them."""
    kinds = {type(s) for s in (plan.train, plan.validation, plan.test) if s is not None}
    if len(kinds) > 1:
        return plan.execution.data
    return "device" if Resident in kinds else "stream"


def _followed(
    training: Training, dataset: MapDataset[Any], *, progress: bool, name: str
) -> FitReport:
    """Train, showing how it goes, and report."""
    with Progress(training.steps_at_most, name or "fit", show=progress) as line:
        try:
            stopped_by = training.run(line)
            training.save()
            found = _measured(training)
        except KeyboardInterrupt:  # a second one, during these passes, ends the fit for good
            if training.plan.processes.size > 1:
                raise
            stopped_by = "interrupted"
            found = _measured(training)
        except NonFiniteLossError as error:
            kept = training.checkpoint
            if kept is not None and kept.path.exists():
                error.checkpoint = kept.path
            raise
    return _report(training, dataset, *found, stopped_by=stopped_by, name=name)


def _measured(training: Training) -> tuple[FullPass, FullPass | None]:
    training.log.check()  # an interrupted epoch may end in losses that nobody has looked at
    on_train = training.measure(training.plan.train)
    if not math.isfinite(on_train.loss):
        raise training.log.error(training.log.steps + 1, on_train.loss)
    test = training.plan.test
    return on_train, None if test is None else training.measure(test)


def _report(
    training: Training,
    dataset: MapDataset[Any],
    on_train: FullPass,
    on_test: FullPass | None,
    *,
    stopped_by: str,
    name: str,
) -> FitReport:
    state, plan, choice = training.state, training.plan, training.choice
    seconds, epochs = training.seconds, state.epochs
    whole = epochs * training.steps_per_epoch
    reached = state.interpolation
    return FitReport(
        name=name,
        stopped_by=stopped_by,
        epochs=epochs,
        steps=training.log.steps,
        seconds=seconds,
        seconds_per_epoch=seconds * whole / training.log.steps / epochs if epochs else 0.0,
        steps_to_interpolation=None if reached is None else reached.steps,
        seconds_to_interpolation=None if reached is None else reached.seconds,
        train_accuracy=on_train.accuracy,
        test_accuracy=None if on_test is None else on_test.accuracy,
        train_loss=on_train.loss,
        losses=tuple(training.log.since(0)),
        history=state.history,
        diagnosis=causes(training, dataset, found=on_train, stopped_by=stopped_by),
        recipe=plan.recipe,
        execution=training.execution,
        seconds_per_step={} if choice is None else choice.seconds_per_step,
        processes=plan.processes.size,
        seed=plan.seed,
        num_parameters=sum(parameter.numel() for parameter in training.model.parameters()),
        environment=Environment.here(plan.processes.device),
    )
