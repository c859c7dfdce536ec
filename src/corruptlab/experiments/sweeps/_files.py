"""Small JSON files that several processes write: each is whole, or not there at all."""

import hashlib
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from corruptlab._errors import DataFileError
from corruptlab.experiments.sweeps._encoding import Json, canonical

FORMAT = 1
_STALE_SECONDS = 3600.0  # nobody takes an hour to write one of these files


def publish(path: Path, record: dict[str, Any], *, durable: bool = True) -> bool:
    """Write a file that is not there yet; of several writers the first wins.

    Args:
        path: Where to.
        record: What ``read`` gives back.
        durable: Whether it shall outlast a power cut from now on.

    Returns:
        Whether this call wrote it.
    """
    temporary = _written_beside(path, record, durable=durable)
    try:
        os.link(temporary, path)
    except FileExistsError:
        if temporary.stat().st_nlink < 2:  # or else it is this file: the answer of a network file
            return False  # system was lost, and the request was made again
    except OSError:  # a file system without hard links: the last writer wins, with the same trial
        if path.exists():
            return False
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent, durable=durable)
    return True


def replace(path: Path, record: dict[str, Any]) -> None:
    """Write a file, over an older one if there is one.

    Args:
        path: Where to.
        record: What ``read`` gives back.
    """
    temporary = _written_beside(path, record, durable=True)
    try:
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent, durable=True)


def read(path: Path, expected: str) -> dict[str, Any]:
    """Read a file and compare its checksum.

    Args:
        path: The file.
        expected: What error messages call it.

    Returns:
        What was written.

    Raises:
        DataFileError: If it is missing, was cut short, was changed, or is something else.
    """
    try:
        record = json.loads(path.read_bytes())
        told, version = record.pop("sha256"), record.pop("format")
    except FileNotFoundError:
        raise DataFileError(path, expected, "no such file") from None
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise DataFileError(path, expected, "a file that is damaged, or another") from None
    if version != FORMAT:
        raise DataFileError(path, f"{expected} in format {FORMAT}", f"format {version}")
    if told != digest(record):
        raise DataFileError(path, expected, "contents that do not have its checksum")
    found: dict[str, Any] = record
    return found


def digest(value: Json) -> str:
    """Return what tells one JSON value from others: SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def throw_away_partial(folder: Path) -> None:
    """Remove what killed writers have left; what living ones write is younger."""
    for path in folder.glob(".*.tmp"):
        try:
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()
        except FileNotFoundError:  # its writer has just finished
            continue


def _written_beside(path: Path, record: dict[str, Any], *, durable: bool) -> Path:
    whole = {"format": FORMAT, "sha256": digest(record), **record}
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(whole, file, indent=1, allow_nan=False)
            file.write("\n")
            file.flush()
            if durable:
                os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _sync(folder: Path, *, durable: bool) -> None:
    """See the name of a new file to the disk, where the system can."""
    if not durable or os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
