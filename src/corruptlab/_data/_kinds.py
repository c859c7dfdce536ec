"""Classes of data sets whose code is known, and what can be had of them beside their items.

A class counts as known only while the methods that serve its items are its own: whoever overrides
one of them may serve something else.
"""

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from corruptlab._data._fields import Fields, Key
from corruptlab._data._pairs import Pair
from corruptlab._structured import StructuredInputs
from corruptlab._types import Ids

Rows = torch.Tensor | NDArray[Any] | StructuredInputs

LABEL_ATTRIBUTES = ("targets", "labels", "y")
"""Attributes that often list labels, in the order in which they are looked for."""

# Modules of torchvision whose classes serve what this attribute lists, unless they transform it.
_TORCHVISION = {
    "cifar": "targets",
    "mnist": "targets",
    "usps": "targets",
    "semeion": "labels",
    "stl10": "labels",
    "svhn": "labels",
    "folder": "samples",  # pairs (path, label), whatever is done to `targets`
}


class Kind(Protocol):
    """What is known of a class of data sets; its methods are asked only where `serves` is true."""

    def serves(self, dataset: Any) -> bool:
        """Return whether the items are those of this class, by its own code."""

    def rows(self, dataset: Any, key: Key | None) -> Rows | None:
        """Return a tensor or array with this field of all items."""

    def labels(self, dataset: Any, key: Key) -> Any:
        """Return all labels as the items have them, had without the inputs; None without."""

    def num_classes(self, dataset: Any, key: Key) -> int | None:
        """Return the number of classes, if the class itself keeps it."""

    def ids(self, dataset: Any) -> tuple[Ids, int, int | None] | None:
        """Return numbers of the examples, the end of all numbers, and the size of the whole."""


class _Plain:
    """A kind that offers nothing; the others say what they do."""

    def rows(self, dataset: Any, key: Key | None) -> Rows | None:
        return None

    def labels(self, dataset: Any, key: Key) -> Any:
        return self.rows(dataset, key)

    def num_classes(self, dataset: Any, key: Key) -> int | None:
        return None

    def ids(self, dataset: Any) -> tuple[Ids, int, int | None] | None:
        return None


class _Tensors(_Plain):
    """PyTorch's `TensorDataset`."""

    def serves(self, dataset: Any) -> bool:
        return _runs_code_of(dataset, TensorDataset)

    def rows(self, dataset: Any, key: Key | None) -> Rows | None:
        return _tensor_at(dataset.tensors, key)


class _Pairs(_Plain):
    """Inputs and labels side by side."""

    def serves(self, dataset: Any) -> bool:
        return type(dataset) is Pair

    def rows(self, dataset: Any, key: Key | None) -> Rows | None:
        if key == 0 and isinstance(dataset.inputs, StructuredInputs):
            return dataset.inputs
        return _tensor_at((dataset.inputs, dataset.labels), key)

    def labels(self, dataset: Any, key: Key) -> Any:
        return dataset.labels if key == 1 else None


class _Ours(_Plain):
    """Images and files of images that corruptlab reads."""

    def serves(self, dataset: Any) -> bool:
        return _module_of(dataset).startswith("corruptlab.datasets.")

    def rows(self, dataset: Any, key: Key | None) -> Rows | None:
        return _tensor_at(getattr(dataset, "tensors", ()), key)

    def labels(self, dataset: Any, key: Key) -> Any:
        return getattr(dataset, "targets", None) if key == 1 else None

    def num_classes(self, dataset: Any, key: Key) -> int | None:
        return len(dataset.classes) if hasattr(dataset, "classes") else None


class _Torchvision(_Plain):
    """Classes of torchvision that list what they serve."""

    def serves(self, dataset: Any) -> bool:
        package, _, module = _module_of(dataset).rpartition(".")
        return (
            package == "torchvision.datasets"
            and module in _TORCHVISION
            and getattr(dataset, "target_transform", None) is None
            and getattr(getattr(dataset, "transforms", None), "target_transform", None) is None
        )

    def labels(self, dataset: Any, key: Key) -> Any:
        name = _TORCHVISION[_module_of(dataset).rpartition(".")[2]]
        listed = getattr(dataset, name, None) if key == 1 else None
        return [label for _, label in listed] if listed and name == "samples" else listed

    def num_classes(self, dataset: Any, key: Key) -> int | None:
        classes = getattr(dataset, "classes", None)
        return len(classes) if isinstance(classes, list | tuple) and classes else None


class _HuggingFace(_Plain):
    """`Dataset` of Hugging Face's library, unless a function of the user makes its items."""

    def serves(self, dataset: Any) -> bool:
        return is_hugging_face(dataset) and dataset.format["type"] != "custom"

    def labels(self, dataset: Any, key: Key) -> Any:
        if key not in dataset.format["columns"]:
            return None
        return dataset.with_format(None).select_columns([key])[:][key]

    def num_classes(self, dataset: Any, key: Key) -> int | None:
        number = getattr(dataset.features.get(key), "num_classes", None)
        return number if isinstance(number, int) else None

    def ids(self, dataset: Any) -> tuple[Ids, int, int | None] | None:
        first, n = _first_row(dataset.data), dataset.data.num_rows
        indices = dataset._indices  # what `select`, `shuffle`, and `train_test_split` leave
        rows = np.arange(n) if indices is None else indices.column(0).to_numpy()
        return first + rows.astype(np.int64), first + n, n if _is_whole(dataset.data) else None


_KINDS: tuple[Kind, ...] = (_Tensors(), _Pairs(), _Ours(), _Torchvision(), _HuggingFace())


def kind_of(dataset: Any) -> Kind | None:
    """Return what is known of the class of a data set; None if its items alone count."""
    return next((kind for kind in _KINDS if kind.serves(dataset)), None)


def draws_nothing(dataset: Any) -> bool:
    """Return whether a data set is known to consist of tensors and arrays, or a pair is of them."""
    if type(dataset) is tuple:
        return all(type(part) in (torch.Tensor, np.ndarray) for part in dataset)
    return _runs_code_of(dataset, TensorDataset)


def is_subset(dataset: Any) -> bool:
    """Return whether a data set is a cut of another one, by PyTorch's own code."""
    return _runs_code_of(dataset, Subset)


def is_joined(dataset: Any) -> bool:
    """Return whether a data set is several, one after the other, by PyTorch's own code."""
    return _runs_code_of(dataset, ConcatDataset)


def is_hugging_face(dataset: Any) -> bool:
    """Return whether a data set is Hugging Face's `Dataset`, by that library's own code."""
    return any(
        base.__module__ == "datasets.arrow_dataset"
        and base.__name__ == "Dataset"
        and _runs_code_of(dataset, base)
        for base in type(dataset).__mro__
    )


def own_attribute(dataset: Any, name: str) -> Any:
    """Return an attribute that a data set has itself; None if it fails, or is forwarded."""
    try:
        inspect.getattr_static(dataset, name)  # which `__getattr__` cannot make up
        return getattr(dataset, name)
    except Exception:
        return None


def label_lists(dataset: Any, fields: Fields) -> dict[str, Any]:
    """Return what a data set itself may list its labels in, by name: guesses, to be checked."""
    found = {}
    tensors = own_attribute(dataset, "tensors")
    if isinstance(tensors, tuple) and isinstance(fields.label, int) and fields.label < len(tensors):
        found[f"tensors[{fields.label}]"] = tensors[fields.label]
    for name in LABEL_ATTRIBUTES:
        values = own_attribute(dataset, name)
        if hasattr(type(values), "__len__") and not isinstance(values, str | dict):
            found[name] = values
    return found


def positive_int(value: Any) -> int | None:
    is_number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return int(value) if is_number and value > 0 else None


def number_of_names(classes: Any, n: int) -> int | None:
    """Return how many classes are named; None for what cannot be one name a class."""
    if isinstance(classes, str | bytes) or not hasattr(type(classes), "__len__"):
        return None
    try:
        names = list(classes)
        distinct = len({str(name) for name in names})
        are_names = all(isinstance(name, str | tuple | int | np.integer) for name in names)
    except Exception:  # whatever it is, it is no list
        return None
    # A few classes of ImageNet share a name, but what repeats most of its values names no classes.
    return len(names) if are_names and 2 * distinct > len(names) != n else None


def own_attributes(dataset: Any) -> list[Any]:
    """Return what a data set holds."""
    try:
        return list(object.__getattribute__(dataset, "__dict__").values())
    except AttributeError:
        return []


def batch_method(dataset: Any) -> Any:
    """Return ``__getitems__`` of a class; None if it is older than the way it serves one item."""
    for base in type(dataset).__mro__:
        if "__getitems__" in vars(base):
            return vars(base)["__getitems__"]
        if "__getitem__" in vars(base):
            return None
    return None


def _runs_code_of(dataset: Any, base: type) -> bool:
    kind = type(dataset)
    return issubclass(kind, base) and all(
        getattr(kind, name, None) is getattr(base, name, None)
        for name in ("__getitem__", "__getitems__", "__len__")
    )


def _module_of(dataset: Any) -> str:
    """Return where the method that serves items is defined."""
    method = getattr(type(dataset), "__getitem__", None)
    if batch_method(dataset) is None and hasattr(type(dataset), "__getitems__"):
        return ""
    name: str = getattr(method, "__module__", None) or ""
    # QMNIST has eight columns of labels, and serves one of them.
    return "" if getattr(method, "__qualname__", "") == "QMNIST.__getitem__" else name


def _tensor_at(rows: tuple[Any, ...], key: Key | None) -> Rows | None:
    if not isinstance(key, int) or not 0 <= key < len(rows):
        return None
    values = rows[key]
    return values if isinstance(values, torch.Tensor | np.ndarray) else None


def _is_whole(table: Any) -> bool:
    """Return whether a table is known not to be cut from another one."""
    replays = getattr(table, "replays", None)  # one in memory does not tell
    return replays is not None and all(name != "slice" for name, *_ in replays)


def _first_row(table: Any) -> int:
    """Return where a table begins in the one that it was cut from, as far as that can be told."""
    replays = getattr(table, "replays", None)  # what was done to a file in memory
    if replays is not None:
        return sum(int(arguments[0]) for name, arguments, _ in replays if name == "slice")
    chunks = table.column(0).chunks if table.num_columns else []
    return int(chunks[0].offset) if len(chunks) == 1 else 0


def fetched(dataset: Any, at: Sequence[int], name: str) -> list[Any]:
    """Return some items, in one call where the class of the data set offers one."""
    method = batch_method(dataset)
    if method is not None:
        items = list(type(dataset).__getitems__(dataset, list(at)))
        if len(items) != len(at):
            raise ValueError(
                f"`{name}` must return one item for each position from `__getitems__`, "
                f"got {len(items)} for {len(at)}."
            )
        return items
    position = -1
    try:
        return [dataset[position := i] for i in at]
    except LookupError as error:
        raise ValueError(
            f"`{name}` must serve an item at every position below its length, which is "
            f"{len(dataset)}, got {type(error).__name__} at position {position}: {error}"
        ) from error
