"""Memorization scores: how much more often an example is right when it was seen."""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from corruptlab import _learners
from corruptlab._arrays import Rows, read_inputs, read_labels
from corruptlab._checks import at_least, check_left_out, check_number, real
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._json import Json
from corruptlab._modules import ModelSource
from corruptlab._reports import Report, rows_of
from corruptlab._sweeps import Runner
from corruptlab._text import counted
from corruptlab.capacity._learned import ANY_LEARNER, LearnedExamples, trained_by
from corruptlab.capacity._replicas import Procedure
from corruptlab.training import Recipe

_LEAST = 2  # replicas with an example, and without it: a spread needs two numbers

# How far to look for the number of replicas that would do; where it is larger, "at least" is true.
_WORDS_TO_LOOK_AHEAD = 1 << 26


@dataclass(frozen=True, kw_only=True, eq=False)
class Memorization(Report, kind="memorization", derived=("scores", "standard_errors", "n")):
    """Memorization scores of training examples; returned by `memorization`.

    Attributes:
        correct_in: Share of the replicas trained *with* an example that classify it correctly,
            ``float64``, shape ``(n,)``.
        correct_out: The same for the replicas trained *without* it.
        in_counts: Number of replicas trained with each example, ``int64``, shape ``(n,)``.
        out_counts: Number of replicas trained without it, ``int64``, shape ``(n,)``.
        replicas: Number of replicas.
        subset_size: Number of training examples of each replica.
        train_accuracies: Training accuracy of each replica.
        recipe: The hyper-parameters; None for an estimator or a training function.
        seed: Seed of the subsets and of the data order.
        environment: Versions, machine, and device.
        learner: Name of an estimator or a training function; None for a network.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import memorization
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50, whiten=False)
        >>> found = memorization(torch.nn.Linear(6, 2), torch.eye(6), [0, 1, 0, 1, 0, 1],
        ...                      recipe=recipe, replicas=20)
        >>> found.correct_in.tolist()  # what was seen is fitted
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """

    correct_in: NDArray[np.float64] = field(repr=False)
    correct_out: NDArray[np.float64] = field(repr=False)
    in_counts: NDArray[np.int64] = field(repr=False)
    out_counts: NDArray[np.int64] = field(repr=False)
    replicas: int
    subset_size: int
    train_accuracies: tuple[float, ...] = field(repr=False)
    recipe: Recipe | None
    seed: int
    environment: Environment
    learner: str | None = None

    @property
    def n(self) -> int:
        """Number of examples."""
        return len(self.in_counts)

    @property
    def scores(self) -> NDArray[np.float64]:
        """``correct_in - correct_out``, ``float64`` in ``[-1, 1]``, shape ``(n,)``."""
        return self.correct_in - self.correct_out

    @property
    def standard_errors(self) -> NDArray[np.float64]:
        """Estimated standard deviation of each score, ``float64``, shape ``(n,)``.

        ``sqrt(a (1 - a) / (n_a - 1) + b (1 - b) / (n_b - 1))``, where a and b are the shares of
        ``correct_in`` and ``correct_out`` over n_a and n_b independent replicas. It is 0 if all
        replicas within each of the two groups agree, which can happen by chance with few replicas.
        """
        a, b = self.correct_in, self.correct_out
        variances: NDArray[np.float64] = a * (1 - a) / (self.in_counts - 1)
        return np.asarray(np.sqrt(variances + b * (1 - b) / (self.out_counts - 1)))

    def memorized(self, threshold: float = 0.25) -> NDArray[np.int64]:
        """Return the examples with a score of at least ``threshold``, in decreasing order of score.

        Args:
            threshold: Threshold of the score; the default of 0.25 is that of the source.

        Returns:
            Positions, ``int64``; ties are in increasing order of position.

        Raises:
            TypeError: If ``threshold`` is not a number.
            ValueError: If it is not finite.

        Source: Feldman and Zhang 2020.
        """
        threshold = real("threshold", threshold)
        order = np.argsort(-self.scores, kind="stable")
        return order[self.scores[order] >= threshold]

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        return rows_of(
            example=range(self.n),
            score=self.scores,
            standard_error=self.standard_errors,
            correct_in=self.correct_in,
            correct_out=self.correct_out,
            in_count=self.in_counts,
            out_count=self.out_counts,
        )

    def __repr__(self) -> str:
        return (
            f"Memorization({counted(self.n, 'example')}, {len(self.memorized())} with a score of "
            f"0.25 or more, mean score {self.scores.mean():.3g}, median standard error "
            f"{np.median(self.standard_errors):.2g}; {counted(self.replicas, 'replica')} on "
            f"{self.subset_size}, {trained_by(self.recipe, self.learner)}, seed={self.seed})"
        )


def memorization(
    model: ModelSource | Sequence[nn.Module] | _learners.Learner | Any,
    inputs: Rows | Any,
    labels: ArrayLike | Tensor,
    *,
    recipe: Recipe | None = None,
    replicas: int = 40,
    share: float = 0.7,
    seed: int = 0,
    device: torch.device | str | None = None,
    executor: Executor | int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Memorization:
    """Estimate how much training on an example increases the probability to classify it correctly.

    The score of example i of S is ``P[h(x_i) = y_i]`` for h trained on S, minus the same for h
    trained on S without i. To estimate all scores at once, every replica is trained on its own
    random subset of ``round(share * n)`` examples and evaluated on all n. The estimate is the
    accuracy on i of the replicas with i in their subset, minus that of the others. It is unbiased
    for the score of subsets of this size, averaged over subsets; to average over initial weights
    too, pass one network per replica.

    A score near 1 means that the network classifies the example correctly only if it was trained on
    it, because no other example supports its label; mislabelled examples and outliers have high
    scores. A score near 0 means that other examples determine the label, or that the example is not
    fitted even if it is in the training set; see ``correct_in``.

    Subset r is the first ``round(share * n)`` of
    ``Draws(seed).permutations("memorization/subset", [r], n)``, in ascending order, so a larger
    number of replicas extends the first ones.

    Args:
        model: With ``recipe``, a network from whose weights every replica starts, a function
            without arguments that returns it, or a sequence of ``replicas`` networks. They are
            copied. Without ``recipe``, an estimator with scikit-learn's
            interface, or a function ``train(data, *, seed) -> predict`` (see `Learner`), trained
            with ``seed`` each time.
        inputs: Stored inputs of a network, shape ``(n, ...)``, which the recipe prepares. For other
            learners any container of n rows: an array, a data frame, a sparse matrix, a list.
        labels: Classes of the inputs, shape ``(n,)``.
        recipe: Hyper-parameters; None for other learners.
        replicas: Number of training runs. Every example must be in at least two subsets, and not in
            at least two others.
        share: Share of the examples in each subset, in ``(0, 1)``.
        seed: Seed of the subsets and the data order; an integer >= 0.
        device: Device of the training; None for the device of the network.
        executor: Executor for learners other than networks: None for this process, a number of
            processes, or any ``concurrent.futures.Executor``, as in `sweep`.
        out: Folder in which finished replicas of other learners are saved. The same call resumes
            from it, also after ``kill -9``; more ``replicas`` reuse them. None saves nothing.
        progress: Whether to show progress on standard error.

    Returns:
        The scores. After Ctrl-C, those of the finished groups of at most 256 replicas (for other
        learners, of all finished replicas), if they have enough subsets with and without each
        example; otherwise ``KeyboardInterrupt`` is raised.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If there are no inputs, the network does not accept them, a label has no output,
            subsets would be empty or whole, an option does not apply to this type of model, or
            there are too few replicas; the message says how many are needed.
        NonFiniteLossError: If the loss of a replica becomes infinite or not a number.
        RuntimeError: If a training run on an executor fails; the others are saved in ``out``.

    Example:
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import memorization
        >>> images, labels = cl.datasets.fashion_mnist_mini("train").tensors
        >>> images, labels = images[:100], labels[:100].clone()
        >>> labels[7] = (labels[7] + 5) % 10  # a label that no other example supports
        >>> recipe = cl.Recipe(learning_rate=0.03, decay=1.0, epochs=60)
        >>> found = memorization(cl.mlp(64, input_shape=(1, 28, 28)), images, labels, recipe=recipe)
        >>> float(found.scores[7])
        1.0
        >>> def majority(data, *, seed):
        ...     classes, counts = np.unique(data.labels, return_counts=True)
        ...     return lambda inputs: np.full(len(inputs), classes[counts.argmax()])
        >>> float(memorization(majority, np.eye(40), [0] * 10 + [1] * 30).scores.max())
        0.0

    Source: Feldman and Zhang 2020, "What neural networks memorize and why", (1) for the definition;
    they use a share of 0.7, and 2,000 replicas on ImageNet.
    """
    check_number("share", share)
    if not 0 < share < 1:
        raise ValueError(f"`share` must lie strictly between 0 and 1, got {share}.")
    replicas = at_least(1, "replicas", replicas)
    if recipe is not None:
        check_left_out("a network", executor=executor, out=out)
        options = {"seed": seed, "device": device, "progress": progress}
        return _of_network(model, inputs, labels, recipe, share, replicas, **options)
    check_left_out(ANY_LEARNER, device=device)
    examples = LearnedExamples.of(model, inputs, labels, seed=seed)
    with examples.running(
        executor, out, label="memorization", each="subset", progress=progress
    ) as run:
        return _of_learner(examples, share, replicas, run)


def _of_network(
    model: Any,
    inputs: Any,
    labels: Any,
    recipe: Recipe,
    share: float,
    replicas: int,
    **options: Any,
) -> Memorization:
    examples = read_inputs(inputs)
    n = len(examples)
    size = _subset_size(share, n)
    procedure = Procedure.of(model, examples, recipe=recipe, replicas=replicas, **options)
    targets = read_labels(labels, n=n, num_classes=procedure.num_classes)
    needed = _replicas_needed(procedure.seed, n=n, size=size, replicas=replicas)
    rows = list(itertools.islice(_subsets(procedure.seed, n, size), replicas))
    subsets = torch.from_numpy(np.stack(rows))
    right = procedure.measure(
        lambda group: group.predictions(examples) == targets,
        examples,
        targets.expand(replicas, -1),
        subsets=subsets,
        least=needed,
    )
    return _scored(
        right.numpy(),
        subsets.numpy(),
        recipe=procedure.recipe,
        seed=procedure.seed,
        environment=procedure.environment,
    )


def _of_learner(
    examples: LearnedExamples, share: float, replicas: int, run: Runner
) -> Memorization:
    n, seed = len(examples.rows), examples.seed
    size = _subset_size(share, n)
    needed = _replicas_needed(seed, n=n, size=size, replicas=replicas)
    grid = [{"replica": r} for r in range(replicas)]
    found, interrupted = run(_LearnedReplica(examples, size), grid)
    if interrupted and len(found) < needed:
        raise KeyboardInterrupt
    right = np.ones((len(found), n), bool)
    for row, each in zip(right, found, strict=True):
        row[each["wrong"]] = False
    return _scored(
        right,
        np.stack(list(itertools.islice(_subsets(seed, n, size), len(found)))),
        recipe=None,
        seed=seed,
        environment=Environment.here(),
        learner=examples.learner.name,
    )


@dataclass(frozen=True, eq=False)
class _LearnedReplica:
    """One training of a learner: a trial of a sweep."""

    examples: LearnedExamples
    size: int

    def __call__(self, *, replica: int) -> dict[str, list[int]]:
        """Return the positions of the examples that are wrong after training on a subset."""
        n, codes = len(self.examples.rows), self.examples.targets.codes
        at = _subset(self.examples.seed, replica, n, self.size)
        found = self.examples.answers(at, codes[at], self.examples.rows)
        return {"wrong": np.flatnonzero(found != codes).tolist()}

    def to_dict(self) -> dict[str, Json]:
        """Return what tells it from others."""
        return self.examples.identity("memorization", size=self.size)


def _scored(right: NDArray[np.bool_], subsets: NDArray[np.int64], **made_with: Any) -> Memorization:
    """Compare the replicas with an example to those without it; ``right`` may have fewer rows."""
    size, seen = subsets.shape[1], np.zeros_like(right)
    np.put_along_axis(seen, subsets[: len(right)], True, axis=1)
    ins, outs = seen.sum(axis=0), (~seen).sum(axis=0)
    return Memorization(
        correct_in=_read_only((right & seen).sum(axis=0) / ins),
        correct_out=_read_only((right & ~seen).sum(axis=0) / outs),
        in_counts=_read_only(ins),
        out_counts=_read_only(outs),
        replicas=len(right),
        subset_size=size,
        train_accuracies=tuple(((right & seen).sum(axis=1) / size).tolist()),
        **made_with,
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
    """Return how many replicas it takes to have every example in and out of two subsets."""
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
    for r in itertools.count():
        yield _subset(seed, r, n, size)


def _subset(seed: int, replica: int, n: int, size: int) -> NDArray[np.int64]:
    return np.sort(Draws(seed).permutations("memorization/subset", [replica], n)[0, :size])


def _read_only(values: NDArray[Any]) -> NDArray[Any]:
    values.flags.writeable = False
    return values
