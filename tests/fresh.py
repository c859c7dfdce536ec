"""Programs in processes of their own that have imported nothing but PyTorch.

Importing it takes seconds, and so does what the first optimizer of a process imports, of PyTorch's
own. One process does both, once, and forks another for each program.
"""

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from tests import waiting

_ROOT = Path(__file__).parent.parent

_SERVER = """
import json, os, sys, tempfile, traceback, warnings
import torch, torch._dynamo

def run(program):
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forking beside threads, which libraries have
            child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
            status = 1
            try:
                exec(program, {"__name__": "__main__"})
                status = 0
            except SystemExit as end:
                status = int(end.code or 0)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush(), sys.stderr.flush()
                os._exit(status)
        _, status = os.waitpid(child, 0)
        out.seek(0), err.seek(0)
        return os.waitstatus_to_exitcode(status), out.read(), err.read()

for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
"""


class Ended(NamedTuple):
    """What a program came to."""

    status: int
    output: str
    errors: str


class Fresh:
    """Runs a program; called, it also asserts that this ended well and returns its output."""

    def __init__(self, programs: IO[str], answers: IO[str]) -> None:
        self._programs, self._answers = programs, answers

    def __call__(self, program: str) -> str:
        ended = self.run(program)
        assert (ended.status, ended.errors) == (0, ""), ended.errors
        return ended.output

    def run(self, program: str) -> Ended:
        print(json.dumps(program), file=self._programs, flush=True)
        waiting.until(self._answered, "the program's end")
        found: list[Any] = json.loads(self._answers.readline())
        return Ended(*found)

    def module(self, name: str, *arguments: object, folder: Path = _ROOT) -> Ended:
        """Run a module in a folder as ``python -m`` does."""
        words = [name, *map(str, arguments)]
        return self.run(
            f"import os, runpy, sys\nos.chdir({str(folder)!r})\nsys.argv = {words!r}\n"
            f"runpy.run_module({name!r}, run_name='__main__', alter_sys=True)\n"
        )

    def _answered(self) -> bool:
        return bool(select.select([self._answers], [], [], 0.0)[0])


@contextmanager
def fresh_processes() -> Iterator[Fresh]:
    """Give what runs programs, where warnings are errors."""
    command = [sys.executable, "-W", "error", "-c", _SERVER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=_ROOT) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield Fresh(server.stdin, server.stdout)
        # A forked process that still lives holds the other end of the pipe, too: no end would come.
        server.terminate()
