"""Summaries: written, read, put together, and refused."""

import json
import os
from pathlib import Path

import pytest

from benchmarks import _summary
from benchmarks._records import Entry
from benchmarks._summary import Skipped, SummaryError
from tests.benchmarks.cases import comparison, made, times


def test_summary_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    entries: list[Entry] = [comparison(), times(), comparison(name="second")]
    _summary.write(tmp_path / "s.json", entries, [Skipped("test_x", "no GPU")])
    assert _summary.read(tmp_path / "s.json") == entries
    values = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert values["skipped"] == [{"test": "test_x", "reason": "no GPU"}]


def test_a_summary_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "summary.json"
    _summary.write(path, [comparison()])
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        _summary.write(path, [])
    assert _summary.read(path) == [comparison()]


def test_merging_replaces_in_place_and_adds_at_the_end() -> None:
    kept: list[Entry] = [comparison(), comparison(name="second"), times()]
    again, third = comparison(ratio=9.0), comparison(name="third")
    assert _summary.merged(kept, [third, again]) == [again, *kept[1:], third]


def test_merging_the_same_again_changes_nothing() -> None:
    kept: list[Entry] = [comparison(), times()]
    assert _summary.merged(kept, kept) == kept
    assert _summary.merged(kept, []) == kept
    assert _summary.merged([], kept) == kept


def test_machines_do_not_replace_each_other() -> None:
    there = comparison(made=made(machine="Another"))
    assert _summary.merged([comparison()], [there]) == [comparison(), there]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", r"must be JSON, got Expecting"),
        ("[]", r"must be a summary of benchmarks, got another JSON file\.$"),
        ('{"kind": "sweep"}', r"must be a summary of benchmarks, got another JSON file\.$"),
        ('{"kind": "benchmarks", "schema": 7}', r"must have schema 1, got 7\.$"),
        (
            '{"kind": "benchmarks", "schema": 1, "entries": [{"kind": "comparison"}]}',
            r"must hold whole entries, got one without 'limit'\.$",
        ),
    ],
)
def test_file_of_another_kind_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(SummaryError, match=says):
        _summary.read(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SummaryError, match=r"none\.json must be a file, got No such file"):
        _summary.read(tmp_path / "none.json")
