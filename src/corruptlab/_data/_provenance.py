"""Who the examples of a data set are, and what was done to them before."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch.utils.data import Dataset

from corruptlab._data._encoding import LabelEncoding
from corruptlab._data._fields import Fields
from corruptlab._types import Array, Ids, Labels

History = Counter[tuple[str, int]]
"""How often each kind of randomness, (stream, seed), was used on some examples."""


@dataclass(frozen=True)
class Provenance:
    """What is known of each example of a data set, apart from its input.

    Corruption follows the example and not its position, so a cut of a data set passes on
    what the whole knows, and a corrupted data set what it did.

    Args:
        targets: Labels as served.
        clean_targets: Labels from before any corruption.
        ids: Numbers of the examples: who each one is, wherever it stands.
        span: How many numbers the whole, uncut data set takes.
        num_classes: Number of classes of the whole.
        size: Number of examples of the whole; None where it is not known.
        lacks_class_0: Whether nothing speaks of a class 0: no label of the whole, and no number of
            classes that somebody told.
        is_traced: Whether corruptlab has seen the clean labels of all examples.
        history: The corruptions so far.
        laws: What was done so far, in order: objects with a ``matrix``; None if parts differ.
        encoding: What the labels stand for; None if items carry these very numbers.
    """

    targets: Labels
    clean_targets: Labels
    ids: Ids
    span: int
    num_classes: int
    size: int | None
    lacks_class_0: bool = False
    is_traced: bool = False
    history: History = field(default_factory=Counter)
    laws: tuple[Any, ...] | None = ()
    encoding: LabelEncoding | None = None

    def with_num_classes(self, num_classes: int) -> "Provenance":
        """Return the same for so many classes; matrices of another size do not fit it."""
        fits = num_classes == self.num_classes or not self.laws
        return replace(self, num_classes=num_classes, laws=self.laws if fits else None)

    @property
    def changes_labels(self) -> bool:
        """Whether a corruption of labels is known to be among what was done."""
        return any(law.changes_labels for law in self.laws or ())

    @classmethod
    def joined(cls, parts: Sequence["Provenance"]) -> "Provenance":
        """Return that of data sets one after the other; ids are kept apart by the spans."""
        starts = np.cumsum([0, *(part.span for part in parts)]).tolist()
        encoding = joint_encoding([part.encoding for part in parts if len(part.targets)])
        parts = [part._encoded(encoding) for part in parts]
        num_classes = max(part.num_classes for part in parts)
        sizes = [part.size for part in parts if part.size is not None]
        first, *others = [part.with_num_classes(num_classes).laws for part in parts]
        return cls(
            np.concatenate([part.targets for part in parts]),
            np.concatenate([part.clean_targets for part in parts]),
            np.concatenate([part.ids + at for part, at in zip(parts, starts[:-1], strict=True)]),
            starts[-1],
            num_classes,
            sum(sizes) if len(sizes) == len(parts) else None,
            all(part.lacks_class_0 for part in parts),
            all(part.is_traced for part in parts),
            reduce(or_, (part.history for part in parts)),  # the most of each
            first if all(laws == first for laws in others) else None,
            encoding,
        )

    def _encoded(self, encoding: LabelEncoding | None) -> "Provenance":
        """Return the same with its classes numbered in another way."""
        if encoding is None or self.encoding is None or encoding == self.encoding:
            return self
        targets, clean = (
            self.encoding.translate(labels, encoding)
            for labels in (self.targets, self.clean_targets)
        )
        assert targets is not None  # the encoding is a union
        assert clean is not None
        more = replace(self, targets=targets, clean_targets=clean, num_classes=len(encoding))
        return replace(more, encoding=encoding, laws=None if self.laws else self.laws)

    def cut(self, indices: ArrayLike) -> "Provenance":
        """Return that of some of the examples."""
        at = np.asarray(indices, np.int64)
        return replace(
            self,
            targets=self.targets[at],
            clean_targets=self.clean_targets[at],
            ids=self.ids[at],
        )


def joint_encoding(
    encodings: Sequence[LabelEncoding | None], name: str = "dataset"
) -> LabelEncoding | None:
    """Return the encoding of several parts together, or say that they do not go together."""
    known = [each for each in encodings if each is not None]
    if not known:
        return None
    kinds = {type(each.classes[0]) for each in known}
    if len(known) < len(encodings) or len(kinds) > 1:
        found = sorted(kind.__name__ for kind in kinds) + ["int"] * (len(known) < len(encodings))
        raise ValueError(
            f"`{name}` must join parts whose labels are of one type, got {' and '.join(found)}."
        )
    return LabelEncoding.union(known)


class Traced(Dataset[Any]):
    """A data set that knows where its examples come from; `Corrupted` is one."""

    provenance: Provenance
    fields: Fields

    def inputs_at(self, indices: ArrayLike) -> Array:
        """Return the inputs at some positions as one batch."""
        raise NotImplementedError


def is_traced(dataset: Any) -> bool:
    """Return whether a data set is a `Traced` one that serves its items by our own code."""
    kind = type(dataset)
    return issubclass(kind, Traced) and all(
        getattr(kind, name).__module__.startswith("corruptlab.")
        for name in ("__getitem__", "__getitems__", "inputs_at", "__len__")
    )
