"""The permutation test of a network and a recipe on a data set."""

import time
from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import nn

from corruptlab._checks import at_least, natural
from corruptlab._environment import Environment
from corruptlab._modules import resolve_device
from corruptlab._progress import Progress
from corruptlab._types import MapDataset
from corruptlab.corruptions import Corruption
from corruptlab.experiments.permutation._baselines import Baselines, check_baselines
from corruptlab.experiments.permutation._checks import check_kinds, check_levels, num_classes_of
from corruptlab.experiments.permutation._drawing import Drawing
from corruptlab.experiments.permutation._exchange import Exchange
from corruptlab.experiments.permutation._result import PermutationTest
from corruptlab.experiments.permutation._scores import Scorer
from corruptlab.experiments.permutation._split import Split
from corruptlab.experiments.permutation._statistic import Statistic, measure_named
from corruptlab.training import Recipe, stopping
from corruptlab.training._stopping import checked_rules
from corruptlab.training.stopping import StoppingRule

_UNTIL_INTERPOLATED = (stopping.interpolated(),)


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
    stop: StoppingRule | Sequence[StoppingRule] = _UNTIL_INTERPOLATED,
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
            these labels. It is not changed.
        train: Any map-style data set of (input, label) items, read once.
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
        level: Level that the test shall be able to reach; fewer permutations than it takes warn.
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
    check_kinds(model, recipe)
    name, measure = measure_named(statistic)
    permutations = at_least(1, "permutations", permutations)
    limit = None if stop_after is None else at_least(1, "stop_after", stop_after)
    repeats = at_least(1, "repeats", repeats)
    check_levels(level, confidence, permutations)
    corruptions = check_baselines(baselines)
    rules = checked_rules(stop, has_test=False, has_validation=False)
    seed, place = natural("seed", seed), resolve_device(model, device)
    start = time.perf_counter()
    split = Split.of(train, test, folds, seed=seed, progress=progress)
    exchange = Exchange(split.exchangeable, groups)
    num_classes = num_classes_of(model, recipe, split)
    scorer = Scorer(model, recipe, measure, name, seed, place, rules)
    beside = Baselines(corruptions, train, test, folds, num_classes, scorer, repeats, seed)
    beside.check()
    drawing = Drawing(scorer, split, exchange, permutations, limit, seed)
    work = len(split.parts) * (permutations + 1 + repeats * len(corruptions))
    with Progress(work, "permutation test", show=progress) as line:
        done = 0

        def tell(more: int) -> None:
            nonlocal done
            done += more
            line.update(done)

        observed, null, interrupted = drawing.drawn(tell)
        found, cut = ((), False) if interrupted else beside.measured(tell)
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
