"""A file is the old one or the new one, and never a part."""

import re
from pathlib import Path

import pytest

from corruptlab._io import whole_file, write_whole


def test_until_the_end_the_older_file_is_there(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with whole_file(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "report.json"
    message = f"{path}: expected a folder to write to, found no {path.parent}."
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        write_whole(path, "")


def test_what_fails_half_way_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path) as beside:
            beside.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_last_step_that_fails_leaves_the_older_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def refuse(beside: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError, match="denied"), whole_file(path) as beside:
        beside.write_text("new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_have_a_hidden_path_each_with_the_suffix_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    with whole_file(path) as one, whole_file(path) as two:
        assert one != two
        assert {one.parent, two.parent} == {tmp_path}
        assert {one.name[0], two.name[0]} == {"."}
        assert {one.suffix, two.suffix} == {".png"}
        one.touch()
        two.touch()


def test_others_may_read_it_as_any_file(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as beside:
        beside.touch()
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError, match="none"),
        whole_file(tmp_path / "none" / "a") as beside,
    ):
        beside.touch()


def test_text_is_written_as_utf_8_over_an_older_one_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    write_whole(path, "a longer old text")
    write_whole(path, "5 ± 1")
    assert path.read_bytes() == "5 ± 1".encode()
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\ud800")
    assert path.read_bytes() == "5 ± 1".encode()
    assert list(tmp_path.iterdir()) == [path]
