"""The page of measurements: it is what the script makes, and its prose is left alone."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import _markdown, _summary
from benchmarks._records import Entry
from benchmarks._summary import SummaryError
from tests.benchmarks.cases import comparison, made, times

DOCS = Path(__file__).parents[2] / "docs"
PAGE = """# Measured

<!-- table: training -->
old
<!-- end of table -->

Prose.

<!-- table: interpolation_time -->
<!-- end of table -->
"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_benchmarks", DOCS / "make_benchmarks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def kept(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a page and one kept measurement, instead of the project's."""
    monkeypatch.setattr(script, "PAGE", tmp_path / "benchmarks.md")
    monkeypatch.setattr(script, "KEPT", tmp_path / "benchmarks.json")
    (tmp_path / "benchmarks.md").write_text(PAGE, encoding="utf-8")
    _summary.write(tmp_path / "benchmarks.json", [comparison()])
    return tmp_path


def test_page_of_the_project_is_what_the_script_makes(script: ModuleType) -> None:
    text = script.PAGE.read_text(encoding="utf-8")
    assert script.rendered(text, _summary.read(script.KEPT)) == text


def test_kept_file_of_the_project_is_what_the_script_writes(
    script: ModuleType, tmp_path: Path
) -> None:
    _summary.write(tmp_path / "again.json", _summary.read(script.KEPT))
    assert (tmp_path / "again.json").read_text() == script.KEPT.read_text(encoding="utf-8")


def test_kept_measurements_of_the_project_are_of_real_sizes(script: ModuleType) -> None:
    entries = _summary.read(script.KEPT)
    assert entries
    assert {entry.made.size for entry in entries} == {"full"}
    assert len({entry.key for entry in entries}) == len(entries)


def test_every_group_has_a_place_on_the_page_and_a_benchmark(script: ModuleType) -> None:
    text = script.PAGE.read_text(encoding="utf-8")
    files = {
        path.stem.removeprefix("test_") for path in (DOCS.parent / "benchmarks").glob("test_*")
    }
    assert files == set(_markdown.GROUPS)
    assert all(f"<!-- table: {group} -->" in text for group in _markdown.GROUPS)


def test_tables_are_put_between_marks_and_prose_stays(script: ModuleType) -> None:
    entries: list[Entry] = [comparison(), times()]
    text = script.rendered(PAGE, entries)
    assert "old" not in text
    assert text.count("Prose.") == 1
    for entry in entries:
        assert _markdown.tables(entries, entry.group) in text
    assert text.startswith("# Measured\n\n<!-- table: training -->\n")
    assert "<!-- end of table -->\n\nProse.\n\n<!-- table: interpolation_time -->" in text


def test_rendering_twice_changes_nothing_more(script: ModuleType) -> None:
    once = script.rendered(PAGE, [comparison()])
    assert script.rendered(once, [comparison()]) == once


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (
            PAGE.replace("training", "cooking"),
            r"must be one of interpolation_time, .*, got cooking",
        ),
        (
            PAGE.replace("training", "kernels"),
            r"the page must have `<!-- table: training -->`, got",
        ),
        (
            PAGE.replace("<!-- end of table -->", "", 1),
            r"must have its own `<!-- end of table -->`",
        ),
        (PAGE + "<!-- end of table -->", r"must have its own `<!-- end of table -->`"),
    ],
)
def test_page_with_wrong_marks_is_refused(script: ModuleType, page: str, says: str) -> None:
    with pytest.raises(SummaryError, match=says):
        script.rendered(page, [comparison()])


def test_command_merges_a_run_and_makes_the_page(script: ModuleType, kept: Path) -> None:
    _summary.write(kept / "summary.json", [comparison(ratio=9.0), times()])
    script.main([str(kept / "summary.json")])
    entries = _summary.read(kept / "benchmarks.json")
    assert entries == [comparison(ratio=9.0), times()]
    assert (kept / "benchmarks.md").read_text() == script.rendered(PAGE, entries)


def test_command_puts_several_runs_in_and_keeps_the_rest(script: ModuleType, kept: Path) -> None:
    _summary.write(kept / "one.json", [comparison(name="second")])
    _summary.write(kept / "two.json", [times()])
    script.main([str(kept / "one.json"), str(kept / "two.json")])
    assert _summary.read(kept / "benchmarks.json") == [
        comparison(), comparison(name="second"), times(),
    ]  # fmt: skip


def test_command_without_a_run_makes_the_page_of_what_is_kept(
    script: ModuleType, kept: Path
) -> None:
    script.main([])
    assert _summary.read(kept / "benchmarks.json") == [comparison()]
    assert (kept / "benchmarks.md").read_text() == script.rendered(PAGE, [comparison()])


def test_quick_sizes_are_refused_and_nothing_is_written(script: ModuleType, kept: Path) -> None:
    quick = comparison(made=made(size="quick"), ratio=9.0)
    _summary.write(kept / "summary.json", [times(), quick])
    with pytest.raises(
        SystemExit, match=r"must hold real sizes \(--full\), got a quick 'an epoch'\.$"
    ):
        script.main([str(kept / "summary.json")])
    assert _summary.read(kept / "benchmarks.json") == [comparison()]
    assert (kept / "benchmarks.md").read_text() == PAGE


def test_missing_run_is_one_line(script: ModuleType, kept: Path) -> None:
    with pytest.raises(SystemExit, match=r"^make_benchmarks: .*none\.json must be a file, got No"):
        script.main([str(kept / "none.json")])
