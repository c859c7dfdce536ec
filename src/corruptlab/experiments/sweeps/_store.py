"""The folder of a sweep: one file for each trial that is finished, one for each that failed."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from corruptlab._errors import DataFileError
from corruptlab.experiments.sweeps import _files
from corruptlab.experiments.sweeps._encoding import Json
from corruptlab.experiments.sweeps._trials import Trial

_HEADER = "sweep.json"
_SWEEP, _TRIAL, _FAILURE = "a sweep's header", "a finished trial of a sweep", "a failed trial"


class Store:
    """What a sweep keeps.

    ``sweep.json`` names the function; ``trials``, ``failures`` and ``claims`` hold one file a
    trial, called by its id. A file of ``trials`` is written once and never again.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._trials, self._failures = folder / "trials", folder / "failures"
        self.claims = folder / "claims"

    @classmethod
    def opened(cls, out: str | os.PathLike[str], function: Json) -> "Store":
        """Make a folder the folder of a sweep, or go on with one.

        Args:
            out: The folder; it is made if it is not there.
            function: Identity of what is tried.

        Returns:
            The store.

        Raises:
            OSError: If nothing can be written there.
            ValueError: If it holds the sweep of another function, or anything else.
        """
        store = cls(_folder(out))
        header = store.folder / _HEADER
        if store.folder.exists() and not store.folder.is_dir():
            raise ValueError(f"`out` must be a folder, got {str(out)!r}, a file.")
        store.folder.mkdir(parents=True, exist_ok=True)
        if not header.exists():
            foreign = sorted(p.name for p in store.folder.iterdir() if not p.name.startswith("."))
            # Another sweep may begin in this very moment, with its header first.
            if foreign and not header.exists():
                raise ValueError(
                    "`out` must be a new folder or that of a sweep, "
                    f"got {str(out)!r}, which holds {foreign[0]}."
                )
            _files.publish(header, {"kind": "corruptlab sweep", "function": function})
        if (other := _function(header)) != function:
            raise ValueError(
                f"`out` must be a folder of this sweep alone, got {str(out)!r}, "
                f"which holds trials of {other}, not of {function}."
            )
        for each in (store._trials, store._failures, store.claims):
            each.mkdir(exist_ok=True)
            _files.throw_away_partial(each)
        return store

    @classmethod
    def of(cls, out: str | os.PathLike[str]) -> "Store":
        """Return the store in a folder, which is only read.

        Args:
            out: The folder.

        Returns:
            The store.

        Raises:
            DataFileError: If it is no folder of a sweep.
        """
        store = cls(_folder(out))
        _function(store.folder / _HEADER)
        return store

    def path(self, trial: str) -> Path:
        """Return where the result of a trial is kept."""
        return self._trials / f"{trial}.json"

    def failure_path(self, trial: str) -> Path:
        """Return where the failure of a trial is kept."""
        return self._failures / f"{trial}.json"

    def ids(self) -> list[str]:
        """Return the names of the finished trials."""
        return sorted(path.stem for path in self._trials.glob("[0-9a-f]*.json"))

    def result(self, trial: str) -> dict[str, Any]:
        """Read a finished trial.

        Args:
            trial: Its name.

        Returns:
            Its settings, result, and circumstances.

        Raises:
            DataFileError: If the file is missing or damaged, or has the name of another trial.
        """
        record = _files.read(self.path(trial), _TRIAL)
        if record.get("id") != trial:
            raise DataFileError(self.path(trial), _TRIAL, f"the trial {record.get('id')}")
        return record

    def put_aside_damaged(self, trial: str) -> DataFileError | None:
        """Rename the file of a trial if it is damaged, so that the trial can be run again.

        Args:
            trial: Its name.

        Returns:
            What is wrong with it, or None.
        """
        try:
            self.result(trial)
        except DataFileError as error:
            path = self.path(trial)
            with suppress(FileNotFoundError):  # another sweep has seen it, too
                path.replace(path.with_suffix(".damaged"))
            return error
        return None

    def finish(self, trial: Trial, result: Json, execution: dict[str, Any]) -> bool:
        """Keep a result; if another sweep was faster, its one stays.

        Args:
            trial: The trial.
            result: What it returned.
            execution: With what, where, and how long.

        Returns:
            Whether this result is the one that is kept.
        """
        record = {
            "id": trial.id,
            "settings": trial.encoded,
            "result": result,
            "execution": execution,
        }
        first = _files.publish(self.path(trial.id), record)
        self.forget_failure(trial.id)
        return first

    def forget_failure(self, trial: str) -> None:
        """Remove the failure of a trial that is finished, if there is one."""
        self.failure_path(trial).unlink(missing_ok=True)

    def fail(self, trial: Trial, attempts: list[dict[str, Any]]) -> None:
        """Keep what went wrong, for every attempt.

        Args:
            trial: The trial.
            attempts: Error, traceback, and circumstances of each.
        """
        record = {"id": trial.id, "settings": trial.encoded, "attempts": attempts}
        _files.replace(self.failure_path(trial.id), record)

    def failure(self, trial: str) -> dict[str, Any]:
        """Read a failure.

        Args:
            trial: Name of the trial.

        Returns:
            Its settings and attempts.

        Raises:
            DataFileError: If the file is missing or damaged.
        """
        return _files.read(self.failure_path(trial), _FAILURE)

    def failed_at(self, trial: str) -> int | None:
        """Return a mark of the moment when a failure was written, or None if there is none."""
        try:
            return self.failure_path(trial).stat().st_mtime_ns
        except FileNotFoundError:
            return None


def _folder(out: str | os.PathLike[str]) -> Path:
    return Path(out).expanduser().absolute()  # a trial may change the working directory


def _function(header: Path) -> Any:
    record = _files.read(header, _SWEEP)
    if record.get("kind") != "corruptlab sweep":
        raise DataFileError(header, _SWEEP, "something else")
    return record["function"]
