"""Commands that a signal ends in the middle of their work, and what they leave.

    python -m tests.cli.programs.interrupted DATA FOLDER

Each is a process of its own, forked from this one so that PyTorch is imported only once.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corruptlab.__main__ import main as corruptlab
from tests.waiting import until

MODEL = ["--model", "mlp-1x32", "--epochs", "1000000"]
# True labels are fitted first, and at once; the others do all epochs, and nobody waits for them.
SETTINGS = ["--settings", "random-labels,true,gaussian"]


def ended(number: int, begun: Callable[[], object], command: list[str]) -> dict[str, Any]:
    """Send a command a signal when it has begun, and return how it ended and what it said."""
    (shown, out), (told, err) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(out, 1), os.dup2(err, 2)
        status = corruptlab(command)
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
    for pipe in (out, err):
        os.close(pipe)
    until(lambda: begun() or os.waitid(os.P_PID, child, _LOOK), "what it is to be ended after")
    os.kill(child, number)
    # To the end: until its workers have ended, too, which hold the pipes.
    with os.fdopen(shown) as first, os.fdopen(told) as second:
        said = {"shown": first.read(), "told": second.read()}
    return {"status": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), **said}


# Whether a process has ended, which leaves it to be waited for.
_LOOK = os.WEXITED | os.WNOHANG | os.WNOWAIT


def ended_test(number: int, data: str, folder: Path) -> dict[str, Any]:
    command = ["test", "--data", data, "--out", str(folder), *MODEL, *SETTINGS]
    return ended(number, (folder / "report.json").exists, command)


def ended_sweep(number: int, data: str, folder: Path) -> dict[str, Any]:
    command = ["sweep", "--data", data, "--out", str(folder), *MODEL, "--p", "1", "--workers", "2"]
    return ended(number, lambda: list(folder.glob("claims/*.json")), command)


def main(data: str, folder: Path) -> None:
    # A shell makes what it starts in the background deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    found = {
        f"test {int(number)}": ended_test(number, data, folder / f"test {int(number)}")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
    }
    found["sweep"] = ended_sweep(signal.SIGTERM, data, folder / "sweep")
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
