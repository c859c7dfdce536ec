"""Who reads a stream: workers that are forked only where that is safe, or nothing else works."""

import os
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import default_collate, get_worker_info

from corruptlab import Execution, FitReport, Recipe, fit, stopping
from tests.fresh import Fresh

from .cases import network, points
from .programs.problem import lasting

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


@pytest.mark.usefixtures("another_thread")
def test_a_function_that_makes_batches_is_sent_too() -> None:
    message = (
        r"^`collate` must be picklable to be read in worker processes, but `.*` is a lambda \("
    )
    with pytest.raises(TypeError, match=message):
        fit(
            network(),
            points(),
            recipe=RECIPE,
            collate=lambda items: default_collate(items),
            execution=Execution(workers=1),
        )


# ------------------------------------------------------------------------- as long as the fit lives


class Signed:
    """A data set whose items say which process read them."""

    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.full((6,), float(os.getpid()), dtype=torch.float64), index % 3


class Noting(nn.Module):
    """A network that notes the first number of every input."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.seen = network(), Counter[float]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.update(x[:, 0].tolist())
        out: torch.Tensor = self.body(x / 2**22)
        return out


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("way", ["no_other_threads", "another_thread"])
def test_the_same_workers_read_every_pass_over_every_data_set(
    way: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(way)
    model, recipe = Noting(), replace(RECIPE, epochs=3, batch_size=5)
    execution = Execution(data="stream", workers=2)
    data: Any = {"train": Signed(), "test": Signed(), "validation": Signed()}
    fit(model, **data, recipe=recipe, stop=(), measure="all", execution=execution)
    tried = model.seen.pop(float(os.getpid()))  # before the first pass
    assert tried == 2
    assert len(model.seen) == 2
    # Each epoch trains, and measures three data sets; the network at the end is tested again.
    assert model.seen.total() == (3 * 4 + 1) * 30
    assert not torch.multiprocessing.active_children()


def test_passes_that_are_given_up_leave_nothing_to_the_next(always_looking: None) -> None:
    """The last steps are not done, and no pass goes on after the first error."""
    recipe = replace(RECIPE, epochs=3, batch_size=2)
    rules = (stopping.interpolated(), stopping.budget(45))

    def found(workers: int) -> FitReport:
        execution = Execution(data="stream", workers=workers)
        test = points(40, seed=1)
        return fit(network(), points(), test, recipe=recipe, stop=rules, execution=execution)

    alone, together = found(0), found(2)
    assert together.stopped_by == "budget"
    assert together.steps % 30
    kept = {"execution": None, "diagnosis": None}
    assert {**lasting(together), **kept} == {**lasting(alone), **kept}


class BrokenLater(Asking):
    """A data set with an item that can be read twice."""

    times = 0

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        self.times += index == 41
        if self.times > 2:
            raise OSError("file 41 is gone")
        inputs, targets = points().tensors
        return inputs[index], int(targets[index])


def test_errors_of_a_later_epoch_come_through() -> None:
    execution = Execution(data="stream", workers=1)
    recipe = replace(RECIPE, epochs=9)
    model = Noting()
    with pytest.raises(OSError, match="file 41 is gone") as caught:
        fit(model, BrokenLater(forked=False), recipe=recipe, stop=(), execution=execution)
    assert 2 * 60 < model.seen.total() < 3 * 60 + 2
    assert caught.tb is not None  # who still looks at the error keeps no workers alive
    assert not torch.multiprocessing.active_children()


class SentOnce(Asking):
    """A data set that can be sent to one worker, after it was tried whether it can be."""

    times = 0

    def __reduce__(self) -> Any:
        type(self).times += 1
        if self.times > 2:
            raise OSError("sent twice")
        return partial(SentOnce, forked=False), ()


# PyTorch's iterator stumbles over itself, but ends them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("another_thread")
def test_workers_that_have_started_end_if_another_cannot() -> None:
    with pytest.raises(OSError, match="sent twice") as caught:
        losses(SentOnce(forked=False), 2)
    assert SentOnce.times == 3
    assert caught.tb is not None
    assert not torch.multiprocessing.active_children()


INTERRUPTED = """
import os, signal, threading
import torch
from corruptlab import Execution, fit
from tests.training.cases import RECIPE, network, points

class Interrupted(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.steps = network(), 0

    def forward(self, x):
        self.steps += self.training
        if self.training and self.steps == 8:  # in the second epoch, as a terminal does it
            os.killpg(0, signal.SIGINT)
        return self.body(x)

def interrupted_fit():
    execution = Execution(data="stream", workers=2)
    data = points(), points(20)
    report = fit(Interrupted(), *data, recipe=RECIPE, stop=(), execution=execution)
    assert 0 < report.test_accuracy <= 1
    assert not torch.multiprocessing.active_children()
    print(report.stopped_by, report.epochs)

if __name__ == "__main__":
    others, threading.enumerate = threading.enumerate, lambda: [threading.current_thread()]
    interrupted_fit()  # with workers that are forked if this Python does that
    threading.enumerate, over = others, threading.Event()
    threading.Thread(target=over.wait).start()
    interrupted_fit()  # with others
    over.set()
"""


def script(path: Path) -> str:
    """Return a program that runs a script as Python itself does, as the main module."""
    return f"import runpy\nrunpy.run_path({str(path)!r}, run_name='__main__')\n"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it takes groups of processes")
def test_ctrl_c_in_a_terminal_ends_the_workers_and_the_network_is_measured(
    fresh: Fresh, tmp_path: Path
) -> None:
    (path := tmp_path / "program.py").write_text(INTERRUPTED)
    root = str(Path(__file__).parents[2])
    begin = f"import os, sys\nos.setsid()\nsys.path.insert(0, {root!r})\n"
    assert fresh(begin + script(path)) == 2 * "interrupted 1\n"


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
def test_data_sets_of_the_main_module_are_read_without_a_warning(
    way: str, fresh: Fresh, tmp_path: Path
) -> None:
    """A new process finds them in a script; elsewhere, as in a notebook, workers are forked."""
    guard = "if __name__ == '__main__':\n    " if way == "script" else ""
    program = f"FORKED = {way != 'script'}\n" + textwrap.dedent(SCRIPT) + guard + "main()\n"
    (path := tmp_path / "program.py").write_text(program)
    if way != "standard input":
        assert fresh(script(path)) == "read\n"
        return
    begin = "import sys, types\nmain = sys.modules['__main__'] = types.ModuleType('__main__')\n"
    assert fresh(f"{begin}exec({program!r}, vars(main))") == "read\n"
