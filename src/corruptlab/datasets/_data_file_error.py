"""The one error for a file of a data set that is missing or not what it should be."""

import os
from pathlib import Path


class DataFileError(ValueError):
    """A file of a data set is missing, truncated, or not what it should be.

    Args:
        path: The file or folder in question.
        expected: What the reader looked for.
        found: What is there instead.

    Attributes:
        path: The file or folder, as a ``Path``.
        expected: What the reader looked for.
        found: What is there instead.

    Example:
        >>> print(DataFileError("train.gz", expected="a whole gzip stream", found="an empty file"))
        train.gz: expected a whole gzip stream, found an empty file.
    """

    def __init__(self, path: str | os.PathLike[str], expected: str, found: str) -> None:
        super().__init__(os.fspath(path), expected, found)  # so that it pickles
        self.path, self.expected, self.found = Path(path), expected, found

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, found {self.found}."


def listing(folder: Path, most: int = 8) -> str:
    """Say in a few words what a folder holds, for the "found" part of an error."""
    if not folder.is_dir():
        return "a file" if folder.exists() else "no such folder"
    names = sorted(entry.name for entry in folder.iterdir())
    if not names:
        return "an empty folder"
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return f"only {', '.join(names[:most])}{more}"
