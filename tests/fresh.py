"""Programs in processes of their own that have imported nothing but PyTorch.

Importing it takes seconds. One process does that, once, and forks another for each program.
"""

import json
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests import waiting

_SERVER = """
import json, os, sys, tempfile, traceback, warnings
import torch

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


@contextmanager
def fresh_processes() -> Iterator[Callable[[str], str]]:
    """Give a function that runs a program, where warnings are errors, and returns its output."""
    command = [sys.executable, "-W", "error", "-c", _SERVER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        sent, answers = server.stdin, server.stdout

        def run(program: str) -> str:
            print(json.dumps(program), file=sent, flush=True)
            waiting.until(lambda: select.select([answers], [], [], 0.0)[0], "the program's end")
            found: tuple[int, str, Any] = json.loads(answers.readline())
            status, output, errors = found
            assert (status, errors) == (0, ""), errors
            return output

        yield run
        # A forked process that still lives holds the other end of the pipe, too: no end would come.
        server.terminate()
