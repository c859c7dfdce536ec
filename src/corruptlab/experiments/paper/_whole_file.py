"""Write a text file in one act."""

import os
import uuid
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a file over an older one: at any moment the one or the other is there, whole.

    Args:
        path: Where to; its folder is there.
        text: What it shall hold, written as UTF-8.

    Raises:
        OSError: If that fails; an earlier file is then still there.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
