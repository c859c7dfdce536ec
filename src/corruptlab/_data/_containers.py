"""Labels alone, in any container: read as numbers, and given back in the same container."""

import sys
from typing import Any

import numpy as np
import torch

from corruptlab._data._encoding import LabelEncoding, is_categorical
from corruptlab._data._labels import all_relabelled, encoded_as, given_labels
from corruptlab._types import Array, Labels


def read_container(
    values: Any, name: str, classes: LabelEncoding | None = None
) -> tuple[Labels, LabelEncoding | None]:
    """Return labels from an array, a tensor, a list, or a Series as numbers, and what they mean."""
    if not isinstance(values, np.ndarray | torch.Tensor | list | tuple) and not _of_pandas(values):
        raise TypeError(
            f"`{name}` must be an array, a tensor, a list, a tuple, or a pandas Series, "
            f"got {type(values).__name__}."
        )
    shape = getattr(values, "shape", (1,))
    n = len(values) if len(shape) else 1
    if n == 0:
        raise ValueError(f"`{name}` must hold at least one label, got none.")
    labels, encoding = given_labels(values, n, name)
    if classes is not None:
        return encoded_as(classes, labels, encoding, name), classes
    if len(negative := np.flatnonzero(labels < 0)):
        raise ValueError(
            f"`{name}` must hold labels that are at least 0, got {labels[negative[0]]} at position "
            f"{negative[0]}; leave out what has no label."
        )
    return labels, encoding


def written_like(original: Any, labels: Labels, encoding: LabelEncoding | None) -> Any:
    """Return labels as the kind of container, and of label, that the original is."""
    if isinstance(original, np.ndarray):
        return _array_like(original, labels, encoding).reshape(original.shape)
    values = labels if encoding is None else encoding.decode(labels)
    if isinstance(original, torch.Tensor):
        wide = values.dtype.kind == "i" and values.max() > torch.iinfo(original.dtype).max
        made = torch.from_numpy(values).reshape(original.shape).to(original.device)
        return made if wide else made.to(original.dtype)
    if isinstance(original, list | tuple):
        plain = set(map(type, original)) <= {int, str, bool, bytes}
        return type(original)(values.tolist() if plain else all_relabelled(original, values))
    return _pandas_like(original, values, labels, encoding)


def _array_like(original: Array, labels: Labels, encoding: LabelEncoding | None) -> Array:
    if original.dtype.kind in "UST" and encoding is not None:
        names = np.array(encoding.classes, original.dtype if original.dtype.kind == "T" else None)
        return names.astype(np.result_type(names, original), copy=False).take(labels)
    values = labels if encoding is None else encoding.decode(labels)
    if original.dtype.kind in "iu" and values.max() > np.iinfo(original.dtype).max:
        return values
    return values.astype(original.dtype, copy=False)


def _of_pandas(values: Any) -> bool:
    pandas = sys.modules.get("pandas")  # whoever has a Series has imported it
    return pandas is not None and isinstance(
        values, pandas.Series | pandas.Index | pandas.api.extensions.ExtensionArray
    )


def _pandas_like(
    original: Any, values: Array, labels: Labels, encoding: LabelEncoding | None
) -> Any:
    import pandas as pd  # type: ignore[import-untyped]  # an extra, and it ships no annotations

    made: Any
    if is_categorical(inner := getattr(original, "array", original)):
        as_listed = encoding is not None and encoding.classes == tuple(inner.categories.tolist())
        codes = labels if as_listed else inner.categories.get_indexer(values)
        made = pd.Categorical.from_codes(codes, dtype=original.dtype)
    elif encoding is not None and values.dtype == object:
        made = pd.array(list(encoding.classes), dtype=original.dtype).take(labels)
    else:
        made = pd.array(values, dtype=original.dtype)
    if isinstance(original, pd.Series):
        return pd.Series(made, original.index, original.dtype, original.name)
    return (
        pd.Index(made, original.dtype, name=original.name)
        if isinstance(original, pd.Index)
        else made
    )
