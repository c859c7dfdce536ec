"""Who reads a stream: workers that are forked only where that is safe, or nothing else works."""

import os
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import get_worker_info

from corruptlab import Execution, Recipe, fit
from tests import waiting

from .cases import network, points

RECIPE = Recipe(learning_rate=0.1, epochs=1, batch_size=20, whiten=False, decay=0.95)
IMPORTED_BY = os.getpid()


class Asking:
    """A data set that refuses to be read in a worker that was forked, or in one that was not."""

    def __init__(self, *, forked: bool) -> None:
        self.forked = forked

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if get_worker_info() is not None:
            # A new process has imported this module itself.
            assert (os.getpid() != IMPORTED_BY) is self.forked
        inputs, targets = points().tensors
        return inputs[index], int(targets[index])


@pytest.fixture
def another_thread() -> Iterator[None]:
    """Let this process have another thread for a while."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    yield
    over.set()
    thread.join()


def losses(data: Any, workers: int) -> tuple[float, ...]:
    execution = Execution(data="stream", workers=workers)
    return fit(network(), data, recipe=RECIPE, stop=(), execution=execution).losses


@pytest.mark.usefixtures("another_thread")
def test_beside_another_thread_new_processes_read_the_same_items() -> None:
    assert losses(Asking(forked=False), 2) == losses(points(), 0)
    assert not torch.multiprocessing.active_children()


@pytest.mark.usefixtures("no_other_threads")
@pytest.mark.skipif(sys.platform != "linux", reason="the system's way is another one")
def test_without_other_threads_workers_are_forked() -> None:
    assert losses(Asking(forked=True), 2) == losses(points(), 0)


@pytest.mark.usefixtures("another_thread")
def test_what_cannot_be_sent_is_one_clear_error_that_names_the_part() -> None:
    class Local(Asking):
        pass

    transformed = Asking(forked=False)
    transformed.transforms = [len, lambda image: image]  # type: ignore[attr-defined]  # as users do
    for data, part in [
        (transformed, r"`Asking\.transforms\[1\]` is a lambda \(line \d+ of its file\)"),
        (
            Local(forked=False),
            "`Local` is an object of class Local, which is defined inside a func",
        ),
    ]:
        message = f"^`train` must be picklable to be read in worker processes, but {part}"
        with pytest.raises(TypeError, match=message):
            losses(data, 1)
        assert losses(data, 0) == losses(points(), 0)  # here it can be read


SCRIPT = """
import os, sys, threading
import torch
import corruptlab as cl

IMPORTED_BY = os.getpid()

class Points:
    def __len__(self):
        return 40

    def __getitem__(self, index):
        if torch.utils.data.get_worker_info() is not None:
            assert (os.getpid() != IMPORTED_BY) is FORKED
        return torch.full((6,), index / 40), index % 3

def losses(workers):
    execution = cl.Execution(data="stream", workers=workers)
    model = cl.mlp(8, input_shape=(6,), num_classes=3)
    recipe = cl.Recipe(learning_rate=0.1, epochs=2, whiten=False)
    return cl.fit(model, Points(), recipe=recipe, stop=(), execution=execution).losses

def main():
    over = threading.Event()
    threading.Thread(target=over.wait).start()
    try:
        assert losses(0) == losses(2)
    finally:
        over.set()
    print("read")

"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["script", "unguarded script", "standard input"])
def test_data_sets_of_the_main_module_are_read_without_a_warning(way: str, tmp_path: Path) -> None:
    """A new process finds them in a script; elsewhere, as in a notebook, workers are forked."""
    guard = "if __name__ == '__main__':\n    " if way == "script" else ""
    program = f"FORKED = {way != 'script'}\n" + textwrap.dedent(SCRIPT) + guard + "main()\n"
    (path := tmp_path / "program.py").write_text(program)
    python = [sys.executable, "-W", "error"]
    if way == "standard input":
        done = waiting.run([*python, "-"], input=program)
    else:
        done = waiting.run([*python, str(path)])
    assert (done.returncode, done.stdout, done.stderr) == (0, "read\n", "")
