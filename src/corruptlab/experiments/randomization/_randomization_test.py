"""The randomization test: the same network and recipe on the same data, corrupted in known ways."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypedDict, overload

import torch
from torch import nn
from typing_extensions import Unpack

from corruptlab._arrays import check_classes
from corruptlab._by_name import describe
from corruptlab._checks import check_left_out, check_probability, natural
from corruptlab._data import InputKey, Key, open_dataset
from corruptlab._environment import Environment
from corruptlab._learners import trainable
from corruptlab._modules import (
    ModelSource,
    copied,
    count_parameters,
    network_of,
    resolve_device,
    scores_of,
)
from corruptlab._random_state import preserve_rng_state
from corruptlab._types import Collate, MapDataset
from corruptlab.corruptions import Corrupted
from corruptlab.experiments.randomization._learned import LearnerReport, LearnerTest
from corruptlab.experiments.randomization._pair import Pair
from corruptlab.experiments.randomization._report import RandomizationReport, SettingResult
from corruptlab.experiments.randomization._settings import (
    Setting,
    chosen_settings,
    default_settings,
)
from corruptlab.training import EpochReport, Execution, Recipe, fit

Data: TypeAlias = MapDataset[Any] | tuple[Any, Any]
"""A data set of (input, label) items, or a pair of inputs and labels."""

_Corrupted: TypeAlias = tuple[Corrupted, Corrupted | None, Setting]


class _Options(TypedDict, total=False):
    """What both tests take, whatever the learner."""

    settings: Iterable[str | Setting] | None
    p: float
    seed: int
    num_classes: int | None
    device: torch.device | str | None
    on_epoch_end: Callable[[EpochReport], object] | None
    input_key: InputKey | None
    label_key: Key | None
    collate: Collate | None
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
    **options: Unpack[_Options],
) -> RandomizationReport: ...
@overload
def randomization_test(
    model: Any,
    train: Data,
    test: Data | None = None,
    *,
    recipe: None = None,
    **options: Unpack[_Options],
) -> LearnerReport: ...
def randomization_test(
    model: Any,
    train: Data,
    test: Data | None = None,
    *,
    recipe: Recipe | None = None,
    settings: Iterable[str | Setting] | None = None,
    p: float = 0.5,
    seed: int = 0,
    num_classes: int | None = None,
    device: torch.device | str | None = None,
    on_epoch_end: Callable[[EpochReport], object] | None = None,
    input_key: InputKey | None = None,
    label_key: Key | None = None,
    collate: Collate | None = None,
    executor: Executor | int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = False,
    model_name: str = "",
    data_name: str = "",
) -> RandomizationReport | LearnerReport:
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
        num_classes: Number of classes, if the training set has no such attribute and lacks the
            last class.
        device: Device of the training; by default as in `fit`.
        on_epoch_end: Function that is called after every epoch of every fit, as in `fit`. The
            ``name`` of its argument is the label of the setting.
        input_key: For a network, position or name of the input in an item, or several of them, as
            in `fit`.
        label_key: For a network, position or name of the label in an item.
        collate: For a network, function that makes a batch of a list of items, as in `fit`.
        executor: Executor for an estimator or a training function: None for this process, a number
            of processes, or any ``concurrent.futures.Executor``, as in `sweep`.
        out: Folder in which finished settings of an estimator or a training function are saved.
            The same call resumes from it.
        progress: Whether to show the progress of each fit on standard error.
        model_name: Name of the network in reports; by default its type.
        data_name: Name of the data in reports; by default the ``name`` or type of the training set.

    Returns:
        A report with one row per setting, which prints as a table and draws a figure. For an
        estimator or a training function, a `LearnerReport`, which contains accuracies only.

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
    reports: Iterator[RandomizationReport] | Iterator[LearnerReport] = run(
        model,
        train,
        test,
        recipe=recipe,
        settings=settings,
        p=p,
        seed=seed,
        num_classes=num_classes,
        device=device,
        on_epoch_end=on_epoch_end,
        input_key=input_key,
        label_key=label_key,
        collate=collate,
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
    **options: Unpack[_Options],
) -> Iterator[RandomizationReport]: ...
@overload
def iter_randomization_test(
    model: Any,
    train: Data,
    test: Data | None = None,
    *,
    recipe: None = None,
    **options: Unpack[_Options],
) -> Iterator[LearnerReport]: ...
def iter_randomization_test(
    model: Any,
    train: Data,
    test: Data | None = None,
    *,
    recipe: Recipe | None = None,
    settings: Iterable[str | Setting] | None = None,
    p: float = 0.5,
    seed: int = 0,
    num_classes: int | None = None,
    device: torch.device | str | None = None,
    on_epoch_end: Callable[[EpochReport], object] | None = None,
    input_key: InputKey | None = None,
    label_key: Key | None = None,
    collate: Collate | None = None,
    executor: Executor | int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = False,
    model_name: str = "",
    data_name: str = "",
) -> Iterator[RandomizationReport] | Iterator[LearnerReport]:
    """Run a randomization test and give the report so far after every setting.

    The arguments are those of `randomization_test`, which returns the last of these reports; they
    are checked by the call itself, before the first report is asked for, and every setting is tried
    before the first fit. Use it to save what is finished while the rest is still running.

    Args:
        model: See `randomization_test`.
        train: Likewise.
        test: Likewise.
        recipe: Likewise.
        settings: Likewise.
        p: Likewise.
        seed: Likewise.
        num_classes: Likewise.
        device: Likewise.
        on_epoch_end: Likewise.
        input_key: Likewise.
        label_key: Likewise.
        collate: Likewise.
        executor: Likewise.
        out: Likewise.
        progress: Likewise.
        model_name: Likewise.
        data_name: Likewise.

    Returns:
        An iterator of reports, each with one row more than the one before. The last one is
        complete, or has ``interrupted`` set.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If an argument does not fit.

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
    check_probability("p", p)
    todo = None if settings is None else chosen_settings(settings, p=p)
    keys: dict[str, Any] = {"input_key": input_key, "label_key": label_key}
    if recipe is None:
        left_out = {"device": device, "on_epoch_end": on_epoch_end, "collate": collate, **keys}
        check_left_out("an estimator or a function", **left_out)
        return LearnerTest.of(
            trainable(model),
            train,
            test,
            todo,
            p=p,
            seed=natural("seed", seed),
            num_classes=num_classes,
            executor=executor,
            out=out,
            progress=progress,
            names=(model_name, data_name),
        ).reports()
    if not isinstance(recipe, Recipe):
        raise TypeError(f"`recipe` must be a corruptlab.Recipe, got {type(recipe).__name__}.")
    check_left_out("a network", executor=executor, out=out)
    data = Pair.of(train, test, seed=seed, num_classes=num_classes, **keys)
    why = ""
    if todo is None:
        with preserve_rng_state():  # random transforms of the data would move them
            first = None if collate is not None else data.train.inputs_at([0])
            todo, why = default_settings(first, p=p)
    fresh = _InitialModel(model, seed=seed)
    start = RandomizationReport(
        rows=(),
        remaining=todo,
        default_settings=why,
        interrupted=False,
        model=model_name or fresh.name,
        num_parameters=fresh.num_parameters,
        data=data_name or describe(train),
        n_train=len(data.train),
        n_test=0 if data.test is None else len(data.test),
        num_classes=int(data.train.num_classes),
        recipe=recipe,
        seed=data.seed,
        environment=Environment.here(),
    )
    return _Run(fresh, data, start, device, on_epoch_end, collate, progress).reports()


class _InitialModel:
    """Copies of one network, which may be made by a function: equal initial weights."""

    def __init__(self, source: ModelSource, *, seed: int) -> None:
        self._network = network_of(source, seed=seed)
        self.name = type(self._network).__name__
        self.num_parameters = count_parameters(self._network)

    def __call__(self) -> nn.Module:
        """Return a fresh copy."""
        return copied(self._network)


@dataclass(frozen=True)
class _Run:
    """All that is fixed during a randomization test."""

    fresh: _InitialModel
    data: Pair
    start: RandomizationReport
    device: torch.device | str | None
    on_epoch_end: Callable[[EpochReport], object] | None
    collate: Collate | None
    progress: bool

    def reports(self) -> Iterator[RandomizationReport]:
        report = self.start
        try:
            corrupted = self.tried_settings()
        except KeyboardInterrupt:
            yield replace(report, interrupted=True)
            return
        for data in corrupted:
            try:
                row = self.result(*data, report)
            except KeyboardInterrupt:  # while data was read: there is nothing of this one
                row = None
            except (Exception, SystemExit) as error:
                if report.rows:
                    with suppress(AttributeError):  # an error of a frozen class keeps nothing
                        error.report = report  # type: ignore[union-attr]  # documented
                raise
            report = _grown(report, row)
            yield report
            if report.interrupted:
                return

    def tried_settings(self) -> list[_Corrupted]:
        """Corrupt the data for every setting, and run a batch of each through the network."""
        model = self.fresh()
        model.to(resolve_device(model, self.device))
        with preserve_rng_state():  # random transforms of the data would move them
            self.check(model, self.data.train, self.data.test)
            return [self.tried(setting, model) for setting in self.start.remaining]

    def tried(self, setting: Setting, model: nn.Module) -> _Corrupted:
        try:
            train, test, done = self.data.corrupted(setting)
            if not setting.is_clean:
                self.check(model, train, test)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(
                "`settings` must serve what `model` and `recipe` accept, "
                f"got {setting.name!r}, for which {error}"
            ) from error
        return train, test, done

    def check(self, model: nn.Module, train: Corrupted, test: Corrupted | None) -> None:
        """Run a batch of both sets through the network, and compare its outputs with all labels."""
        recipe, size = self.start.recipe, self.start.recipe.batch_size
        device = next((each.device for each in model.parameters()), torch.device("cpu"))
        for role, dataset in {"train": train, "test": test}.items():
            if dataset is not None:
                at = range(min(size, len(dataset)))
                few, _ = open_dataset(dataset, role).batch_at(at, self.collate)
                recipe.check_inputs(few, name=role)
                tried = recipe.with_statistics_of(few, name=role)  # of all, in the fit
                scores = scores_of(model, tried.prepare(few.to(device)))
                labels = torch.tensor(dataset.targets)
                check_classes(labels, f"`{role}` labels", num_classes=scores.shape[1])

    def result(
        self,
        train: Corrupted,
        test: Corrupted | None,
        setting: Setting,
        report: RandomizationReport,
    ) -> SettingResult:
        fitted = fit(
            self.fresh(),
            train,
            test,
            recipe=report.recipe,
            measure="loss",
            seed=report.seed,
            device=self.device,
            # What the first fit found fastest holds for all, or their times could not be compared.
            execution=_executed_alike(report),
            on_epoch_end=self.on_epoch_end,
            collate=self.collate,
            progress=self.progress,
            name=setting.label,
        )
        return SettingResult.of(
            setting,
            fitted,
            labels_changed=train.realized_rate,
            fingerprint=train.fingerprint,
            baseline=fitted if setting.is_clean else report.baseline,
        )


def _executed_alike(report: RandomizationReport) -> Execution:
    """Return how the first fit ran; whether data can be read once is for each setting to say."""
    if not report.rows:
        return Execution()
    first = report.rows[0].fit.execution
    return replace(first, data="auto") if first.data == "device" else first


def _grown(report: RandomizationReport, row: SettingResult | None) -> RandomizationReport:
    """Add a row; a fit that Ctrl-C ended stays among what remains, and without a step is no row."""
    interrupted = row is None or row.fit.stopped_by == "interrupted"
    if row is None or row.fit.steps == 0:
        return replace(report, interrupted=True)
    return replace(
        report,
        rows=(*report.rows, row),
        remaining=report.remaining if interrupted else report.remaining[1:],
        interrupted=interrupted,
        environment=row.fit.environment,
    )
