"""Labels from a file in one of the usual formats."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from corruptlab._checks import at_least
from corruptlab._data_files import opened, read_npy, read_npz
from corruptlab._errors import DataFileError
from corruptlab._types import Ids, Labels
from corruptlab.datasets._text_labels import read_json, read_table

_TABLES = (".csv", ".tsv", ".txt", "")
_Parts: TypeAlias = tuple[Labels, Ids | None, Callable[[int], str]]
"""Labels, example numbers, and words for where in the file one of them is."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FileLabels:
    """Labels from a file, and the numbers of their examples where the file has them.

    Args:
        path: The file.
        labels: ``int64`` of shape ``(n,)``, read-only.
        ids: Number of the example that each label is for, ``int64`` of shape ``(n,)``, read-only;
            None if the file has none, and the labels are for examples ``0 .. n - 1``.

    Example:
        >>> from pathlib import Path
        >>> import numpy as np
        >>> FileLabels(path=Path("people.npy"), labels=np.array([0, 2, 1]), ids=None)
        FileLabels('people.npy': 3 labels, 0 .. 2)
    """

    path: Path
    labels: Labels
    ids: Ids | None

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        span = f"{self.labels.min()} .. {self.labels.max()}" if len(self) else "none"
        numbered = "" if self.ids is None else ", by example number"
        return f"FileLabels({self.path.name!r}: {len(self)} labels, {span}{numbered})"


def label_file(
    path: str | os.PathLike[str],
    *,
    array: str | None = None,
    num_classes: int | None = None,
    header: bool | None = None,
) -> FileLabels:
    r"""Read labels from a .npy, .npz, .json, .csv, .tsv, or .txt file.

    Nothing in a file is run (no pickled objects), and no more memory is taken than the labels in
    it need. What cannot be one integer class for each example is refused: no rounding of
    ``3.0``, no counting of names.

    Args:
        path: The file; the end of its name says the format:

            - ``.npy``: an array of integers, shape ``(n,)`` or ``(n, 1)``;
            - ``.npz``: the same, packed or not;
            - ``.json``: a list of labels, or an object of example number and label;
            - ``.csv``, ``.tsv``, ``.txt``, or no end: rows ``label`` or ``index,label``, separated
              by a comma, a semicolon, or a tab.

            ``~`` is the home folder.
        array: Name of the array in an ``.npz`` file; needed if there are several.
        num_classes: Number of classes, at least 1, to check the labels against; if not given,
            they only have to be 0 or more.
        header: Whether the first row of a table holds names. By default it does if it is not made
            of integers, or is the ``0`` that pandas writes above a nameless column of a ``.csv``
            file; of that one a warning tells, since it might be a label.

    Returns:
        Labels in the order of the file, with the example numbers if the file has them.

    Raises:
        ValueError: If ``path`` ends in something else, ``array`` or ``header`` is given for another
            format, or ``num_classes`` is below 1.
        DataFileError: If the file is missing, damaged, too large, or empty; holds anything but
            integers; or a label is out of range, or an example is numbered twice.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import corruptlab as cl
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "people.csv"
        ...     _ = path.write_text("index,label\n2,0\n0,1\n1,1\n")
        ...     people = label_file(path, num_classes=2)
        >>> people
        FileLabels('people.csv': 3 labels, 0 .. 1, by example number)
        >>> pets = [("Tom", 0), ("Rex", 1), ("Fido", 1)]
        >>> noisy = cl.corrupt(pets, cl.GivenLabels(people.labels, ids=people.ids))
        >>> noisy.targets
        array([1, 1, 0])
    """
    path = Path(path).expanduser()
    kind = path.suffix.lower()
    if kind not in (*_TABLES, ".npy", ".npz", ".json"):
        raise ValueError(
            "`path` must end in .npy, .npz, .json, .csv, .tsv, or .txt, or have no end, "
            f"got {path.name!r}."
        )
    if array is not None and kind != ".npz":
        raise ValueError(f"`array` must be left out for a {kind} file, got {array!r}.")
    if header is not None and kind not in _TABLES:
        raise ValueError(f"`header` must be left out for a {kind} file, got {header!r}.")
    if num_classes is not None:
        at_least(1, "num_classes", num_classes)
    with opened(path, "a file of labels"):
        labels, ids, where = _read(path, kind, array, header)
    _check(path, labels, ids, where, num_classes)
    for values in (labels, ids):
        if values is not None:
            values.flags.writeable = False
    return FileLabels(path=path, labels=labels, ids=ids)


def _read(path: Path, kind: str, name: str | None, header: bool | None) -> _Parts:
    if kind in _TABLES:
        labels, ids, lines = read_table(path, header)
        return labels, ids, lambda i: f"in line {lines[i]}"
    if kind == ".json":
        return *read_json(path), lambda i: f"at position {i}"
    labels = read_npy(path) if kind == ".npy" else read_npz(path, name)
    return labels, None, lambda i: f"at position {i}"


def _check(
    path: Path,
    labels: Labels,
    ids: Ids | None,
    where: Callable[[int], str],
    num_classes: int | None,
) -> None:
    """Raise unless labels are classes, and ids number every example once."""
    if not len(labels):
        raise DataFileError(path, "at least one label", "none")
    most = np.iinfo(np.int64).max if num_classes is None else num_classes - 1
    strays = np.flatnonzero((labels < 0) | (labels > most))
    if len(strays):
        i = int(strays[0])
        expected = "labels of 0 or more" if num_classes is None else f"labels 0 .. {most}"
        raise DataFileError(path, expected, f"{labels[i]} {where(i)}")
    if ids is None:
        return
    below = np.flatnonzero(ids < 0)
    if len(below):
        i = int(below[0])
        raise DataFileError(path, "example numbers of 0 or more", f"{ids[i]} {where(i)}")
    order = np.argsort(ids, kind="stable")
    again = order[1:][np.diff(ids[order]) == 0]
    if len(again):
        i = int(again.min())
        raise DataFileError(path, "every example once", f"{ids[i]} again {where(i)}")
