"""Kill sweeps with SIGKILL, run several at once, and tell what came of it.

    python -m tests.experiments.sweeps.programs.killed FOLDER

Each sweep is a process of its own, forked from this one so that PyTorch is imported only once.
"""

import json
import os
import random
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import corruptlab as cl
from tests.experiments.sweeps.trials import double, note, runs
from tests.waiting import HANG, until

TRIALS, SECONDS, KILLS, TOGETHER = 30, 0.02, 8, 3


def endless(*, x: int, log: str) -> dict[str, int]:
    note(log, os.getpid())
    time.sleep(HANG)
    return {"square": x * x}


def trial(*, x: int, log: str) -> dict[str, int]:
    note(log, x)
    time.sleep(SECONDS)
    return {"square": x * x}


def grid(log: Path) -> dict[str, Any]:
    return {"x": range(TRIALS), "log": [str(log)]}


def started(out: Path, log: Path) -> int:
    """Start a sweep in a process of its own, and return its number."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            report = cl.sweep(grid(log), trial, out=out)
            status = 0 if report.complete else 2
        finally:
            os._exit(status)
    return child


def finished(out: Path) -> dict[int, str]:
    """Return x to the whole file of each finished trial."""
    texts = [path.read_text() for path in (out / "trials").glob("[0-9a-f]*.json")]
    return {json.loads(text)["settings"]["x"]: text for text in texts}


def killed(folder: Path) -> dict[str, Any]:
    """Kill a sweep again and again, at random moments, then let it end."""
    out, log, moments = folder / "killed", folder / "killed.log", random.Random(0)
    again, changed, kills, most_lost = [], [], 0, 0
    kept: dict[int, str] = {}
    while len(kept) < TRIALS:
        before = len(runs(log))
        child = started(out, log)
        if kills < KILLS:
            until(lambda: len(runs(log)) > before, "a first trial")  # noqa: B023  # waits here
            time.sleep(moments.uniform(0, 3 * SECONDS))
            os.kill(child, signal.SIGKILL)  # not yet waited for, so still a process
        _, status = os.waitpid(child, 0)
        kills += os.WTERMSIG(status) == signal.SIGKILL
        begun, now = runs(log)[before:], finished(out)
        again += [x for x in begun if x in kept]
        changed += [x for x, text in kept.items() if now.get(x) != text]
        most_lost = max(most_lost, len(set(begun) - set(now)))
        kept = now
    before = len(runs(log))
    os.waitpid(started(out, log), 0)  # this one finds all done
    again += runs(log)[before:]
    return {
        "kills": kills,
        "run_again": again,
        "changed": changed,
        "most_lost_at_once": most_lost,
        "finished": sorted(kept),
        "claims": [path.name for path in (out / "claims").glob("[0-9a-f]*")],
    }


def killed_while_writing(folder: Path) -> dict[str, Any]:
    """Kill a sweep when a file is written and does not have its name yet."""
    out, log = folder / "writing", folder / "writing.log"
    cl.sweep({"x": [0], "log": [str(log)]}, trial, out=out)
    child = os.fork()
    if child == 0:
        os.link = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
        cl.sweep({"x": [0, 1], "log": [str(log)]}, trial, out=out)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    report = cl.sweep({"x": [0, 1], "log": [str(log)]}, trial, out=out)
    return {"signal": os.WTERMSIG(status), "done": report.done, "cached": report.cached}


def together(folder: Path) -> dict[str, Any]:
    """Run several sweeps at once on one folder, and kill one of them in the middle."""
    out, log = folder / "together", folder / "together.log"
    children = [started(out, log) for _ in range(TOGETHER)]
    until(lambda: len(runs(log)) >= TRIALS // 3, "a third of the trials")
    os.kill(children[0], signal.SIGKILL)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return {
        "statuses": statuses,
        "runs": len(runs(log)),
        "finished": sorted(finished(out)),
        "claims": [path.name for path in (out / "claims").glob("[0-9a-f]*")],
    }


def ended(folder: Path, *numbers: int) -> dict[str, Any]:
    """End sweeps that have a worker of their own by a signal each, in the middle of a trial."""
    children = {}
    for number in numbers:
        out = folder / f"ended_by_{number}"
        children[number] = os.fork()
        if children[number] == 0:
            with (folder / f"shown_{number}").open("w") as shown:
                os.dup2(shown.fileno(), 1)
                os.dup2(shown.fileno(), 2)
            grid = {"x": range(3), "log": [str(folder / f"log_{number}")]}
            threading.Thread(target=bequeath, args=(folder, number), daemon=True).start()
            print(cl.sweep(grid, endless, 1, out=out), flush=True)
            os._exit(0)
    return {str(int(number)): _ended(folder, child, number) for number, child in children.items()}


def bequeath(folder: Path, number: int) -> None:
    """In the middle of a trial, fork a process that holds the sweep's files and outlives it."""
    until(lambda: runs(folder / f"log_{number}"), "the worker's trial")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of forking beside a thread, which is what this is about
        heir = os.fork()
    if heir == 0:
        (folder / f"heir_{number}").touch()
        until(lambda: (folder / "over").exists(), "the end of the test")
        os._exit(0)


def lives(pid: int) -> bool:
    """Whether a process runs, and is not only still listed because nobody has waited for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _ended(folder: Path, child: int, number: int) -> dict[str, Any]:
    log = folder / f"log_{number}"
    until(lambda: runs(log), "the worker's trial")
    (worker,) = runs(log)
    until((folder / f"heir_{number}").exists, "the process that outlives the sweep")
    lived = lives(worker)
    os.kill(child, number)
    _, status = os.waitpid(child, 0)
    until(lambda: not lives(worker), "the end of the worker")
    return {
        "lived": lived,
        "status": os.waitstatus_to_exitcode(status),
        "shown": (folder / f"shown_{number}").read_text(),
    }


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have made it deaf
    folder = Path(sys.argv[1])
    found = {
        "killed": killed(folder),
        "killed_while_writing": killed_while_writing(folder),
        "together": together(folder),
        "ended": ended(folder, signal.SIGKILL, signal.SIGINT),
        "names": cl.sweep({"x": [1, 0.5]}, double, out=folder / "names").ids,
    }
    (folder / "over").touch()
    (folder / "found.json").write_text(json.dumps(found))
