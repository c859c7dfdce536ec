"""The one way to read a data set: what its items serve is what counts."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.utils.data import IterableDataset

from corruptlab._checks import at_least, example_ids
from corruptlab._data._collated import split_batch
from corruptlab._data._encoding import LabelEncoding
from corruptlab._data._fields import Fields, InputKey, Key, has_fields
from corruptlab._data._inputs import check_shape, one_array, tensors_from
from corruptlab._data._kinds import fetched, is_joined, is_subset, kind_of
from corruptlab._data._labels import encoded_as, encoding_of, given_labels, named_kind
from corruptlab._data._pairs import (
    from_columns,
    holds_inputs_alone,
    is_frame,
    paired,
    with_labels,
)
from corruptlab._data._provenance import Provenance, is_traced
from corruptlab._data._sources import (
    Leaf,
    Source,
    chunks,
    disagreement,
    labels_in,
    source_of,
)
from corruptlab._progress import Progress
from corruptlab._structured import Inputs, StructuredInputs
from corruptlab._types import Array, Collate, Ids, Labels

_MOST_CLASSES = 2**31  # of which one can be drawn


@dataclass(frozen=True)
class Examples:
    """A data set as it is read; it can be pickled if the data set can.

    Args:
        dataset: The data set; a pair (X, y) has become one.
        name: What errors call it.
        fields: Where its items keep input and label.
        n: Number of examples.
        source: How it is read.
        targets: Labels that the user gives instead of those of the items.
        classes: What the user says the labels stand for.
    """

    dataset: Any
    name: str
    fields: Fields
    n: int
    source: Source
    targets: ArrayLike | None = None
    classes: LabelEncoding | None = None

    def __len__(self) -> int:
        return self.n

    @property
    def is_fixed(self) -> bool:
        """Whether every reading is known to serve the same: rows of tensors and arrays."""
        kind, inputs = kind_of(self.dataset), self.fields.input
        keys = (*(inputs if isinstance(inputs, tuple) else (inputs,)), self.fields.label)
        return kind is not None and all(kind.rows(self.dataset, key) is not None for key in keys)

    def items_at(self, at: ArrayLike) -> list[Any]:
        """Return items as they are served."""
        return self.source.items(np.asarray(at, np.int64))

    def inputs_at(self, at: ArrayLike) -> Array:
        """Return inputs as one batch, shape ``(k, ...)``; PIL images have the channels first."""
        return one_array(self.source.inputs(np.asarray(at, np.int64)), self.name)

    def labels_at(self, at: ArrayLike) -> Labels:
        """Return labels as the items at some positions carry them, ``int64``, shape ``(k,)``."""
        where = np.asarray(at, np.int64)
        items = self.source.items(where)
        return labels_in(items, self.fields, where, self.name, self.source.encoding)

    def examples_at(self, at: ArrayLike) -> tuple[Array, Labels]:
        """Return inputs and labels at some positions, no item read twice."""
        inputs, labels = self.source.examples(np.asarray(at, np.int64))
        return one_array(inputs, self.name), labels

    def batch_at(
        self, at: ArrayLike, collate: Collate | None = None
    ) -> tuple[Inputs, torch.Tensor]:
        """Return a batch for a model: inputs and labels as tensors, or what ``collate`` makes."""
        if collate is None:
            inputs, labels = self.source.examples(np.asarray(at, np.int64))
            return tensors_from(inputs, self.name), torch.from_numpy(labels)
        items = self.items_at(at)
        made, n = collate(items), len(items)
        return split_batch(made, items[0], n, self.fields, self.source.encoding)

    def listed_labels(self) -> Labels | None:
        """Return all labels if they can be had, and relied on, without reading every item."""
        return self.source.labels()

    def labels(self) -> Labels:
        """Return all labels, ``int64``, shape ``(n,)``; items are read where nothing else tells."""
        known = self.listed_labels()
        if known is None:
            known = self.source.provenance(_labels_of_items).targets
            self.check_length()
        return known

    def tensors(self, *, progress: bool = False) -> tuple[Inputs, torch.Tensor]:
        """Read everything once, a chunk at a time: inputs as they are stored, labels ``int64``."""
        inputs: Inputs | None = None
        targets = torch.empty(self.n, dtype=torch.int64, device="cpu")
        with Progress(self.n, "reading", show=progress, least_seconds=1.0) as line:
            for at in chunks(self.n):
                chunk, labels = self.batch_at(at)
                inputs = self._with(inputs, chunk, int(at[0]))
                targets[at[0] : at[-1] + 1] = labels
                line.update(int(at[-1]) + 1)
        self.check_length()
        assert inputs is not None  # there is at least one example
        return inputs, targets

    def provenance(
        self,
        *,
        ids: ArrayLike | None = None,
        num_classes: int | None = None,
    ) -> Provenance:
        """Return what is known of the examples, with what the user knows better."""
        if self.targets is None:
            known = self.source.provenance(_labels_of_items)
        else:
            known = self._told(*given_labels(self.targets, self.n))
        if self.classes not in (None, known.encoding):
            raise ValueError(
                "`classes` must be those that the data set was corrupted with, "
                f"{None if known.encoding is None else known.encoding.classes}, "
                f"got {self.classes.classes}."
            )
        if ids is not None:
            numbers = self._numbers(ids, known.clean_targets)
            known = replace(known, ids=numbers, span=int(numbers.max()) + 1, size=None)
        if num_classes is not None:
            number = at_least(1, "num_classes", num_classes)
            if number > _MOST_CLASSES:
                raise ValueError(f"`num_classes` must be at most {_MOST_CLASSES}, got {number}.")
            if known.encoding is not None and number != len(known.encoding):
                raise ValueError(
                    f"`num_classes` must be {len(known.encoding)}, the number of classes in the "
                    f"labels, got {number}; name all with `classes`."
                )
            known = replace(known.with_num_classes(number), lacks_class_0=False)
        self._check_range(known)
        self.check_length()
        return known

    def check_length(self) -> None:
        """Refuse a data set that has grown or shrunk since it was opened."""
        if len(self.dataset) != self.n:
            raise ValueError(
                f"`{self.name}` must keep its length, got {self.n} at first "
                f"and {len(self.dataset)} later."
            )

    def _told(self, labels: Labels, encoding: LabelEncoding | None) -> Provenance:
        """Return what is known of examples whose labels the user gives, and compare a few."""
        if self.classes is not None:
            labels, encoding = encoded_as(self.classes, labels, encoding, "targets"), self.classes
        known = self.source.provenance(lambda leaf: _classes_alone(leaf, labels))
        wrong = disagreement(self.source, self.fields, labels, self.name, encoding)
        if wrong is not None and wrong[2] >= 0:
            warnings.warn(
                f"`targets` gives label {wrong[1]} to item {wrong[0]}, which has label {wrong[2]} "
                "itself; `targets` counts.",
                stacklevel=5,  # the caller of `corrupt`
            )
        num_classes = max(known.num_classes, int(labels.max()) + 1)
        if encoding is not None:
            num_classes = len(encoding)
        return replace(
            known,
            encoding=encoding,
            targets=labels,
            clean_targets=labels,
            num_classes=num_classes,
            lacks_class_0=known.lacks_class_0 and int(labels.min()) > 0,
        )

    def _numbers(self, ids: ArrayLike, labels: Labels) -> Ids:
        numbers = example_ids(ids)
        if numbers.shape != (self.n,):
            raise ValueError(
                f"`ids` must hold one number for each of {self.n} examples, "
                f"got shape {numbers.shape}."
            )
        order = np.argsort(numbers, kind="stable")
        again = np.diff(numbers[order]) == 0
        if len(differ := np.flatnonzero(again & (np.diff(labels[order]) != 0))):
            one, two = order[differ[0]], order[differ[0] + 1]
            raise ValueError(
                f"`ids` must give one number to one example, got {numbers[one]} at positions "
                f"{one} and {two}, which have labels {labels[one]} and {labels[two]}."
            )
        return numbers

    def _check_range(self, known: Provenance) -> None:
        if len(negative := np.flatnonzero(known.targets < 0)):
            raise ValueError(
                f"`{self.name}` must have labels that are at least 0, got "
                f"{known.targets[negative[0]]} at position {negative[0]}; "
                "leave out what has no label."
            )
        if len(large := np.flatnonzero(known.targets >= _MOST_CLASSES)):
            raise ValueError(
                f"`{self.name}` must have labels below {_MOST_CLASSES}, "
                f"got {known.targets[large[0]]} at position {large[0]}; number the classes from 0."
            )
        if len(strays := np.flatnonzero(known.targets >= known.num_classes)):
            raise ValueError(
                f"`labels` must lie in 0 .. {known.num_classes - 1}, "
                f"got {known.targets[strays[0]]} at position {strays[0]}."
            )

    def _with(self, inputs: Any, chunk: Inputs, first: int) -> Inputs:
        """Put a chunk of inputs among all; their type widens if it has to."""
        if not isinstance(chunk, StructuredInputs):
            return self._with_rows(inputs, chunk, first)
        if inputs is None:
            return chunk.map(partial(self._with_rows, None, first=first), size=self.n)
        found: StructuredInputs = inputs.map(partial(self._with_rows, first=first), chunk)
        return found

    def _with_rows(
        self, inputs: torch.Tensor | None, chunk: torch.Tensor, first: int
    ) -> torch.Tensor:
        if inputs is None:
            inputs = torch.empty((self.n, *chunk.shape[1:]), dtype=chunk.dtype, device="cpu")
        check_shape(tuple(chunk.shape[1:]), tuple(inputs.shape[1:]), self.name, first, 0)
        if chunk.dtype != inputs.dtype:
            inputs = inputs.to(torch.promote_types(inputs.dtype, chunk.dtype))
        inputs[first : first + len(chunk)] = chunk
        return inputs


def open_dataset(
    dataset: Any,
    name: str = "dataset",
    *,
    input_key: InputKey | None = None,
    label_key: Key | None = None,
    targets: ArrayLike | None = None,
    classes: Sequence[Any] | None = None,
    same_input: bool = False,  # refuse another input than the one that was corrupted
) -> Examples:
    """Read the first item of a data set or pair (X, y), and return how to read the others."""
    if targets is not None and label_key is None and holds_inputs_alone(dataset):
        dataset, targets = with_labels(dataset, targets, name), None
    elif is_frame(dataset):
        dataset, input_key, label_key = from_columns(dataset, name, input_key, label_key), 0, 1
    else:
        dataset = paired(dataset, name)
    n = checked_length(dataset, name)
    first = fetched(dataset, [0], name)[0]
    if targets is not None and label_key is None and not has_fields(first):
        dataset, targets = with_labels(dataset, targets, name), None
        first = dataset[0]
    fields = fields_of(dataset, first, input_key, label_key, name, same_input=same_input)
    told = None if classes is None else encoding_of(classes)
    named = targets is None and named_kind(fields.label_of(first, name, 0)) is not None
    source = source_of(dataset, fields, name, named, told)
    return Examples(dataset, name, fields, n, source, targets, told)


def checked_length(dataset: Any, name: str = "dataset") -> int:
    """Return the length of a map-style data set, or say why it is none to work on."""
    kind = type(dataset)
    is_map_style = hasattr(kind, "__len__") and hasattr(kind, "__getitem__")
    if not is_map_style or isinstance(dataset, IterableDataset | type | str | bytes):
        raise TypeError(
            f"`{name}` must be map-style, with __len__ and __getitem__, got {kind.__name__}."
        )
    if isinstance(dataset, Mapping) and 0 not in dataset:
        raise TypeError(
            f"`{name}` must have items by position, got a {kind.__name__} with the keys "
            f"{', '.join(map(repr, list(dataset)[:5]))}; choose one part of it."
        )
    try:
        n = len(dataset)
    except (TypeError, ValueError) as error:  # negative, or no integer
        raise ValueError(f"`{name}` must have a length that is at least 0: {error}.") from None
    if n == 0:
        raise ValueError(f"`{name}` must hold at least one example, got none.")
    return n


def with_encoding(dataset: Any, fields: Fields, name: str = "dataset", *, at: int = 0) -> Fields:
    """Return the fields with what labels stand for, where that of an item is no number."""
    label = fields.label_of(fetched(dataset, [at], name)[0], name, at)
    source = source_of(dataset, fields, name, named_kind(label) is not None)
    return replace(fields, encoding=source.encoding)


def listed_provenance(dataset: Any, fields: Fields, name: str = "dataset") -> Provenance | None:
    """Return what is known of the examples without reading every item; None if labels are not."""
    try:
        known = fields.encoding
        return source_of(dataset, fields, name, known is not None, known).provenance(_listed_labels)
    except _NotListedError:
        return None


def told_classes(dataset: Any, fields: Fields) -> int | None:
    """Return the number of classes that a data set tells, whether or not its labels fit."""
    return next(iter(Leaf(dataset, fields, "dataset").told_classes()), None)


def fields_of(
    dataset: Any,
    item: Any,
    input_key: InputKey | None = None,
    label_key: Key | None = None,
    name: str = "dataset",
    *,
    same_input: bool = True,
) -> Fields:
    """Return where an item keeps its input and its label; a corrupted data set was told already."""
    told = _known_fields(dataset, input_key, label_key, name)
    if told is None:
        return Fields.of(item, input_key, label_key, name)
    input_key = told.input if input_key is None else input_key
    label_key = told.label if label_key is None else label_key
    given = Fields.of(item, input_key, label_key, name)
    if given.label != told.label or (same_input and given != told):
        raise ValueError(
            "`input_key` and `label_key` must name the fields that the data set was corrupted "
            f"with, {told}, got {given}."
        )
    return replace(told, input=given.input)


def _known_fields(
    dataset: Any, input_key: InputKey | None, label_key: Key | None, name: str
) -> Fields | None:
    """Return the fields that `corrupt` was told or found, if there is a corruption beneath."""
    if is_traced(dataset):
        known: Fields = dataset.fields
        return known
    if is_subset(dataset):
        return _known_fields(dataset.dataset, input_key, label_key, name)
    if not is_joined(dataset):
        return None
    parts = [part for part in dataset.datasets if len(part) > 0]
    told = [_known_fields(part, input_key, label_key, name) for part in parts]
    if all(fields is None for fields in told):
        return None
    found = [
        Fields.of(part[0], input_key, label_key, name) if fields is None else fields
        for part, fields in zip(parts, told, strict=True)
    ]
    for fields in found:
        if fields != found[0]:
            raise ValueError(
                f"`{name}` must join parts that keep input and label in the same fields, got "
                f"{found[0]} and {fields}; wrap each part with corrupt(part, input_key=..., "
                "label_key=...)."
            )
    return found[0]


class _NotListedError(Exception):
    """Labels cannot be had without reading every item."""


def _listed_labels(leaf: Leaf) -> tuple[Labels, int, bool]:
    labels = leaf.labels()
    if labels is None:
        raise _NotListedError
    return _with_classes(leaf, labels)


def _labels_of_items(leaf: Leaf) -> tuple[Labels, int, bool]:
    return _with_classes(leaf, leaf.served_labels())


def _with_classes(leaf: Leaf, labels: Labels) -> tuple[Labels, int, bool]:
    known = leaf.known_classes(labels)
    lacks_class_0 = known is None and int(labels.min(initial=1)) > 0
    return labels, known or int(labels.max(initial=0)) + 1, lacks_class_0


def _classes_alone(leaf: Leaf, labels: Labels) -> tuple[Labels, int, bool]:
    """Return placeholders for labels that are given for the whole."""
    known = leaf.known_classes(labels)
    return np.zeros(len(leaf.dataset), np.int64), known or 1, known is None
