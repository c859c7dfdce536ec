"""Labels from a table of one column, or of two: example and label."""

import re
from array import array
from pathlib import Path

import numpy as np

from corruptlab._errors import DataFileError
from corruptlab._types import Ids, Labels
from corruptlab.datasets._lines import numbered_lines, quoted

_INTEGER = re.compile(r"[+-]?[0-9]+")


def read_csv(path: Path) -> tuple[Labels, Ids | None, Ids]:
    """Read a comma-separated table of labels, with or without a header.

    Args:
        path: The file; its rows are ``label``, or ``index,label``.

    Returns:
        Labels, example numbers if there are two columns, and the line of each row.

    Raises:
        DataFileError: If a line is neither a row of integers nor a header.
    """
    columns: list[array[int]] = []
    lines = array("q")
    for number, text in numbered_lines(path):
        fields = [field.strip().strip('"') for field in text.split(",")]
        if number == 1 and not any(map(_INTEGER.fullmatch, fields)):
            _check_header(path, fields)
            columns = [array("q") for _ in fields]
            continue
        columns = columns or [array("q") for _ in fields[:2]]
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
    parts = [np.array(column, np.int64) for column in columns] or [np.empty(0, np.int64)]
    return parts[-1], parts[0] if len(parts) == 2 else None, np.array(lines, np.int64)


def _check_header(path: Path, fields: list[str]) -> None:
    """Refuse columns that are too many, or in the order that would confuse the two."""
    first = fields[0].lower()
    swapped = len(fields) == 2 and first in ("label", "labels", "target", "targets", "y", "class")
    if len(fields) > 2 or swapped:
        found = f"the header {quoted(','.join(fields))}"
        raise DataFileError(path, "columns `label` or `index,label`", found)
