"""What has been measured on which machine, kept as one JSON file a table or figure."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from corruptlab._errors import DataFileError
from corruptlab.experiments.paper._exhibit import Exhibit
from corruptlab.experiments.paper._exhibits import exhibit as exhibit_of
from corruptlab.experiments.paper._measurement import Measurement

_EXPECTED = "a list of measurements"


def kept_results(folder: str | os.PathLike[str], what: str | Exhibit) -> tuple[Measurement, ...]:
    """Read what has been measured for a table or figure.

    Args:
        folder: Folder of the files, such as ``docs/results``.
        what: Name of the table or figure, or the thing itself.

    Returns:
        The measurements, in the order of the rows; none if there is no file.

    Raises:
        DataFileError: If the file is damaged, or names a row that is not there.

    Example:
        >>> import tempfile
        >>> from corruptlab.experiments import paper
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     paper.kept_results(folder, "table1")
        ()
    """
    exhibit = exhibit_of(what) if isinstance(what, str) else what
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
    return tuple(sorted(found, key=lambda each: (names.index(each.row), each.machine, each.seed)))


def keep_results(
    folder: str | os.PathLike[str], what: str | Exhibit, found: Iterable[Measurement]
) -> Path:
    """Add measurements to those that are kept; each replaces one of its row, seed, and machine.

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
    exhibit = exhibit_of(what) if isinstance(what, str) else what
    path = _path(folder, exhibit)
    kept = {each.key: each for each in (*kept_results(folder, exhibit), *found)}
    names = [row.name for row in exhibit.rows]
    ordered = sorted(kept.values(), key=lambda e: (names.index(e.row), e.machine, e.seed))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        values = [each.to_dict() for each in ordered]
        temporary.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _path(folder: str | os.PathLike[str], exhibit: Exhibit) -> Path:
    return Path(folder).expanduser() / f"{exhibit.name}.json"
