"""Kinds of data sets, each with the labels and inputs that its items serve.

The reader's law is that items count. So each kind is made of the same 60 examples, and most of them
say something else in an attribute, a part, or a method that must not be believed.
"""

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import ConcatDataset, Dataset, StackDataset, Subset, TensorDataset

import corruptlab as cl

N, CLASSES = 60, 3
X: NDArray[np.float32] = np.random.default_rng(0).normal(size=(N, 5)).astype(np.float32)
Y = np.random.default_rng(1).permutation(np.arange(N) % CLASSES)
PICKED: list[int] = np.random.default_rng(2).permutation(N)[:40].tolist()
RAW = (Y + 1) % CLASSES  # what is wrong wherever it is told


@dataclass(frozen=True)
class Kind:
    """A data set, and what its items serve."""

    dataset: Any
    inputs: NDArray[Any]
    labels: NDArray[np.int64]


class Rows(Dataset[Any]):
    """Items, with attributes as the test wants them."""

    def __init__(self, items: list[Any], **attributes: Any) -> None:
        self.items = items
        self.__dict__.update(attributes)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


def rows(label: Callable[[int], Any] = int, **attributes: Any) -> Rows:
    pairs = zip(torch.from_numpy(X), Y.tolist(), strict=True)
    return Rows([(x, label(y)) for x, y in pairs], **attributes)


def tensors(labels: Any = Y) -> TensorDataset:
    return TensorDataset(torch.from_numpy(X), torch.from_numpy(np.asarray(labels)))


class Relabelled(Subset[Any]):
    """A cut that changes what it serves."""

    def __getitem__(self, index: Any) -> Any:
        x, y = super().__getitem__(index)  # type: ignore[no-untyped-call]  # PyTorch's
        return x, (y - 1) % CLASSES

    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [self[i] for i in indices]


class Doubled(TensorDataset):
    def __getitem__(self, index: Any) -> Any:
        x, y = super().__getitem__(index)  # type: ignore[no-untyped-call]  # PyTorch's
        return 2 * x, (y - 1) % CLASSES


class Joined(ConcatDataset[Any]):
    def __getitem__(self, index: int) -> Any:
        x, y = super().__getitem__(index)  # type: ignore[no-untyped-call]  # PyTorch's
        return x, (y - 1) % CLASSES


class Stale(Rows):
    """Batches of the class above; items of its own."""

    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [(x, -1) for x, _ in (self.items[i] for i in indices)]


class Fresh(Stale):
    def __getitem__(self, index: int) -> Any:
        return self.items[index]


class Forwarding(Dataset[Any]):
    """A wrapper that has every attribute of what it wraps, and other labels."""

    def __init__(self, wrapped: Any) -> None:
        self.wrapped = wrapped

    def __len__(self) -> int:
        return len(self.wrapped)

    def __getitem__(self, index: int) -> Any:
        x, y = self.wrapped[index]
        return x, (y - 1) % CLASSES

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__getitems__":
            raise AttributeError(name)
        return getattr(self.__dict__["wrapped"], name)


class Disguised(Forwarding):
    """A wrapper that says it is of the class that it wraps."""

    @property  # type: ignore[misc]  # a lie, which is the point
    def __class__(self) -> Any:
        return type(self.__dict__["wrapped"])


class Raising(Rows):
    @property
    def targets(self) -> Any:
        raise RuntimeError("these labels are not for you")

    @property
    def classes(self) -> Any:
        raise KeyError("classes")


class Transformed(Dataset[Any]):
    """A transform on top."""

    def __init__(self, base: Any) -> None:
        self.base = base

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, index: int) -> Any:
        x, y = self.base[index]
        return 2 * x, y


class Merged(Rows):
    """Torchvision's shape: `targets` as they are stored, items as they are transformed."""

    def __init__(self) -> None:
        self.stored = RAW.tolist()
        super().__init__(list(X), targets=self.stored)

    def __getitem__(self, index: int) -> Any:
        return self.items[index], (self.stored[index] - 1) % CLASSES


def twice(dataset: Any) -> Kind:
    return Kind(dataset, 2 * X, Y)


def same(dataset: Any) -> Kind:
    return Kind(dataset, X, Y)


def cut(dataset: Any) -> Kind:
    return Kind(Subset(dataset, PICKED), X[PICKED], Y[PICKED])


def images() -> Kind:
    pixels = torch.from_numpy((np.abs(X) * 60).astype(np.uint8)).reshape(N, 1, 1, 5)
    made = cl.datasets.Images(pixels, torch.from_numpy(Y), ("a", "b", "c"), "tiny")
    return Kind(made, pixels.numpy(), Y)


def hugging_face(change: Callable[[Any], Any], at: Any = range(N)) -> Kind:
    library = pytest.importorskip(
        "datasets", reason="Hugging Face datasets cannot be imported", exc_type=ImportError
    )
    features = {
        "x": library.Sequence(library.Value("float32"), length=5),
        "label": library.ClassLabel(names=["a", "b", "c"]),
    }
    columns = {"x": X.tolist(), "label": Y.tolist()}
    made = library.Dataset.from_dict(columns, features=library.Features(features))
    return Kind(change(made.with_format("numpy")), X[list(at)], Y[list(at)])


def shifted(batch: Any) -> Any:
    return {
        "x": [np.asarray(x, np.float32) for x in batch["x"]],
        "label": [(y + 1) % CLASSES for y in batch["label"]],
    }


def transformed_hugging_face() -> Kind:
    made = hugging_face(lambda d: d.with_transform(shifted))
    return Kind(made.dataset, made.inputs, RAW)


Named = namedtuple("Named", ["image", "label", "name"])

ITEMS: dict[str, Callable[[], Kind]] = {
    "list of tuples": lambda: same(rows().items),
    "tuple of tuples": lambda: same(tuple(rows().items)),
    "lists": lambda: same([list(item) for item in rows().items]),
    "triples": lambda: same([(*item, "name") for item in rows().items]),
    "named tuples": lambda: same([Named(x, y, "name") for x, y in rows().items]),
    "dictionaries": lambda: same([{"label": y, "x": x} for x, y in rows().items]),
    "arrays": lambda: same([(x.numpy(), y) for x, y in rows().items]),
}

LABELS: dict[str, Callable[[], Kind]] = {
    "int": lambda: same(rows()),
    "NumPy integer": lambda: same(rows(np.uint8)),
    "array of shape ()": lambda: same(rows(lambda y: np.array(y))),
    "array of shape (1,)": lambda: same(rows(lambda y: np.array([y], np.uint8))),
    "tensor of shape ()": lambda: same(rows(torch.tensor)),
    "tensor of shape (1,)": lambda: same(rows(lambda y: torch.tensor([y], dtype=torch.int32))),
    "list of one": lambda: same(rows(lambda y: [y])),
    "tensors": lambda: same(tensors()),
    "tensors of bytes": lambda: same(tensors(Y.astype(np.uint8))),
    "tensors of shape (n, 1)": lambda: same(tensors(Y[:, None])),
}

NAMES_OF = np.array(["ant", "bee", "cat"])  # sorted, so that each has its number

NAMED: dict[str, Callable[[], Kind]] = {
    "names": lambda: same(rows(lambda y: str(NAMES_OF[y]))),
    "NumPy's strings": lambda: same(rows(lambda y: NAMES_OF[y])),
    "names in lists of one": lambda: same(rows(lambda y: [str(NAMES_OF[y])])),
    "names with the order told": lambda: same(rows(lambda y: "zyx"[y], classes=list("zyx"))),
    "names in a wrong list": lambda: same(rows(lambda y: "abc"[y], targets=["a"] * N)),
    "names in a right list": lambda: same(rows(lambda y: "abc"[y], targets=["abc"[y] for y in Y])),
    "subset of names": lambda: cut(rows(lambda y: str(NAMES_OF[y]))),
    "joined names": lambda: same(
        ConcatDataset([Subset(rows(lambda y: "abc"[y]), range(k, k + 20)) for k in (0, 20, 40)])
    ),
    "corrupted names": lambda: same(cl.corrupt(rows(lambda y: "abc"[y]))),
    "wrapper of corrupted names": lambda: twice(Transformed(cl.corrupt(rows(lambda y: "abc"[y])))),
    "booleans": lambda: Kind(rows(lambda y: y > 0), X, 1 * (Y > 0)),
    "booleans in tensors": lambda: Kind(tensors(Y > 0), X, 1 * (Y > 0)),
    "NumPy's booleans": lambda: Kind(rows(lambda y: np.bool_(y > 0)), X, 1 * (Y > 0)),
    "-1 and +1": lambda: Kind(tensors(2 * (Y > 0) - 1), X, 1 * (Y > 0)),
    "Hugging Face, names": lambda: hugging_face_names(),
}

NAMED_PAIRS: dict[str, Callable[[], Kind]] = {
    "names in an array": lambda: same((X, NAMES_OF[Y])),
    "names in wide texts": lambda: same((X, NAMES_OF[Y].astype("U33"))),
    "names in a list": lambda: same((X, NAMES_OF[Y].tolist())),
    "names as objects": lambda: same((X, NAMES_OF[Y].astype(object))),
    "names as bytes": lambda: same((X, NAMES_OF[Y].astype(bytes))),
    "pandas, names": lambda: pandas_labels(lambda pd: pd.Series(NAMES_OF[Y])),
    "pandas, objects": lambda: pandas_labels(lambda pd: pd.Series(NAMES_OF[Y], dtype=object)),
    "pandas, integers": lambda: pandas_labels(lambda pd: pd.Series(Y, dtype="Int64")),
    "pandas, categories": lambda: pandas_labels(
        lambda pd: pd.Series(pd.Categorical.from_codes(Y, ["z", "a", "f"]))
    ),
    "pandas, numbers as categories": lambda: pandas_labels(
        lambda pd: pd.Categorical.from_codes(Y, [7, 3, 5])
    ),
}


def hugging_face_names() -> Kind:
    names = NAMES_OF[Y].tolist()
    return hugging_face(lambda d: d.remove_columns("label").add_column("label", names))


def pandas_labels(make: Callable[[Any], Any]) -> Kind:
    pd = pytest.importorskip("pandas", reason="pandas cannot be imported", exc_type=ImportError)
    return same((X, make(pd)))


KNOWN: dict[str, Callable[[], Kind]] = {
    "images": images,
    "subset": lambda: cut(tensors()),
    "subset of a subset": lambda: cut(Subset(tensors(), range(N))),
    "subset of items": lambda: cut(rows()),
    "joined": lambda: same(
        ConcatDataset([Subset(tensors(), range(20)), Subset(rows(), range(20, N))])
    ),
    "stacked": lambda: same(StackDataset(list(torch.from_numpy(X)), Y.tolist())),  # type: ignore[arg-type]  # anything with a length
    "corrupted by nothing": lambda: same(cl.corrupt(tensors())),
    "subset of a corrupted one": lambda: cut(cl.corrupt(rows())),
    "Hugging Face": lambda: hugging_face(lambda d: d),
    "Hugging Face, selected": lambda: hugging_face(lambda d: d.select(PICKED), PICKED),
    "Hugging Face, a range": lambda: hugging_face(lambda d: d.select(range(9, 50)), range(9, 50)),
    "Hugging Face, in PyTorch": lambda: hugging_face(lambda d: d.with_format("torch")),
    "Hugging Face, transformed": transformed_hugging_face,
}  # fmt: skip

PAIRS: dict[str, Callable[[], Kind]] = {
    "arrays": lambda: same((X, Y)),
    "tensors": lambda: same((torch.from_numpy(X), torch.from_numpy(Y))),
    "list of two arrays": lambda: same([X, Y]),
    "array and list": lambda: same((X, Y.tolist())),
    "list of tensors": lambda: same((list(torch.from_numpy(X)), Y.tolist())),
    "labels of shape (n, 1)": lambda: same((X, Y[:, None])),
}

OVERRIDDEN: dict[str, Callable[[], Kind]] = {
    "subset": lambda: same(Relabelled(tensors(RAW), range(N))),
    "tensors": lambda: twice(Doubled(*tensors(RAW).tensors)),
    "joined": lambda: same(Joined([tensors(RAW)])),
    "subset inside a subset": lambda: cut(Relabelled(tensors(RAW), range(N))),
    "target transform": lambda: same(Merged()),
    "batches that are stale": lambda: same(Fresh(rows().items)),
    "wrapper of tensors": lambda: same(Forwarding(tensors(RAW))),
    "wrapper of a list": lambda: same(Forwarding(rows(lambda y: (y + 1) % CLASSES, targets=RAW))),
    "wrapper of a subset": lambda: same(Forwarding(Subset(tensors(RAW), range(N)))),
    "wrapper in disguise": lambda: same(Disguised(Subset(tensors(RAW), range(N)))),
    "subset of a wrapper": lambda: cut(Forwarding(Subset(tensors(RAW), range(N)))),
    "transform on top": lambda: twice(Transformed(tensors())),
    "attributes that fail": lambda: same(Raising(rows().items)),
}


def other_meanings() -> dict[str, Any]:
    """Return values that an attribute with a familiar name may have, whatever it means."""
    meanings: dict[str, Any] = {
        "array of features": X,
        "tensor of features": torch.from_numpy(X),
        "true labels": Y,
        "wrong labels": RAW,
        "labels as a NumPy scalar": np.int64(2),
        "labels of another length": Y[:-1],
        "floats": np.random.default_rng(0).random(N),
        "booleans": Y > 0,
        "eight columns": np.arange(8 * N).reshape(N, 8) % 10,
        "names": ["cat", "dog", "eel"],
        "few names": ("age",),
        "a name an example": ["a.png"] * N,
        "int": 5,
        "one": 1,
        "zero": 0,
        "negative": -1,
        "module": nn.Linear(2, 2),
        "modules": nn.ModuleList([nn.Linear(2, 2)] * 3),
        "dictionary": {"x": 5},
        "dictionary by number": {1: 3},
        "string": "ab",
        "function": len,
        "None": None,
        "NaN": float("nan"),
        "ragged": [[1], [2, 3]],
        "meta": torch.empty(N, dtype=torch.int64, device="meta"),
        "sparse": torch.from_numpy(RAW).to_sparse(),
    }
    try:
        import pandas as pd  # type: ignore[import-untyped]  # no stubs needed for this
    except ImportError:  # it need not be installed
        return meanings
    return meanings | {"index": pd.Index(["a", "b"]), "series": pd.Series(RAW)}


NAMES = ["targets", "labels", "y", "features", "classes", "num_classes", "tensors", "indices",
         "dataset", "datasets", "column_names", "samples", "lineage", "provenance", "fields",
         "inputs_at", "data", "_fields"]  # fmt: skip


@cache
def attributes() -> dict[str, Callable[[], Kind]]:
    return {
        f"{name}: {meaning}": lambda name=name, value=value: same(rows(**{name: value}))  # type: ignore[misc]
        for name in NAMES
        for meaning, value in other_meanings().items()
    }


@cache
def catalogue() -> dict[str, Callable[[], Kind]]:
    """Return every kind but those that differ in one attribute."""
    groups = {"items": ITEMS, "label": LABELS, "known": KNOWN, "other": OVERRIDDEN}
    groups |= {"named": NAMED, "pair": PAIRS | NAMED_PAIRS}
    return {
        f"{group}: {name}": make for group, kinds in groups.items() for name, make in kinds.items()
    }


class Memory(nn.Module):
    """A network that gives each example its own label from the start, and nothing to others."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.keys = torch.from_numpy(kind.inputs.reshape(len(kind.inputs), -1).astype(np.float32))
        self.of_bytes = kind.inputs.dtype == np.uint8
        self.values = torch.from_numpy(kind.labels)
        self.scale = nn.Parameter(torch.tensor(30.0))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        keys = self.keys / 255 if self.of_bytes and inputs.max() <= 1 else self.keys
        nearest = torch.cdist(inputs.flatten(1).float(), keys).argmin(1)
        return self.scale * nn.functional.one_hot(self.values[nearest], CLASSES).float()
