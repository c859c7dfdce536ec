"""Tables of comma-separated values."""

import csv
import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from corruptlab._data_files import LARGEST, opened, quoted
from corruptlab._errors import DataFileError
from corruptlab.datasets._table import (
    INTEGER,
    Column,
    Table,
    as_numbers,
    coded,
    held_out,
    listed,
    split,
)

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_GAPS = frozenset(("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?"))
_MOST_CELLS = 1 << 25  # about 2 GB of Python's strings


def csv_table(
    path: str | os.PathLike[str], *, label: str | None = None, header: bool | None = None
) -> tuple[Table, Table]:
    r"""Read a table of numerical and categorical columns from a CSV file.

    Numerical columns are used as inputs. A categorical column is one-hot encoded: it is replaced by
    one column of zeros and ones for each of its categories, in sorted order, at most 100;
    ``columns`` names them ``"color=red"``. All columns are then standardized to mean 0 and standard
    deviation 1 over the training rows (a constant column becomes 0).

    The test set consists of one fifth of the rows of each class, rounded down, drawn with a fixed
    seed: the same file always gives the same split. Both parts keep the order of the file.

    Args:
        path: Path of the file, ``~`` is the home folder. The encoding is UTF-8; the separator is a
            comma, a semicolon, or a tab: the first of these that occurs in the first line. Blank
            lines are skipped.
        label: Name of the label column, or its position from 0 if the file has no header; by
            default, the last column. Labels are integers or strings; classes are in sorted order,
            integers by value.
        header: Whether the first row contains the names of the columns. By default, it does unless
            one of its cells is a number.

    Returns:
        Training rows and test rows.

    Raises:
        DataFileError: If the file is missing or empty; a cell is empty or marks a missing value
            (NA, N/A, n/a, NaN, nan, NULL, null, None, ?); rows differ in length; a column mixes
            numbers and strings, or contains numbers with a decimal comma; the label column does not
            exist, or has fewer than two classes; or names are missing or repeated. The message
            contains the line.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "pets.csv"
        ...     _ = path.write_text("weight,color,kind\n" + "4.5,red,cat\n30,black,dog\n" * 10)
        ...     train, test = csv_table(path)
        >>> train
        Table('pets.csv': 16 rows of 3 numbers, 2 classes)
        >>> train.columns, train.classes, len(test)
        (('weight', 'color=black', 'color=red'), ('cat', 'dog'), 4)
    """
    path = Path(path).expanduser()
    names, cells, lines = _read(path, header)
    chosen = names[-1] if label is None else label
    if chosen not in names:
        raise DataFileError(path, f"a label column {chosen!r}", listed(names))
    if len(names) < 2:
        raise DataFileError(path, "a column beside that of the labels", "none")
    by_name = {name: [row[k] for row in cells] for k, name in enumerate(names)}
    classes_of = by_name.pop(chosen)
    _check_labels(path, chosen, classes_of, lines, is_named=label is not None)
    labels, classes = coded(path, classes_of)
    test = held_out(path, labels)
    typed = {name: _typed(path, name, texts, lines) for name, texts in by_name.items()}
    inputs, columns = as_numbers(path, typed, test, lambda i: f"in line {lines[i]}")
    return split(inputs, labels, test, classes=classes, columns=columns, name=path.name)


def _read(path: Path, header: bool | None) -> tuple[list[str], list[list[str]], list[int]]:
    """Return the names of the columns, the cells of each row, and the lines of the rows."""
    with opened(path, "a CSV file") as file:
        if path.stat().st_size > LARGEST:
            raise DataFileError(path, f"at most {LARGEST:,} bytes", f"{path.stat().st_size:,}")
        rows = _rows(path, file)
        line, names = next(rows, (0, []))
        if not names:
            raise DataFileError(path, "a table", "an empty file")
        if header if header is not None else not any(map(_NUMBER.fullmatch, names)):
            _check_names(path, names)
        else:
            rows = chain([(line, names)], rows)
            names = [str(k) for k in range(len(names))]
        cells, lines = [], []
        for line, row in rows:
            _check_row(path, names, row, line)
            cells.append(row)
            lines.append(line)
            if len(cells) * len(names) > _MOST_CELLS:
                raise DataFileError(path, f"at most {_MOST_CELLS:,} cells", "more")
    if not cells:
        raise DataFileError(path, "a row below the names of the columns", "none")
    return names, cells, lines


def _rows(path: Path, file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the cells of each row that is not blank."""
    texts = _decoded(path, file)
    head = []  # to the first line that is not blank
    for text in texts:
        head.append(text)
        if text.strip():
            break
    separator = next((each for each in ",;\t" if each in "".join(head)), ",")
    reader = csv.reader(chain(head, texts), delimiter=separator, strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if cells not in ([], [""]):
                yield reader.line_num, cells
    except csv.Error as error:
        found = f"{error}, line {reader.line_num}"
        raise DataFileError(path, "comma-separated values", found) from None


def _decoded(path: Path, file: BinaryIO) -> Iterator[str]:
    for number, raw in enumerate(file, 1):
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise DataFileError(path, "UTF-8 text", f"other bytes in line {number}") from None


def _check_names(path: Path, names: list[str]) -> None:
    for k, name in enumerate(names):
        if not name:
            raise DataFileError(
                path,
                "a name for every column",
                f"none for column {k} (an index? write the file without)",
            )
        if name in names[:k]:
            raise DataFileError(path, "different names of the columns", f"{name!r} twice")


def _check_row(path: Path, names: list[str], row: list[str], line: int) -> None:
    if len(row) != len(names):
        raise DataFileError(path, f"{len(names)} cells in every row", f"{len(row)} in line {line}")
    for name, cell in zip(names, row, strict=True):
        if cell in _GAPS:
            found = f"{quoted(cell)} in column {name!r}, line {line}"
            raise DataFileError(path, "a value in every cell", found)


def _check_labels(
    path: Path, name: str, labels: list[str], lines: list[int], *, is_named: bool
) -> None:
    """Refuse the targets of a regression, and classes that are written as if they were some."""
    for label, line in zip(labels, lines, strict=True):
        if _NUMBER.fullmatch(label) and not INTEGER.fullmatch(label):
            hints = [] if is_named else ["the last column; another can be named"]
            if all(_NUMBER.fullmatch(each) and float(each).is_integer() for each in labels):
                hints.append("write classes without a decimal point")
            found = f"{label} in line {line}" + (f" ({'; '.join(hints)})" if hints else "")
            raise DataFileError(path, f"integers or texts as labels in column {name!r}", found)


def _typed(path: Path, name: str, cells: list[str], lines: list[int]) -> Column:
    """Return cells as numbers, or as they are if none of them is a number."""
    are_numbers = [_NUMBER.fullmatch(cell) is not None for cell in cells]
    if all(are_numbers):
        return [float(cell) for cell in cells]
    if any(are_numbers):
        number, text = are_numbers.index(True), are_numbers.index(False)
        raise DataFileError(
            path,
            f"either numbers or texts in column {name!r}",
            f"{cells[number]} in line {lines[number]} and {quoted(cells[text])} "
            f"in line {lines[text]}",
        )
    if all(map(_DECIMAL_COMMA.fullmatch, cells)):
        found = f"{quoted(cells[0])} in line {lines[0]}"
        raise DataFileError(path, f"numbers with a decimal point in column {name!r}", found)
    return cells
