"""The file of a run, and how runs are put together."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._records import KINDS, Entry
from corruptlab._io import write_whole

SCHEMA = 1


class Skipped(NamedTuple):
    """A benchmark that did not run.

    Args:
        test: Its name.
        reason: What it lacks.
    """

    test: str
    reason: str


class SummaryError(Exception):
    """A file is none that benchmarks wrote."""


def write(path: Path, entries: Iterable[Entry], skipped: Iterable[Skipped] = ()) -> None:
    """Write a summary as JSON, in one act."""
    values = {
        "kind": "benchmarks",
        "schema": SCHEMA,
        "entries": [entry.to_dict() for entry in entries],
        "skipped": [each._asdict() for each in skipped],
    }
    text = json.dumps(values, indent=1, allow_nan=False, ensure_ascii=False)
    write_whole(path, text + "\n")


def read(path: Path) -> list[Entry]:
    """Read the entries of a summary.

    Raises:
        SummaryError: If there is no such file, or it is another one.
    """
    values = _parsed(path)
    if not isinstance(values, dict) or values.get("kind") != "benchmarks":
        raise SummaryError(f"{path} must be a summary of benchmarks, got another JSON file.")
    if values.get("schema") != SCHEMA:
        raise SummaryError(f"{path} must have schema {SCHEMA}, got {values.get('schema')!r}.")
    try:
        return [KINDS[entry["kind"]].read(entry) for entry in values["entries"]]
    except (KeyError, TypeError) as error:
        raise SummaryError(f"{path} must hold whole entries, got one without {error}.") from error


def merged(kept: Sequence[Entry], new: Iterable[Entry]) -> list[Entry]:
    """Put entries measured again in the places of the old ones, and the others at the end.

    The same are entries of one machine with the same group, name, and alternative.
    """
    entries = {entry.key: entry for entry in kept}
    entries.update({entry.key: entry for entry in new})
    return list(entries.values())


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SummaryError(f"{path} must be a file, got {error.strerror}.") from error
    except ValueError as error:
        raise SummaryError(f"{path} must be JSON, got {error}.") from error
