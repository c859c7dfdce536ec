"""The files of a sweep are whole or absent, and one sweep at a time is at work on a trial."""

import json
import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from corruptlab._sweeps import _store
from corruptlab._sweeps._store import Claims, publish, removed
from tests.damage import WAYS
from tests.waiting import until


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [True, False])
def test_the_first_writer_wins(durable: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert _store.publish(path, {"writer": 1}, durable=durable)
    assert not _store.publish(path, {"writer": 2}, durable=durable)
    assert _store.read(path, "a file") == {"writer": 1}
    assert names(tmp_path) == ["a.json"]


def test_of_many_writers_at_once_one_wins_and_all_read_the_same(tmp_path: Path) -> None:
    path, barrier, won = tmp_path / "a.json", threading.Barrier(8), []

    def write(writer: int) -> None:
        barrier.wait()
        if _store.publish(path, {"writer": writer}):
            won.append(writer)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [_store.read(path, "a file")["writer"]] == won


def test_without_hard_links_files_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(source: Path, target: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", unsupported)
    path = tmp_path / "a.json"
    assert _store.publish(path, {"writer": 1})
    assert not _store.publish(path, {"writer": 2})
    assert _store.read(path, "a file") == {"writer": 1}
    assert names(tmp_path) == ["a.json"]


def test_a_link_whose_answer_was_lost_on_the_way_was_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def asked_twice(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", asked_twice)
    path = tmp_path / "a.json"
    assert _store.publish(path, {"writer": 1})
    assert not _store.publish(path, {"writer": 2})
    assert _store.read(path, "a file") == {"writer": 1}
    assert names(tmp_path) == ["a.json"]


def test_a_file_reaches_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, sync, link = [], os.fsync, os.link

    def synced(descriptor: int) -> None:
        events.append("folder" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "file")
        sync(descriptor)

    def linked(source: Path, target: Path) -> None:
        events.append("name")
        link(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "link", linked)
    _store.publish(tmp_path / "a.json", {})
    assert events == ["file", "name", "folder"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    _store.replace(path, {"writer": 1})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        _store.replace(path, {"writer": 2})
    with pytest.raises(OSError, match="No space left"):
        _store.publish(tmp_path / "b.json", {"writer": 2})
    assert _store.read(path, "a file") == {"writer": 1}
    assert names(tmp_path) == ["a.json"]


# ----------------------------------------------------------------------------------------- claims


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """The claim of this living process on the trial ``a``."""
    assert Claims(tmp_path).take("a")
    return tmp_path / "a.json"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Replace the clock by one that only runs when it is told to."""
    now = [0.0]
    monkeypatch.setattr(_store, "time", SimpleNamespace(monotonic=lambda: now[0], time=time.time))

    def forward(seconds: float) -> None:
        now[0] += seconds

    return forward


def test_a_trial_is_taken_once_until_it_is_released(tmp_path: Path) -> None:
    one, other = Claims(tmp_path), Claims(tmp_path)
    assert one.take("a")
    assert one.take("a")
    assert not other.take("a")
    assert other.take("b")
    one.release("a")
    assert other.take("a")


def test_leaving_releases_all_and_nothing_of_others(tmp_path: Path) -> None:
    other = Claims(tmp_path)
    other.take("b")
    with Claims(tmp_path) as claims:
        claims.keep_alive()
        claims.take("a")
        claims.take("b")
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


def test_the_claim_of_a_dead_process_is_void_at_once(held: Path, tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=time.time)
    process.start()
    process.join()
    rewrite(held, pid=process.pid)
    assert Claims(tmp_path).take("a")
    assert json.loads(held.read_text())["pid"] == os.getpid()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells")
def test_a_number_that_was_given_to_a_younger_process_is_not_the_claimant(
    held: Path, tmp_path: Path
) -> None:
    rewrite(held, started="12")
    assert Claims(tmp_path).take("a")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells")
def test_a_process_that_is_dead_but_still_listed_holds_nothing(held: Path, tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    until(lambda: _store._stat(child)[0] == "Z", "the end of the child")
    rewrite(held, pid=child, started=_store._stat(child)[1])
    assert Claims(tmp_path).take("a")
    os.waitpid(child, 0)


def test_a_claim_of_another_machine_lapses_without_signs_of_life(
    held: Path, tmp_path: Path, clock: Callable[[float], None]
) -> None:
    rewrite(held, place="elsewhere", pid=1)
    claims = Claims(tmp_path, lapse=60)
    assert not claims.take("a")
    clock(59)
    assert not claims.take("a")
    clock(2)
    assert claims.take("a")


@pytest.mark.parametrize("sign", ["touched", "rewritten"])
def test_a_sign_of_life_starts_the_time_anew_whatever_the_other_clock_says(
    sign: str, held: Path, tmp_path: Path, clock: Callable[[float], None]
) -> None:
    rewrite(held, place="elsewhere", pid=1)
    claims = Claims(tmp_path, lapse=60)
    assert not claims.take("a")
    clock(59)
    if sign == "touched":
        os.utime(held, (5, 5))  # years ago, as a clock that is wrong has it
    else:
        times = held.stat()
        rewrite(held, token="another")
        os.utime(held, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not claims.take("a")
    clock(59)
    assert not claims.take("a")
    clock(2)
    assert claims.take("a")


def test_a_void_claim_is_removed_and_a_new_one_in_its_place_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"void")
    assert removed(path, b"void")
    assert removed(path, b"void")  # another sweep was faster
    path.write_bytes(b"new")
    assert not removed(path, b"void")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("a.json", b"new")]


def test_where_a_start_is_not_told_a_claim_lapses_too(
    held: Path, tmp_path: Path, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store, "_stat", lambda pid: ("", ""))
    rewrite(held, started="")  # the number may have gone to a younger process
    claims = Claims(tmp_path, lapse=60)
    assert not claims.take("a")
    clock(59)
    assert not claims.take("a")
    clock(2)
    assert claims.take("a")


@pytest.mark.parametrize("written", [True, False])
def test_ctrl_c_while_a_claim_is_made_leaves_none_behind_and_takes_no_other_s(
    written: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(path: Path, *arguments: Any, **options: Any) -> bool:
        if written:
            publish(path, *arguments, **options)
        raise KeyboardInterrupt

    if not written:
        Claims(tmp_path).take("a")
    monkeypatch.setattr(_store, "publish", pressed)
    with pytest.raises(KeyboardInterrupt), Claims(tmp_path) as claims:
        claims.take("a")
    assert [path.name for path in tmp_path.iterdir()] == ([] if written else ["a.json"])


def test_leaving_does_not_remove_a_claim_that_another_sweep_took_over(
    tmp_path: Path, clock: Callable[[float], None]
) -> None:
    with Claims(tmp_path) as claims:
        claims.take("a")
        rewrite(tmp_path / "a.json", token="another")
    assert (tmp_path / "a.json").exists()


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_claim_is_void_or_lapses(
    way: Callable[[bytes, random.Random], bytes],
    held: Path,
    tmp_path: Path,
    clock: Callable[[float], None],
) -> None:
    content = held.read_bytes()
    for seed in range(100):
        damaged = way(content, random.Random(seed))
        held.write_bytes(damaged)
        with Claims(tmp_path, lapse=60) as claims:
            if not claims.take("a"):
                clock(61)
                lives = claims.take("a")  # unless what is damaged does not matter
                assert lives or json.loads(damaged)["pid"] == os.getpid()


def test_signs_of_life_are_given_for_what_is_held(tmp_path: Path) -> None:
    with Claims(tmp_path, lapse=0.1) as claims:
        claims.keep_alive()
        claims.keep_alive()
        claims.take("a")
        assert [thread.name for thread in threading.enumerate()].count("claims") == 1
        os.utime(tmp_path / "a.json", (5, 5))
        until(lambda: (tmp_path / "a.json").stat().st_mtime != 5, "a sign of life")
    assert not any(thread.name == "claims" for thread in threading.enumerate())


def test_of_many_that_want_one_trial_exactly_one_gets_it(tmp_path: Path) -> None:
    rivals, barrier, got = [Claims(tmp_path) for _ in range(8)], threading.Barrier(8), []

    def want(claims: Claims) -> None:
        for name in map(str, range(20)):
            barrier.wait()
            if claims.take(name):
                got.append(name)

    threads = [threading.Thread(target=want, args=(each,)) for each in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got, key=int) == [str(i) for i in range(20)]
