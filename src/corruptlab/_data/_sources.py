"""How each kind of data set is read: one by one, in batches, through cuts and joins."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import TensorDataset

from corruptlab._arrays import check_dense, to_numpy
from corruptlab._data._beneath import serves, traced_within
from corruptlab._data._encoding import LabelEncoding, is_categorical, is_signs
from corruptlab._data._fields import Fields
from corruptlab._data._inputs import Batch, check_shape, is_structured, stacked
from corruptlab._data._kinds import (
    Rows,
    fetched,
    is_joined,
    is_subset,
    kind_of,
    label_lists,
    number_of_names,
    own_attribute,
    positive_int,
)
from corruptlab._data._labels import (
    classes_of,
    encoded,
    encoded_as,
    given_labels,
    integer_labels,
    number_of,
    plain,
)
from corruptlab._data._pairs import Pair
from corruptlab._data._provenance import Provenance, is_traced, joint_encoding
from corruptlab._draws import Draws
from corruptlab._progress import Progress
from corruptlab._random_state import preserve_rng_state
from corruptlab._structured import StructuredInputs
from corruptlab._types import Array, Ids, Labels

CHUNK = 1024
"""Examples read at a time in a pass over a data set: what bounds the extra memory."""

# A wrong list that is right for all but a share q of the items passes with at most (1 - q)**256.
_RANDOM_CHECKS = 256

_SECONDS_WITHOUT_A_LINE = 10.0


class Source(Protocol):
    """One kind of data set, seen by the law that its items are what counts."""

    def items(self, at: Ids) -> list[Any]:
        """Return the items at some positions."""

    def inputs(self, at: Ids) -> Batch:
        """Return their inputs as one batch."""

    def examples(self, at: Ids) -> tuple[Batch, Labels]:
        """Return inputs and labels, no item read twice."""

    @property
    def encoding(self) -> LabelEncoding | None:
        """What the numbers of classes stand for; None if items carry these very numbers."""

    def relabelled(self, at: Ids, labels: Array) -> list[Any]:
        """Return the items at some positions with other labels of the same types."""

    def relabelled_item(self, position: int, label: Any) -> Any:
        """Return one item with another label of the same type."""

    def labels(self) -> Labels | None:
        """Return all labels if they can be had, and relied on, without reading every item."""

    def provenance(self, labelled: "Labelled") -> Provenance:
        """Return what is known of the examples; `labelled` reads what is neither cut nor joined."""


Labelled = Callable[["Leaf"], tuple[Labels, int, bool]]
"""Returns labels, number of classes, and whether class 0 is one that nothing speaks of."""


def source_of(
    dataset: Any,
    fields: Fields,
    name: str,
    named: bool = False,
    classes: LabelEncoding | None = None,
) -> Source:
    """Return the way to read a data set; `name` is what errors call it.

    `named` tells that labels are names or booleans, and no numbers; `classes`, what they are.
    """
    if is_traced(dataset):
        return _TracedSource(dataset, fields, name)
    if is_subset(dataset):
        whole = source_of(dataset.dataset, fields, name, named, classes)
        return _Cut(whole, np.asarray(dataset.indices, np.int64))
    if is_joined(dataset):
        parts = tuple(source_of(part, fields, name, named, classes) for part in dataset.datasets)
        return _Joined(parts, tuple(dataset.cumulative_sizes), name)
    return Leaf(dataset, fields, name, named, classes)


@dataclass(frozen=True)
class Leaf:
    """A data set that is neither cut nor joined."""

    dataset: Any
    fields: Fields
    name: str
    named: bool = False
    classes: LabelEncoding | None = None

    def items(self, at: Ids) -> list[Any]:
        return fetched(self.dataset, at.tolist(), self.name)

    def inputs(self, at: Ids) -> Batch:
        rows = self._input_rows
        if rows is None:
            return self._inputs(self.items(at), at)
        found: Batch = _rows_at(rows, at, self.name)
        return found

    def examples(self, at: Ids) -> tuple[Batch, Labels]:
        inputs, listed = self._input_rows, self._rows(self.fields.label)
        if inputs is not None and listed is not None and self.encoding is None:
            labels = integer_labels(_rows_at(listed, at, self.name), len(at))
            if labels is not None:
                return _rows_at(inputs, at, self.name), labels
        items = self.items(at)
        labels = labels_in(items, self.fields, at, self.name, self.encoding)
        return self._inputs(items, at), labels

    def relabelled(self, at: Ids, labels: Array) -> list[Any]:
        if labels.dtype == np.int64 and self._has_plain_labels:
            inputs = self.dataset.tensors[0]
            new = torch.from_numpy(labels).unbind()
            return list(zip([inputs[i] for i in at.tolist()], new, strict=True))
        return self.fields.all_relabelled(self.items(at), labels)

    def relabelled_item(self, position: int, label: Any) -> Any:
        if self._has_plain_labels:  # its own label need not be looked at
            return self.dataset.tensors[0][position], torch.from_numpy(np.array(label))
        return self.fields.relabelled(self.dataset[position], label)

    @cached_property
    def _has_plain_labels(self) -> bool:
        """Whether items are rows of an input tensor and an ordinary label tensor."""
        bare = type(self.dataset) is TensorDataset and self.encoding is None
        rows = self._rows(1) if bare else None
        return (
            isinstance(rows, torch.Tensor)
            and rows.dtype is torch.int64
            and rows.ndim == 1
            and rows.is_cpu
            and len(self.dataset.tensors) == 2
            and self.fields.label == 1
        )

    def labels(self) -> Labels | None:
        """Return what the class is known to serve, or a list that agrees with enough items."""
        kind = kind_of(self.dataset)
        if kind is not None:
            found = encoded(kind.labels(self.dataset, self.fields.label), self._n)
            return None if found is None else self._known_by(*found)
        for values in label_lists(self.dataset, self.fields).values():
            found = encoded(values, self._n)
            if found is not None:
                labels, encoding = found
                wrong = disagreement(self, self.fields, labels, self.name, encoding)
                return self._known_by(labels, encoding) if wrong is None else None
        return None

    def served_labels(self) -> Labels:
        """Return the labels of all items, in the fastest way that is sure."""
        known = self.labels()
        if known is not None:
            return known
        return self._known_by(*read_labels(self, self.fields, self.name, self._n, named=self.named))

    @cached_property
    def encoding(self) -> LabelEncoding | None:
        """What the numbers of classes stand for; all labels are read where they are names."""
        if self.classes is not None:
            return self.classes
        if self._n and (self.named or self._lists_other_classes):
            self.served_labels()
            found: LabelEncoding | None = self.__dict__["encoding"]
            return found
        return None

    @property
    def _lists_other_classes(self) -> bool:
        """Whether integer labels beside the inputs stand for others: categories, or -1 and +1."""
        if type(self.dataset) is TensorDataset:
            values = self._rows(self.fields.label)
        else:
            values = getattr(self.dataset, "labels", None) if type(self.dataset) is Pair else None
        if is_categorical(values):
            return True
        labels = integer_labels(values, self._n) if values is not None else None
        return labels is not None and is_signs(labels)

    def _known_by(self, labels: Labels, encoding: LabelEncoding | None) -> Labels:
        """Return labels, numbered as is told, and remember what they stand for."""
        classes = self.classes
        if classes is None and encoding is not None:
            names = own_attribute(self.dataset, "classes")
            if isinstance(names, list | tuple) and all(each in names for each in encoding.classes):
                classes = LabelEncoding(tuple(names))
        if classes is not None:
            labels, encoding = encoded_as(classes, labels, encoding, self.name), classes
        self.__dict__["encoding"] = encoding
        return labels

    def told_classes(self) -> list[int]:
        """Return the numbers of classes that the data set tells, the surest first."""
        kind = kind_of(self.dataset)
        told = [
            None if kind is None else kind.num_classes(self.dataset, self.fields.label),
            positive_int(own_attribute(self.dataset, "num_classes")),
            number_of_names(own_attribute(self.dataset, "classes"), self._n),
        ]
        return [number for number in told if number is not None]

    def known_classes(self, labels: Labels) -> int | None:
        """Return the first of these numbers that fits the labels."""
        if self.encoding is not None:
            return len(self.encoding)
        least = int(labels.max(initial=0)) + 1
        return next((number for number in self.told_classes() if number >= least), None)

    def provenance(self, labelled: Labelled) -> Provenance:
        labels, num_classes, lacks_class_0 = labelled(self)
        kind = kind_of(self.dataset)
        wrapped = [] if kind else traced_within(self.dataset, self._n)
        for known in wrapped:
            if serves(known, labels, self.encoding):
                return known.with_num_classes(max(num_classes, known.num_classes))
        told = None if kind is None else kind.ids(self.dataset)
        ids, span, size = (np.arange(self._n), self._n, self._n) if told is None else told
        return Provenance(
            labels, labels, ids, span, num_classes, size, lacks_class_0, encoding=self.encoding
        )

    @property
    def _n(self) -> int:
        return len(self.dataset)

    def _rows(self, key: Any) -> Rows | None:
        kind = kind_of(self.dataset)
        return None if kind is None else kind.rows(self.dataset, key)

    @property
    def _input_rows(self) -> Rows | None:
        """The inputs of all items, if the class is known to serve their rows."""
        if not isinstance(self.fields.input, tuple):
            return self._rows(self.fields.input)
        parts = tuple(self._rows(key) for key in self.fields.input)
        return None if any(part is None for part in parts) else StructuredInputs(parts, self._n)

    def _inputs(self, items: Sequence[Any], at: Ids) -> Batch:
        return _stacked_inputs(items, self.fields, at, self.name)


def _stacked_inputs(items: Sequence[Any], fields: Fields, at: Ids, name: str) -> Batch:
    where = at.tolist()
    found = [fields.input_of(item, name, i) for item, i in zip(items, where, strict=True)]
    return stacked(found, name, where)


@dataclass(frozen=True)
class _TracedSource:
    dataset: Any
    fields: Fields
    name: str

    def items(self, at: Ids) -> list[Any]:
        items: list[Any] = self.dataset.__getitems__(at.tolist())
        return items

    def inputs(self, at: Ids) -> Batch:
        if self.fields.input != self.dataset.fields.input:
            return _stacked_inputs(self.items(at), self.fields, at, self.name)
        inputs: Any = self.dataset.inputs_at(at)
        return StructuredInputs(inputs, len(at)) if is_structured(inputs) else inputs

    @property
    def encoding(self) -> LabelEncoding | None:
        encoding: LabelEncoding | None = self.dataset.provenance.encoding
        return encoding

    def relabelled(self, at: Ids, labels: Array) -> list[Any]:
        return self.fields.all_relabelled(self.items(at), labels)

    def relabelled_item(self, position: int, label: Any) -> Any:
        return self.fields.relabelled(self.dataset[position], label)

    def examples(self, at: Ids) -> tuple[Batch, Labels]:
        return self.inputs(at), self.labels()[at]

    def labels(self) -> Labels:
        targets: Labels = self.dataset.provenance.targets
        return targets

    def provenance(self, labelled: Labelled) -> Provenance:
        known: Provenance = self.dataset.provenance
        return known


@dataclass(frozen=True)
class _Cut:
    whole: Source
    indices: Ids

    def items(self, at: Ids) -> list[Any]:
        return self.whole.items(self.indices[at])

    def inputs(self, at: Ids) -> Batch:
        return self.whole.inputs(self.indices[at])

    @property
    def encoding(self) -> LabelEncoding | None:
        return self.whole.encoding

    def relabelled(self, at: Ids, labels: Array) -> list[Any]:
        return self.whole.relabelled(self.indices[at], labels)

    def relabelled_item(self, position: int, label: Any) -> Any:
        return self.whole.relabelled_item(int(self.indices[position]), label)

    def examples(self, at: Ids) -> tuple[Batch, Labels]:
        return self.whole.examples(self.indices[at])

    def labels(self) -> Labels | None:
        known = self.whole.labels()
        return None if known is None else known[self.indices]

    def provenance(self, labelled: Labelled) -> Provenance:
        return self.whole.provenance(labelled).cut(self.indices)


@dataclass(frozen=True)
class _Joined:
    parts: tuple[Source, ...]
    ends: tuple[int, ...]
    name: str

    def items(self, at: Ids) -> list[Any]:
        items: list[Any] = [None] * len(at)
        for part, where, inside in self._split(at):
            for k, item in zip(where.tolist(), part.items(inside), strict=True):
                items[k] = item
        return items

    def inputs(self, at: Ids) -> Batch:
        split = self._split(at)
        return self._together(at, [(where, part.inputs(i)) for part, where, i in split])

    @cached_property
    def encoding(self) -> LabelEncoding | None:
        sizes = np.diff(self.ends, prepend=0).tolist()
        parts = zip(self.parts, sizes, strict=True)
        return joint_encoding([part.encoding for part, size in parts if size], self.name)

    def relabelled(self, at: Ids, labels: Array) -> list[Any]:
        items: list[Any] = [None] * len(at)
        for part, where, inside in self._split(at):
            for k, item in zip(where, part.relabelled(inside, labels[where]), strict=True):
                items[k] = item
        return items

    def relabelled_item(self, position: int, label: Any) -> Any:
        ((part, _, inside),) = self._split(np.array([position]))
        return part.relabelled_item(int(inside[0]), label)

    def examples(self, at: Ids) -> tuple[Batch, Labels]:
        read = [(part, where, *part.examples(inside)) for part, where, inside in self._split(at)]
        labels = np.empty(len(at), np.int64)
        for part, where, _, some in read:
            labels[where] = self._encoded(part, some)
        return self._together(at, [(where, inputs) for _, where, inputs, _ in read]), labels

    def labels(self) -> Labels | None:
        known = [(part, part.labels()) for part in self.parts]
        listed = [(part, labels) for part, labels in known if labels is not None]
        if len(listed) < len(known):
            return None
        return np.concatenate([self._encoded(part, labels) for part, labels in listed])

    def _encoded(self, part: Source, labels: Labels) -> Labels:
        """Return labels of a part with classes numbered as in the whole."""
        if self.encoding is None or part.encoding is None or part.encoding == self.encoding:
            return labels
        return encoded_as(self.encoding, labels, part.encoding, self.name)

    def provenance(self, labelled: Labelled) -> Provenance:
        return Provenance.joined([part.provenance(labelled) for part in self.parts])

    def _split(self, at: Ids) -> Iterator[tuple[Source, Ids, Ids]]:
        """Yield each part with where in the batch its examples stand, and where in the part."""
        parts = np.searchsorted(self.ends, at, side="right")
        for k in np.unique(parts).tolist():
            where = np.flatnonzero(parts == k)
            yield self.parts[k], where, at[where] - (self.ends[k - 1] if k else 0)

    def _together(self, at: Ids, read: Sequence[tuple[Ids, Batch]]) -> Batch:
        first = read[0][1]
        if len(read) == 1:
            return first
        places = [where for where, _ in read]
        if not isinstance(first, StructuredInputs):
            return self._scattered(at, places, [inputs for _, inputs in read])  # type: ignore[misc]
        others: list[Any] = [inputs for _, inputs in read[1:]]
        return first.map(lambda *parts: self._scattered(at, places, parts), *others, size=len(at))

    def _scattered(self, at: Ids, places: Sequence[Ids], parts: Sequence[Array]) -> Array:
        """Return the rows of several arrays as one, those of each at its places."""
        for where, inputs in zip(places[1:], parts[1:], strict=True):
            ends = int(at[where[0]]), int(at[places[0][0]])
            check_shape(inputs.shape[1:], parts[0].shape[1:], self.name, *ends)
        batch = np.empty((len(at), *parts[0].shape[1:]), np.result_type(*(x.dtype for x in parts)))
        for where, inputs in zip(places, parts, strict=True):
            batch[where] = inputs
        return batch


def chunks(n: int) -> Iterator[Ids]:
    """Yield the positions 0 .. n - 1, a chunk at a time."""
    for start in range(0, n, CHUNK):
        yield np.arange(start, min(start + CHUNK, n))


def labels_in(
    items: Sequence[Any], fields: Fields, at: Ids, name: str, encoding: LabelEncoding | None = None
) -> Labels:
    """Return the labels of some items; `at` are their positions."""
    where = at.tolist()
    found = [fields.label_of(item, name, i) for item, i in zip(items, where, strict=True)]
    return classes_of(found, name, where, encoding)


def read_labels(
    source: Source, fields: Fields, name: str, n: int, *, named: bool = False
) -> tuple[Labels, LabelEncoding | None]:
    """Read items for their labels alone, with a line of progress if it takes long."""
    values: list[Any] = []
    what = f"reading the labels of `{name}`"
    with Progress(n, what, show=True, least_seconds=_SECONDS_WITHOUT_A_LINE) as line:
        for at in chunks(n):
            items = source.items(at)
            if named:
                pairs = zip(items, at.tolist(), strict=True)
                values += [plain(fields.label_of(item, name, i)) for item, i in pairs]
            else:
                values += labels_in(items, fields, at, name).tolist()
            line.update(int(at[-1]) + 1)
    return given_labels(values, n, name)


def disagreement(
    source: Source,
    fields: Fields,
    labels: Labels,
    name: str,
    encoding: LabelEncoding | None = None,
) -> tuple[int, int, int] | None:
    """Return a position where one of some items has another label, with both; None if none has."""
    checked = some_of_each(labels) if len(labels) else np.zeros(0, np.int64)
    for some in chunks(len(checked)):
        at = checked[some]
        with preserve_rng_state():
            items = source.items(at)
        for position, item in zip(at.tolist(), items, strict=True):
            try:
                served = number_of(fields.label_of(item, name, position), encoding, name, position)
            except (TypeError, ValueError):
                served = -1  # not one class
            if served != labels[position]:
                return position, int(labels[position]), served
    return None


def some_of_each(labels: Labels) -> Ids:
    """Return a random position of every label, and more at random, in rising order."""
    order = Draws(0).permutations("data/check", [0], len(labels))[0]
    _, first = np.unique(labels[order], return_index=True)
    return np.unique(np.concatenate([order[first], order[:_RANDOM_CHECKS]]))


def _rows_at(rows: Any, at: Ids, name: str) -> Any:
    if isinstance(rows, StructuredInputs):
        return rows.map(lambda each: _rows_at(each, at, name), size=len(at))
    check_dense(rows, name)
    if isinstance(rows, torch.Tensor) and rows.is_cpu and rows.dtype is not torch.bfloat16:
        rows = to_numpy(rows)  # the same memory, of which NumPy picks rows four times as fast
    return to_numpy(rows[at])
