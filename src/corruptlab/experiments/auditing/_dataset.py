"""A data set under audit: its items as they are read, its labels as they are listed."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import ConcatDataset, Subset

from corruptlab import _data
from corruptlab._draws import Draws
from corruptlab._types import Array, Ids, Labels
from corruptlab.corruptions import Corrupted
from corruptlab.experiments.auditing._report import Finding, Status

Stages: TypeAlias = tuple[tuple[Any, Draws], ...]

_DIGEST_SIZE = 16  # bytes: of 2**32 different inputs two collide with probability 2**-65
_IMAGE = "image"  # begins the form of a PIL image
_PAIRS = ("samples", "imgs")  # attributes of torchvision's folders: pairs (path, label)


@dataclass(frozen=True)
class ItemRecord:
    """One item as it was read once, small enough to be kept and sent between processes."""

    index: int
    label: int | None = None
    content: bytes | None = None  # digest of its input; None if it cannot be compared
    form: str = ""  # size and type of its input; empty if it is no image, tensor, or array
    error: str = ""  # empty if it could be read


def read(dataset: Any, fields: _data.Fields, index: int) -> ItemRecord:
    """Read one item; an exception becomes part of the record."""
    try:
        return taken_apart(dataset[index], fields, index)
    except Exception as error:
        return ItemRecord(index, error=described(error))


def taken_apart(item: Any, fields: _data.Fields, index: int) -> ItemRecord:
    """Turn an item into a record."""
    label = _data.number_of(item[fields.label], fields.encoding, "dataset", index)
    try:
        content = _digest(fields.input_of(item, "dataset", index))
    except TypeError:
        content = None
    return ItemRecord(index, label, content, _form(fields.input_of(item, "dataset", index)))


def described(error: BaseException) -> str:
    """Return type and message of an error on one line, without the traceback of a worker."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines) if len(lines) < 4 else f"{lines[0]} ... {lines[-1]}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def compared(
    first: Sequence[ItemRecord], again: Iterable[ItemRecord], how: str
) -> tuple[Status, str]:
    """Compare records of the same items read in another way: labels must agree, inputs should."""
    pairs = [(a, b) for a, b in zip(first, again, strict=True) if not a.error]
    if not pairs:
        return "skipped", "none of the sampled items could be read."
    n = len(pairs)
    if failed := [b for _, b in pairs if b.error]:
        return "error", (
            f"{len(failed):,} of {n:,} sampled items that can be read cannot be read {how}; "
            f"item {failed[0].index}: {failed[0].error}"
        )
    if moved := [(a, b) for a, b in pairs if a.label != b.label]:
        a, b = moved[0]
        return "error", (
            f"{len(moved):,} of {n:,} sampled items have a different label {how}; item {a.index} "
            f"has {b.label} there, and had {a.label} at first. Make the label a function of the "
            "example alone, not of random draws, the worker, or the order of access."
        )
    if any(a.content is None for a, _ in pairs):
        return "ok", f"{n:,} sampled items have the same labels {how}; inputs of their type " + (
            "cannot be compared."
        )
    if changed := sum(a.content != b.content for a, b in pairs):
        return "warning", (
            f"{changed:,} of {n:,} sampled items have a different input {how}, with the same "
            "label: expected under augmentation (random labels are fitted without it)."
        )
    return "ok", f"{n:,} sampled items have the same labels and inputs {how}."


def _form(value: Any) -> str:
    if isinstance(value, torch.Tensor | np.ndarray):
        return f"{str(value.dtype).removeprefix('torch.')} of shape {tuple(value.shape)}"
    if any(kind.__module__ == "PIL.Image" for kind in type(value).__mro__):
        return f"{_IMAGE} {value.mode} of {value.width} x {value.height}"
    return ""


def count_forms(
    records: Iterable[ItemRecord], forms: dict[str, tuple[int, int]] | None = None
) -> dict[str, tuple[int, int]]:
    """Return the first item of each form and how many there are, added to those of before."""
    forms = {} if forms is None else forms
    for record in records:
        if record.form:
            first, count = forms.get(record.form, (record.index, 0))
            forms[record.form] = first, count + 1
    return forms


def _digest(value: Any) -> bytes:
    """Hash type, shape, and values; a tensor and an array of equal values have equal digests."""
    state = hashlib.blake2b(digest_size=_DIGEST_SIZE)
    for piece in _pieces(value):
        state.update(piece)
    return state.digest()


def _pieces(value: Any) -> list[Any]:
    """Split a value into prefix-free pieces, so that different values are different streams."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic):
        return [f"{type(value).__name__} {value!r} ".encode()]
    if isinstance(value, Mapping):
        return [b"mapping ", *_pieces([part for pair in value.items() for part in pair])]
    if isinstance(value, list | tuple):
        parts = [piece for part in value for piece in _pieces(part)]
        return [b"sequence %d " % len(value), *parts]
    array = _as_array(value)
    return [f"array {array.dtype.str} {array.shape} ".encode(), np.ascontiguousarray(array).data]


def _as_array(value: Any) -> Array:
    try:
        array = _data.channels_first(value)
    except (TypeError, RuntimeError):  # not an array, or a tensor that NumPy cannot hold
        array = None
    if array is None or array.dtype.kind not in "biufc":
        kind = type(value).__name__
        raise TypeError(f"inputs of type {kind} cannot be compared by their content")
    return array


@dataclass(frozen=True)
class FullScan:
    """What one pass over a whole data set found; 26 bytes per example."""

    labels: Labels
    contents: NDArray[np.uint64]  # (n, 2): digests of the inputs
    readable: NDArray[np.bool_]  # where False, the label means nothing
    comparable: NDArray[np.bool_]  # whether there is a digest of the input
    forms: Mapping[str, tuple[int, int]]  # form of inputs to its first item and its count
    first_failure: ItemRecord | None = None


def scan_all(
    dataset: Any, fields: _data.Fields, labels: Labels | None, on_progress: Callable[[int], None]
) -> FullScan:
    """Read a whole data set once; with known labels, inputs are read in batches if possible."""
    n = len(dataset)
    served = np.full(n, -1, np.int64) if labels is None else labels
    contents = np.zeros((n, 2), np.uint64)
    readable, comparable = np.ones(n, np.bool_), np.zeros(n, np.bool_)
    first_failure, forms = None, count_forms(())
    batches = None if labels is None else _reader(dataset, fields)
    for at in _data.chunks(n):
        records = None if batches is None else _batch_records(batches, at)
        if records is None:  # one by one from here on
            batches = None
            records = [read(dataset, fields, i) for i in at.tolist()]
        for record in records:
            if record.error:
                readable[record.index] = False
                first_failure = first_failure or record
            if labels is None and record.label is not None:
                served[record.index] = record.label
            count_forms([record], forms)
            if record.content is not None:
                contents[record.index] = np.frombuffer(record.content, np.uint64)
                comparable[record.index] = True
        on_progress(int(at[-1]) + 1)
    return FullScan(served, contents, readable, comparable, forms, first_failure)


def _reader(dataset: Any, fields: _data.Fields) -> Callable[[Ids], Any] | None:
    try:
        return _data.source_of(dataset, fields, "dataset").inputs
    except Exception:  # it looks at items, and one of them cannot be read
        return None


def _batch_records(batches: Callable[[Ids], Any], at: Ids) -> list[ItemRecord] | None:
    try:
        values = zip(at.tolist(), batches(at), strict=True)
        return [ItemRecord(i, content=_digest(x), form=_form(x)) for i, x in values]
    except Exception:  # inputs of several shapes, of no array type, or one that fails
        return None


def stages_of(dataset: Any) -> Stages | None:
    """Return all corruptions, first to last, with their draws; None where parts differ."""
    if isinstance(dataset, Corrupted):
        before = stages_of(dataset.dataset)
        own = tuple(zip(dataset.corruptions, dataset.draws, strict=True))
        return None if before is None else before + own
    if isinstance(dataset, Subset):
        return stages_of(dataset.dataset)
    if isinstance(dataset, ConcatDataset):
        first, *others = [stages_of(part) for part in dataset.datasets]
        return first if all(other == first for other in others) else None
    return ()


def is_traced(dataset: Any) -> bool:
    """Return whether the clean labels are known."""
    if isinstance(dataset, Subset):
        return is_traced(dataset.dataset)
    if isinstance(dataset, ConcatDataset):
        return all(map(is_traced, dataset.datasets))
    return isinstance(dataset, Corrupted)


def _class_counts(dataset: Any) -> set[int]:
    """Return the numbers of classes that the corruptions were made with."""
    if isinstance(dataset, Corrupted):
        return {dataset.num_classes} | _class_counts(dataset.dataset)
    parts = dataset.datasets if isinstance(dataset, ConcatDataset) else []
    if isinstance(dataset, Subset):
        parts = [dataset.dataset]
    return {k for part in parts for k in _class_counts(part)}


def _nominal_matrix(dataset: Any) -> NDArray[np.float64] | None:
    """Return the expected transition matrix of a traced data set whose parts do not differ."""
    while not isinstance(dataset, Corrupted):
        dataset = dataset.datasets[0] if isinstance(dataset, ConcatDataset) else dataset.dataset
    return dataset.nominal_matrix


def _lists(dataset: Any, fields: _data.Fields) -> dict[str, Any]:
    """Return all lists of labels of a data set by the names of their attributes."""
    found = {}
    tensors = getattr(dataset, "tensors", None)
    if isinstance(tensors, tuple) and isinstance(fields.label, int) and fields.label < len(tensors):
        found[f"tensors[{fields.label}]"] = tensors[fields.label]
    if fields.label in (getattr(dataset, "column_names", None) or ()):  # Hugging Face
        found[f"[{fields.label!r}]"] = list(dataset[fields.label])
    for name in _data.LABEL_ATTRIBUTES:
        values = getattr(dataset, name, None)
        if hasattr(values, "__len__") and not isinstance(values, str | dict):
            found[name] = values
    for name in _PAIRS:
        values = getattr(dataset, name, None)
        if isinstance(values, list) and all(_is_pair(value) for value in values):
            found[name] = [label for _, label in values]
    return found


def check_targets(
    dataset: Any, fields: _data.Fields, good: Sequence[ItemRecord]
) -> tuple[Status, str]:
    """Compare every list of labels with the sampled items."""
    lists = _lists(dataset, fields)
    if not lists:
        kind = type(dataset).__name__
        return "skipped", f"{kind} has no list of its labels (targets, labels, y, ...)."
    for name, values in lists.items():
        if len(values) != len(dataset):
            return "error", (
                f"`{name}` has {len(values):,} labels and the data set {len(dataset):,} items: "
                f"code that reads `{name}` and code that reads items get different data."
            )
        try:
            labels = _numbered(values, len(dataset), fields)
        except (TypeError, ValueError):
            return "warning", (
                f"`{name}` does not contain one class per item; code that reads "
                "labels from it may fail."
            )
        if wrong := [record for record in good if record.label != labels[record.index]]:
            first = wrong[0]
            return "error", (
                f"`{name}` and the items disagree on {len(wrong):,} of {len(good):,} sampled "
                f"items; for item {first.index} `{name}` says {labels[first.index]}, and "
                f"the item has {first.label}. Code that reads `{name}` (samplers, tables, "
                "corruptlab) gets other labels than the network."
            )
    names = " and ".join(f"`{name}`" for name in lists)
    return "ok", f"{names} and the items agree on the labels of {len(good):,} sampled items."


def _numbered(values: Any, n: int, fields: _data.Fields) -> Labels:
    """Return listed labels as the numbers of the classes that items carry."""
    labels, encoding = _data.given_labels(values, n)
    if encoding is None:
        return labels
    if fields.encoding is None:
        raise TypeError("names in the list, and numbers in the items")
    return _data.encoded_as(fields.encoding, labels, encoding, "dataset")


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], int)


@dataclass(frozen=True)
class AuditedData:
    """A data set under audit, with what is known of it before the checks."""

    name: str  # "train" or "test"
    dataset: Any
    fields: _data.Fields
    records: tuple[ItemRecord, ...]  # the sample as first read, in rising order
    provenance: _data.Provenance | None  # of all examples, if the sample agrees with it
    is_steady: bool = True  # whether the inputs of the sample were equal when read again
    scan: FullScan | None = None

    @classmethod
    def of(
        cls,
        name: str,
        dataset: Any,
        sample: int,
        draws: Draws,
        keys: Mapping[str, _data.Key | None],
    ) -> "AuditedData | Finding":
        """Read a sample for the first time, or return why no item of it can be used."""
        n = len(dataset)  # a wrong length shows at the first and the last item: always read them
        order = [0, n - 1, *draws.permutations("audit/sample", [0], n)[0][:sample].tolist()]
        at = sorted(list(dict.fromkeys(order))[:sample])
        why = ""
        for i in at:
            try:
                fields = _data.fields_of(dataset, dataset[i], keys["input_key"], keys["label_key"])
                fields = _data.with_encoding(dataset, fields, at=i)
            except Exception as error:
                told = f"none of {len(at):,} items read can be used; item {i}: {described(error)}"
                why = why or told
            else:
                records = tuple(read(dataset, fields, j) for j in at)
                known = _checked_provenance(dataset, fields, records)
                return cls(name, dataset, fields, records, known)
        return Finding(f"{name}: items", "error", why)

    @property
    def title(self) -> str:
        """Its name in messages."""
        return {"train": "the training set", "test": "the test set"}[self.name]

    @property
    def good(self) -> tuple[ItemRecord, ...]:
        """The records of items that could be read."""
        return tuple(record for record in self.records if not record.error)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the first input that could be read."""
        return _data.channels_first(self.dataset[self.good[0].index][self.fields.input]).shape

    @property
    def labels(self) -> Labels | None:
        """All labels as served; None if unknown."""
        if self.provenance is not None:
            return self.provenance.targets
        return None if self.scan is None else self.scan.labels

    @property
    def num_classes(self) -> int:
        """Number of classes as the data set says, or else the largest label plus 1."""
        told = _data.told_classes(self.dataset, self.fields)
        if told is None and self.provenance is not None:
            told = self.provenance.num_classes
        labels = np.zeros(0, np.int64) if self.labels is None else self.labels
        return int(labels.max(initial=0)) + 1 if told is None else told

    @property
    def stages(self) -> Stages | None:
        """All corruptions with their draws; None where parts differ."""
        return stages_of(self.dataset)

    @property
    def is_traced(self) -> bool:
        """Whether the clean labels are known."""
        return self.provenance is not None and is_traced(self.dataset)

    @property
    def class_counts(self) -> set[int]:
        """The numbers of classes that the corruptions were made with."""
        return _class_counts(self.dataset)

    @property
    def nominal_matrix(self) -> NDArray[np.float64] | None:
        """The expected transition matrix, where the clean labels are known; None without one."""
        return _nominal_matrix(self.dataset)

    def scanned(self, on_progress: Callable[[int], None]) -> "AuditedData":
        """Read all items once."""
        images = any(record.form.startswith(_IMAGE) for record in self.records)
        # Batches of images have no modes any more.
        known = None if self.provenance is None or images else self.provenance.targets
        return replace(self, scan=scan_all(self.dataset, self.fields, known, on_progress))


def _checked_provenance(
    dataset: Any, fields: _data.Fields, records: Sequence[ItemRecord]
) -> _data.Provenance | None:
    """Return what is known of all examples, if the sample agrees with it."""
    try:
        provenance = _data.listed_provenance(dataset, fields)
        agrees = provenance is not None and all(
            provenance.targets[r.index] == r.label for r in records if not r.error
        )
    except Exception:  # labels that are not listed, or not one integer class
        return None
    return provenance if agrees else None
