"""Text files line by line, with nothing taken on trust."""

from collections.abc import Iterator
from pathlib import Path

from corruptlab._errors import DataFileError

_LONGEST = 4096  # bytes, so that a file without line ends does not fill the memory


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number (from 1) and the text of each line that is not blank.

    Args:
        path: A UTF-8 file; a byte order mark at its start is skipped.

    Yields:
        Line number, and the line without white space around it.

    Raises:
        DataFileError: If the file cannot be opened, or a line is no text or too long.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        found = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise DataFileError(path, "a text file", found) from None
    with file:
        number = 0
        while raw := file.readline(_LONGEST + 1):
            number += 1
            if len(raw) > _LONGEST:
                raise DataFileError(
                    path, f"lines of at most {_LONGEST:,} bytes", f"a longer one, line {number}"
                )
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError:
                raise DataFileError(path, "UTF-8 text", f"other bytes in line {number}") from None
            if text:
                yield number, text


def quoted(text: str, most: int = 60) -> str:
    """Quote a piece of a file, no more of it than a message can hold."""
    return repr(text) if len(text) <= most else f"{text[:most]!r}..."
