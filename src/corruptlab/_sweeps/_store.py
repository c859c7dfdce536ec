"""The folder of a sweep: results, failures, and claims, each in a file that is whole or absent."""

import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from corruptlab._errors import DataFileError
from corruptlab._json import Json, check_regular_file, decode, digest, identity_of, read_json
from corruptlab._sweeps._grid import Function, Trial

FORMAT = 1
LAPSE_SECONDS = 60.0
"""How long a claim of another machine may show no sign of life."""

_BEATS = 6  # signs of life in that time
_STALE_SECONDS = 3600.0  # writing one of these files never takes an hour
_HEADER = "sweep.json"
_SWEEP, _TRIAL, _FAILURE = "a sweep's header", "a finished trial of a sweep", "a failed trial"
_CLAIM = "a sweep's claim"
_ERROR = ("kind", "message", "traceback")


class Store:
    """What a sweep keeps.

    ``sweep.json`` names the function; ``trials``, ``failures``, and ``claims`` hold one file for
    each trial, named by its id. A file in ``trials`` is written once and never again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder: Path = folder
        self._trials, self._failures = folder / "trials", folder / "failures"
        self.claims: Path = folder / "claims"
        self._folders = self._trials, self._failures, self.claims

    @classmethod
    def opened(cls, out: str | os.PathLike[str], trial: Function) -> "Store":
        """Begin a sweep of a function in a folder, or resume the one there."""
        store, function = cls(_folder(out)), identity_of(trial)
        header = store.folder / _HEADER
        if store.folder.exists() and not store.folder.is_dir():
            raise ValueError(f"`out` must be a folder, got {str(out)!r}, a file.")
        store.folder.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(header):
            foreign = sorted(p.name for p in store.folder.iterdir() if not p.name.startswith("."))
            # Another sweep may begin in this very moment, with its header first.
            if foreign and not os.path.lexists(header):
                raise ValueError(
                    "`out` must be a new folder or that of a sweep, "
                    f"got {str(out)!r}, which holds {foreign[0]}."
                )
            publish(header, {"kind": "corruptlab sweep", "function": function})
        if (other := _function(header)) != function:
            raise ValueError(
                f"`out` must be a folder of this sweep alone, got {str(out)!r}, "
                f"which holds trials of {other}, not of {function}."
            )
        with suppress(OSError):  # a read-only folder, in which all may be finished
            for each in store._folders:
                _remove_partial(each)
        return store

    @classmethod
    def of(cls, out: str | os.PathLike[str]) -> "Store":
        """Return the store in a folder, which is only read."""
        store = cls(_folder(out))
        _function(store.folder / _HEADER)
        return store

    def prepare(self) -> None:
        """Make the folders that trials are written to."""
        for each in self._folders:
            each.mkdir(exist_ok=True)

    def path(self, trial: str) -> Path:
        """Return the file of a finished trial."""
        return self._trials / f"{trial}.json"

    def failure_path(self, trial: str) -> Path:
        """Return the file of a failed trial."""
        return self._failures / f"{trial}.json"

    def ids(self) -> list[str]:
        """Return the names of the finished trials."""
        return sorted(path.stem for path in self._trials.glob("[0-9a-f]*.json"))

    def result(self, trial: str) -> dict[str, Any]:
        """Read settings, result, and execution of a finished trial."""
        kinds = {"id": str, "settings": dict, "result": dict, "execution": dict}
        record = read(self.path(trial), _TRIAL, **kinds)
        if record["id"] != trial:
            raise DataFileError(self.path(trial), _TRIAL, f"the trial {record['id']}")
        return record

    def put_aside_damaged(self, trial: str) -> DataFileError | None:
        """Rename the file of a trial if it is damaged, so that the trial is run again."""
        try:
            self.result(trial)
        except DataFileError as error:
            path = self.path(trial)
            with suppress(FileNotFoundError):  # another sweep has seen it, too
                path.replace(path.with_suffix(".damaged"))
            return error
        return None

    def finish(self, trial: Trial, result: Json, execution: dict[str, Any]) -> bool:
        """Keep a result unless another sweep was faster; return whether this one is kept."""
        record = {
            "id": trial.id,
            "settings": trial.encoded,
            "result": result,
            "execution": execution,
        }
        first = publish(self.path(trial.id), record)
        self.forget_failure(trial.id)
        return first

    def forget_failure(self, trial: str) -> None:
        """Remove the failure of a trial that is finished, if there is one."""
        self.failure_path(trial).unlink(missing_ok=True)

    def fail(self, trial: Trial, attempts: list[dict[str, Any]]) -> None:
        """Keep error, traceback, and execution of every attempt."""
        record = {"id": trial.id, "settings": trial.encoded, "attempts": attempts}
        replace(self.failure_path(trial.id), record)

    def failure(self, trial: str) -> dict[str, Any]:
        """Read settings and attempts of a failed trial."""
        path = self.failure_path(trial)
        record = read(path, _FAILURE, settings=dict, attempts=list)
        for each in record["attempts"] or [None]:
            error = each.get("error") if isinstance(each, dict) else None
            texts = [error.get(n) for n in _ERROR] if isinstance(error, dict) else [None]
            if not all(isinstance(text, str) for text in texts):
                raise DataFileError(path, _FAILURE, "an attempt without its error")
        return record

    def failed_at(self, trial: str) -> int | None:
        """Return when a failure was written, or None if there is none."""
        try:
            return self.failure_path(trial).stat().st_mtime_ns
        except FileNotFoundError:
            return None


def _folder(out: str | os.PathLike[str]) -> Path:
    return Path(out).expanduser().absolute()  # a trial may change the working directory


def _function(header: Path) -> Any:
    record = read(header, _SWEEP, kind=str, function=str | dict)
    if record["kind"] != "corruptlab sweep":
        raise DataFileError(header, _SWEEP, f"the kind {record['kind']!r}")
    return record["function"]


# ------------------------------------------------------------------------------------------ files


def publish(path: Path, record: dict[str, Any], *, durable: bool = True) -> bool:
    """Write a file that is not there yet; of several writers the first wins."""
    temporary = _written_beside(path, record, durable=durable)
    try:
        os.link(temporary, path)
    except FileExistsError:
        if temporary.stat().st_nlink < 2:  # otherwise it is this file: a network file system lost
            return False  # its answer and made the request again
    except OSError:  # no hard links here: the last writer wins, with the same trial
        if path.exists():
            return False
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent, durable=durable)
    return True


def replace(path: Path, record: dict[str, Any]) -> None:
    """Write a file, over an older one if there is one."""
    temporary = _written_beside(path, record, durable=True)
    try:
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent, durable=True)


def read(path: Path, expected: str, **fields: Any) -> dict[str, Any]:
    """Read a file, and compare its checksum and the kinds of its fields."""
    record = read_json(path, expected)
    if not isinstance(record, dict) or not {"sha256", "format"} <= record.keys():
        raise DataFileError(path, expected, "a file that is damaged, or another")
    told, version = record.pop("sha256"), record.pop("format")
    if version != FORMAT:
        raise DataFileError(path, f"{expected} in format {FORMAT}", f"format {version}")
    try:
        whole = told == digest(record)
        decode(record)
    except (ValueError, RecursionError) as error:  # numbers that JSON lacks, endless nesting
        raise DataFileError(path, expected, f"a file that is damaged ({error})") from None
    if not whole:
        raise DataFileError(path, expected, "contents that do not have its checksum")
    for name, kind in fields.items():
        if not isinstance(record.get(name), kind):
            raise DataFileError(path, expected, f"no `{name}` of the kind that belongs there")
    found: dict[str, Any] = record
    return found


def _remove_partial(folder: Path) -> None:
    """Remove what killed writers have left; what living ones write is younger."""
    for path in folder.glob(".*.tmp"):
        with suppress(FileNotFoundError):  # its writer has just finished
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()


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
    """Flush the name of a new file to the disk, where the system can."""
    if not durable or os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# ----------------------------------------------------------------------------------------- claims


class Claims:
    """The trials that this sweep has taken on, so that several sweeps share one folder.

    A claim is a file that names a process. It is void as soon as that process is dead; where that
    cannot be seen, as on another machine, it is void when nobody has touched its file for ``lapse``
    seconds *of this machine's clock*, as seen by this sweep: clocks of two machines are never
    compared. Should two sweeps run one trial nevertheless, the first result is kept, and nothing
    is lost but time.
    """

    def __init__(self, folder: Path, *, lapse: float = LAPSE_SECONDS) -> None:
        self._folder, self._lapse = folder, lapse
        self._held: dict[str, dict[str, Any]] = {}
        self._seen: dict[str, tuple[Any, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="claims", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        for name, claim in tuple(self._held.items()):
            with suppress(OSError, ValueError, TypeError, KeyError):
                if read_json(self._path(name), _CLAIM)["token"] == claim["token"]:
                    self.release(name)

    def keep_alive(self) -> None:
        """Begin to give signs of life, from a thread of their own."""
        if self._thread.ident is None:
            self._thread.start()

    def take(self, name: str) -> bool:
        """Claim a trial unless another sweep has; return whether it is this sweep's."""
        if name in self._held:
            return True
        path, claim = self._path(name), _this_process()
        self._held[name] = claim  # first of all, so that Ctrl-C leaves no claim behind
        mine = publish(path, claim, durable=False) or (
            self._cleared(path) and publish(path, claim, durable=False)
        )
        if not mine:
            del self._held[name]
        return mine

    def release(self, name: str) -> None:
        """Remove the claim on a trial that is this sweep's, or is finished."""
        self._path(name).unlink(missing_ok=True)
        self._held.pop(name, None)  # last of all, so that Ctrl-C leaves no claim behind

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _cleared(self, path: Path) -> bool:
        """Whether there is no claim any more, because it was given back or was void."""
        if not os.path.lexists(path):
            return True
        try:
            check_regular_file(path, _CLAIM)
            sign = path.read_bytes(), path.stat().st_mtime_ns
        except FileNotFoundError:
            return True
        except DataFileError:
            if os.path.lexists(path):
                raise
            return True
        return self._void(path.name, sign) and removed(path, sign[0])

    def _void(self, name: str, sign: tuple[bytes, int]) -> bool:
        # One that is damaged will give no sign of life.
        with suppress(ValueError, KeyError, TypeError, OverflowError, RecursionError):
            claim = json.loads(sign[0])
            if claim["place"] == _process_namespace():
                if not _is_alive(claim["pid"], claim["started"]):
                    return True
                if claim["started"]:  # otherwise a younger process may have its number
                    return False
        now = time.monotonic()
        seen, since = self._seen.get(name, (None, now))
        if seen != sign:
            self._seen[name] = sign, now
            return False
        return now - since > self._lapse

    def _beat(self) -> None:
        while not self._stop.wait(self._lapse / _BEATS):
            for name in tuple(self._held):
                with suppress(OSError):  # taken away: the other sweep had reason to
                    os.utime(self._path(name))


def removed(path: Path, content: bytes) -> bool:
    """Remove a void claim, unless another sweep has put its own in its place meanwhile."""
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.rename(aside)  # of several sweeps only one gets it
    except FileNotFoundError:
        return True
    if aside.read_bytes() != content:
        aside.rename(path)
        return False
    aside.unlink()
    return True


def _this_process() -> dict[str, Any]:
    # The token makes every claim differ from the one before it.
    pid = os.getpid()
    return {
        "place": _process_namespace(),
        "pid": pid,
        "started": _stat(pid)[1],
        "token": uuid.uuid4().hex,
    }


def _process_namespace() -> str:
    """Name where process numbers mean the same: this boot of this machine, this container."""
    marks = [socket.gethostname()]
    with suppress(OSError):
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        marks.append(str(Path("/proc/self/ns/pid").readlink()))
    return "/".join(marks)


def _stat(pid: int) -> tuple[str, str]:
    """Return the state of a process (``Z``: dead and still listed) and when it was started."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return words[0], words[19]


def _is_alive(pid: int, started: str) -> bool:
    if os.name != "posix":  # elsewhere the question itself would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    state, start = _stat(pid)
    return state != "Z" and start == started
