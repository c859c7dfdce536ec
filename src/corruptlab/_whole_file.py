"""Files that are written in one act: at any moment the old one or the new one is there, whole."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file beside another, see it to the disk, and put it in that one's place.

    Args:
        path: The file to replace, or to write for the first time; its folder is there.

    Yields:
        Where to write what it shall hold: a hidden name with the same suffix, which no other
        process takes.

    Raises:
        OSError: If that fails; after this, and any other error, an earlier file is still there.
    """
    beside = path.with_name(f".{path.stem}.{uuid.uuid4().hex}{path.suffix}")
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file in one act, as UTF-8.

    Args:
        path: The file; its folder is there.
        text: What it shall hold.

    Raises:
        OSError: If that fails; an earlier file is then still there.
    """
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8")
