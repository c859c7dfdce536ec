"""Labels from a JSON list, or from an object of example number and label."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from corruptlab._errors import DataFileError
from corruptlab._types import Ids, Labels

_EXPECTED = "a JSON list of labels, or an object of example number and label"
_LARGEST = 1 << 28  # bytes of text: some 90 million labels
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


class _Pairs(list[tuple[str, Any]]):
    """The members of an object, with the repeated ones that a dictionary would swallow."""


def read_json(path: Path) -> tuple[Labels, Ids | None]:
    """Read labels, and example numbers if the file has them.

    Args:
        path: The file.

    Returns:
        Labels, and example numbers or None.

    Raises:
        DataFileError: If the file is too large, is not JSON, or holds anything else.
    """
    size = path.stat().st_size
    if size > _LARGEST:
        raise DataFileError(path, f"at most {_LARGEST:,} bytes of JSON", f"{size:,}")
    try:
        content = json.loads(path.read_bytes(), object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        found = f"{error.msg} in line {error.lineno}, column {error.colno}"
        raise DataFileError(path, _EXPECTED, found) from None
    except (ValueError, RecursionError) as error:  # not Unicode; numbers or brackets without end
        raise DataFileError(path, _EXPECTED, f"what cannot be read ({error})") from None
    if isinstance(content, _Pairs):
        ids = [_id(path, key) for key, _ in content]
        return _labels(path, [label for _, label in content]), _int64(path, ids)
    if isinstance(content, list):
        return _labels(path, content), None
    raise DataFileError(path, _EXPECTED, f"{str(content)[:60]!r}")


def _id(path: Path, key: str) -> int:
    if not _NUMBER.fullmatch(key):
        raise DataFileError(path, "example numbers as keys", f"the key {key[:60]!r}")
    return int(key)


def _labels(path: Path, values: list[Any]) -> Labels:
    for position, value in enumerate(values):
        if type(value) is not int:  # True is no label, and neither is 3.0
            found = f"{str(value)[:60]!r} at position {position}"
            raise DataFileError(path, "labels that are integers", found)
    return _int64(path, values)


def _int64(path: Path, values: list[int]) -> Labels:
    try:
        return np.array(values, np.int64)
    except OverflowError:
        found = f"{max(values, key=abs)}"[:60]
        raise DataFileError(path, "integers of 64 bits", found) from None
