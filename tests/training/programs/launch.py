"""Start a program in several processes as `torchrun --standalone` does, with the same agent.

    python -m tests.training.programs.launch MODULE PROCESSES TIMES FOLDER [ARGUMENTS]

The processes are forked from the agent, so that none has to import PyTorch. After each launch
`FOLDER/launch-TIME.json` has its failure, or none, and what was in the folder then.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from tests.fresh import Ended, Fresh


def launched(
    fresh: Fresh, program: str, processes: int, times: int, folder: Path, *arguments: str
) -> Ended:
    """Launch a program of this folder, or another module, from another process, and wait for it."""
    module = program if "." in program else f"{__name__.rpartition('.')[0]}.{program}"
    return fresh.module(__name__, module, processes, times, folder, *arguments)


def left(folder: Path, time: int) -> dict[str, Any]:
    """Return the failure of a launch and the files that were there after it."""
    found: dict[str, Any] = json.loads((folder / f"launch-{time}.json").read_text())
    return found


def main(module: str, processes: int, times: int, folder: Path, *arguments: str) -> None:
    program = importlib.import_module(module).main
    for time in range(times):
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=f"launch-{time}",
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            start_method="fork",
        )
        failure = ""
        try:
            elastic_launch(config, program)(folder, *arguments)
        except ChildFailedError as error:
            failure = str(error)
        left = {"failure": failure, "files": sorted(each.name for each in folder.iterdir())}
        (folder / f"launch-{time}.json").write_text(json.dumps(left))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), *sys.argv[5:])
