"""One fit of three processes, one of which is killed in the middle of its first run.

    python -m tests.training.programs.launch tests.training.programs.killed_together 3 2 FOLDER

The second launch goes on and writes what it found, and what an uninterrupted fit finds. Three,
because the order in which numbers are added does not matter for two.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import corruptlab as cl

from .problem import RECIPE, Watched, images, lasting

# Ten steps an epoch; the last batch has an example too few for all three.
TOGETHER = replace(RECIPE, batch_size=6)
KILLED_AT = 25


def train(before_training: Callable[[int], object], **changes: Any) -> dict[str, Any]:
    model = Watched(before_training=before_training)
    report = cl.fit(
        model,
        images(),
        images(30, seed=1),
        recipe=TOGETHER,
        seed=3,
        stop=(),
        measure="all",
        **changes,
    )
    return {"report": lasting(report), "weights": dict(model.state_dict()), "passes": model.steps}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    rank, marker = os.environ["RANK"], folder / "killed"

    def die_once(step: int) -> None:
        # The agent tells of one failure: of those that it sees at once, the first process's.
        if rank == "0" and step == KILLED_AT and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    found = train(die_once, checkpoint=folder / "checkpoint", checkpoint_seconds=0)
    torch.save((found, train(lambda step: None)), folder / f"{rank}.pt")
