"""Files: whole or not there, and of several writers the first wins."""

import os
import threading
from pathlib import Path

import pytest

from corruptlab.experiments.sweeps import _files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [True, False])
def test_the_first_writer_wins(durable: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert _files.publish(path, {"writer": 1}, durable=durable)
    assert not _files.publish(path, {"writer": 2}, durable=durable)
    assert _files.read(path, "a file") == {"writer": 1}
    assert names(tmp_path) == ["a.json"]


def test_of_many_writers_at_once_one_wins_and_all_read_the_same(tmp_path: Path) -> None:
    path, barrier, won = tmp_path / "a.json", threading.Barrier(8), []

    def write(writer: int) -> None:
        barrier.wait()
        if _files.publish(path, {"writer": writer}):
            won.append(writer)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [_files.read(path, "a file")["writer"]] == won


def test_without_hard_links_files_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(source: Path, target: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", unsupported)
    path = tmp_path / "a.json"
    assert _files.publish(path, {"writer": 1})
    assert not _files.publish(path, {"writer": 2})
    assert _files.read(path, "a file") == {"writer": 1}
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
    assert _files.publish(path, {"writer": 1})
    assert not _files.publish(path, {"writer": 2})
    assert _files.read(path, "a file") == {"writer": 1}
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
    _files.publish(tmp_path / "a.json", {})
    assert events == ["file", "name", "folder"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    _files.replace(path, {"writer": 1})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        _files.replace(path, {"writer": 2})
    with pytest.raises(OSError, match="No space left"):
        _files.publish(tmp_path / "b.json", {"writer": 2})
    assert _files.read(path, "a file") == {"writer": 1}
    assert names(tmp_path) == ["a.json"]
