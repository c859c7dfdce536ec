"""Labels from a file in one of the usual formats."""

import csv
import json
import os
import re
import warnings
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from corruptlab._checks import at_least
from corruptlab._data_files import MOST_LABELS, numbered_lines, opened, quoted, read_npy, read_npz
from corruptlab._errors import DataFileError
from corruptlab._types import Ids, Labels

_TABLES = (".csv", ".tsv", ".txt", "")
_Parts: TypeAlias = tuple[Labels, Ids | None, Callable[[int], str]]
"""Labels, example numbers, and words for where in the file one of them is."""

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_NAMES = ("label", "labels", "target", "targets", "y", "class")
_JSON = "a JSON list of labels, or an object of example number and label"
_LARGEST = 1 << 28  # bytes of JSON: some 90 million labels
_PIECE = 1 << 20  # bytes of JSON that are parsed at once


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FileLabels:
    """Labels and example ids from a file; returned by `label_file`.

    Args:
        path: Path of the file.
        labels: ``int64`` of shape ``(n,)``, read-only.
        ids: Example id of each label, ``int64`` of shape ``(n,)``, read-only; None if the file has
            no ids and the labels belong to examples ``0 .. n - 1``.

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
    num_examples: int | None = None,
    header: bool | None = None,
    match: Any = None,
) -> FileLabels:
    r"""Read labels from a .npy, .npz, .json, .csv, .tsv, or .txt file.

    Code in a file is never executed (pickled objects are rejected), and memory use is bounded by
    the size of the labels. Values that are not integer classes are rejected: ``3.0`` is not
    rounded, and class names are not mapped to integers.

    Args:
        path: Path of the file; ``~`` is the home folder. The extension determines the format:

            - ``.npy``: an array of integers, shape ``(n,)`` or ``(n, 1)``;
            - ``.npz``: the same, compressed or not;
            - ``.json``: a list of labels, or an object from example id to label;
            - ``.csv``, ``.tsv``, ``.txt``, or no extension: rows ``label``, ``index,label``, or,
              with ``match``, ``name,label``, separated by a comma, a semicolon, or a tab.

        array: Name of the array in an ``.npz`` file; required if there are several arrays.
        num_classes: Number of classes, >= 1; labels must be below it. If None, labels only have to
            be >= 0.
        num_examples: Expected number of labels, >= 1. A first row of integers is read as a header
            if the file has one row more.
        header: Whether the first row of a table is a header. By default, it is a header if it does
            not consist of integers, or according to ``num_examples``. Without ``num_examples``, a
            single ``0`` in a ``.csv`` file is read as the header that pandas writes for an unnamed
            column, with a warning, because it might be a label.
        match: Files that the names in the first column of a table refer to: a data set with an
            attribute ``samples`` or ``imgs``, such as torchvision's ``ImageFolder``, or ``paths``,
            such as `ImageFiles`; or a list of paths. A name must consist of the last components of
            exactly one path. The example ids are the positions of the paths.

    Returns:
        Labels in the order of the file, with example ids if the file has them.

    Raises:
        TypeError: If ``match`` does not contain paths.
        ValueError: If the extension of ``path`` is unknown, ``array``, ``header``, or ``match`` is
            given for another format, or ``num_classes`` or ``num_examples`` is below 1.
        DataFileError: If the file is missing, damaged, too large, or empty; contains values other
            than integers; has the wrong number of labels; or a label is out of range, an example id
            is repeated, or a name matches no path or several paths in ``match``.

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

        >>> photographs = ["pets/cats/tom.jpg", "pets/dogs/rex.jpg"]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "people.tsv"
        ...     _ = path.write_text("file\tlabel\ndogs/rex.jpg\t1\ncats/tom.jpg\t1\n")
        ...     people = label_file(path, match=photographs)
        >>> people.ids, people.labels
        (array([1, 0]), array([1, 1]))
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
    if kind not in _TABLES:
        for name, value in (("header", header), ("match", match)):
            if value is not None:
                raise ValueError(f"`{name}` must be left out for a {kind} file, got {value!r}.")
    for name, value in (("num_classes", num_classes), ("num_examples", num_examples)):
        if value is not None:
            at_least(1, name, value)
    names = None if match is None else _Names(match)
    with opened(path, "a file of labels"):
        if kind in _TABLES:
            labels, ids, where = _read_table(path, header, num_examples, names)
        else:
            labels, ids, where = _read(path, kind, array)
    if num_examples is not None and len(labels) != num_examples:
        raise DataFileError(path, f"{num_examples} labels", f"{len(labels)}")
    _check(path, labels, ids, where, num_classes)
    for values in (labels, ids):
        if values is not None:
            values.flags.writeable = False
    return FileLabels(path=path, labels=labels, ids=ids)


def _read(path: Path, kind: str, name: str | None) -> _Parts:
    if kind == ".json":
        return *_read_json(path), lambda i: f"at position {i}"
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


def _read_table(
    path: Path, header: bool | None, num_examples: int | None, names: "_Names | None"
) -> _Parts:
    """Read rows ``label``, ``index,label``, or ``name,label``."""
    columns: list[array[int]] = []
    lines = array("q")
    separator, first = None, [""]
    for number, text in numbered_lines(path):
        if not columns:
            separator = next((each for each in ",;\t" if each in text), None)
        cells = text.split(separator or "\n") if names is None else _cells(text, separator)
        fields = [cell.strip().strip('"') for cell in cells]
        if not columns:
            columns, first = [array("q") for _ in fields[:2]], fields
            if _is_header(fields, names) if header is None else header:
                _check_header(path, fields, text)
                continue
        if names is not None and len(fields) == 2:
            fields[0] = names.position(path, fields[0], number)
        if len(fields) != len(columns) or not all(map(_INTEGER.fullmatch, fields)):
            raise _no_row(path, columns, fields, f"{quoted(text)} in line {number}", names)
        try:
            for column, field in zip(columns, fields, strict=True):
                column.append(int(field))
        except OverflowError:
            found = f"{quoted(text)} in line {number}"
            raise DataFileError(path, "integers of 64 bits", found) from None
        lines.append(number)
        if len(lines) > MOST_LABELS:
            raise DataFileError(path, f"at most {MOST_LABELS:,} labels", "more")
    if header is None and names is None and _first_is_header(path, first, lines, num_examples):
        columns, lines = [column[1:] for column in columns], lines[1:]
    if names is not None and len(columns) == 1:
        raise DataFileError(path, "rows `name,label`", "one column")
    parts = [_int64(column) for column in columns] or [np.empty(0, np.int64)]
    return parts[-1], parts[0] if len(parts) == 2 else None, lambda i: f"in line {lines[i]}"


def _cells(text: str, separator: str | None) -> list[str]:
    """Split a row with a name, which may hold the separator in quotes; a space is one, too."""
    if separator is None:
        return text.rsplit(maxsplit=1)
    try:
        return next(csv.reader([text], delimiter=separator, skipinitialspace=True))
    except csv.Error:  # a character that is none
        return [text]


def _no_row(
    path: Path, columns: list["array[int]"], fields: list[str], found: str, names: "_Names | None"
) -> DataFileError:
    """Return the error about a line that is no row like the others."""
    if names is not None:
        return DataFileError(path, "rows `name,label` with an integer label", found)
    expected = f"{('rows `label`', 'rows `index,label`')[len(columns) - 1]} of integers"
    is_named = [_INTEGER.fullmatch(field) is not None for field in fields] == [False, True]
    hint = " (`match` finds examples by file name)" if is_named else ""
    return DataFileError(path, expected + hint, found)


def _is_header(fields: list[str], names: "_Names | None") -> bool:
    """Return whether a first line holds words, or stands beside a column without a name."""
    if names is not None:
        return not _INTEGER.fullmatch(fields[-1])
    return fields[0] == "" or not any(map(_INTEGER.fullmatch, fields))


def _first_is_header(
    path: Path, first: list[str], lines: "array[int]", num_examples: int | None
) -> bool:
    """Return whether a first line of numbers, read as a row, is a header after all."""
    rows = len(lines)
    if num_examples is not None:
        return rows == num_examples + 1 and all(map(_INTEGER.fullmatch, first))
    # pandas writes 0 above a column that has no name.
    unclear = path.suffix.lower() == ".csv" and first == ["0"] and rows > 1
    if unclear:
        warnings.warn(
            f"{path}: the first line, 0, is read as the header that pandas writes over a column "
            f"without a name, so {rows - 1} labels follow; if it is a label, pass `header=False`, "
            "or `num_examples`, which decides.",
            stacklevel=4,
        )
    return unclear


def _check_header(path: Path, fields: list[str], text: str) -> None:
    """Refuse columns that are too many, or in the order that would confuse the two."""
    if len(fields) > 2 or (len(fields) == 2 and fields[0].lower() in _NAMES):
        found = f"the header {quoted(text)}"
        raise DataFileError(path, "columns `label` or `index,label`", found)


class _Names:
    """Paths of files, found by their ends."""

    def __init__(self, match: Any) -> None:
        listed = (getattr(match, name, None) for name in ("samples", "imgs", "paths"))
        entries = next((each for each in listed if each is not None), match)
        paths = [_path_in(entry) for entry in entries] if isinstance(entries, Sequence) else []
        known = [path for path in paths if path is not None]
        if not known or len(known) < len(paths) or isinstance(entries, str):
            raise TypeError(
                "`match` must list paths of files as `samples`, `imgs`, or `paths`, or be a list "
                f"of them, got {type(match).__name__}."
            )
        self._paths = [_steps(path) for path in known]
        self._ends: dict[int, dict[str, int]] = {}

    def position(self, path: Path, name: str, line: int) -> str:
        """Return where the one path stands that ends so, as the fields of a row have it."""
        steps = _steps(name)
        at = self._ending(len(steps)).get("/".join(steps))
        if at is None:
            expected = f"names of the {len(self._paths)} files in `match`"
            raise DataFileError(path, expected, f"{quoted(name)} in line {line}")
        if at < 0:
            expected = "names that each are the end of one path in `match`"
            raise DataFileError(path, expected, f"{quoted(name)} in line {line}, of several")
        return str(at)

    def _ending(self, k: int) -> dict[str, int]:
        """Return the position of each path by its last ``k`` steps; -1 if several end so."""
        if k not in self._ends:
            found: dict[str, int] = {}
            for position, steps in enumerate(self._paths):
                if 0 < k <= len(steps):
                    end = "/".join(steps[-k:])
                    found[end] = -1 if end in found else position
            self._ends[k] = found
        return self._ends[k]


def _path_in(entry: Any) -> str | None:
    """Return the path in an entry, which is a path or begins with one."""
    if isinstance(entry, tuple | list) and entry:
        entry = entry[0]
    path = os.fspath(entry) if isinstance(entry, str | os.PathLike) else None
    return path if isinstance(path, str) else None


def _steps(path: str) -> list[str]:
    return [step for step in path.replace("\\", "/").split("/") if step not in ("", ".")]


class _Pairs(list[tuple[str, Any]]):
    """The members of an object, with the repeated ones that a dictionary would swallow."""


def _read_json(path: Path) -> tuple[Labels, Ids | None]:
    """Read labels, and example numbers if the file has them."""
    with opened(path, _JSON) as file:
        size = path.stat().st_size
        if size > _LARGEST:
            raise DataFileError(path, f"at most {_LARGEST:,} bytes of JSON", f"{size:,}")
        labels, ids = array("q"), array("q")
        numbered = False
        for text in _pieces(path, file):
            content = _parsed(path, text)
            numbered = isinstance(content, _Pairs)
            if numbered:
                _extend(path, ids, [_id(path, key) for key, _ in content])
                content = [label for _, label in content]
            _extend(path, labels, content)
    return _int64(labels), _int64(ids) if numbered else None


def _pieces(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Cut a long list or object at commas into short ones, which take less memory to parse."""
    text = file.read(_PIECE)
    if len(text) < _PIECE:
        yield text
        return
    text = text.removeprefix(b"\xef\xbb\xbf").lstrip()
    start, text = text[:1], text[1:]
    end = {b"[": b"]", b"{": b"}"}.get(start)
    if end is None:
        raise DataFileError(path, _JSON, f"{text[:60]!r}")
    while block := file.read(_PIECE):
        head, comma, tail = text.rpartition(b",")
        if not comma or not head.strip():
            raise DataFileError(path, _JSON, f"no label in {text[:60]!r}")
        yield start + head + end
        text = tail + block
    if text.strip() == end:
        raise DataFileError(path, _JSON, "a comma at its end")
    yield start + text


def _parsed(path: Path, text: bytes) -> list[Any]:
    try:
        content = json.loads(text, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        found = f"{error.msg} in line {error.lineno}, column {error.colno}"
        raise DataFileError(path, _JSON, found) from None
    except (ValueError, RecursionError, MemoryError) as error:  # no Unicode; nested without end
        raise DataFileError(path, _JSON, f"unreadable data ({error})") from None
    if not isinstance(content, list):
        raise DataFileError(path, _JSON, _shown(content))
    return content


def _id(path: Path, key: str) -> int:
    if not _NUMBER.fullmatch(key):
        raise DataFileError(path, "example numbers as keys", f"the key {key[:60]!r}")
    return int(key)


def _extend(path: Path, column: "array[int]", values: list[Any]) -> None:
    if not set(map(type, values)) <= {int}:  # True is no label, and neither is 3.0
        i = next(i for i, value in enumerate(values) if type(value) is not int)
        found = f"{_shown(values[i])} at position {len(column) + i}"
        raise DataFileError(path, "labels that are integers", found)
    try:
        column.extend(values)
    except OverflowError:
        found = f"{max(values, key=abs)}"[:60]
        raise DataFileError(path, "integers of 64 bits", found) from None


def _shown(value: Any) -> str:
    try:
        return f"{str(value)[:60]!r}"
    except RecursionError:
        return "nested lists"


def _int64(column: "array[int]") -> Labels:
    return np.frombuffer(column, np.int64) if column else np.empty(0, np.int64)
