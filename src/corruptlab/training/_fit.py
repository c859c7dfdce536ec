"""Train a network on a data set until it interpolates: from the call to the report."""

import math
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parameter import is_lazy

from corruptlab._checks import check_number, instance
from corruptlab._data import InputKey, Key, check_labels_inside
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._fits import note_fit
from corruptlab._modules import (
    check_module,
    count_parameters,
    kind_of,
    preserve_mode,
    resolve_device,
)
from corruptlab._progress import Progress
from corruptlab._random_state import exclusive_generators
from corruptlab._threads import use_threads, using_threads
from corruptlab._types import Collate, MapDataset
from corruptlab.heads import RandomLabelHeads
from corruptlab.training._checkpoint import Checkpoint, identity_of
from corruptlab.training._contexts import (
    deterministic_kernels,
    dropout_of,
    explained_memory,
    float32_products,
    preserve_torch_rng,
    recording_gradients,
)
from corruptlab.training._data import DataSource, DeviceData, spots
from corruptlab.training._diagnosis import Cause, FitRecord, diagnose
from corruptlab.training._distributed import Processes, own_device
from corruptlab.training._epoch_report import OnEpochEnd
from corruptlab.training._execution import Execution, Reading
from corruptlab.training._first_batch import check_batch_norm, check_loss, check_outputs
from corruptlab.training._heads import FitHeads
from corruptlab.training._loading import load_data
from corruptlab.training._metrics import FullPass, Loss, NonFiniteLossError
from corruptlab.training._optimizers import (
    OptimizerFactory,
    can_fuse,
    make_optimizer,
    trainable_parameters,
)
from corruptlab.training._reading import ItemFormat, LoaderWorkers, labels_at
from corruptlab.training._recipe import Recipe
from corruptlab.training._report import FitReport, Measure
from corruptlab.training._stepper import resolve_defaults, threads_for
from corruptlab.training._stopping import StoppingRule, checked_rules, interpolated
from corruptlab.training._trainer import FitConfig, Trainer

_LabelsAgain: TypeAlias = Callable[[Sequence[int]], list[int]]
"""Reads labels of training items at some positions once more."""

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
    heads: RandomLabelHeads | None = None,
    stop: StoppingRule | Sequence[StoppingRule] = _UNTIL_INTERPOLATED,
    measure: Measure = "test",
    seed: int = 0,
    device: torch.device | str | None = None,
    execution: Execution = _AS_MEASURED,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_seconds: float = 60.0,
    on_epoch_end: OnEpochEnd | None = None,
    input_key: InputKey | None = None,
    label_key: Key | None = None,
    collate: Collate | None = None,
    progress: bool = False,
    name: str = "",
) -> FitReport:
    """Train ``model`` in place until it interpolates the training set or all epochs are done.

    The data are read once, moved to the device once, and prepared there once, according to the
    recipe. Data that do not fit on the device, and data with random transforms, are read by a
    ``DataLoader`` in every epoch (see `Execution`), with a warning. The order of the examples in an
    epoch is a function of ``(seed, epoch)`` (see `Draws`). The stopping rules are evaluated after
    every epoch. Interpolation is checked by a pass over the *whole* training set in evaluation
    mode. The pass stops at the first error, so it takes little time until it succeeds.

    On the CPU, fits with the same seed and execution are bitwise identical; with
    ``execution=Execution(deterministic=True)``, they are also identical to a plain loop with
    ``torch.optim``. On a GPU this depends on deterministic kernels. A fit of more than half a
    minute chooses the fastest execution by a measurement; pass `FitReport.execution` to another fit
    to repeat it.

    An input can have several fields, such as token ids and an attention mask: an item contains a
    dictionary or a tuple of tensors, or ``input_key`` names several fields of the items. The model
    is called with a dictionary as keyword arguments and with a tuple as positional arguments. Every
    field is prepared like an input of its own: bytes are divided by 255, and other integers and
    booleans are not changed. Inputs of different shapes, graphs, and other objects require
    ``collate``. If the model returns an object or a dictionary with ``logits``, as the models of
    Hugging Face do, these are the class scores.

    Under ``torchrun``, the same call trains in all processes together: each process takes its share
    of every batch of ``recipe.batch_size``, gradients are averaged, all processes stop at the same
    step, and all return the same report. Batch norm computes its statistics per process.

    With ``checkpoint``, the state is saved in a folder, at least every ``checkpoint_seconds``. The
    same call resumes from it. On the CPU the result is bitwise identical to that of an
    uninterrupted fit, if the version of PyTorch, the number of threads, and the instruction set of
    the processor are the same; otherwise it warns.

    Fits in several threads run one at a time, because threads share the global generators.

    Ctrl-C ends the training and returns the report of the current network. While the data are
    being read, and with several processes, ``KeyboardInterrupt`` is raised instead.

    Args:
        model: Any network that returns one row of class scores per input. It remains on ``device``;
            the mode of each layer, training or evaluation, is restored.
        train: Non-empty map-style data set of (input, label) items with inputs of one shape, or a
            pair ``(X, y)``; ``X`` can be a dictionary of arrays.
        test: Test set in the same form, for the test accuracy.
        recipe: Hyper-parameters.
        validation: Validation set in the same form, for early stopping; see
            `FitReport.early_stopped_test_accuracy`.
        loss: Function of outputs ``(b, num_classes)`` and labels ``(b,)`` that returns the mean
            loss ``()``.
        optimizer: Function that returns an optimizer of the trainable parameters; it replaces that
            of the recipe. The decay of the recipe applies to its learning rate.
        heads: Random label heads on layers of ``model``, made for ``train``. The fit calls their
            `RandomLabelHeads.loss` at every step and adds the regularizer, if any, to the loss; the
            losses of the report are without it. Checkpoints contain their state.
        stop: Stopping rules (see `corruptlab.training.stopping`); the fit stops when one is met.
            With ``()``, all epochs are done.
        measure: Measurements after every epoch: ``"loss"`` for the mean loss of the batches only,
            ``"test"`` also for the test accuracy, or ``"all"`` also for the training accuracy.
        seed: Seed of the data order, the augmentation, and random layers such as dropout; an
            integer >= 0. It does not change the initial weights of ``model``.
        device: Device of the training; None for the device of the network, and under ``torchrun``
            for the GPU of each process, if there are any.
        execution: Options of execution.
        checkpoint: Folder for the checkpoints of this fit; None for no checkpoints.
        checkpoint_seconds: Seconds between two checkpoints, >= 0; the last is saved at the end.
        on_epoch_end: Function that is called with an `EpochReport` after every epoch, before the
            stopping rules; with several processes, only in the first. Its time is not counted. If
            it raises an error, the fit saves a last checkpoint and raises the error with the report
            so far as its attribute ``report``. A resumed fit repeats the call for an epoch that is
            not in the last checkpoint.
        input_key: Position or name of the input in an item, or several of them. By default that
            of a corrupted data set, or else position 0, or the first known name.
        label_key: Position or name of the label in an item. By default that of a corrupted data
            set, or else position 1, or the first known name.
        collate: Function that makes a batch of a list of items, as ``collate_fn`` of a
            ``DataLoader``. It returns a pair (inputs, labels), or a batch with the structure of an
            item; from a dictionary without ``input_key``, the model gets all fields except the
            label. The inputs can be tensors, dictionaries and tuples of tensors, or objects that
            have a method ``to(device)``. The data are then streamed (see `Execution`), and
            ``recipe`` must not change inputs, unless ``collate`` returns one tensor of inputs.
        progress: Whether to show progress on standard error.
        name: Name of the fit in its report and progress line.

    Returns:
        The report; see `FitReport`.

    Raises:
        TypeError: If an input, a label, or an argument has the wrong type.
        ValueError: If a data set is empty, an input is not finite, a label has no output, the
            recipe's crop, the network, or the device is invalid, or ``checkpoint``
            holds another fit.
        DataFileError: If the file in ``checkpoint`` is not a checkpoint.
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

        Inputs with two fields, which the network gets as keyword arguments:

        >>> class Masked(torch.nn.Linear):
        ...     def forward(self, x, mask):
        ...         return super().forward(x * mask)
        >>> fields = {"x": inputs, "mask": torch.tensor([[True, True], [False, True]])}
        >>> fit(Masked(2, 2), (fields, torch.tensor([0, 1])), recipe=recipe).train_accuracy
        1.0

    Source: Zhang et al. 2017, §2.1 and App. A.
    """
    _check_kinds(
        model=model,
        recipe=recipe,
        loss=loss,
        optimizer=optimizer,
        execution=execution,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
    )
    check_on_epoch_end(on_epoch_end)
    check_labels_inside(test, "fit(model, (X, y), ...)")
    items = ItemFormat(input_key, label_key, collate)
    items.check(recipe, execution)
    if measure not in get_args(Measure):
        raise ValueError(f"`measure` must be one of loss, test, all, got {measure!r}.")
    rules = checked_rules(
        stop,
        has_test=test is not None and measure != "loss",
        has_validation=validation is not None,
    )
    Draws(seed)  # rejects a bad seed before the data are read
    measured = None if heads is None else FitHeads(heads, model, train, items)
    device = resolve_device(model, own_device(device))
    processes = Processes.here(device)
    processes.check_alike(recipe=recipe, seed=seed, measure=measure, heads=repr(heads))
    progress = progress and processes.first
    workers = LoaderWorkers(execution.workers, device)

    def load(dataset: MapDataset[Any], role: str, prepared_by: Recipe) -> DataSource:
        return load_data(
            dataset,
            role,
            recipe=prepared_by,
            execution=execution,
            processes=processes,
            workers=workers,
            items=items,
            seed=seed,
            progress=progress,
        )

    alone = exclusive_generators()
    with alone, workers, explained_memory(recipe, device), recording_gradients():
        known = load(train, "train", recipe)
        recipe = known.recipe  # with the statistics of the training set
        config = FitConfig(
            recipe=recipe,
            seed=seed,
            loss=loss,
            rules=rules,
            measure=measure,
            train=known,
            validation=None if validation is None else load(validation, "validation", recipe),
            test=None if test is None else load(test, "test", recipe),
            processes=processes,
            execution=execution,
            checkpoint_seconds=checkpoint_seconds,
            on_epoch_end=on_epoch_end,
            heads=measured,
            name=name,
        )
        note_fit(model, recipe)
        model.to(device)
        with (
            preserve_torch_rng(device),
            using_threads(),
            preserve_mode(model),
            dropout_of(model, recipe.dropout),
            deterministic_kernels(execution.deterministic, device),
            float32_products(device, tf32=execution.tf32),
        ):
            check_loss(loss, check_outputs(model, config.data), device)
            one = partial(config.train.first, 1)
            check_batch_norm(model, one, len(config.train), recipe.batch_size, processes)
            trainer = _trainer(model, config, optimizer, checkpoint)
            again = partial(labels_at, train, items=items)
            return _trained(trainer, again, progress=progress, name=name)


def check_on_epoch_end(on_epoch_end: object) -> None:
    """Reject what cannot be called."""
    if on_epoch_end is not None and not callable(on_epoch_end):
        raise TypeError(
            f"`on_epoch_end` must be a function of an EpochReport, got {kind_of(on_epoch_end)}."
        )


def _trainer(
    model: nn.Module,
    config: FitConfig,
    factory: OptimizerFactory | None,
    folder: str | os.PathLike[str] | None,
) -> Trainer:
    """Return a trainer that stands at the start, or where a checkpoint was made."""
    execution, recipe = config.execution, config.recipe
    parameters = trainable_parameters(model)
    fused = not execution.deterministic and can_fuse(parameters)
    optimizer = make_optimizer(parameters, recipe, factory, fused=fused)
    kept = None
    if folder is not None:
        digest = config.train.digest()
        heads = None if config.heads is None else repr(config.heads.heads)
        identity = identity_of(recipe, config.seed, model, config.loss, optimizer, digest, heads)
        kept = Checkpoint(folder, identity, recipe.standardize, config.processes)
    ways: set[Reading] = {
        "device" if isinstance(data, DeviceData) else "stream" for data in config.data
    }
    own = threads_for(execution, model, config.train, recipe.batch_size)
    threads = config.processes.agreed(own)
    start = replace(resolve_defaults(execution, recipe.precision), threads=threads)
    use_threads(threads)  # before the checkpoint notes on what the bits depend
    if len(ways) == 1:
        start = replace(start, data=ways.pop())
    elif not isinstance(config.train, DeviceData):  # a stream gives the same bits for the others
        start = replace(start, data="stream")
    trainer = Trainer(model, optimizer, config, start=start, checkpoint=kept)
    trainer.resume()
    return trainer


def _trained(
    trainer: Trainer, labels_again: _LabelsAgain, *, progress: bool, name: str
) -> FitReport:
    """Train, showing how it goes, and report."""
    trainer.begin()  # Ctrl-C before its end finds nothing to report
    with Progress(trainer.steps_at_most, name or "fit", show=progress) as line:
        try:
            stopped_by = trainer.run(line)
            trainer.save()
            found = _measured(trainer)
        except KeyboardInterrupt:  # a second one, during these passes, ends the fit for good
            if trainer.config.processes.size > 1:
                raise
            for data in trainer.config.data:
                data.end_workers()  # which a terminal sends Ctrl-C, too
            stopped_by = "interrupted"
            found = _measured(trainer)
        except NonFiniteLossError as error:
            kept = trainer.checkpoint
            if kept is not None and kept.path.exists():
                error.checkpoint = kept.path
            raise
        except Exception as error:
            if error is trainer.failure:
                trainer.save()
                found = _measured(trainer)
                with suppress(AttributeError):  # an error of a frozen class keeps nothing
                    error.report = _report(  # type: ignore[attr-defined]  # documented
                        trainer, labels_again, *found, stopped_by="on_epoch_end", name=name
                    )
            raise
    return _report(trainer, labels_again, *found, stopped_by=stopped_by, name=name)


def _measured(trainer: Trainer) -> tuple[FullPass, FullPass | None]:
    trainer.log.check()  # an interrupted epoch may end in losses that nobody has looked at
    on_train = trainer.measure(trainer.config.train)
    if not math.isfinite(on_train.loss):
        raise trainer.not_finite_when_measured(on_train.loss)
    test = trainer.config.test
    return on_train, None if test is None else trainer.measure(test)


def _report(
    trainer: Trainer,
    labels_again: _LabelsAgain,
    on_train: FullPass,
    on_test: FullPass | None,
    *,
    stopped_by: str,
    name: str,
) -> FitReport:
    state, config, tuned = trainer.state, trainer.config, trainer.tuned
    seconds, epochs, steps = trainer.seconds, state.epochs, trainer.log.steps
    reached, (execution, not_captured) = state.interpolation, trainer.executed
    return FitReport(
        name=name,
        stopped_by=stopped_by,
        epochs=epochs,
        steps=steps,
        seconds=seconds,
        seconds_of_tuning=trainer.seconds_of_tuning,
        seconds_per_epoch=seconds * trainer.steps_per_epoch / steps if epochs else 0.0,
        steps_to_interpolation=None if reached is None else reached.steps,
        seconds_to_interpolation=None if reached is None else reached.seconds,
        train_accuracy=on_train.accuracy,
        test_accuracy=None if on_test is None else on_test.accuracy,
        train_loss=on_train.loss,
        losses=tuple(trainer.log.since(0)),
        history=state.history,
        diagnosis=_diagnosis(trainer, labels_again, found=on_train, stopped_by=stopped_by),
        recipe=config.recipe,
        execution=execution,
        seconds_per_step={} if tuned is None else tuned.seconds_per_step,
        not_captured=not_captured,
        processes=config.processes.size,
        seed=config.seed,
        num_parameters=count_parameters(trainer.model),
        environment=Environment.here(config.processes.device),
        heads=None if config.heads is None else config.heads.heads.report(),
    )


def _check_kinds(
    *,
    model: nn.Module,
    recipe: object,
    loss: object,
    optimizer: object,
    execution: object,
    checkpoint: object,
    checkpoint_seconds: float,
) -> None:
    """Reject arguments of `fit` that are of a wrong kind."""
    check_module(model)
    tensors = [*model.parameters(), *model.buffers()]
    if any(each.is_inference() for each in tensors if not is_lazy(each)):
        raise ValueError(
            "`model` must be made outside torch.inference_mode(), got tensors that record no "
            "gradients; copy.deepcopy(model) outside of it makes a network of others."
        )
    instance("recipe", recipe, Recipe)
    instance("execution", execution, Execution)
    if not callable(loss) or isinstance(loss, type):
        raise TypeError(
            "`loss` must be a function of outputs and labels, such as torch.nn.CrossEntropyLoss(), "
            f"got {kind_of(loss)}."
        )
    if optimizer is not None and not callable(optimizer):
        raise TypeError(
            "`optimizer` must be a function that makes one from the parameters, such as "
            f"functools.partial(torch.optim.SGD, lr=0.1), got {kind_of(optimizer)}."
        )
    if checkpoint is not None:
        if not isinstance(checkpoint, str | os.PathLike):
            raise TypeError(f"`checkpoint` must be the path of a folder, got {checkpoint!r}.")
        if Path(checkpoint).is_file():
            raise ValueError(f"`checkpoint` must be a folder, got the file {str(checkpoint)!r}.")
    check_number("checkpoint_seconds", checkpoint_seconds)
    if not checkpoint_seconds >= 0:
        raise ValueError(f"`checkpoint_seconds` must be at least 0, got {checkpoint_seconds}.")


def _diagnosis(
    trainer: Trainer, labels_again: _LabelsAgain, *, found: FullPass, stopped_by: str
) -> tuple[Cause, ...]:
    """Return the known reasons why the training set is not interpolated; none without labels."""
    data, recipe, optimizer = trainer.config.train, trainer.config.recipe, trainer.optimizer
    if found.accuracy == 1 or data.targets is None:
        return ()
    at = sorted(set(spots(len(data))))
    changes = recipe.augmentation
    names = [] if changes is None else [name for name, on in changes.to_dict().items() if on]
    on_device = isinstance(data, DeviceData)
    inputs = data.inputs if isinstance(data, DeviceData) else None
    momentum = 0.0 if isinstance(optimizer, torch.optim.AdamW) else None
    if isinstance(optimizer, torch.optim.SGD):
        momentum = float(optimizer.param_groups[0]["momentum"])
    record = FitRecord(
        losses=trainer.log.since(0),
        targets=data.targets.cpu(),
        train_accuracy=found.accuracy,
        stopped_by=stopped_by,
        steps_per_epoch=trainer.steps_per_epoch,
        batch_size=recipe.batch_size,
        num_parameters=sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        learning_rate=recipe.learning_rate,
        decay=recipe.decay,
        inputs=inputs.cpu() if isinstance(inputs, Tensor) and changes is None else None,
        momentum=momentum,
        weight_decay=float(optimizer.param_groups[0].get("weight_decay", 0.0)),
        dropout=[m.p for m in trainer.model.modules() if isinstance(m, _DropoutNd)],
        augmentation=", ".join(names) or None,
        cross_entropy=trainer.config.loss is cross_entropy,
        labels_again=dict(zip(at, labels_again(at), strict=True)),
        streamed=not on_device,
    )
    return diagnose(record)
