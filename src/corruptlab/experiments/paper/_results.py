"""What has been measured on which machine, kept as one JSON file a table or figure."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from corruptlab._errors import DataFileError
from corruptlab._io import write_whole
from corruptlab.experiments.paper._exhibit import Exhibit
from corruptlab.experiments.paper._exhibits import exhibit as exhibit_of
from corruptlab.experiments.paper._measurement import Measurement

if sys.platform != "win32":
    import fcntl

_EXPECTED = "a list of measurements"


def kept_results(folder: str | os.PathLike[str], what: str | Exhibit) -> tuple[Measurement, ...]:
    """Read what has been measured for a table or figure.

    Args:
        folder: Folder of the files, such as ``docs/results``.
        what: Name of the table or figure, or the thing itself.

    Returns:
        The measurements, in the order of the rows; none if there is no file.

    Raises:
        DataFileError: If the file is damaged, names a row that is not there, or holds a
            measurement twice.

    Example:
        >>> import tempfile
        >>> from corruptlab.experiments import paper
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     paper.kept_results(folder, "table1")
        ()
    """
    exhibit = exhibit_of(what)
    path = _path(folder, exhibit)
    try:
        found = [Measurement.from_dict(each) for each in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return ()
    except (ValueError, TypeError, AttributeError) as error:
        raise DataFileError(path, _EXPECTED, f"something else ({error})") from None
    names = [row.name for row in exhibit.rows]
    for each in found:
        if each.row not in names:
            raise DataFileError(path, f"rows of {exhibit.name}", f"{each.row!r}")
    if twice := [key for key, times in Counter(each.key for each in found).items() if times > 1]:
        raise DataFileError(path, "each measurement once", f"{twice[0]} more often")
    return tuple(_ordered(exhibit, found))


def keep_results(
    folder: str | os.PathLike[str], what: str | Exhibit, found: Iterable[Measurement]
) -> Path:
    """Add measurements to those that are kept, which other processes may do at the same time.

    Each replaces one of its row, seed, machine, and sample.

    Args:
        folder: Folder of the files; it is made if it is not there.
        what: Name of the table or figure, or the thing itself.
        found: The measurements.

    Returns:
        The file, which is written in one act.

    Raises:
        DataFileError: If the file that is there is damaged.

    Example:
        >>> import tempfile
        >>> from corruptlab.experiments import paper
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     paper.keep_results(folder, "table1", []).name
        'table1.json'
    """
    exhibit = exhibit_of(what)
    path = _path(folder, exhibit)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(path.parent):
        kept = {each.key: each for each in (*kept_results(folder, exhibit), *found)}
        values = [each.to_dict() for each in _ordered(exhibit, kept.values())]
        write_whole(path, json.dumps(values, indent=1, allow_nan=False) + "\n")
    return path


def _ordered(exhibit: Exhibit, found: Iterable[Measurement]) -> list[Measurement]:
    names = [row.name for row in exhibit.rows]
    return sorted(found, key=lambda each: (names.index(each.row), *each.key[2:], each.seed))


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process is at work on a folder, where the system can tell."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # such as a network file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # which lets the next one in


def _path(folder: str | os.PathLike[str], exhibit: Exhibit) -> Path:
    return Path(folder).expanduser() / f"{exhibit.name}.json"
