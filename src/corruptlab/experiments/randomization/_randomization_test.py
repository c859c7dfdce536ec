"""The randomization test: the same network and recipe on the same data, corrupted in known ways."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, overload

import torch
from typing_extensions import Unpack

from corruptlab._by_name import describe
from corruptlab._checks import check_left_out, check_probability, instance, natural
from corruptlab._data import InputKey, Key, check_labels_inside
from corruptlab._environment import Environment
from corruptlab._learners import name_of, trainable
from corruptlab._modules import ModelSource
from corruptlab._random_state import preserve_rng_state
from corruptlab._types import Collate, MapDataset
from corruptlab.experiments.randomization._learned import LearnerReport, LearnerTest
from corruptlab.experiments.randomization._pair import Pair
from corruptlab.experiments.randomization._report import RandomizationReport
from corruptlab.experiments.randomization._run import (
    FitOptions,
    InitialModel,
    Loss,
    OptimizerFactory,
    Run,
    Stop,
)
from corruptlab.experiments.randomization._seeds import (
    SeedsReport,
    chosen_seeds,
    reports_over_seeds,
)
from corruptlab.experiments.randomization._settings import (
    Setting,
    chosen_settings,
    default_settings,
)
from corruptlab.training import EpochReport, Execution, Recipe

Data: TypeAlias = MapDataset[Any] | tuple[Any, Any]
"""A data set of (input, label) items, or a pair of inputs and labels."""


class _Options(TypedDict, total=False):
    """What both tests take, whatever the learner."""

    settings: Iterable[str | Setting] | None
    p: float
    seed: int
    num_classes: int | None
    input_key: InputKey | None
    label_key: Key | None
    collate: Collate | None
    device: torch.device | str | None
    optimizer: OptimizerFactory | None
    loss: Loss | None
    stop: Stop | None
    execution: Execution | None
    checkpoint: str | os.PathLike[str] | None
    on_epoch_end: Callable[[EpochReport], object] | None
    executor: Executor | int | None
    out: str | os.PathLike[str] | None
    progress: bool
    model_name: str
    data_name: str


@overload
def randomization_test(
    model: ModelSource,
    train: Data,
    test: Data | None = None,
    *,
    recipe: Recipe,
    seeds: None = None,
    **options: Unpack[_Options],
) -> RandomizationReport: ...
@overload
def randomization_test(
    model: Any,
    train: Data,
    test: Data | None = None,
    *,
    recipe: None = None,
    seeds: None = None,
    **options: Unpack[_Options],
) -> LearnerReport: ...
@overload
def randomization_test(
    model: Any,
    train: Data,
    test: Data | None = None,
    *,
    recipe: Recipe | None = None,
    seeds: int | Sequence[int],
    **options: Unpack[_Options],
) -> SeedsReport: ...
def randomization_test(
    model: Any,
    train: Data,
    test: Data | None = None,
    *,
    recipe: Recipe | None = None,
    settings: Iterable[str | Setting] | None = None,
    p: float = 0.5,
    seed: int = 0,
    seeds: int | Sequence[int] | None = None,
    num_classes: int | None = None,
    input_key: InputKey | None = None,
    label_key: Key | None = None,
    collate: Collate | None = None,
    device: torch.device | str | None = None,
    optimizer: OptimizerFactory | None = None,
    loss: Loss | None = None,
    stop: Stop | None = None,
    execution: Execution | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    on_epoch_end: Callable[[EpochReport], object] | None = None,
    executor: Executor | int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = False,
    model_name: str = "",
    data_name: str = "",
) -> RandomizationReport | LearnerReport | SeedsReport:
    """Train a model from the same start on differently corrupted copies of a data set.

    Architecture, initial weights, hyper-parameters, and data order are the same for every setting;
    only the corruption differs. If the model fits random labels as well as true labels, then
    neither its size nor the optimizer alone explains why it generalizes on true labels. The
    corruption is drawn once and fixed over the epochs. It is applied to the inputs of the data set,
    before the recipe crops and whitens. Test labels are not corrupted. Test inputs are corrupted
    like training inputs: shuffled pixels use the same permutation, and random pixels and Gaussian
    inputs use different random numbers (with the mean and variance of the training set).

    Before the first fit, a batch of every setting is passed through the network, and all labels are
    checked against its outputs. Ctrl-C ends the test and returns the report so far. If a fit raises
    an error, such as a loss that is not finite, the attribute ``report`` of the error contains the
    report so far, if a setting was finished.

    Args:
        model: With ``recipe``, a network, which is copied and not changed, or a function without
            arguments that returns one; its inputs are prepared by the recipe. Without ``recipe``,
            an estimator with scikit-learn's interface, or a function
            ``train(data, *, seed) -> predict`` (see `Learner`).
        train: Any map-style data set of (input, label) items, or a pair ``(X, y)``.
        test: Test set in the same form; None to measure no test accuracy.
        recipe: Hyper-parameters of a network; None for other learners.
        settings: Names from `SETTINGS` and `TOKEN_SETTINGS`, `Setting` objects, or both. Settings
            without corruptions are run first, the others in the given order. None selects
            `TOKEN_SETTINGS` for one-dimensional integer inputs, except bytes; the three settings of
            labels for inputs that are no array of numbers, inputs with several fields, and with
            ``collate``; and `SETTINGS` otherwise. The report states the selection.
        p: Probability that a label is redrawn in ``"partial-labels"``, in ``[0, 1]``.
        seed: Seed of corruptions, data order, and random layers; an integer >= 0.
        seeds: Run the test with several seeds: a number k >= 1 for ``seed, ..., seed + k - 1``, or
            the seeds themselves. A network has the same initial weights with every seed, unless
            ``model`` is a function, which is then called under each seed.
        num_classes: Number of classes, if the training set has no such attribute and lacks the
            last class.
        input_key: Position or name of the input in an item, or several of them, as in `fit`.
        label_key: Position or name of the label in an item.
        collate: For a network, function that makes a batch of a list of items, as in `fit`.
        device: Device of the training; by default as in `fit`.
        optimizer: Function that returns an optimizer of the trainable parameters, in place of that
            of the recipe, as in `fit`.
        loss: Loss, as in `fit`; None for the cross-entropy.
        stop: Stopping rules, as in `fit`; None for ``stopping.interpolated()``. Only the training
            loss is measured after every epoch.
        execution: Options of execution, as in `fit`. All settings use the options that the first
            fit chose.
        checkpoint: Folder for the checkpoints of the fits, each in a folder of its own, named by
            the setting (and above it, the seed). The same call resumes from it.
        on_epoch_end: Function that is called after every epoch of every fit, as in `fit`. The
            ``name`` of its argument is the label of the setting, with the seed if there are
            ``seeds``.
        executor: Executor for an estimator or a training function: None for this process, a number
            of processes, or any ``concurrent.futures.Executor``, as in `sweep`.
        out: Folder in which finished settings of an estimator or a training function are saved.
            The same call resumes from it.
        progress: Whether to show the progress of each fit on standard error.
        model_name: Name of the network in reports; by default its type.
        data_name: Name of the data in reports; by default the ``name`` or type of the training set.

    Returns:
        A report with one row per setting, which prints as a table and draws a figure. For an
        estimator or a training function, a `LearnerReport`, which contains accuracies only. With
        ``seeds``, a `SeedsReport`, which contains a report for each seed, and means with 95%
        t-intervals over the seeds.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If ``settings`` is empty or contains an unknown or repeated setting, a number is
            out of range, or the data of a setting do not fit. All are raised before any training.

    Example:
        >>> from torch.utils.data import Subset
        >>> import corruptlab as cl
        >>> train, test = cl.datasets.load("fashion-mnist-mini")
        >>> report = cl.randomization_test(
        ...     cl.mlp(256, input_shape=(1, 28, 28)),
        ...     Subset(train, range(100)),
        ...     test,
        ...     recipe=cl.Recipe(learning_rate=0.02, epochs=100, batch_size=10),
        ...     settings=["true", "random-labels"],
        ... )
        >>> report["random-labels"].train_accuracy  # memorized, every one
        1.0
        >>> 1 < report["random-labels"].steps_ratio < 4  # and not with much more work
        True

    Source: Zhang et al. 2017, §2.1 and Fig. 1a.
    """
    run: Any = iter_randomization_test  # whose overloads tell learners apart
    reports: Iterator[RandomizationReport | LearnerReport | SeedsReport] = run(
        model,
        train,
        test,
        recipe=recipe,
        settings=settings,
        p=p,
        seed=seed,
        seeds=seeds,
        num_classes=num_classes,
        input_key=input_key,
        label_key=label_key,
        collate=collate,
        device=device,
        optimizer=optimizer,
        loss=loss,
        stop=stop,
        execution=execution,
        checkpoint=checkpoint,
        on_epoch_end=on_epoch_end,
        executor=executor,
        out=out,
        progress=progress,
        model_name=model_name,
        data_name=data_name,
    )
    *_, last = reports
    return last


@overload
def iter_randomization_test(
    model: ModelSource,
    train: Data,
    test: Data | None = None,
    *,
    recipe: Recipe,
    seeds: None = None,
    **options: Unpack[_Options],
) -> Iterator[RandomizationReport]: ...
@overload
def iter_randomization_test(
    model: Any,
    train: Data,
    test: Data | None = None,
    *,
    recipe: None = None,
    seeds: None = None,
    **options: Unpack[_Options],
) -> Iterator[LearnerReport]: ...
@overload
def iter_randomization_test(
    model: Any,
    train: Data,
    test: Data | None = None,
    *,
    recipe: Recipe | None = None,
    seeds: int | Sequence[int],
    **options: Unpack[_Options],
) -> Iterator[SeedsReport]: ...
def iter_randomization_test(
    model: Any,
    train: Data,
    test: Data | None = None,
    *,
    recipe: Recipe | None = None,
    settings: Iterable[str | Setting] | None = None,
    p: float = 0.5,
    seed: int = 0,
    seeds: int | Sequence[int] | None = None,
    num_classes: int | None = None,
    input_key: InputKey | None = None,
    label_key: Key | None = None,
    collate: Collate | None = None,
    device: torch.device | str | None = None,
    optimizer: OptimizerFactory | None = None,
    loss: Loss | None = None,
    stop: Stop | None = None,
    execution: Execution | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    on_epoch_end: Callable[[EpochReport], object] | None = None,
    executor: Executor | int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = False,
    model_name: str = "",
    data_name: str = "",
) -> Iterator[RandomizationReport] | Iterator[LearnerReport] | Iterator[SeedsReport]:
    """Run a randomization test and yield the report after every setting.

    The arguments are those of `randomization_test`, which returns the last of these reports. They
    are checked by the call itself, before the first report is requested, and every setting is tried
    before the first fit. Use this function to save finished results while the test is still
    running.

    Args:
        model: See `randomization_test`.
        train: See `randomization_test`.
        test: See `randomization_test`.
        recipe: See `randomization_test`.
        settings: See `randomization_test`.
        p: See `randomization_test`.
        seed: See `randomization_test`.
        seeds: See `randomization_test`.
        num_classes: See `randomization_test`.
        input_key: See `randomization_test`.
        label_key: See `randomization_test`.
        collate: See `randomization_test`.
        device: See `randomization_test`.
        optimizer: See `randomization_test`.
        loss: See `randomization_test`.
        stop: See `randomization_test`.
        execution: See `randomization_test`.
        checkpoint: See `randomization_test`.
        on_epoch_end: See `randomization_test`.
        executor: See `randomization_test`.
        out: See `randomization_test`.
        progress: See `randomization_test`.
        model_name: See `randomization_test`.
        data_name: See `randomization_test`.

    Returns:
        Iterator of reports, each with one more row than the one before. The last one is complete,
        or has ``interrupted`` set.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is invalid.

    Example:
        >>> import corruptlab as cl
        >>> points = [(torch.tensor([1.0, 0.0]), 0), (torch.tensor([0.0, 1.0]), 1)]
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50, whiten=False)
        >>> model = torch.nn.Linear(2, 2)
        >>> for report in cl.experiments.iter_randomization_test(model, points, recipe=recipe):
        ...     print(len(report.rows), "done,", len(report.remaining), "to go")
        1 done, 5 to go
        2 done, 4 to go
        3 done, 3 to go
        4 done, 2 to go
        5 done, 1 to go
        6 done, 0 to go
    """
    check_labels_inside(test, "randomization_test(model, (X, y), ...)")
    check_probability("p", p)
    fits = FitOptions(device, collate, optimizer, loss, stop, execution, checkpoint, on_epoch_end)
    todo = None if settings is None else chosen_settings(settings, p=p)
    test_of = _Test(
        model=model,
        train=train,
        test=test,
        recipe=recipe,
        settings=todo,
        p=p,
        num_classes=num_classes,
        keys={"input_key": input_key, "label_key": label_key},
        fits=fits,
        executor=executor,
        out=out,
        progress=progress,
        names=(model_name, data_name),
    )
    if seeds is None:
        return test_of.reports(natural("seed", seed))
    return reports_over_seeds(test_of.reports, chosen_seeds(seeds, seed))


@dataclass(frozen=True, kw_only=True)
class _Test:
    """A randomization test but for its seed."""

    model: Any
    train: Data
    test: Data | None
    recipe: Recipe | None
    settings: tuple[Setting, ...] | None
    p: float
    num_classes: int | None
    keys: dict[str, Any]
    fits: FitOptions
    executor: Executor | int | None
    out: str | os.PathLike[str] | None
    progress: bool
    names: tuple[str, str]

    def reports(
        self, seed: int, folder: str = ""
    ) -> Iterator[RandomizationReport] | Iterator[LearnerReport]:
        """Check everything, and return an iterator of reports; what is kept is in a folder."""
        if self.recipe is None:
            return self._of_learner(seed, folder)
        return self._of_network(instance("recipe", self.recipe, Recipe), seed, folder)

    def _of_learner(self, seed: int, folder: str) -> Iterator[LearnerReport]:
        check_left_out("an estimator or a function", **vars(self.fits))
        return LearnerTest.of(
            trainable(self.model),
            self.train,
            self.test,
            self.settings,
            p=self.p,
            seed=seed,
            num_classes=self.num_classes,
            keys=self.keys,
            executor=self.executor,
            out=self.out if self.out is None else Path(self.out) / folder,
            progress=self.progress,
            names=self.names,
        ).reports()

    def _of_network(self, recipe: Recipe, seed: int, folder: str) -> Iterator[RandomizationReport]:
        check_left_out(
            "a network, whose settings are fitted one after another, as their times are compared, "
            "and resume from `checkpoint`",
            executor=self.executor,
            out=self.out,
        )
        data = Pair.of(self.train, self.test, seed=seed, num_classes=self.num_classes, **self.keys)
        todo, why = self.settings, ""
        if todo is None:
            with preserve_rng_state():  # random transforms of the data would move them
                first = None if self.fits.collate is not None else data.train.inputs_at([0])
                todo, why = default_settings(first, p=self.p)
        fresh, fits = InitialModel(self.model, seed=seed), self.fits.within(folder)
        start = RandomizationReport(
            rows=(),
            remaining=todo,
            default_settings=why,
            interrupted=False,
            model=self.names[0] or fresh.name,
            num_parameters=fresh.num_parameters,
            data=self.names[1] or describe(self.train),
            n_train=len(data.train),
            n_test=0 if data.test is None else len(data.test),
            num_classes=int(data.train.num_classes),
            recipe=recipe,
            seed=data.seed,
            environment=Environment.here(),
            optimizer=None if fits.optimizer is None else name_of(fits.optimizer),
            loss=None if fits.loss is None else name_of(fits.loss),
        )
        suffix = f", seed {seed}" if folder else ""
        return Run(fresh, data, start, fits, self.progress, suffix).reports()
