"""Memorization scores: how much more often an example is right when it was seen."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from corruptlab._checks import at_least, check_number
from corruptlab._draws import Draws
from corruptlab.capacity._examples import Rows, read_inputs, read_labels
from corruptlab.capacity._memorization_result import Memorization
from corruptlab.capacity._procedure import Models, Procedure
from corruptlab.training import Recipe

_LEAST = 2  # replicas with an example, and without it: a spread needs two numbers

# How far to look for the number of replicas that would do; where it is larger, "at least" is true.
_WORDS_TO_LOOK_AHEAD = 1 << 26


def memorization(
    model: Models,
    inputs: Rows,
    labels: ArrayLike | Tensor,
    *,
    recipe: Recipe,
    replicas: int = 40,
    share: float = 0.7,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool = False,
) -> Memorization:
    """Estimate by how much more often each example is right if the network was trained on it.

    The score of example i of S is ``P[h(x_i) = y_i]`` for h trained on S, less the same for h
    trained on S without i. To estimate all scores at once, every replica is trained on its own
    random ``round(share * n)`` examples, and tried on all n in evaluation mode: the score is the
    share of the replicas with i in their subset that get it right, less that of those without.
    It is unbiased for the score with subsets of this size, over subsets; give one network a
    replica for the mean over initial weights too.

    Near 1: the example is fitted when seen and wrong when not, for nothing else in the data speaks
    for its label; mislabelled examples and outliers are like that. Near 0: others teach it as well,
    or it is not fitted even when seen; see ``correct_in``.

    Subset r is the first ``round(share * n)`` of
    ``Draws(seed).permutations("memorization/subset", [r], n)``, in ascending order, so more
    replicas keep the first ones.

    Args:
        model: A network whose weights every replica starts from, or a sequence of ``replicas``
            networks. They are copied.
        inputs: Inputs as they are stored, shape ``(n, ...)``; the recipe crops and whitens them.
        labels: Their classes, shape ``(n,)``.
        recipe: The hyper-parameters.
        replicas: Number of trainings. Every example must be in and out of two subsets at least.
        share: Share of the examples in each subset, in ``(0, 1)``.
        seed: Decides the subsets and the data order; any integer >= 0.
        device: Where to train; None for where the network is.
        progress: Whether to show progress on standard error.

    Returns:
        The scores. Ctrl-C ends it with the groups of replicas (256 at most) that are done by then,
        if every example is in and out of two subsets of these, and otherwise passes through.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If there are no inputs, the network does not take them, a label has no output,
            subsets would be empty or whole, or there are too few replicas; then the message says
            how many are needed.
        NonFiniteLossError: If the loss of a replica becomes infinite or not a number.

    Example:
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import memorization
        >>> images, labels = cl.datasets.fashion_mnist_mini("train").tensors
        >>> images, labels = images[:100], labels[:100].clone()
        >>> labels[7] = (labels[7] + 5) % 10  # a label that nothing else speaks for
        >>> recipe = cl.Recipe(learning_rate=0.03, decay=1.0, epochs=60)
        >>> found = memorization(cl.mlp(64, input_shape=(1, 28, 28)), images, labels, recipe=recipe)
        >>> float(found.scores[7])
        1.0

    Source: Feldman and Zhang 2020, "What neural networks memorize and why", (1) for the definition;
    they take share 0.7, and 2,000 replicas on ImageNet.
    """
    check_number("share", share)
    if not 0 < share < 1:
        raise ValueError(f"`share` must lie strictly between 0 and 1, got {share}.")
    replicas = at_least(1, "replicas", replicas)
    examples = read_inputs(inputs)
    n = len(examples)
    size = _subset_size(share, n)
    procedure = Procedure.of(
        model,
        examples,
        recipe=recipe,
        seed=seed,
        device=device,
        progress=progress,
        replicas=replicas,
    )
    targets = read_labels(labels, n=n, num_classes=procedure.num_classes)
    needed = _replicas_needed(procedure.seed, n=n, size=size, replicas=replicas)
    rows = list(itertools.islice(_subsets(procedure.seed, n, size), replicas))
    subsets = torch.from_numpy(np.stack(rows))
    right = procedure.measured(
        lambda group: group.predictions(examples) == targets,
        examples,
        targets.expand(replicas, -1),
        subsets=subsets,
        least=needed,
    )
    seen = torch.zeros_like(right).scatter_(1, subsets[: len(right)], True)
    ins, outs = seen.sum(dim=0), (~seen).sum(dim=0)
    accuracies: list[float] = ((right & seen).sum(dim=1).double() / size).tolist()
    return Memorization(
        correct_in=_read_only((right & seen).sum(dim=0) / ins.double()),
        correct_out=_read_only((right & ~seen).sum(dim=0) / outs.double()),
        in_counts=_read_only(ins),
        out_counts=_read_only(outs),
        replicas=len(right),
        subset_size=size,
        train_accuracies=tuple(accuracies),
        recipe=procedure.recipe,
        seed=procedure.seed,
        environment=procedure.environment,
    )


def _subset_size(share: float, n: int) -> int:
    size = round(share * n)
    if not 0 < size < n:
        raise ValueError(
            f"`share` must leave at least one of {n} examples in and one out of a subset, "
            f"got {share}."
        )
    return size


def _replicas_needed(seed: int, *, n: int, size: int, replicas: int) -> int:
    """Return how many of the replicas have every example in and out, or say how many would."""
    counts = np.zeros(n, np.int64)
    needed, patience = 0, replicas + 1 + _WORDS_TO_LOOK_AHEAD // n
    for subset in itertools.islice(_subsets(seed, n, size), patience):
        counts[subset] += 1
        needed += 1
        if counts.min() >= _LEAST and counts.max() <= needed - _LEAST:
            break
    if needed > replicas:
        raise ValueError(
            f"`replicas` must be at least {needed} with seed {seed}, so that each of the {n} "
            f"examples is in and out of at least {_LEAST} subsets of {size}, got {replicas}."
        )
    return needed


def _subsets(seed: int, n: int, size: int) -> Iterator[NDArray[np.int64]]:
    """Yield subset after subset, each in ascending order."""
    draws = Draws(seed)
    for r in itertools.count():
        yield np.sort(draws.permutations("memorization/subset", [r], n)[0, :size])


def _read_only(values: Tensor) -> NDArray[Any]:
    array = values.numpy()
    array.flags.writeable = False
    return array
