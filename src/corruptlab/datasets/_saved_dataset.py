"""Data sets that Hugging Face's `save_to_disk` wrote."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corruptlab._data import LABEL_NAMES
from corruptlab._data_files import LARGEST, listing, quoted
from corruptlab._errors import DataFileError, require
from corruptlab._types import Labels
from corruptlab.datasets._table import Column, Table, as_numbers, coded, held_out, listed, split

_TOKENS, _MASK = "input_ids", "attention_mask"
_TEST_PARTS = ("test", "validation")


def saved_dataset(
    folder: str | os.PathLike[str], *, label: str | None = None
) -> tuple[Table, Table]:
    """Read a Hugging Face data set of tokens or of a table from ``save_to_disk``.

    If there is a column ``input_ids``, rows are sequences of tokens. Shorter sequences are padded
    with 0 at the end, and tokens for which the column ``attention_mask`` is 0 become 0. All other
    columns are ignored. Otherwise, numerical and string columns become standardized inputs, as in
    `csv_table`.

    From a ``DatasetDict``, ``"train"`` and ``"test"`` (or ``"validation"``) are read. From a
    ``Dataset``, one fifth of the rows of each class, rounded down, is held out, as in `csv_table`.

    Args:
        folder: Folder that ``save_to_disk`` wrote.
        label: Name of the label column: classes, integers, or strings. None for the only column
            with a common name (``label``, ``labels``, ``target``, ...).

    Returns:
        Training rows and test rows.

    Raises:
        MissingExtraError: If Hugging Face's ``datasets`` is not installed.
        DataFileError: If the folder does not contain such a data set; the label column does not
            exist, or there is not exactly one with a common name; a value is missing; or a column
            contains neither tokens, numbers, nor categories.

    Example:
        >>> import tempfile
        >>> import datasets
        >>> sentences = {"input_ids": [[7, 3], [7, 5, 6]] * 10, "label": [0, 1] * 10}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     datasets.Dataset.from_dict(sentences).save_to_disk(folder)
        ...     train, test = saved_dataset(folder)
        >>> train.inputs[0].tolist(), len(train), len(test)
        ([7, 3, 0], 16, 4)
    """
    library = require("datasets", extra="hf")
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise DataFileError(path, "a folder that save_to_disk wrote", listing(path))
    try:
        found = library.load_from_disk(str(path))
    except Exception as error:  # damage makes it raise almost anything
        reason = " ".join(str(error).split())
        raise DataFileError(path, "a data set that save_to_disk wrote", reason) from None
    parts = _parts(path, found)
    label = _label_column(path, parts[0].column_names, label)
    labels, classes = _labels(path, parts, label)
    test = (
        held_out(path, labels)
        if len(parts) == 1
        else np.repeat([False, True], [len(part) for part in parts])
    )
    columns = {
        name: [value for part in parts for value in part[name]]
        for name in _inputs_of(path, parts[0].column_names, label)
    }
    names: tuple[str, ...] = ()
    if _TOKENS in columns:
        inputs = _tokens(path, columns[_TOKENS], columns.get(_MASK))
    else:
        typed = {name: _typed(path, name, values) for name, values in columns.items()}
        inputs, names = as_numbers(path, typed, test, lambda i: f"in row {i}")
    return split(inputs, labels, test, classes=classes, columns=names, name=path.name)


def _parts(path: Path, found: Any) -> list[Any]:
    """Return the training part and the test part, or the only one, in plain Python values."""
    if not isinstance(found, Mapping):
        chosen = [found]
    else:
        test = next((name for name in _TEST_PARTS if name in found), None)
        if "train" not in found or test is None:
            raise DataFileError(path, "the parts train and test", f"{', '.join(found)}")
        chosen = [found["train"], found[test]]
    for part in chosen:
        if not len(part):
            raise DataFileError(path, "a row in each part", "none")
        if part.column_names != chosen[0].column_names:
            raise DataFileError(path, "the same columns in both parts", listed(part.column_names))
    return [part.with_format(None) for part in chosen]


def _label_column(path: Path, names: Sequence[str], given: str | None) -> str:
    if given is not None:
        if given not in names:
            raise DataFileError(path, f"a column {given!r}", listed(names))
        return given
    found = [name for name in LABEL_NAMES if name in names]
    if len(found) != 1:
        known = f"one column of labels ({', '.join(LABEL_NAMES)}; another can be named)"
        raise DataFileError(path, known, listed(names))
    return found[0]


def _inputs_of(path: Path, names: Sequence[str], label: str) -> list[str]:
    if _TOKENS in names:
        return [name for name in names if name in (_TOKENS, _MASK)]
    if len(names) < 2:
        raise DataFileError(path, "a column beside that of the labels", "none")
    return [name for name in names if name != label]


def _labels(path: Path, parts: Sequence[Any], name: str) -> tuple[Labels, tuple[str, ...]]:
    values = [value for part in parts for value in part[name]]
    for row, value in enumerate(values):
        if not isinstance(value, int | str):
            raise DataFileError(
                path, f"integers or texts as labels in column {name!r}", f"{value!r} in row {row}"
            )
    named = getattr(parts[0].features[name], "names", None)
    if named is None:
        return coded(path, [str(value) for value in values])
    labels = np.array(values, np.int64)
    if len(strays := np.flatnonzero(labels < 0)):
        raise DataFileError(path, "a label for every row", f"none in row {strays[0]}")
    return labels, tuple(named)


def _tokens(path: Path, rows: Sequence[Any], masks: Sequence[Any] | None) -> Tensor:
    """Return tokens, shape ``(n, d)``, filled with 0 at the end and where a mask is 0."""
    longest = max((len(row) for row in rows if row is not None), default=0)
    if not longest or len(rows) * longest > LARGEST // 8:
        found = f"{len(rows):,} rows of {longest:,}"
        raise DataFileError(path, f"tokens, at most {LARGEST // 8:,} in all", found)
    tokens = np.zeros((len(rows), longest), np.int64)
    for i, row in enumerate(rows):
        kept = _sequence(path, _TOKENS, row, i)
        if masks is not None:
            mask = _sequence(path, _MASK, masks[i], i)
            if len(mask) != len(kept):
                found = f"{len(mask)} and {len(kept)} in row {i}"
                raise DataFileError(path, "as many entries of a mask as tokens", found)
            kept = np.where(mask != 0, kept, 0)
        tokens[i, : len(kept)] = kept
    return torch.from_numpy(tokens)


def _sequence(path: Path, name: str, row: Any, i: int) -> NDArray[np.int64]:
    values = np.array([] if row is None else row)
    if row is None or values.ndim != 1 or (len(values) and values.dtype.kind not in "iu"):
        found = f"{quoted(repr(row))} in row {i}"
        raise DataFileError(path, f"a list of integers in column {name!r}", found)
    if (values < 0).any():
        raise DataFileError(path, f"integers of 0 or more in column {name!r}", f"less in row {i}")
    return values.astype(np.int64)


def _typed(path: Path, name: str, values: Sequence[Any]) -> Column:
    """Return values as numbers or texts."""
    for row, value in enumerate(values):
        if value is None:
            raise DataFileError(path, "a value in every row", f"none in column {name!r}, row {row}")
        if not isinstance(value, int | float | str) or isinstance(value, str) != isinstance(
            values[0], str
        ):
            found = f"{type(value).__name__} in column {name!r}, row {row}"
            raise DataFileError(path, "either numbers or texts in a column, or input_ids", found)
    return list(values)
