"""The null distribution: the statistic of networks trained on permuted labels."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from corruptlab import _data, training
from corruptlab._arrays import check_finite
from corruptlab._draws import Draws
from corruptlab._random_state import seeded_generators
from corruptlab._structured import Inputs, bare, joined, shown_type
from corruptlab._types import MapDataset
from corruptlab.experiments.permutation._result import at_least_as_good
from corruptlab.experiments.permutation._statistic import Measure
from corruptlab.training import stopping

Part: TypeAlias = tuple[Tensor, Tensor]
"""Positions of the examples that are trained on, and of those that are held out."""

_STREAM = "permutation_test/exchange"

# Copies trained together: few at first, because Ctrl-C loses the running batch, then more as long
# as batches are quick, and at once as many as should be. A sequential test that is decided early
# should have trained few in vain, and weights, gradients, and momentum buffers of a batch stay
# below a gigabyte.
_FIRST, _GROWTH, _QUICK_SECONDS = 4, 4, 30.0
_MOST, _MOST_SEQUENTIAL = 256, 32
_NUMBERS_AT_ONCE = 1 << 26


@dataclass(frozen=True)
class Split:
    """All examples, and which of them are trained on and held out."""

    inputs: Inputs  # (n, ...): training examples, then test examples
    exchangeable: NDArray[np.int64]  # (m,): training labels
    fixed: NDArray[np.int64]  # (n - m,): test labels; empty without a test set
    parts: list[Part]

    @classmethod
    def of(
        cls,
        train: MapDataset[Any],
        test: MapDataset[Any] | None,
        folds: int | ArrayLike | None,
        *,
        seed: int,
        progress: bool,
        **keys: Any,
    ) -> "Split":
        """Read the data and split them; ``keys`` say where items keep input and label."""
        check_test_or_folds(test, folds)
        inputs, labels = _read(train, "train", seed, progress, keys)
        nothing = np.empty(0, np.int64)
        if test is None:
            parts = parts_of(folds, len(labels), seed)
            return cls(inputs, labels.numpy(), nothing, parts)
        new, truth = _read(test, "test", seed, progress, keys)
        like, got = shown_type(inputs), shown_type(new)
        if got != like:
            raise ValueError(f"`test` must have inputs like those of `train`, {like}, got {got}.")
        at = torch.arange(len(inputs) + len(new))
        part = at[: len(inputs)], at[len(inputs) :]
        return cls(joined([inputs, new]), labels.numpy(), truth.numpy(), [part])

    def labellings(self, exchanged: NDArray[np.int64]) -> NDArray[np.int64]:
        """Append the test labels to permuted training labels, ``(r, m)`` to ``(r, n)``."""
        fixed = np.broadcast_to(self.fixed, (len(exchanged), len(self.fixed)))
        return np.concatenate([exchanged, fixed], axis=1)


def check_test_or_folds(test: object, folds: object) -> None:
    """Reject both, and neither."""
    if (test is None) == (folds is None):
        raise ValueError(
            "`test` or `folds` must be given, and not both, got "
            f"{'neither' if test is None else 'both'}."
        )


def _read(
    dataset: MapDataset[Any],
    role: Literal["train", "test"],
    seed: int,
    progress: bool,
    keys: dict[str, Any],
) -> tuple[Inputs, Tensor]:
    """Read a whole data set; its random transforms depend on the seed alone."""
    with seeded_generators(reading_seed(seed, role)):
        inputs, labels = _data.open_dataset(dataset, role, **keys).tensors(progress=progress)
    check_finite(inputs, role)  # here, because examples have other numbers in a fold
    return inputs, labels


def reading_seed(seed: int, role: Literal["train", "test"]) -> int:
    """Return what seeds the random transforms of a data set while it is read."""
    number = ("train", "test").index(role)
    return int(Draws(seed).integers("permutation_test/reading", [number], 2**31)[0])


def _held_out(folds: Any, n: int, seed: int) -> NDArray[np.int64]:
    """Return the fold in which each example is held out."""
    given = np.asarray(folds)
    if given.dtype.kind not in "iu":
        raise TypeError(f"`folds` must be an integer or one an example, got {folds!r}.")
    if given.ndim == 0:
        if not 2 <= int(given) <= n:
            raise ValueError(f"`folds` must lie in 2 .. {n}, the number of examples, got {folds}.")
        order = Draws(seed).permutations("permutation_test/folds", [0], n)[0]
        held_out = np.empty(n, np.int64)
        held_out[order] = np.arange(n) * int(given) // n
        return held_out
    if given.shape != (n,):
        raise ValueError(
            f"`folds` must have shape ({n},), one for each example, got {given.shape}."
        )
    if len(np.unique(given)) < 2:
        raise ValueError(f"`folds` must name at least 2 parts, got {given[0]} for all examples.")
    return given.astype(np.int64)


def parts_of(folds: Any, n: int, seed: int) -> list[Part]:
    """Return what is trained on and held out, for each fold."""
    held_out = _held_out(folds, n, seed)
    return [
        (
            torch.from_numpy(np.flatnonzero(held_out != part)),
            torch.from_numpy(np.flatnonzero(held_out == part)),
        )
        for part in np.unique(held_out)
    ]


class LabelPermuter:
    """Draws permutations of labels within groups, all equally likely."""

    def __init__(
        self,
        labels: NDArray[np.int64],
        groups: ArrayLike | None = None,
        names: NDArray[Any] | None = None,  # what the labels stand for
    ) -> None:
        self._labels = labels
        self._groups = _group_numbers(groups, len(labels))
        self._slots = np.argsort(self._groups, kind="stable")
        if not self._can_change():
            raise ValueError(
                "`train` must have different labels within a group, or there is nothing to "
                f"permute, got {_counts(labels if names is None else names[labels])}."
            )

    def drawn(self, seed: int, numbers: Sequence[int]) -> NDArray[np.int64]:
        """Return some permutations, ``(len(numbers), n)``; number 0 is the identity."""
        # Within a group labels are ordered by words of a stream of each number's own, so
        # permutation 7 is the same however many are drawn.
        return np.stack([self._one(Draws(seed), number) for number in numbers])

    def _one(self, draws: Draws, number: int) -> NDArray[np.int64]:
        if number == 0:
            return self._labels
        words = draws.words(f"{_STREAM}/{number}", np.arange(len(self._labels)))[:, 0]
        exchanged = np.empty_like(self._labels)
        exchanged[self._slots] = self._labels[np.lexsort((words, self._groups))]
        return exchanged

    def _can_change(self) -> bool:
        grouped, labels = self._groups[self._slots], self._labels[self._slots]
        return bool(((grouped[1:] == grouped[:-1]) & (labels[1:] != labels[:-1])).any())


def _group_numbers(groups: ArrayLike | None, n: int) -> NDArray[np.int64]:
    """Check groups and number them from 0."""
    if groups is None:
        return np.zeros(n, np.int64)
    names, numbered, counts = _unique_groups(groups, n)
    if (counts == 1).any():
        alone = names[counts == 1]
        raise ValueError(
            "`groups` must have at least 2 examples each, because a single one cannot be "
            f"permuted, got {len(alone)} of one example, such as {alone.tolist()[0]!r}."
        )
    return numbered.astype(np.int64)


def _unique_groups(groups: ArrayLike, n: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the names of the groups, the index of each example's group, and the group sizes."""
    try:
        given = np.asarray(groups)
        found = np.unique(given, return_inverse=True, return_counts=True)
    except (TypeError, ValueError):  # None among strings, rows of different lengths
        raise TypeError("`groups` must hold numbers only or strings only, got a mixture.") from None
    if given.shape != (n,):
        raise ValueError(
            f"`groups` must have shape ({n},), one for each training example, got {given.shape}."
        )
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise ValueError("`groups` must name the group of every example, got nan or inf.")
    return found


def _counts(labels: NDArray[Any]) -> str:
    names, counts = np.unique(labels, return_counts=True)
    return ", ".join(f"{c} of class {k}" for k, c in zip(names[:5], counts[:5], strict=True))


@dataclass(frozen=True)
class Scorer:
    """Trains on one part of the data and measures a statistic on the other."""

    model: nn.Module
    recipe: training.Recipe
    measure: Measure
    seed: int
    device: torch.device
    stop: Sequence[stopping.StoppingRule]

    def scores(
        self,
        inputs: Inputs,
        labels: NDArray[np.int64],
        parts: list[Part],
        on_progress: Callable[[int], None],
    ) -> NDArray[np.float64]:
        """Return the statistic of each of R labellings ``(R, n)``, averaged over the parts."""
        by_part = []
        for part in parts:
            by_part.append(list(self._on(inputs, torch.from_numpy(labels), part)))
            on_progress(len(labels))
        return np.array([math.fsum(values) / len(parts) for values in zip(*by_part, strict=True)])

    def _on(self, inputs: Inputs, labels: Tensor, part: Part) -> Iterator[float]:
        train, held_out = part
        # Copies share their inputs this way, and the first layer is one wide product.
        report = training.fit_replicas(
            self.model,
            bare(inputs[train]),
            labels[:, train].contiguous(),
            recipe=self.recipe,
            seed=self.seed,
            device=self.device,
            stop=self.stop,
        )
        if "interrupted" in report.stopped_by:
            raise KeyboardInterrupt
        for logits, truth in zip(
            report.logits(bare(inputs[held_out])), labels[:, held_out], strict=True
        ):
            yield self.measure.of_logits(logits.cpu(), truth)


@dataclass(frozen=True)
class NullSampler:
    """Samples the null distribution of the statistic, batch by batch."""

    scorer: Scorer
    split: Split
    permuter: LabelPermuter
    permutations: int
    stop_after: int | None
    seed: int

    _known: dict[bytes, float] = field(default_factory=dict, init=False, repr=False)

    def sampled(
        self, on_progress: Callable[[int], None]
    ) -> tuple[float, NDArray[np.float64], bool]:
        """Return the observed statistic, the null distribution, and whether Ctrl-C ended it."""
        found, size = np.empty(0), min(_FIRST, self._most)
        while len(found) <= self.permutations:
            numbers = range(len(found), min(len(found) + size, self.permutations + 1))
            start = time.perf_counter()
            try:
                scores = self._scores(numbers, on_progress)
            except KeyboardInterrupt:
                if len(found) < 2:
                    raise
                return float(found[0]), found[1:], True
            found = np.concatenate([found, scores])
            null = until_decided(found[1:], found[0], self.stop_after)
            if null is not None:
                return float(found[0]), null, False
            size = self._next_size(size, time.perf_counter() - start)
        return float(found[0]), found[1:], False

    def _next_size(self, size: int, seconds: float) -> int:
        """Return the size of the next batch, given that of the last and the time it took."""
        if seconds >= _QUICK_SECONDS:
            return size
        growth = float(_GROWTH)
        if self.stop_after is None:
            growth = max(growth, _QUICK_SECONDS / max(seconds, 1e-9))
        return int(min(growth * size, self._most))

    @property
    def _most(self) -> int:
        """Largest number of copies trained together."""
        parameters = self.scorer.model.parameters()
        numbers = sum(
            each.numel() for each in parameters if not isinstance(each, nn.UninitializedParameter)
        )
        most = _MOST if self.stop_after is None else _MOST_SEQUENTIAL
        return max(1, min(most, _NUMBERS_AT_ONCE // max(1, numbers)))

    def _scores(self, numbers: range, on_progress: Callable[[int], None]) -> NDArray[np.float64]:
        """Return the statistics of some permutations."""
        # Equal permutations are trained once, so that they tie to the last bit, whichever batch
        # each of them falls into.
        rows = self.permuter.drawn(self.seed, numbers)
        names = [hashlib.sha256(row.tobytes()).digest() for row in rows]
        new = {name: row for name, row in zip(names, rows, strict=True) if name not in self._known}
        if new:
            labels = self.split.labellings(np.stack(list(new.values())))
            scores = self.scorer.scores(self.split.inputs, labels, self.split.parts, on_progress)
            self._known.update(zip(new, scores.tolist(), strict=True))
        on_progress((len(rows) - len(new)) * len(self.split.parts))
        return np.array([self._known[name] for name in names])


def until_decided(
    null: NDArray[np.float64], observed: float, stop_after: int | None
) -> NDArray[np.float64] | None:
    """Cut the null distribution where a sequential test stops; None if it goes on."""
    if stop_after is None:
        return None
    good = np.cumsum(at_least_as_good(null, observed))
    if len(good) == 0 or good[-1] < stop_after:
        return None
    return null[: int(np.searchsorted(good, stop_after)) + 1]
