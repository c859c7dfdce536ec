"""Who the examples of a data set are, and what was done to them before."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch.utils.data import ConcatDataset, Subset

from corruptlab._types import Ids, Labels

History = Counter[tuple[str, int]]
"""How often each kind of randomness, (stream, seed), was used on some examples."""


@dataclass(frozen=True)
class Lineage:
    """What is known of each example of a data set, apart from its input.

    Corruption follows the example and not its position, so a cut of a data set passes on
    what the whole knows, and a corrupted data set what it did.

    Args:
        targets: Labels as served.
        clean_targets: Labels from before any corruption.
        ids: Numbers of the examples: who each one is, wherever it stands.
        span: How many numbers the whole, uncut data set takes.
        num_classes: Number of classes of the whole.
        history: The corruptions so far.
        laws: What was done so far, in order: objects with a ``matrix``; None if parts differ.
    """

    targets: Labels
    clean_targets: Labels
    ids: Ids
    span: int
    num_classes: int
    history: History = field(default_factory=Counter)
    laws: tuple[Any, ...] | None = ()

    @classmethod
    def of(cls, dataset: Any, read_labels: Callable[[Any], tuple[Labels, int]]) -> "Lineage":
        """Trace a data set back through cuts, joins, and corruptions.

        Args:
            dataset: Any map-style data set.
            read_labels: How to get labels and number of classes where nothing is cut or joined.

        Returns:
            What is known of its examples.
        """
        known = getattr(dataset, "lineage", None)
        if isinstance(known, cls):
            return known
        if isinstance(dataset, Subset):
            return cls.of(dataset.dataset, read_labels).cut(dataset.indices)
        if isinstance(dataset, ConcatDataset):
            return cls.joined([cls.of(part, read_labels) for part in dataset.datasets])
        labels, num_classes = read_labels(dataset)
        n = len(dataset)
        return cls(labels, labels, np.arange(n), n, num_classes)

    def with_num_classes(self, num_classes: int) -> "Lineage":
        """Return the lineage as of so many classes; matrices of another size do not fit it."""
        fits = num_classes == self.num_classes or not self.laws
        return replace(self, num_classes=num_classes, laws=self.laws if fits else None)

    @property
    def changes_labels(self) -> bool:
        """Whether a corruption of labels is known to be among what was done."""
        return any(law.changes_labels for law in self.laws or ())

    @classmethod
    def joined(cls, parts: Sequence["Lineage"]) -> "Lineage":
        """Return the lineage of data sets one after the other; ids are kept apart by the spans."""
        starts = np.cumsum([0, *(part.span for part in parts)]).tolist()
        num_classes = max(part.num_classes for part in parts)
        first, *others = [part.with_num_classes(num_classes).laws for part in parts]
        return cls(
            np.concatenate([part.targets for part in parts]),
            np.concatenate([part.clean_targets for part in parts]),
            np.concatenate([part.ids + at for part, at in zip(parts, starts[:-1], strict=True)]),
            starts[-1],
            num_classes,
            reduce(or_, (part.history for part in parts)),  # the most of each
            first if all(laws == first for laws in others) else None,
        )

    def cut(self, indices: ArrayLike) -> "Lineage":
        """Return the lineage of some of the examples."""
        at = np.asarray(indices, np.int64)
        return replace(
            self,
            targets=self.targets[at],
            clean_targets=self.clean_targets[at],
            ids=self.ids[at],
        )
