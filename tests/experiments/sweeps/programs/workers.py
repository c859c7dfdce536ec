"""A sweep in two processes of its own, whose trials take longer than anybody waits.

python -m tests.experiments.sweeps.programs.workers FOLDER
"""

import os
import sys
import time
from pathlib import Path

import corruptlab as cl
from tests.experiments.sweeps.trials import note


def endless(*, x: int, log: str) -> dict[str, int]:
    note(log, os.getpid())
    time.sleep(600)
    return {"square": x * x}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    grid = {"x": range(4), "log": [str(folder / "log")]}
    print(repr(cl.sweep(grid, endless, 2, out=folder / "out")))
