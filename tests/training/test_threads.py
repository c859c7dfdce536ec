"""Fits in several threads take turns: the bits of sequential ones, and nothing left behind."""

import copy
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from corruptlab import Execution, fit, fit_replicas
from corruptlab._random_state import exclusive_generators, preserve_rng_state, seeded_generators
from tests import waiting
from tests.training.cases import RECIPE, points

THREADS, FITS = 4, 8


@pytest.fixture(autouse=True)
def _switching() -> Iterator[None]:
    """Let threads switch after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


MODEL = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))


class Jittered(Dataset[Any]):
    """A data set that draws from the global generators of NumPy and PyTorch."""

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        noise = torch.rand(6) + float(np.random.rand())  # noqa: NPY002
        return noise + index, index % 3


def with_dropout(seed: int) -> Any:
    model = copy.deepcopy(MODEL)
    fit(model, points(), recipe=replace(RECIPE, epochs=2, dropout=0.3), seed=seed, stop=())
    assert model[2].p == 0.5
    return next(model.parameters()).tolist()


def with_random_transforms(seed: int) -> Any:
    model = copy.deepcopy(MODEL)
    streamed = Execution(data="stream")
    recipe = replace(RECIPE, epochs=2)
    fit(model, Jittered(), recipe=recipe, seed=seed, stop=(), execution=streamed)
    return next(model.parameters()).tolist()


def of_replicas(seed: int) -> Any:
    inputs, labels = points().tensors
    both = torch.stack([labels, labels.flip(0)])
    recipe = replace(RECIPE, epochs=2, dropout=0.3)
    return fit_replicas(MODEL, inputs, both, recipe=recipe, seed=seed, stop=()).losses


@pytest.mark.slow
@pytest.mark.parametrize("run", [with_dropout, with_random_transforms, of_replicas])
def test_fits_in_threads_equal_sequential_ones_and_leave_the_generators(
    run: Callable[[int], Any],
) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    expected = [run(seed) for seed in range(FITS)]
    start = threading.Barrier(THREADS)

    def some(thread: int) -> list[Any]:
        start.wait(waiting.HANG)
        return [run(seed) for seed in range(thread, FITS, THREADS)]

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(some, range(THREADS)))
    for thread in range(THREADS):
        assert found[thread] == expected[thread::THREADS]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[index]  # noqa: NPY002


def test_a_network_that_threads_share_keeps_its_dropout_and_modes() -> None:
    model = copy.deepcopy(MODEL).eval()
    start = threading.Barrier(THREADS)

    def one(seed: int) -> None:
        start.wait(waiting.HANG)
        recipe = replace(RECIPE, epochs=2, dropout=0.1 + seed / 10)
        fit(model, points(), recipe=recipe, seed=seed, stop=())

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, range(THREADS)))
    assert model[2].p == 0.5
    assert not any(layer.training for layer in model.modules())


@pytest.mark.parametrize(
    "taking", [exclusive_generators, preserve_rng_state, lambda: seeded_generators(3)]
)
def test_the_generators_belong_to_one_thread_at_a_time_and_to_it_again_and_again(
    taking: Callable[[], Any],
) -> None:
    inside, most = 0, []
    start = threading.Barrier(THREADS)

    def one(_: int) -> None:
        nonlocal inside
        start.wait(waiting.HANG)
        for _ in range(50):
            with taking(), taking():
                inside += 1
                most.append(inside)
                torch.rand(3)
                inside -= 1

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, range(THREADS)))
    assert most == [1] * (50 * THREADS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_waits_for_no_thread_of_its_parent() -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with exclusive_generators():
            held.set()
            done.wait(waiting.HANG)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(waiting.HANG)
    if (child := os.fork()) == 0:
        with seeded_generators(0):
            os._exit(7)
    try:
        waiting.until(lambda: ended(child), "the end of the child")
        assert STATUS[child] == 7
    finally:
        done.set()
        thread.join()
        if child not in STATUS:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


STATUS: dict[int, int] = {}


def ended(child: int) -> bool:
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        STATUS[child] = os.waitstatus_to_exitcode(status)
    return pid != 0
