"""Atomic writes: at any moment a file is the old one or the new one, whole."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a hidden path beside ``path``; at the end, sync what was written and rename it."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: expected a folder to write to, found no {path.parent}.")
    # A name that no other process takes, with the suffix that tells writers the format.
    beside = path.with_name(f".{path.stem}.{uuid.uuid4().hex}{path.suffix}")
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8."""
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8")
