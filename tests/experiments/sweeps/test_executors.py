"""Executors: any of them, broken ones too, and the sweep's own processes."""

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import corruptlab as cl
from corruptlab._by_name import device_for
from corruptlab._sweeps._executors import attempt
from tests.fake_gpu import FakeGPU
from tests.waiting import until

from .trials import deadly, double, fails, note, noted, runs

# Python 3.12 warns of any fork beside threads; these trials take no lock of another thread.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


@pytest.fixture
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as made:
        yield made


def test_every_executor_finds_the_same(tmp_path: Path, pool: ProcessPoolExecutor) -> None:
    grid = {"x": [4, 2, 3, 1]}
    tables = []
    with ThreadPoolExecutor(3) as threads:
        for name, executor in (("here", None), ("threads", threads), ("processes", pool)):
            report = cl.sweep(grid, double, executor, out=tmp_path / name)
            assert (report.done, report.complete) == (4, True)
            tables.append({name: column.tolist() for name, column in report.table().items()})
    assert tables[0] == tables[1] == tables[2] == {"x": [4, 2, 3, 1], "double": [8, 4, 6, 2]}
    assert pool.submit(os.getpid).result() != os.getpid()  # the user's pool stays open


class Counting(ThreadPoolExecutor):
    """Counts what is handed over and not finished."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.most = self.now = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.now += 1
        self.most = max(self.most, self.now)
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(self.finished)
        return future

    def finished(self, future: Future[Any]) -> None:
        self.now -= 1


def test_no_more_is_handed_over_than_the_executor_has_workers(tmp_path: Path) -> None:
    grid = {"x": range(9), "log": [str(tmp_path / "log")], "seconds": [0.03]}
    with Counting(3) as executor:
        assert cl.sweep(grid, noted, executor, out=tmp_path / "out").complete
    assert executor.most == 3


@pytest.mark.slow(seconds=1)
def test_a_killed_worker_loses_no_trial(tmp_path: Path, pool: ProcessPoolExecutor) -> None:
    log = tmp_path / "log"
    grid = {"x": range(8), "log": [str(log)], "times": [1]}
    report = cl.sweep(grid, deadly, pool, out=tmp_path / "out")
    assert (report.done, report.failed) == (8, 0)
    assert report.table()["square"].tolist() == [x * x for x in range(8)]
    assert runs(log).count(3) == 2
    assert len(runs(log)) <= 8 + 2  # only what was running is run again


@pytest.mark.slow(seconds=1)
def test_a_trial_that_always_kills_its_worker_fails_alone(
    tmp_path: Path, pool: ProcessPoolExecutor
) -> None:
    log = tmp_path / "log"
    grid = {"x": range(6), "log": [str(log)], "times": [99]}
    report = cl.sweep(grid, deadly, pool, out=tmp_path / "out", retries=0)
    assert (report.done, report.failed) == (5, 1)
    assert report.failures[0].settings["x"] == 3
    assert report.failures[0].error.startswith("BrokenProcessPool: ")
    assert runs(log).count(3) == 5
    assert max(runs(log).count(x) for x in range(6) if x != 3) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("others", [[], [5]], ids=["none waits", "one waits"])
def test_a_trial_is_not_lost_again_and_again_with_the_one_that_kills_its_worker(
    others: list[int], tmp_path: Path, pool: ProcessPoolExecutor
) -> None:
    grid = {"x": [4, 3, *others], "log": [str(tmp_path / "log")]}
    report = cl.sweep(grid, kills_its_neighbour, pool, out=tmp_path / "out")
    assert (report.done, report.failed) == (1 + len(others), 1)
    assert runs(tmp_path / "log").count(4) <= 2


def kills_its_neighbour(*, x: int, log: str) -> dict[str, int]:
    """Let x = 3 kill its worker every time, the first time while x = 4 is at work as well."""
    note(log, x)
    if x == 4 and runs(log).count(4) == 1:
        until(lambda: False, "the end of this process, whose pool breaks")
    if x == 3:
        until(lambda: 4 in runs(log), "the start of the other trial")
        # Where others wait, the sweep looks around while a suspect is at work.
        time.sleep(0.5 * (runs(log).count(3) == 2))
        os.kill(os.getpid(), signal.SIGKILL)
    return {"square": x * x}


class Broken(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise BrokenExecutor("out of order")


def test_a_broken_executor_that_cannot_be_replaced_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"^`executor` must be able to go on, got a broken Brok"):
        cl.sweep({"x": [1]}, double, Broken(), out=tmp_path / "out")
    assert list((tmp_path / "out" / "claims").iterdir()) == []


def start(context: int) -> None:
    os.environ["STARTED_WITH"] = str(context)


def started_with(*, x: int) -> dict[str, str]:
    if x == 0 and not Path(os.environ["MARK"]).exists():
        Path(os.environ["MARK"]).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"started_with": os.environ["STARTED_WITH"]}


def test_the_pool_that_replaces_a_broken_one_is_made_like_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    with ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("fork"), initializer=start, initargs=(42,)
    ) as pool:
        report = cl.sweep({"x": [0, 1]}, started_with, pool, out=tmp_path / "out")
    assert report.table()["started_with"].tolist() == ["42", "42"]


class Dies(Executor):
    """Loses every call, but for those of some numbers."""

    def __init__(self, *lives: int) -> None:
        self.lives, self.calls = lives, 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.calls += 1
        future: Future[Any] = Future()
        if self.calls in self.lives:
            future.set_result(fn(*args, **kwargs))
        else:
            future.set_exception(OSError("the worker is gone"))
        return future


def test_an_executor_that_loses_whatever_it_gets_is_given_up(tmp_path: Path) -> None:
    executor = Dies()
    with pytest.raises(RuntimeError, match=r"^Worker processes kept crashing: .* is gone\)\.$"):
        cl.sweep({"x": range(50)}, double, executor, out=tmp_path / "out")
    assert executor.calls < 50 * 6
    assert list((tmp_path / "out" / "claims").iterdir()) == []


def test_a_lost_trial_is_run_again_and_the_losses_are_counted_as_attempts(tmp_path: Path) -> None:
    executor = Dies(5)  # the first four are lost
    report = cl.sweep({"x": [1]}, double, executor, out=tmp_path / "out", retries=0)
    assert report.done == 1
    record = json.loads((tmp_path / "out" / "trials" / f"{report.ids[0]}.json").read_text())
    assert record["execution"]["attempts"] == 5
    report = cl.sweep({"x": [2]}, double, Dies(6), out=tmp_path / "out")
    assert report.failures[0].error == "OSError: the worker is gone"


class Cancels(ThreadPoolExecutor):
    """Cancels the first call."""

    first = True

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.first:
            self.first = False
            cancelled: Future[Any] = Future()
            cancelled.cancel()
            cancelled.set_running_or_notify_cancel()
            return cancelled
        return super().submit(fn, *args, **kwargs)


def test_a_trial_that_the_executor_cancels_is_run_again(tmp_path: Path) -> None:
    with Cancels(2) as executor:
        assert cl.sweep({"x": [1, 2]}, double, executor, out=tmp_path / "out").done == 2


class StopsAtTheSecond(Executor):
    """Finishes the first call in the moment in which Ctrl-C is pressed."""

    first: "Future[Any] | None" = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.first is None:
            self.first, self.outcome = Future(), fn(*args, **kwargs)
            return self.first
        self.first.set_result(self.outcome)
        raise KeyboardInterrupt


def test_a_result_that_comes_in_with_ctrl_c_is_kept(tmp_path: Path) -> None:
    report = cl.sweep({"x": [1, 2]}, double, StopsAtTheSecond(), out=tmp_path / "out")
    assert report.interrupted
    assert (report.done, report.remaining) == (1, 1)


def test_a_trial_that_is_finished_between_look_and_claim_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, link = tmp_path / "log", os.link
    grid = {"x": [1], "log": [str(log)]}

    def late(source: Path, target: Path) -> None:
        if target.parent.name == "claims":  # the moment of the claim
            monkeypatch.setattr(os, "link", link)
            cl.sweep(grid, noted, out=tmp_path / "out")  # another sweep, at that very moment
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    report = cl.sweep(grid, noted, out=tmp_path / "out")
    assert runs(log) == [1]
    assert (report.done, report.cached) == (0, 1)


def test_retries_go_through_the_executor(tmp_path: Path, pool: ProcessPoolExecutor) -> None:
    grid = {"x": range(4), "log": [str(tmp_path / "log")], "times": [1]}
    report = cl.sweep(grid, fails, pool, out=tmp_path / "out")
    assert (report.done, report.failed) == (4, 0)
    assert sorted(runs(tmp_path / "log")) == [0, 1, 1, 2, 3, 3]


@pytest.mark.slow(seconds=1)
@pytest.mark.usefixtures("forked_workers")
def test_processes_of_its_own_are_mended_and_end_with_the_sweep(tmp_path: Path) -> None:
    log = tmp_path / "log"
    before = {process.pid for process in multiprocessing.active_children()}
    grid = {"x": range(6), "log": [str(log)], "times": [1]}
    report = cl.sweep(grid, partial(deadly), 2, out=tmp_path / "out")
    assert (report.done, report.failed) == (6, 0)
    assert {process.pid for process in multiprocessing.active_children()} == before


def test_two_sweeps_at_once_share_the_trials_and_give_up_together(tmp_path: Path) -> None:
    log = tmp_path / "log"
    grid = {"x": range(6), "log": [str(log)], "times": [99]}
    AT_WORK.clear()
    with ThreadPoolExecutor(2) as threads:
        both = [
            threads.submit(cl.sweep, grid, fails_in_company, out=tmp_path / "out", retries=1)
            for _ in range(2)
        ]
        reports = [each.result() for each in both]
    assert sorted(runs(log)) == [0, 1, 1, 2, 3, 3, 4, 5, 5]  # no trial by both
    assert sum(report.done for report in reports) == 3
    for report in reports:
        assert (report.done + report.cached, report.failed, report.remaining) == (3, 3, 0)
        assert report.done > 0


AT_WORK: set[int] = set()


def fails_in_company(**settings: Any) -> dict[str, int]:
    """Do nothing before both sweeps are at work, however late one of them starts."""
    AT_WORK.add(threading.get_ident())
    until(lambda: len(AT_WORK) == 2, "the other sweep")
    return fails(**settings)


class Unsized(Executor):
    """Says nothing of its workers, and finishes calls when none is handed over any more."""

    def __init__(self) -> None:
        self.most = 0
        self.pending: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.pending.append((future, partial(fn, *args, **kwargs)))
        self.most = max(self.most, len(self.pending))
        if len(self.pending) >= len(os.sched_getaffinity(0)):
            for each, call in self.pending:
                each.set_result(call())
            self.pending.clear()
        return future


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux tells")
def test_an_executor_that_does_not_say_how_many_gets_a_trial_for_each_core_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 6})
    executor = Unsized()
    assert cl.sweep({"x": range(6)}, double, executor, out=tmp_path / "out").done == 6
    assert executor.most == 3


def test_a_trial_that_was_typed_in_is_refused_where_processes_start_afresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: ProcessPoolExecutor
) -> None:
    import __main__

    def typed(*, x: int) -> dict[str, int]:
        return {"y": x}

    typed.__module__, typed.__qualname__ = "__main__", "typed"
    monkeypatch.setattr(__main__, "typed", typed, raising=False)
    monkeypatch.setattr(__main__, "__spec__", None)
    monkeypatch.setattr(__main__, "__file__", "<stdin>", raising=False)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as afresh:
        for executor in (2, afresh):
            with pytest.raises(
                TypeError, match=r"stand in a file, .* got \"__main__\.typed\" of an"
            ):
                cl.sweep({"x": [1]}, typed, executor, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert cl.sweep({"x": [1]}, typed, pool, out=tmp_path / "out").complete
    assert cl.sweep({"x": [1, 2]}, typed, out=tmp_path / "out").done == 1


@pytest.mark.slow(seconds=1)
@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize(("number", "threads"), [(1, 6), (2, 3), (4, 1), (9, 1)])
def test_processes_share_the_cores(
    number: int, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    report = cl.sweep({"x": [1]}, threads_of, number, out=tmp_path / "out")
    assert report.table()["threads"].tolist() == [threads]


def threads_of(*, x: int) -> dict[str, int]:
    return {"threads": torch.get_num_threads()}


@pytest.mark.usefixtures("forked_workers")  # so that workers see GPUs, too
def test_auto_gives_every_worker_its_own_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    grid = {"x": range(3), "folder": [str(tmp_path)]}
    report = cl.sweep(grid, own_device, 3, out=tmp_path / "out")
    assert sorted(report.table()["device"].tolist()) == ["cuda:0", "cuda:0", "cuda:1"]
    assert device_for("auto") == "cuda"  # of this process, which is no worker


def own_device(*, x: int, folder: str) -> dict[str, str]:
    (Path(folder) / f"{x}.begun").touch()
    until(lambda: len(list(Path(folder).glob("*.begun"))) == 3, "a trial on every worker")
    return {"device": device_for("auto")}


@pytest.mark.parametrize(("device", "named"), [("cuda:1", "Fake GPU 1"), ("cpu", "cpu")])
def test_a_trial_is_told_with_the_gpu_that_it_used(device: str, named: str) -> None:
    with FakeGPU([(9, 0), (9, 0)]):
        attempt(sums, {"device": "cuda:0"})  # of this process, but no part of the trial
        outcome = attempt(sums, {"device": device})
    assert outcome.error is None
    assert outcome.execution["environment"]["device"] == named


def sums(*, device: str) -> dict[str, float]:
    return {"sum": torch.ones(3, device=device).sum().item()}


# --------------------------------------------------------------------------------------------- ray


class FakeRay:
    """What the executor needs of Ray, done at once in this process."""

    def __init__(self, **there: float) -> None:
        self.there, self.nodes = there, 0
        self.sent: list[Callable[..., Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.cancelled: list[Any] = []
        self.pending = False

    def is_initialized(self) -> bool:
        return self.nodes > 0

    def init(self, address: str | None, **options: Any) -> None:
        self.nodes, self.address = 1, address

    def shutdown(self) -> None:
        self.nodes = 0

    def cluster_resources(self) -> dict[str, float]:
        return self.there

    def remote(self, function: Callable[..., Any]) -> Any:
        self.sent.append(function)

        def options(**asked: Any) -> Any:
            self.asked.append(asked)
            return SimpleNamespace(remote=lambda *given: self.called(function, *given))

        return SimpleNamespace(options=options)

    def called(self, function: Callable[..., Any], *given: Any) -> Any:
        future: Future[Any] = Future()
        if not self.pending:
            future.set_result(function(*given))
        return SimpleNamespace(future=lambda: future)

    def cancel(self, reference: Any, *, force: bool) -> None:
        assert force
        self.cancelled.append(reference)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    made = FakeRay(CPU=8, GPU=1, TPU=3)
    monkeypatch.setitem(sys.modules, "ray", made)
    return made


@pytest.mark.parametrize(
    ("options", "room"),
    [
        ({}, 8),
        ({"num_cpus": 3}, 2),
        ({"num_gpus": 0.25}, 4),
        ({"num_gpus": 0.5}, 2),
        ({"num_gpus": 0.3}, 3),
        ({"num_gpus": 1 / 3}, 3),
        ({"num_gpus": 0.6}, 1),
        ({"num_cpus": 0, "resources": {"TPU": 2}}, 1),
        ({"max_workers": 40}, 40),
    ],
)
def test_ray_gets_as_many_trials_as_there_is_room_for(
    options: dict[str, Any], room: int, fake: FakeRay
) -> None:
    assert cl.sweeps.RayExecutor(**options).max_workers == room


@pytest.mark.parametrize(("share", "room"), [(0.4, 4), (0.5, 4), (0.6, 2), (1, 2)])
def test_no_trial_gets_its_share_from_two_gpus(share: float, room: int, fake: FakeRay) -> None:
    fake.there["GPU"] = 2
    assert cl.sweeps.RayExecutor(num_gpus=share).max_workers == room


def test_ray_without_room_for_one_trial_is_refused_until_it_once_had_room(fake: FakeRay) -> None:
    executor = cl.sweeps.RayExecutor(num_gpus=2)
    with pytest.raises(ValueError, match=r"^`executor` must ask .* got 2 GPU where there are 1;"):
        executor.max_workers  # noqa: B018
    fake.there["GPU"] = 2
    assert executor.max_workers == 1
    fake.there["GPU"] = 1  # a node has died, and may come back
    assert executor.max_workers == 1


def test_ray_is_sent_the_function_once_and_asked_for_the_needs_of_every_trial(
    tmp_path: Path, fake: FakeRay
) -> None:
    with cl.sweeps.RayExecutor(num_gpus=0.5, resources={"TPU": 1}, address="here") as executor:
        report = cl.sweep({"x": range(5)}, double, executor, out=tmp_path / "out")
        assert fake.is_initialized()
    assert report.table()["double"].tolist() == [0, 2, 4, 6, 8]
    assert len(fake.sent) == 1
    assert fake.asked == 5 * [
        {
            "num_cpus": 1,
            "num_gpus": 0.5,
            "resources": {"TPU": 1},
            "max_retries": 0,
            "scheduling_strategy": "SPREAD",
        }
    ]
    assert fake.address == "here"
    assert not fake.is_initialized()


@pytest.mark.parametrize(
    ("address", "variable", "joined"),
    [
        (None, None, "local"),
        (None, "", "local"),
        (None, "head:6379", "head:6379"),
        ("auto", None, "auto"),
        ("there:1", "head:6379", "there:1"),
    ],
)
def test_ray_joins_no_cluster_that_nobody_named(
    address: str | None,
    variable: str | None,
    joined: str,
    fake: FakeRay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if variable is not None:
        monkeypatch.setenv("RAY_ADDRESS", variable)
    with cl.sweeps.RayExecutor(address=address) as executor:
        executor.submit(abs, -3)
    assert fake.address == joined


def test_a_ray_that_was_connected_before_stays_so(fake: FakeRay) -> None:
    fake.init(None)
    with cl.sweeps.RayExecutor() as executor:
        assert executor.submit(abs, -3).result() == 3
    assert fake.is_initialized()


def test_what_runs_on_ray_is_ended_when_it_is_cancelled(fake: FakeRay) -> None:
    fake.pending = True
    executor = cl.sweeps.RayExecutor()
    futures = [executor.submit(abs, -3) for _ in range(2)]
    executor.shutdown(cancel_futures=True)
    assert all(future.cancelled() for future in futures)
    assert len(fake.cancelled) == 2
    assert not fake.is_initialized()


def test_a_missing_ray_is_one_clear_error_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"^`ray` is not installed; .*corruptlab\[ray\]"):
        cl.sweep({"x": [1]}, double, cl.sweeps.RayExecutor(), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"num_cpus": -1}, ValueError, r"^`num_cpus` must be at least 0, got -1\.$"),
        ({"num_gpus": float("nan")}, ValueError, r"^`num_gpus` must be at least 0, got nan\.$"),
        (
            {"num_gpus": 1.5},
            ValueError,
            r"^`num_gpus` must be at most 1 or a whole number, got 1\.5",
        ),
        ({"num_gpus": "1"}, TypeError, r"^`num_gpus` must be a number, got '1'\.$"),
        ({"resources": {"TPU": -2}}, ValueError, r"^`resources` must be at least 0, got -2\.$"),
        ({"num_cpus": 0}, ValueError, r"^`num_cpus` must be greater than 0 if nothing else is"),
        ({"max_workers": 0}, ValueError, r"^`max_workers` must be at least 1, got 0\.$"),
    ],
)
def test_bad_needs_of_ray_trials_are_refused(
    options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        cl.sweeps.RayExecutor(**options)


def test_a_ray_executor_prints_as_the_call_that_makes_it() -> None:
    executor = cl.sweeps.RayExecutor(
        num_cpus=2, num_gpus=0.25, resources={"TPU": 1}, address="auto", max_workers=3
    )
    assert repr(executor) == (
        "RayExecutor(num_cpus=2, num_gpus=0.25, resources={'TPU': 1}, address='auto', "
        "max_workers=3)"
    )
