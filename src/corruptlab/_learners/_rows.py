"""Examples for learners: inputs in whichever container they come, and labels of any kind."""

import hashlib
import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from corruptlab._arrays import to_numpy
from corruptlab._checks import position_of
from corruptlab._data import (
    Examples,
    InputKey,
    Key,
    Pair,
    Provenance,
    chunks,
    is_pair_of_arrays,
    open_dataset,
    paired,
)
from corruptlab._draws import Draws
from corruptlab._learners._checked import check_inputs
from corruptlab._learners._predictor import collated, do_stack, positions_to_look_at
from corruptlab._random_state import preserve_rng_state
from corruptlab._types import Array, Ids

_LABELS_AT_MOST = 1 << 16  # integer labels beyond are names of classes, and no outputs
_LOOKED_AT = 256  # examples of a data set that its digest reads


@dataclass(frozen=True)
class PairRows:
    """The rows of an array, a data frame, a sparse matrix, or a list."""

    whole: Any

    def __len__(self) -> int:
        return _count(self.whole)

    def inputs(self, at: Ids) -> Any:
        if hasattr(self.whole, "iloc"):
            return self.whole.iloc[at]
        if isinstance(self.whole, Tensor):
            return self.whole[torch.from_numpy(at)]
        return self.whole[at] if hasattr(self.whole, "shape") else [self.whole[i] for i in at]

    def items(self, at: Ids, labels: Sequence[Any]) -> list[Any]:
        rows = self.inputs(at)
        if hasattr(rows, "iloc"):
            rows = [rows.iloc[i] for i in range(len(at))]
        return list(zip(rows, labels, strict=True))

    def digest(self) -> str:
        """Return a hash of everything."""
        return digest_of(self.whole)

    def dataset(self, codes: NDArray[np.int64], argument: str) -> Any:
        """Return a data set whose inputs can be corrupted, with codes as labels."""
        if not self.is_numeric:
            raise TypeError(
                f"`{argument}` must corrupt inputs that are an array of numbers, "
                f"got {type(self.whole).__name__}."
            )
        return np.asarray(self.whole), codes

    @property
    def is_numeric(self) -> bool:
        """Whether it can be an array of numbers."""
        return bool(np.asarray(self.whole).dtype.kind in "buif")

    def like(self, corrupted: Any) -> "PairRows":
        """Return the rows of such a data set after its corruption."""
        return PairRows(corrupted.inputs_at(np.arange(len(corrupted))))


@dataclass(frozen=True)
class DatasetRows:
    """The examples of a map-style data set, read when they are asked for."""

    examples: Examples

    def __len__(self) -> int:
        return len(self.examples)

    def inputs(self, at: Ids) -> Any:
        return collated(self._inputs(at), stack=self._stack)

    @cached_property
    def _stack(self) -> bool:
        """Whether inputs stack, so that every batch of them is of the same kind."""
        with preserve_rng_state():  # a training that comes first reads no other items for it
            return do_stack(self._inputs(positions_to_look_at(len(self))))

    def _inputs(self, at: Ids) -> list[Any]:
        fields, name = self.examples.fields, self.examples.name
        items = self.examples.items_at(at)
        if fields.input is None:  # whatever a dictionary has besides its label
            return [{k: v for k, v in x.items() if k != fields.label} for x in items]
        return [fields.input_of(item, name, int(i)) for item, i in zip(items, at, strict=True)]

    def items(self, at: Ids, labels: Sequence[Any]) -> list[Any]:
        fields, items = self.examples.fields, self.examples.items_at(at)
        return [
            fields.with_label(item, _alike(item[fields.label], label))
            for item, label in zip(items, labels, strict=True)
        ]

    def digest(self) -> str:
        """Return a hash of some inputs."""
        order = Draws(0).permutations("learners/digest", [0], len(self))[0]
        found = hashlib.sha256(str(len(self)).encode())
        _update(found, self.inputs(np.sort(order[:_LOOKED_AT])))
        return found.hexdigest()

    def dataset(self, codes: NDArray[np.int64], argument: str) -> Any:
        """Return a data set whose inputs can be corrupted; its labels are to be told as codes."""
        return self.examples.dataset

    def like(self, corrupted: Any) -> "DatasetRows":
        """Return the rows of such a data set after its corruption."""
        return DatasetRows(open_dataset(corrupted, self.examples.name))


Rows: TypeAlias = PairRows | DatasetRows
"""Inputs of n examples: some of them, or items with labels that are given."""


@dataclass(frozen=True)
class Targets:
    """Labels as codes: positions in a table of the values that there are.

    Classes are numbered in the order of ``values``. Integer classes from 0 on are their own
    codes, whether or not each of them occurs. Of numbers, every different one has a code.
    """

    codes: NDArray[np.int64]  # (n,)
    values: NDArray[Any]  # (K,)
    are_numbers: bool

    @property
    def labels(self) -> NDArray[Any]:
        """The labels themselves, shape ``(n,)``."""
        return np.asarray(self.values[self.codes])

    def coded(self, labels: NDArray[Any], name: str) -> NDArray[np.int64]:
        """Return the codes of labels; one that is none of the values is an error."""
        order = np.argsort(self.values, kind="stable")
        found = np.searchsorted(self.values, labels, sorter=order)
        places: NDArray[np.int64] = order[found.clip(0, len(order) - 1)]
        if len(strays := np.flatnonzero(self.values[places] != labels)):
            known = ", ".join(repr(value) for value in self.values[:5].tolist())
            more = ", ..." if len(self.values) > 5 else ""
            raise ValueError(
                f"`{name}` must be among the classes {known}{more}, "
                f"got {labels[strays[0]].item()!r}."
            )
        return places


class LabelledData(Dataset[Any]):
    """Training set of a learner.

    A map-style data set that can be passed to a ``DataLoader``. Its items have the structure and
    the transforms of the original data set, with the labels to train on. ``inputs`` and ``labels``
    contain all inputs and labels.

    Attributes:
        ids: Positions of the examples in the original data set, ``int64``, shape ``(n,)``.
        labels: Labels to train on, shape ``(n,)``: classes as in the original data set, or real
            numbers.
        classes: All classes, shape ``(K,)``, in the order of the original data set, or else sorted;
            None for real-valued targets.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> def mean(data: cl.LabelledData, *, seed):
        ...     level = data.labels.mean()
        ...     return lambda inputs: np.full(len(inputs), level)
        >>> x, y = np.arange(20.0)[:, None], np.arange(20.0)
        >>> found = cl.permutation_test(mean, (x, y), folds=4, permutations=19)
        >>> found.statistic, found.p_value > 0.5
        ('r2', True)
    """

    ids: Ids
    labels: NDArray[Any]
    classes: NDArray[Any] | None

    def __init__(
        self,
        rows: Rows,
        ids: Ids,
        codes: NDArray[np.int64],
        targets: Targets,
        inputs: Any = None,  # of these rows, if somebody has them already
    ) -> None:
        self._rows, self.ids, self._inputs = rows, ids, inputs
        self.labels = targets.values[codes]
        self.classes = None if targets.are_numbers else targets.values

    @property
    def inputs(self) -> Any:
        """All inputs: rows of the original container, or the inputs of all items as one batch."""
        if self._inputs is None:
            self._inputs = self._rows.inputs(self.ids)
        return self._inputs

    @property
    def num_classes(self) -> int | None:
        """Number of classes; None for real-valued targets."""
        return None if self.classes is None else len(self.classes)

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.ids)

    def __getitem__(self, index: int) -> Any:
        """Return one example.

        Args:
            index: Position; negative positions count from the end.

        Returns:
            An item of the original data set, with the label to train on.

        Raises:
            IndexError: If the position is out of range.
        """
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Return several examples.

        Args:
            indices: Positions; negative positions count from the end.

        Returns:
            One item per position.

        Raises:
            IndexError: If a position is out of range.
        """
        at = np.array([position_of(index, len(self)) for index in indices], np.int64)
        return self._rows.items(self.ids[at], self.labels[at].tolist())

    def __repr__(self) -> str:
        kind = "numbers" if self.classes is None else f"{len(self.classes)} classes"
        return f"LabelledData({len(self)} examples, {kind})"


def read_examples(
    dataset: Any,
    name: str,
    *,
    numbers: bool | None = None,
    input_key: InputKey | None = None,
    label_key: Key | None = None,
) -> tuple[Rows, NDArray[Any], Provenance | None]:
    """Return the rows of a data set or pair, its labels, and what else is known of classes."""
    if (pair := _as_pair(dataset, name)) is not None:
        check_inputs(pair[0], name)
        rows: Rows = PairRows(pair[0])
        labels = labels_of(pair[1], len(rows), name)
        return rows, labels, None
    examples = open_dataset(dataset, name, input_key=input_key, label_key=label_key)
    if not numbers:
        try:
            known = examples.provenance()
        except TypeError:  # names, or numbers
            pass
        else:
            names = None if known.encoding is None else np.array(known.encoding.classes)
            labels = known.targets if names is None else names[known.targets]
            return DatasetRows(examples), labels, known
    values: list[Any] = []
    for at in chunks(len(examples)):
        items = examples.items_at(at)
        values += [
            _plain(examples.fields.label_of(item, name, int(i)))
            for item, i in zip(items, at, strict=True)
        ]
    return DatasetRows(examples), labels_of(values, len(examples), name), None


def rows_of(inputs: Any, name: str) -> PairRows:
    """Return the rows of inputs that stand apart from their labels."""
    if is_pair_of_arrays(inputs):
        raise TypeError(
            f"`{name}` must be inputs alone, with their labels as the next argument, got a pair."
        )
    if isinstance(inputs, tuple):
        inputs = list(inputs)
    if not isinstance(inputs, list) and getattr(inputs, "shape", ()) == ():
        raise TypeError(
            f"`{name}` must be an array, a tensor, a data frame, a sparse matrix, or a list, "
            f"got {type(inputs).__name__}."
        )
    check_inputs(inputs, name)
    rows = PairRows(inputs)
    if len(rows) == 0:
        raise ValueError(f"`{name}` must have at least one example, got none.")
    return rows


def check_alike(rows: PairRows, like: PairRows, name: str, other: str) -> None:
    """Reject rows that are not in a container of the same kind, with the same columns."""
    for wanted, got in zip(_form(like.whole), _form(rows.whole), strict=True):
        if wanted != got:
            raise ValueError(f"`{name}` must be rows like those of `{other}`, {wanted}, got {got}.")


def _form(whole: Any) -> tuple[str, str]:
    columns = getattr(whole, "columns", None)
    if columns is not None:
        return type(whole).__name__, f"columns {list(columns)}"
    shape = tuple(getattr(whole, "shape", ())[1:])
    return type(whole).__name__, f"shape {shape}"


def rows_joined(first: PairRows, second: PairRows) -> PairRows:
    """Return the rows of one container, and then those of another of its kind."""
    one, other = first.whole, second.whole
    if isinstance(one, list):
        return PairRows(one + list(other))
    if isinstance(one, Tensor):
        return PairRows(torch.cat([one, other]))
    if hasattr(one, "iloc"):
        return PairRows(importlib.import_module("pandas").concat([one, other]))
    if hasattr(one, "tocsr"):
        from scipy.sparse import vstack  # slow to import

        return PairRows(vstack([one, other]).tocsr())
    return PairRows(np.concatenate([one, other]))


def first_label(dataset: Any, name: str, **keys: Any) -> Any:
    """Return the first label of a data set or pair."""
    if (pair := _as_pair(dataset, name)) is not None and len(pair[1]) > 0:
        return getattr(pair[1], "iloc", pair[1])[0]
    examples = open_dataset(dataset, name, **keys)
    return _plain(examples.fields.label_of(examples.items_at([0])[0], name, 0))


def joined(
    labels: NDArray[Any], truth: NDArray[Any], name: str = "test", other: str = "train"
) -> NDArray[Any]:
    """Return the labels of a training set, and then those of its test set."""
    if (labels.dtype.kind in "US") != (truth.dtype.kind in "US"):
        raise TypeError(
            f"`{name}` must have labels like those of `{other}`, {labels.dtype}, got {truth.dtype}."
        )
    return np.concatenate([labels, truth])


def code(
    labels: NDArray[Any],
    name: str,
    *,
    numbers: bool | None,
    num_classes: int | None = None,
    known: Provenance | None = None,
) -> Targets:
    """Number the classes, or the different numbers, from 0; None tells them by their type."""
    if known is not None and num_classes is None:
        num_classes = known.num_classes
    if numbers is None:
        numbers = labels.dtype.kind == "f"
    if numbers:
        try:
            labels = labels.astype(np.float64)
        except (TypeError, ValueError):
            raise TypeError(
                f"`{name}` must have numbers as labels for a regression, got {labels.dtype}."
            ) from None
        if not np.isfinite(labels).all():
            at = int(np.flatnonzero(~np.isfinite(labels))[0])
            raise ValueError(
                f"`{name}` must have finite labels, got {labels[at]} at position {at}."
            )
    elif labels.dtype.kind in "iu" and labels.min() >= 0 and labels.max() < _LABELS_AT_MOST:
        whole = labels.astype(np.int64)
        return Targets(whole, np.arange(max(int(whole.max()) + 1, num_classes or 0)), False)
    if known is not None and known.encoding is not None:
        named = Targets(known.targets, np.array(known.encoding.classes), False)
        if np.isin(labels, named.values).all():  # otherwise a test set has more
            return replace(named, codes=named.coded(labels, name))
    try:
        values, codes = np.unique(labels, return_inverse=True)
    except TypeError:
        raise TypeError(
            f"`{name}` must have labels of one kind, numbers or strings, got a mixture."
        ) from None
    return Targets(codes.reshape(-1).astype(np.int64), values, numbers)


def _as_pair(dataset: Any, name: str) -> tuple[Any, Any] | None:
    """Return (X, y) if that is what it is; X stays in its container."""
    if isinstance(dataset, tuple | list) and len(dataset) == 2:
        x, y = dataset
        if getattr(x, "ndim", 0) >= 1 and (hasattr(y, "shape") or isinstance(y, list | tuple)):
            return x, y
        found = paired(dataset, name)
        if isinstance(found, Pair):
            return (x if hasattr(x, "shape") else found.inputs), y
    return None


def labels_of(values: Any, n: int, name: str) -> NDArray[Any]:
    """Return labels as an array of shape ``(n,)``."""
    labels = to_numpy(values) if isinstance(values, Tensor) else np.asarray(values)
    if labels.shape == (n, 1):
        labels = labels[:, 0]
    if labels.shape != (n,):
        raise ValueError(
            f"`{name}` must have one label for each of {n} inputs, got shape {labels.shape}."
        )
    if labels.dtype == object:
        labels = _of_one_kind(labels, name)
    if labels.dtype.kind not in "biufUS":
        raise TypeError(f"`{name}` must have numbers or strings as labels, got {labels.dtype}.")
    return labels


def _of_one_kind(labels: NDArray[Any], name: str) -> NDArray[Any]:
    """Return an array of objects, as pandas holds strings, as one of strings or numbers."""
    kinds = {type(label) for label in labels.tolist()}
    missing = [i for i, label in enumerate(labels.tolist()) if label is None or label != label]
    if missing:
        raise ValueError(
            f"`{name}` must have a label for every example, got {labels[missing[0]]!r} "
            f"at position {missing[0]}."
        )
    if len(kinds) > 1:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TypeError(f"`{name}` must have labels of one kind, got {names}.")
    return np.array(labels.tolist())


def _plain(label: Any) -> Any:
    """Return a label without the array or tensor around it, if that holds one value."""
    is_one = isinstance(label, Tensor | np.ndarray) and np.prod(label.shape) == 1
    return label.item() if is_one else label


def _alike(original: Any, label: Any) -> Any:
    """Return a label as the type that the original had."""
    if isinstance(original, Tensor):
        return torch.full_like(original, label)
    if isinstance(original, np.ndarray):
        return np.full_like(original, label)
    return type(original)(label) if isinstance(original, np.generic) else label


def _count(rows: Any) -> int:
    return int(rows.shape[0]) if hasattr(rows, "shape") else len(rows)


def digest_of(values: Any) -> str:
    """Return a hash of everything that a container holds."""
    found = hashlib.sha256()
    _update(found, values)
    return found.hexdigest()


def _update(found: Any, values: Any) -> None:
    """Add everything that a container holds to a hash."""
    if isinstance(values, dict):
        for name in values:
            found.update(repr(name).encode())
            _update(found, values[name])
    elif hasattr(values, "iloc") and getattr(values, "ndim", 1) == 2:
        for place, name in enumerate(values.columns):
            found.update(repr(name).encode())
            _update(found, values.iloc[:, place])
    elif hasattr(values, "tocsr"):
        sparse = values.tocsr()
        for part in (np.asarray(sparse.shape), sparse.data, sparse.indices, sparse.indptr):
            _update(found, part)
    elif isinstance(values, list | tuple):
        for each in values:
            _update(found, each)
    elif isinstance(values, str):
        found.update(repr(values).encode())
    elif not (hasattr(values, "__array__") or isinstance(values, bytes | float | int)):
        found.update(type(values).__qualname__.encode())  # a graph, say
    else:
        array: Array = np.asarray(to_numpy(values) if isinstance(values, Tensor) else values)
        found.update(f"{array.dtype}{array.shape}".encode())
        if array.dtype == object:
            found.update("\0".join(map(repr, array.reshape(-1).tolist())).encode())
        else:
            found.update(np.ascontiguousarray(array).tobytes())
