"""Claims: who is at work on which trial, so that several sweeps share one folder."""

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

from corruptlab.experiments.sweeps._files import publish

LAPSE_SECONDS = 60.0
"""How long a claim of another machine may show no sign of life."""

_BEATS = 6  # signs of life in that time


class Claims:
    """The trials that this sweep has taken on.

    A claim is a file that names a process. It is void as soon as that process is dead; where that
    cannot be seen, as on another machine, the claim is void when its file has not been
    touched for ``lapse`` seconds *of this machine's clock*, as seen by this sweep: clocks of
    two machines are never compared. Should two sweeps still run one trial, the first
    result is kept, and nothing is lost but time.

    Args:
        folder: Folder of the claims.
        lapse: Seconds without a sign of life.
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
                if json.loads(self._path(name).read_bytes())["token"] == claim["token"]:
                    self.release(name)

    def keep_alive(self) -> None:
        """Begin to give signs of life, from a thread of their own."""
        if self._thread.ident is None:
            self._thread.start()

    def take(self, name: str) -> bool:
        """Claim a trial, unless another sweep has.

        Args:
            name: Name of the trial.

        Returns:
            Whether the trial is this sweep's.
        """
        if name in self._held:
            return True
        path, claim = self._path(name), _process()
        self._held[name] = claim  # first of all, so that Ctrl-C leaves no claim behind
        mine = publish(path, claim, durable=False) or (
            self._cleared(path) and publish(path, claim, durable=False)
        )
        if not mine:
            del self._held[name]
        return mine

    def release(self, name: str) -> None:
        """Remove the claim on a trial that is this sweep's, or is finished.

        Args:
            name: Name of the trial.
        """
        self._held.pop(name, None)
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _cleared(self, path: Path) -> bool:
        """Whether there is no claim any more, because it was given back or was void."""
        try:
            sign = path.read_bytes(), path.stat().st_mtime_ns
        except FileNotFoundError:
            return True
        return self._void(path.name, sign) and removed(path, sign[0])

    def _void(self, name: str, sign: tuple[bytes, int]) -> bool:
        with suppress(ValueError, KeyError, TypeError):  # damaged: it will give no sign of life
            claim = json.loads(sign[0])
            if claim["place"] == _place():
                if not _lives(claim["pid"], claim["started"]):
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
    """Remove a claim, unless another sweep has put its own in its place meanwhile.

    Args:
        path: The claim.
        content: What it held when it was found void.

    Returns:
        Whether it is gone.
    """
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


def _process() -> dict[str, Any]:
    # The token makes every claim differ from the one before it.
    return {
        "place": _place(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "token": uuid.uuid4().hex,
    }


def _place() -> str:
    """Name where process numbers mean the same: this boot of this machine, this container."""
    marks = [socket.gethostname()]
    with suppress(OSError):
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        marks.append(str(Path("/proc/self/ns/pid").readlink()))
    return "/".join(marks)


def _started(pid: int) -> str:
    """Return when a process was started, for its number may be given to another one later."""
    return _stat(pid)[1]


def _stat(pid: int) -> tuple[str, str]:
    """Return a process's state, ``Z`` if it is dead and still listed, and its start, if told."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return words[0], words[19]


def _lives(pid: int, started: str) -> bool:
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
