"""Which examples become canaries, and the data sets that come of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Subset

from corruptlab._checks import check_number, whole
from corruptlab._data import Fields, Key
from corruptlab._draws import Draws
from corruptlab._types import Ids, MapDataset
from corruptlab.corruptions import Corrupted, GivenLabels, corrupt

_LEAST = 2


@dataclass(frozen=True)
class Planting:
    """A data set with canaries planted, and the canaries that were taken out of it.

    Args:
        train: What is trained on: all examples but the held-out ones, the planted canaries
            with random labels.
        held_out: The held-out canaries, with random labels.
        planted: Which examples of ``train`` are canaries, shape ``(len(train),)``.
        fields: Where items keep input and label.
    """

    train: Corrupted
    held_out: Corrupted
    planted: NDArray[np.bool_]
    fields: Fields

    @classmethod
    def of(
        cls,
        train: MapDataset[Any],
        *,
        canaries: int | float,
        held_out: int | None,
        num_classes: int | None,
        input_key: Key | None,
        label_key: Key | None,
        seed: int,
    ) -> "Planting":
        """Draw the canaries and their labels.

        Canaries are the first examples in the order of their words of the stream
        ``"memorization_report/canary"``, the planted ones before the held-out ones; their
        labels are ``Draws(seed).integers("memorization_report/label", ids, K)``. Both follow the
        example's number, so more canaries keep the first ones.

        Args:
            train: The user's data set.
            canaries: How many to plant, or which share of all examples.
            held_out: How many to hold out; None for as many.
            num_classes: Number of classes, if the data set does not tell.
            input_key: Position or name of the input in an item.
            label_key: Position or name of the label in an item.
            seed: Seed of both draws.

        Returns:
            The data sets.

        Raises:
            TypeError: If an argument is of a wrong kind.
            ValueError: If a number does not fit, or an example is there twice.
        """
        keys: dict[str, Any] = {"input_key": input_key, "label_key": label_key}
        known = corrupt(train, seed=seed, num_classes=num_classes, **keys)
        if known.num_classes < 2:
            raise ValueError(
                "`num_classes` must be at least 2 for labels to be random, "
                f"got {known.num_classes}."
            )
        _check_distinct(known.ids)
        k, h = _sizes(canaries, held_out, len(known))
        draws = Draws(seed)
        words = draws.words("memorization_report/canary", known.ids)[:, 0]
        order = np.lexsort((known.ids, words))
        chosen = order[: k + h]
        labels = known.targets.copy()
        labels[chosen] = draws.integers(
            "memorization_report/label", known.ids[chosen], known.num_classes
        )
        kept = np.sort(np.concatenate([order[:k], order[k + h :]]))

        def cut(at: NDArray[np.int64]) -> Corrupted:
            given = GivenLabels(labels[at], ids=known.ids[at])
            indices: Sequence[int] = at.tolist()
            part, k = Subset(known, indices), known.num_classes
            return corrupt(part, given, seed=seed, num_classes=k, **keys)

        return cls(
            train=cut(kept),
            held_out=cut(np.sort(order[k : k + h])),
            planted=np.isin(kept, order[:k]),
            fields=known.fields,
        )

    @property
    def noisy(self) -> NDArray[np.bool_]:
        """Which examples of ``train`` had a label known to be wrong before, canaries apart."""
        return self.train.is_corrupted & ~self.planted

    @property
    def clean(self) -> NDArray[np.bool_]:
        """Which examples of ``train`` are neither canaries nor known to be noisy."""
        return ~(self.train.is_corrupted | self.planted)


def _check_distinct(ids: Ids) -> None:
    numbers, counts = np.unique(ids, return_counts=True)
    if len(numbers) < len(ids):
        twice = numbers[counts.argmax()]
        raise ValueError(
            "`train` must hold every example once, as no canary is held out that is trained on "
            f"elsewhere, got example {twice} {counts.max()} times."
        )


def _sizes(canaries: int | float, held_out: int | None, n: int) -> tuple[int, int]:
    """Return how many canaries are planted and how many held out."""
    k = _number(canaries, n)
    h = k if held_out is None else whole("held_out", held_out)
    if h < _LEAST:
        raise ValueError(f"`held_out` must be at least {_LEAST}, got {h}.")
    if k + h >= n:
        raise ValueError(
            f"`canaries` and `held_out` must leave at least one of {n} examples, got {k} and {h}."
        )
    return k, h


def _number(canaries: int | float, n: int) -> int:
    check_number("canaries", canaries)
    if not isinstance(canaries, float):
        k = whole("canaries", canaries)
        if k < _LEAST:
            raise ValueError(f"`canaries` must be at least {_LEAST}, got {k}.")
        return k
    if not 0 < canaries < 1:
        raise ValueError(
            f"`canaries` must be a number of examples or a share in (0, 1), got {canaries}."
        )
    k = round(canaries * n)
    if k < _LEAST:
        raise ValueError(
            f"`canaries` must come to at least {_LEAST}, got {canaries} of {n} examples, "
            f"which is {k}."
        )
    return k
