"""What the shell gets to know: exit codes, results, and remarks."""

import os
import sys

DONE, NOT_ALL, MISTAKE, INTERRUPTED = 0, 1, 2, 130  # 130 is 128 + SIGINT, as shells report it


def show(text: object) -> None:
    """Print a result on standard output, which may take less than it is given.

    Characters that its encoding lacks are escaped, and if nobody reads on, as after ``| head``,
    the rest goes nowhere: what is still to be written to files is written all the same.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(str(text).encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # or else Python complains when it ends


def say(text: str) -> None:
    """Tell something on standard error."""
    print(f"corruptlab: {text}", file=sys.stderr, flush=True)
