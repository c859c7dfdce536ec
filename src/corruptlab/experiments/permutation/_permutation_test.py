"""The permutation test of a network and a recipe on a data set."""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from corruptlab._arrays import check_classes
from corruptlab._checks import at_least, check_confidence, instance, natural
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._modules import ModelSource, copied, network_of, resolve_device, scores_of
from corruptlab._progress import Progress
from corruptlab._types import MapDataset
from corruptlab.corruptions import Corrupted, Corruption, is_input_corruption
from corruptlab.experiments.permutation._null import (
    LabelPermuter,
    NullSampler,
    Scorer,
    Split,
    Statistic,
    measure_named,
)
from corruptlab.experiments.permutation._result import Baseline, PermutationTest
from corruptlab.experiments.randomization import Pair, Setting
from corruptlab.training import Recipe, stopping

_UNTIL_INTERPOLATED = (stopping.interpolated(),)


def permutation_test(
    model: ModelSource,
    train: MapDataset[Any],
    test: MapDataset[Any] | None = None,
    *,
    recipe: Recipe,
    folds: int | ArrayLike | None = None,
    permutations: int = 199,
    statistic: Statistic = "accuracy",
    groups: ArrayLike | None = None,
    stop_after: int | None = None,
    stop: stopping.StoppingRule | Sequence[stopping.StoppingRule] = _UNTIL_INTERPOLATED,
    baselines: Sequence[Corruption] = (),
    repeats: int = 5,
    level: float = 0.05,
    confidence: float = 0.95,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool = False,
) -> PermutationTest:
    """Test whether a network finds any relation between inputs and labels.

    The null hypothesis is that labels are exchangeable: given the inputs, every order of the labels
    is equally likely (within groups, if given). The network is trained from the same start with
    the labels as they are and with exchanged labels, all copies as one program (`fit_replicas`),
    and the statistic of held-out examples is compared. p = (C + 1) / (B + 1) for C of B exchanges
    that did at least as well, ties included: exact at any B, and never 0.

    With a ``test`` set, labels are exchanged among the training examples and the test labels stay.
    With ``folds``, labels are exchanged among all examples and the statistic is the mean over the
    held-out parts; an exchange keeps the folds, which are drawn without looking at labels.

    Args:
        model: The network; every copy starts from its weights, which must not come from training on
            these labels. It is not changed. Or a function without arguments that makes it.
        train: Any map-style data set of (input, label) items, read once: what random transforms
            draw then is what all copies are trained on.
        test: Likewise, to measure on; or give ``folds``.
        recipe: The hyper-parameters.
        folds: Cross-validate: into that many parts, drawn by the seed; or the part ``0, 1, ...``
            of each example, shape ``(n,)``, chosen without these labels: stratified folds would be
            balanced for the true labels only, and the test too often significant.
        permutations: Exchanges B, >= 1. The smallest p-value is 1 / (B + 1).
        statistic: ``"accuracy"``, ``"log-likelihood"`` (the mean over examples, in nats), or a
            function of logits ``(n, num_classes)`` and labels ``(n,)``; larger is better.
        groups: Exchange labels only among training examples of the same group, shape ``(n,)``,
            numbers or strings: sites, days, repeated measures of one patient under several labels.
            If examples of one group always share their label, as a patient's diagnosis, none can
            be exchanged; then take one example, or their mean, of each.
        stop_after: Stop as soon as so many exchanges, h >= 1, have done at least as well, and
            take p = h / (exchanges until then) (Besag and Clifford). A test that will
            not be significant then costs little; 10 is a common choice. None draws all.
        stop: When a training ends before the recipe's epochs: ``interpolated()``, or ``()`` for
            never. Exchanged labels take longer to interpolate than true ones.
        baselines: Corruptions of the inputs, such as ``ShuffledPixels()`` or ``GaussianPixels()``:
            the statistic is also measured on inputs without that structure, labels as they are.
        repeats: Draws r of each baseline; its own p-value cannot be below 1 / (r + 1).
        level: Level that the test should be able to reach; too few permutations for it warn.
        confidence: Level of `PermutationTest.interval`, in ``(0, 1)``.
        seed: Decides exchanges, folds, data order, and baselines; any integer >= 0.
        device: Where to train; None for where the network is.
        progress: Whether to show progress on standard error.

    Returns:
        The observed statistic, its null distribution, and the p-value. Ctrl-C ends the test with
        the batches that are done, which is a test with fewer permutations: 4 networks at first, and
        more at a time as long as a batch takes less than half a minute. Before the first batch is
        done ``KeyboardInterrupt`` passes through.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If there is neither ``test`` nor ``folds``, or both; an example is alone in its
            group; no exchange changes a label; or an option is out of range.

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
    instance("recipe", recipe, Recipe)
    network = network_of(model, seed=seed)
    name, measure = measure_named(statistic)
    permutations = at_least(1, "permutations", permutations)
    limit = None if stop_after is None else at_least(1, "stop_after", stop_after)
    repeats = at_least(1, "repeats", repeats)
    _check_levels(level, confidence, permutations)
    corruptions = _checked_baselines(baselines)
    rules = stopping.checked_rules(stop, has_test=False, has_validation=False)
    seed, where = natural("seed", seed), resolve_device(network, device)
    start = time.perf_counter()
    split = Split.of(train, test, folds, seed=seed, progress=progress)
    permuter = LabelPermuter(split.exchangeable, groups)
    num_classes = _num_classes(network, recipe, split)
    scorer = Scorer(network, recipe, measure, name, seed, where, rules)
    baseline_runs = _Baselines(corruptions, train, test, folds, num_classes, scorer, repeats, seed)
    baseline_runs.check()
    sampler = NullSampler(scorer, split, permuter, permutations, limit, seed)
    work = len(split.parts) * (permutations + 1 + repeats * len(corruptions))
    with Progress(work, "permutation test", show=progress) as line:
        done = 0

        def on_progress(more: int) -> None:
            nonlocal done
            done += more
            line.update(done)

        observed, null, interrupted = sampler.sampled(on_progress)
        found, cut = ((), False) if interrupted else baseline_runs.measured(on_progress)
    return PermutationTest(
        observed=observed,
        null=null,
        statistic=name,
        permutations=permutations,
        stop_after=limit,
        interrupted=interrupted or cut,
        confidence=float(confidence),
        baselines=found,
        folds=None if test is not None else len(split.parts),
        recipe=recipe,
        seed=seed,
        seconds=time.perf_counter() - start,
        environment=Environment.here(where),
    )


def _check_levels(level: float, confidence: float, permutations: int) -> None:
    """Check both levels, and warn if no p-value can reach ``level``."""
    check_confidence(confidence)
    check_confidence(level, "level")
    smallest = 1 / (permutations + 1)
    if smallest > level:
        enough = math.ceil(1 / level - 1 - 1e-9)
        warnings.warn(
            f"`permutations` = {permutations} cannot give a p-value below {smallest:.3g}, and so "
            f"never one of at most {level:g}; that takes {enough}.",
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
class _Baselines:
    """The statistic on corrupted inputs, labels as they are, with a draw for each repeat."""

    corruptions: tuple[Corruption, ...]
    train: MapDataset[Any]
    test: MapDataset[Any] | None
    folds: int | ArrayLike | None
    num_classes: int
    scorer: Scorer
    repeats: int
    seed: int

    def check(self) -> None:
        """Read one example of each, so that a misfit is found before any training."""
        for corruption in self.corruptions:
            self._corrupted(corruption, self.seed)[0][0]

    def measured(self, on_progress: Callable[[int], None]) -> tuple[tuple[Baseline, ...], bool]:
        """Return the finished baselines, and whether Ctrl-C ended the measuring."""
        found: list[Baseline] = []
        for corruption in self.corruptions:
            try:
                found.append(self._one(corruption, on_progress))
            except KeyboardInterrupt:
                return tuple(found), True
        return tuple(found), False

    def _one(self, corruption: Corruption, on_progress: Callable[[int], None]) -> Baseline:
        name = repr(corruption)
        stream = f"permutation_test/baseline/{name}"
        seeds = Draws(self.seed).integers(stream, np.arange(self.repeats), 2**31).tolist()
        statistics: list[float] = []
        for draw in seeds:
            data = self._corrupted(corruption, draw)
            split = Split.of(*data, self.folds, seed=self.seed, progress=False)
            labels = split.labellings(split.exchangeable[None])
            scores = self.scorer.scores(split.inputs, labels, split.parts, on_progress)
            statistics += scores.tolist()
        specification = Setting(name=name, corruptions=(corruption,)).specification(seeds[0])
        return Baseline(name, np.array(statistics), specification)

    def _corrupted(self, corruption: Corruption, seed: int) -> tuple[Corrupted, Corrupted | None]:
        pair = Pair.of(self.train, self.test, seed=seed, num_classes=self.num_classes)
        return pair.corrupted(Setting(name=repr(corruption), corruptions=(corruption,)))[:2]
