"""Kill a fit at random moments with SIGKILL, go on, and tell what came of it.

    python -m tests.training.programs.killed FOLDER

Each run is a process of its own, forked from this one so that PyTorch is imported only once.
"""

import itertools
import os
import random
import signal
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch

import corruptlab as cl
from tests.waiting import until

from .problem import RECIPE, Watched, images, lasting

LONG = replace(RECIPE, batch_size=1)  # 56 steps an epoch
KILLS = 3


def train(folder: Path, passes: Path | None) -> tuple[cl.FitReport, Watched]:
    """Do the fit, and mark each training pass in a file."""

    def note(step: int) -> None:
        if passes is not None:
            with passes.open("a") as file:
                file.write(".")

    network = Watched(before_training=note)
    # A clock that runs as often as it is asked: it makes a checkpoint every few steps.
    with mock.patch("time.perf_counter", side_effect=itertools.count(step=0.5)):
        report = cl.fit(
            network,
            images(),
            images(seed=1),
            recipe=LONG,
            seed=3,
            stop=(),
            measure="all",
            heads=cl.RandomLabelHeads(network, images(), layers=["body.2"]),
            execution=cl.Execution(channels_last=False, compile=False),
            checkpoint=None if passes is None else folder / "checkpoint",
            checkpoint_seconds=7,
        )
    return report, network


def killed(folder: Path, passes: Path, steps: int) -> tuple[int, int, int]:
    """Kill a run when it has begun some training passes of its own.

    Returns:
        The signal that ended it, the step it went on from, and the steps in its last checkpoint.
    """
    passes.unlink(missing_ok=True)
    started = steps_kept(folder)
    child = os.fork()
    if child == 0:
        train(folder, passes)
        os._exit(0)
    until(lambda: passes.exists() and passes.stat().st_size >= steps, f"training pass {steps}")
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status), started, steps_kept(folder)


def killed_while_writing(folder: Path) -> list[str]:
    """Kill a run when it has written a checkpoint that has not yet taken the old one's place.

    Returns:
        The files it has left behind.
    """
    if os.fork() == 0:
        os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)
        train(folder, folder / "passes")
        os._exit(0)
    _, status = os.wait()
    assert os.WTERMSIG(status) == signal.SIGKILL
    return sorted(path.suffix for path in (folder / "checkpoint").iterdir())


def steps_kept(folder: Path) -> int:
    """Return the steps in the checkpoint."""
    path = folder / "checkpoint" / "fit.pt"
    return len(torch.load(path, weights_only=True)["losses"]) if path.exists() else 0


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    moments = random.Random(0)
    kills = [killed(folder, folder / "passes", moments.randrange(20, 50)) for _ in range(KILLS)]
    kept = steps_kept(folder)
    left_behind = killed_while_writing(folder)
    lost_while_writing = kept - steps_kept(folder)
    report, network = train(folder, folder / "last")
    whole, never_killed = train(folder, None)
    torch.save(
        {
            "kills": kills,
            "steps_in_all": whole.steps,
            "left_behind": left_behind,
            "lost_while_writing": lost_while_writing,
            "steps_at_the_end": network.steps,
            "killed": (lasting(report), network.state_dict()),
            "whole": (lasting(whole), never_killed.state_dict()),
        },
        folder / "found.pt",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
