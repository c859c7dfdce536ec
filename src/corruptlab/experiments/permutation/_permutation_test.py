"""The permutation test of any learner on a data set."""

import math
import os
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from corruptlab import _learners
from corruptlab._arrays import check_classes
from corruptlab._checks import at_least, check_confidence, check_left_out, instance, natural
from corruptlab._data import InputKey, Key, check_labels_inside
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._modules import copied, network_of, resolve_device, scores_of
from corruptlab._progress import Progress
from corruptlab._sweeps import Runner, running
from corruptlab._types import MapDataset
from corruptlab.corruptions import Corrupted, Corruption, is_input_corruption
from corruptlab.experiments.permutation._learned import (
    AnyLearner,
    LearnedSplit,
    LearnedStatistic,
    SerialSampler,
    SweptSampler,
)
from corruptlab.experiments.permutation._network import NetworkLearner, has_numbers
from corruptlab.experiments.permutation._null import LabelPermuter, NullSampler, Scorer, Split
from corruptlab.experiments.permutation._result import Baseline, PermutationTest
from corruptlab.experiments.permutation._statistic import Statistic, measure_of
from corruptlab.experiments.randomization import Pair, Setting
from corruptlab.training import Execution, Recipe, stopping

_UNTIL_INTERPOLATED = (stopping.interpolated(),)


def permutation_test(
    model: nn.Module | _learners.Learner | Any,
    train: MapDataset[Any] | tuple[Any, Any],
    test: MapDataset[Any] | tuple[Any, Any] | None = None,
    *,
    recipe: Recipe | None = None,
    folds: int | ArrayLike | None = None,
    permutations: int = 199,
    statistic: Statistic | None = None,
    groups: ArrayLike | None = None,
    stop_after: int | None = None,
    stop: stopping.StoppingRule | Sequence[stopping.StoppingRule] = _UNTIL_INTERPOLATED,
    baselines: Sequence[Corruption] = (),
    repeats: int = 5,
    level: float = 0.05,
    confidence: float = 0.95,
    seed: int = 0,
    input_key: InputKey | None = None,
    label_key: Key | None = None,
    device: torch.device | str | None = None,
    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer] | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    execution: Execution | None = None,
    executor: Executor | int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> PermutationTest:
    """Test whether a learner finds any relation between inputs and labels.

    The null hypothesis is that labels are exchangeable: given the inputs, every order of the labels
    is equally likely (within groups, if given). The learner is trained from the same start on the
    original labels and on permuted labels, and the statistics on held-out examples are compared. If
    C of B permutations have a statistic at least as large as that of the original labels, the
    p-value is (C + 1) / (B + 1). It is exact for any B, and never 0.

    A learner is a network with a recipe, whose copies are trained as one program (`fit_replicas`);
    an estimator with scikit-learn's interface, whose clones are fitted; or a function
    ``train(data, *, seed) -> predict`` (see `Learner`). Training runs can take place on any
    executor, and finished ones can be saved and reused. Then, and with ``optimizer``, ``loss``,
    ``execution``, other stopping rules, or real-valued targets, the copies of a network are trained
    one by one by `fit`.

    With a ``test`` set, labels are permuted among the training examples and the test labels stay.
    With ``folds``, labels are permuted among all examples and the statistic is the mean over the
    held-out parts; a permutation keeps the folds, which are drawn without looking at labels.

    Args:
        model: A learner, which is not changed. With ``recipe``, a network or a function without
            arguments that returns one; every copy starts from its weights, which must not be
            trained on these labels. Otherwise an estimator, whose clones are fitted to the inputs
            as rows, with every ``random_state`` that is None set to ``seed``, or a training
            function.
        train: Any map-style data set of (input, label) items, or a pair ``(X, y)``. For networks
            and estimators it is read once, and all copies are trained on the same output of random
            transforms. Estimators are fitted to X in its container (array, data frame, sparse
            matrix) and to the original labels. Float labels, and the labels of a regressor, are
            real-valued targets; a network needs one output for them, and is trained on their
            squared error, with targets standardized by the mean and variance of all labels.
        test: Test set in the same form; or pass ``folds``.
        recipe: Hyper-parameters of a network; None for other learners.
        folds: Cross-validation: the number of folds, which are drawn from the seed; or the fold
            ``0, 1, ...`` of each example, shape ``(n,)``, chosen independently of the labels:
            stratified folds are balanced for the true labels only, which makes the p-value too
            small.
        permutations: Number B of permutations, >= 1. The smallest p-value is 1 / (B + 1).
        statistic: Statistic of the held-out examples, larger is better: ``"accuracy"`` (default),
            ``"balanced_accuracy"`` (the mean over the held-out classes), ``"log-likelihood"`` (the
            mean over examples, in nats), ``"auroc"`` (the area under the ROC curve; for more than
            two classes, the one-vs-rest mean), or ``"r2"`` (default for real-valued targets). Or a
            function of two tensors, predictions and class indices ``(n,)``, or a metric of these
            with ``update``, ``compute``, and ``reset``, as in torchmetrics (see `Metric`).
            Predictions are the logits ``(n, K)`` of a network, the probabilities or decision values
            of an estimator, or the scores of a training function's predictor; otherwise class
            indices or real numbers ``(n,)``. For rare classes, use ``"log-likelihood"`` or
            ``"auroc"``, which have more power than the accuracy.
        groups: Group of each training example, shape ``(n,)``, numbers or strings: sites, days,
            patients with several labels. Labels are permuted only within groups. If all examples
            of a group have the same label, such as a patient's diagnosis, no label can be
            permuted; use one example per group, or the mean of its examples.
        stop_after: Stop at the h-th permutation, h >= 1, with a statistic at least as large; the
            p-value is then h divided by the number of permutations so far (Besag and Clifford).
            Tests that will not be significant then take little time; 10 is a common choice. None
            draws all.
        stop: Stopping rules for the training of a network, as in `fit`; ``()`` trains for all
            epochs. Permuted labels take longer to interpolate than true ones.
            Real-valued targets are interpolated if no other target is closer to an output.
        baselines: Corruptions of the inputs, such as ``ShuffledPixels()`` or ``GaussianPixels()``:
            the statistic is also measured on inputs without that structure and original labels.
        repeats: Draws r of each baseline; its own p-value cannot be below 1 / (r + 1).
        level: Significance level that the test should be able to reach; too few permutations for
            it cause a warning.
        confidence: Confidence level of `PermutationTest.interval`, in ``(0, 1)``.
        seed: Seed of permutations, folds, data order, and baselines; an integer >= 0.
        input_key: Position or name of the input in an item, or several of them: a network gets
            named fields as keyword arguments (see `fit`).
        label_key: Position or name of the label in an item.
        device: Device of the training; None for the device of the network.
        optimizer: Function that returns an optimizer of a network's parameters, as in `fit`.
        loss: Loss of a network's outputs and labels, as in `fit`.
        execution: Options of execution of a network, as in `fit`.
        executor: Executor of training runs: None for this process, a number of processes, or any
            ``concurrent.futures.Executor``, as in `sweep`.
        out: Folder in which finished training runs are saved. The same call resumes from it, also
            after ``kill -9``. None saves nothing.
        progress: Whether to show progress on standard error.

    Returns:
        The observed statistic, its null distribution, and the p-value. Ctrl-C ends the test; the
        finished batches form a test with fewer permutations. The first batch has 4 networks, and
        batches grow as long as they take less than half a minute. ``KeyboardInterrupt`` is raised
        before the first batch is finished. For other learners, all finished training runs count.

    Raises:
        TypeError: If an argument has the wrong type, an estimator lacks a method that the statistic
            requires, or a training function does not return a predictor.
        ValueError: If neither ``test`` nor ``folds`` is given, or both; a group has only one
            example; no permutation changes a label; an option is out of range or does not apply to
            this type of learner; or predictions have the wrong shape or, for ``"log-likelihood"``,
            do not sum to 1.
        RuntimeError: If a training run on an executor fails; the others are saved in ``out``.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> generator = torch.Generator().manual_seed(0)
        >>> x = torch.randn(60, 3, generator=generator)
        >>> weak = (x[:, 0] + torch.randn(60, generator=generator) > 0).long()
        >>> data = torch.utils.data.TensorDataset(x, weak)
        >>> recipe = cl.Recipe(learning_rate=0.1, epochs=20, batch_size=20, whiten=False)
        >>> model = cl.mlp(8, input_shape=(3,), num_classes=2)
        >>> found = cl.permutation_test(model, data, folds=5, recipe=recipe, permutations=99)
        >>> found.p_value
        0.01

    Source: Ojala and Garriga 2010, "Permutation tests for studying classifier performance", test 1;
    Phipson and Smyth 2010; Besag and Clifford 1991, "Sequential Monte Carlo p-values".
    """
    check_labels_inside(test, "permutation_test(model, (X, y), ...)")
    permutations = at_least(1, "permutations", permutations)
    limit = None if stop_after is None else at_least(1, "stop_after", stop_after)
    repeats, seed = at_least(1, "repeats", repeats), natural("seed", seed)
    _check_levels(level, confidence, permutations)
    corruptions, start = _checked_baselines(baselines), time.perf_counter()
    plan = _Plan(permutations, limit, groups, seed, progress)
    with running(
        executor, out, label="permutation test", each="permutation", progress=progress
    ) as runner:
        data = _Data(train, test, folds, {"input_key": input_key, "label_key": label_key})
        if recipe is None:
            own_stop = None if stop is _UNTIL_INTERPOLATED else stop
            check_left_out(
                "an estimator or a function",
                device=device,
                stop=own_stop,
                optimizer=optimizer,
                loss=loss,
                execution=execution,
            )
            run = _of_learner(_learners.trainable(model), statistic, data, plan, runner)
        else:
            network = NetworkLearner(
                network_of(model, seed=seed),
                instance("recipe", recipe, Recipe),
                stopping.checked_rules(stop, has_test=False, has_validation=False),
                device,
                optimizer,
                loss,
                execution,
            )
            run = _of_network(network, statistic, data, plan, runner)
        for corruption in corruptions:  # a misfit is found before any training
            run.sampler.check(corruption, seed)
        work = run.parts * (permutations + 1 + repeats * len(corruptions))
        with Progress(work, "permutation test", show=progress and runner.in_process) as line:
            done = 0

            def on_progress(more: int) -> None:
                nonlocal done
                done += more
                line.update(done)

            observed, null, interrupted = run.sampler.sampled(on_progress)
            chosen = () if interrupted else corruptions
            found, cut = _baselines(run.sampler, chosen, repeats, seed, on_progress)
    return PermutationTest(
        observed=observed,
        null=null,
        statistic=run.statistic,
        permutations=permutations,
        stop_after=limit,
        interrupted=interrupted or cut,
        confidence=float(confidence),
        baselines=found,
        folds=None if test is not None else run.parts,
        recipe=recipe,
        learner=run.learner,
        seed=seed,
        seconds=time.perf_counter() - start,
        environment=Environment.here(run.device),
    )


class _Sampler(Protocol):
    """Samples the null distribution, and measures baselines."""

    def sampled(
        self, on_progress: Callable[[int], None]
    ) -> tuple[float, NDArray[np.float64], bool]:
        """Return the observed statistic, the null distribution, and whether Ctrl-C ended it."""

    def baseline(
        self, corruption: Corruption, seeds: Sequence[int], on_progress: Callable[[int], None]
    ) -> list[float]:
        """Return the statistic on corrupted inputs, for each draw."""

    def check(self, corruption: Corruption, seed: int) -> None:
        """Read an example of corrupted inputs."""


@dataclass(frozen=True)
class _Plan:
    """What is drawn, for a learner of any kind."""

    permutations: int
    stop_after: int | None
    groups: ArrayLike | None
    seed: int
    progress: bool


@dataclass(frozen=True)
class _Run:
    """A test that is ready to start."""

    sampler: _Sampler
    parts: int
    statistic: str
    learner: str | None
    device: torch.device


@dataclass(frozen=True)
class _Data:
    """The data as the user gave them."""

    train: Any
    test: Any
    folds: int | ArrayLike | None
    keys: dict[str, Any]


def _of_learner(
    learner: AnyLearner,
    statistic: Statistic | None,
    data: _Data,
    plan: _Plan,
    runner: Runner,
) -> _Run:
    split = LearnedSplit.of(learner, data.train, data.test, data.folds, seed=plan.seed, **data.keys)
    measure = measure_of(statistic, numbers=split.targets.are_numbers)
    learner.check(measure.wanted, f"the statistic {measure.name!r}")
    permuter = LabelPermuter(split.exchangeable, plan.groups, split.targets.values)
    if isinstance(learner, NetworkLearner):
        learner.check_targets(split.rows, split.targets)
    learned = LearnedStatistic(learner, split, permuter, plan.groups, measure, plan.seed)
    sampler: _Sampler = SerialSampler(learned, plan.permutations, plan.stop_after)
    if not runner.in_process:
        _learners.check_pickles(model=learner, statistic=measure)
        sampler = SweptSampler(learned, plan.permutations, plan.stop_after, runner)
    name = None if isinstance(learner, NetworkLearner) else learner.name
    return _Run(sampler, len(split.parts), measure.name, name, torch.device("cpu"))


def _of_network(
    learner: NetworkLearner,
    statistic: Statistic | None,
    data: _Data,
    plan: _Plan,
    runner: Runner,
) -> _Run:
    network, recipe = learner.network, learner.recipe
    where = resolve_device(network, learner.device)
    learner = replace(learner, device=where)
    if not runner.in_process or learner.needs_fit or has_numbers(data.train, data.keys):
        return replace(_of_learner(learner, statistic, data, plan, runner), device=where)
    measure = measure_of(statistic)
    split = Split.of(
        data.train, data.test, data.folds, seed=plan.seed, progress=plan.progress, **data.keys
    )
    permuter = LabelPermuter(split.exchangeable, plan.groups)
    num_classes = _num_classes(network, recipe, split)
    scorer = Scorer(network, recipe, measure, plan.seed, where, learner.stop)
    null = NullSampler(scorer, split, permuter, plan.permutations, plan.stop_after, plan.seed)
    return _Run(
        _NetworkSampler(null, data, num_classes), len(split.parts), measure.name, None, where
    )


def _check_levels(level: float, confidence: float, permutations: int) -> None:
    """Check both levels, and warn if no p-value can reach ``level``."""
    check_confidence(confidence)
    check_confidence(level, "level")
    smallest = 1 / (permutations + 1)
    if smallest > level:
        enough = math.ceil(1 / level - 1 - 1e-9)
        warnings.warn(
            f"the smallest p-value with `permutations` = {permutations} is {smallest:.3g}, which "
            f"is above the level of {level:g}; use at least {enough} permutations.",
            stacklevel=3,
        )


def _num_classes(model: nn.Module, recipe: Recipe, split: Split) -> int:
    """Run a copy of the network on two examples, and check all labels against its outputs."""
    recipe.check_inputs(split.inputs, name="train")
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    some = split.inputs[:2]
    few = recipe.with_statistics_of(some).prepare(some.to(device))
    num_classes = scores_of(copied(model), few).shape[1]
    for role, labels in (("train", split.exchangeable), ("test", split.fixed)):
        if len(labels) > 0:
            check_classes(torch.from_numpy(labels), f"`{role}` labels", num_classes=num_classes)
    return num_classes


def _checked_baselines(baselines: Sequence[Any]) -> tuple[Corruption, ...]:
    if not isinstance(baselines, Sequence):
        raise TypeError(f"`baselines` must be a list of corruptions of inputs, got {baselines!r}.")
    for place, each in enumerate(baselines):
        if isinstance(each, type) or not is_input_corruption(each):
            raise TypeError(f"`baselines` must hold corruptions of inputs, got {each!r}.")
        if each in baselines[:place]:
            raise ValueError(f"`baselines` must differ from one another, got {each!r} twice.")
    return tuple(baselines)


@dataclass(frozen=True)
class _NetworkSampler:
    """Trains copies of a network together."""

    null: NullSampler
    data: _Data
    num_classes: int

    def sampled(
        self, on_progress: Callable[[int], None]
    ) -> tuple[float, NDArray[np.float64], bool]:
        return self.null.sampled(on_progress)

    def baseline(
        self, corruption: Corruption, seeds: Sequence[int], on_progress: Callable[[int], None]
    ) -> list[float]:
        statistics: list[float] = []
        for seed in seeds:
            data = self._corrupted(corruption, seed)
            split = Split.of(*data, self.data.folds, seed=self.null.seed, progress=False)
            labels = split.labellings(split.exchangeable[None])
            scores = self.null.scorer.scores(split.inputs, labels, split.parts, on_progress)
            statistics += scores.tolist()
        return statistics

    def check(self, corruption: Corruption, seed: int) -> None:
        self._corrupted(corruption, seed)[0][0]

    def _corrupted(self, corruption: Corruption, seed: int) -> tuple[Corrupted, Corrupted | None]:
        data, k = self.data, self.num_classes
        pair = Pair.of(data.train, data.test, seed=seed, num_classes=k, **data.keys)
        return pair.corrupted(Setting(name=repr(corruption), corruptions=(corruption,)))[:2]


def _baselines(
    sampler: _Sampler,
    corruptions: Sequence[Corruption],
    repeats: int,
    seed: int,
    on_progress: Callable[[int], None],
) -> tuple[tuple[Baseline, ...], bool]:
    """Return the finished baselines, and whether Ctrl-C ended the measuring."""
    found: list[Baseline] = []
    for corruption in corruptions:
        name = repr(corruption)
        stream = f"permutation_test/baseline/{name}"
        seeds = Draws(seed).integers(stream, np.arange(repeats), 2**31).tolist()
        try:
            statistics = sampler.baseline(corruption, seeds, on_progress)
        except KeyboardInterrupt:
            return tuple(found), True
        specification = Setting(name=name, corruptions=(corruption,)).specification(seeds[0])
        found.append(Baseline(name, np.array(statistics), specification))
    return tuple(found), False
