"""The permutation test of a network and a recipe on a data set."""

import math
import time
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import nn

from corruptlab._checks import check_probability, natural
from corruptlab._environment import Environment
from corruptlab._progress import Progress
from corruptlab._types import MapDataset
from corruptlab.corruptions import Corruption
from corruptlab.experiments.permutation._baselines import all_baselines, baseline, check_baselines
from corruptlab.experiments.permutation._drawing import Drawing
from corruptlab.experiments.permutation._exchange import Exchange
from corruptlab.experiments.permutation._result import Baseline, PermutationTest
from corruptlab.experiments.permutation._scores import Scorer
from corruptlab.experiments.permutation._split import Split
from corruptlab.experiments.permutation._statistic import Statistic, measure_named
from corruptlab.training import Recipe, stopping
from corruptlab.training._checks import resolve_device
from corruptlab.training.stopping import StoppingRule


def permutation_test(
    model: nn.Module,
    train: MapDataset[Any],
    test: MapDataset[Any] | None = None,
    *,
    recipe: Recipe,
    folds: int | ArrayLike | None = None,
    permutations: int = 199,
    statistic: Statistic = "accuracy",
    groups: ArrayLike | None = None,
    stop_after: int | None = None,
    stop: Sequence[StoppingRule] = (stopping.interpolated(),),
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
        model: The network; every copy starts from its weights. It is not changed.
        train: Any map-style data set of (input, label) items, read once.
        test: Likewise, to measure on; or give ``folds``.
        recipe: The hyper-parameters.
        folds: Cross-validate: into that many parts, drawn by the seed; or the part ``0, 1, ...``
            of each example, shape ``(n,)``.
        permutations: Exchanges B, >= 1. The smallest p-value is 1 / (B + 1).
        statistic: ``"accuracy"``, ``"log-likelihood"`` (the mean over examples, in nats), or a
            function of logits ``(n, num_classes)`` and labels ``(n,)``; larger is better.
        groups: Exchange labels only among training examples of the same group, shape ``(n,)``:
            repeated measures of one patient, sites, days.
        stop_after: Stop as soon as so many exchanges, h >= 1, have done at least as well, and
            take p = h / (exchanges until then) (Besag and Clifford). A test that will
            not be significant then costs little; 10 is a common choice. None draws all.
        stop: When a training ends before the recipe's epochs, see `fit_replicas`.
        baselines: Corruptions of the inputs, such as ``ShuffledPixels()`` or ``GaussianPixels()``:
            the statistic is also measured on inputs without that structure, labels as they are.
        repeats: Draws of each baseline.
        level: Level that the test shall be able to reach; fewer permutations than it takes warn.
        confidence: Level of `PermutationTest.interval`, in ``(0, 1)``.
        seed: Decides exchanges, folds, data order, and baselines; any integer >= 0.
        device: Where to train; None for where the network is.
        progress: Whether to show progress on standard error.

    Returns:
        The observed statistic, its null distribution, and the p-value. Ctrl-C ends the test with
        what was drawn by then, which is a test with fewer permutations; before the first exchange
        ``KeyboardInterrupt`` passes through.

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
    name, measure = measure_named(statistic)
    permutations = _at_least_one("permutations", permutations)
    limit = None if stop_after is None else _at_least_one("stop_after", stop_after)
    repeats = _at_least_one("repeats", repeats)
    _check_levels(level, confidence, permutations)
    corruptions = check_baselines(baselines)
    seed, place = natural("seed", seed), resolve_device(model, device)
    start = time.perf_counter()
    split = Split.of(train, test, folds, seed=seed, progress=progress)
    scorer = Scorer(model, recipe, measure, name, seed, place, stop)
    drawing = Drawing(
        scorer, split, Exchange(split.exchangeable, groups), permutations, limit, seed
    )
    work = len(split.parts) * (len(drawing.batches) + repeats * len(corruptions))
    with Progress(work, "permutation test", show=progress) as line:
        numbers = iter(range(1, work + 1))

        def tell() -> None:
            line.update(next(numbers))

        def measured(corruption: Corruption) -> Baseline:
            return baseline(
                corruption, train, test, folds, scorer, repeats=repeats, seed=seed, tell=tell
            )

        observed, null, interrupted = drawing.drawn(tell)
        found, cut = all_baselines(() if interrupted else corruptions, measured)
    return PermutationTest(
        observed=observed,
        null=null,
        statistic=name,
        permutations=permutations,
        stop_after=limit,
        interrupted=interrupted or cut,
        confidence=confidence,
        baselines=found,
        folds=None if test is not None else len(split.parts),
        recipe=recipe,
        seed=seed,
        seconds=time.perf_counter() - start,
        environment=Environment.here(place),
    )


def _at_least_one(name: str, value: object) -> int:
    number = natural(name, value)
    if number < 1:
        raise ValueError(f"`{name}` must be at least 1, got {number}.")
    return number


def _check_levels(level: float, confidence: float, permutations: int) -> None:
    for name, value in (("level", level), ("confidence", confidence)):
        check_probability(name, value)
        if value in (0, 1):
            raise ValueError(f"`{name}` must lie strictly between 0 and 1, got {value}.")
    smallest = 1 / (permutations + 1)
    if smallest > level:
        enough = math.ceil(1 / level - 1 - 1e-9)
        warnings.warn(
            f"`permutations` = {permutations} cannot give a p-value below {smallest:.3g}, and so "
            f"never one of at most {level:g}; that takes {enough}.",
            stacklevel=3,
        )
