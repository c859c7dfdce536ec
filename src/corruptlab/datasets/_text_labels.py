"""Labels from text: a table of one or two columns, or JSON."""

import json
import re
import warnings
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from corruptlab._data_files import MOST_LABELS, numbered_lines, opened, quoted
from corruptlab._errors import DataFileError
from corruptlab._types import Ids, Labels

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_NAMES = ("label", "labels", "target", "targets", "y", "class")
_JSON = "a JSON list of labels, or an object of example number and label"
_LARGEST = 1 << 28  # bytes of JSON: some 90 million labels
_PIECE = 1 << 20  # bytes of JSON that are parsed at once


def read_table(path: Path, header: bool | None) -> tuple[Labels, Ids | None, Ids]:
    """Read rows ``label`` or ``index,label``: labels, example numbers, and the line of each row."""
    columns: list[array[int]] = []
    lines = array("q")
    separator, unclear = None, None
    for number, text in numbered_lines(path):
        first = not columns
        if first:
            separator = next((each for each in ",;\t" if each in text), None)
        fields = [field.strip().strip('"') for field in text.split(separator or "\n")]
        if first:
            columns = [array("q") for _ in fields[:2]]
            unclear = header is None and path.suffix.lower() == ".csv" and fields == ["0"]
            named = _is_header(fields) if header is None else header
            if named or unclear:
                _check_header(path, fields, text)
                continue
        if len(fields) != len(columns) or not all(map(_INTEGER.fullmatch, fields)):
            expected = ("rows `label`", "rows `index,label`")[len(columns) - 1]
            raise DataFileError(path, f"{expected} of integers", f"{quoted(text)} in line {number}")
        try:
            for column, field in zip(columns, fields, strict=True):
                column.append(int(field))
        except OverflowError:
            found = f"{quoted(text)} in line {number}"
            raise DataFileError(path, "integers of 64 bits", found) from None
        lines.append(number)
        if len(lines) > MOST_LABELS:
            raise DataFileError(path, f"at most {MOST_LABELS:,} labels", "more")
    if unclear and lines:
        warnings.warn(
            f"{path}: the first line, 0, is read as the header that pandas writes over a column "
            "without a name; pass `header=False` if it is a label, or `header=True`.",
            stacklevel=4,
        )
    elif unclear:  # nothing below it
        columns[0].append(0)
        lines.append(1)
    parts = [_int64(column) for column in columns] or [np.empty(0, np.int64)]
    return parts[-1], parts[0] if len(parts) == 2 else None, _int64(lines)


def _is_header(fields: list[str]) -> bool:
    """Return whether a first line holds names: words, or numbers beside a column without one."""
    return fields[0] == "" or not any(map(_INTEGER.fullmatch, fields))


def _check_header(path: Path, fields: list[str], text: str) -> None:
    """Refuse columns that are too many, or in the order that would confuse the two."""
    if len(fields) > 2 or (len(fields) == 2 and fields[0].lower() in _NAMES):
        found = f"the header {quoted(text)}"
        raise DataFileError(path, "columns `label` or `index,label`", found)


class _Pairs(list[tuple[str, Any]]):
    """The members of an object, with the repeated ones that a dictionary would swallow."""


def read_json(path: Path) -> tuple[Labels, Ids | None]:
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
        raise DataFileError(path, _JSON, f"what cannot be read ({error})") from None
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
