"""What was measured is kept, replaced by what is newer, and shown beside what was published."""

import importlib.util
import json
import math
import os
import random
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import corruptlab as cl
from corruptlab.datasets import DataFileError
from corruptlab.experiments import paper
from corruptlab.experiments.paper import Exhibit, Measurement, Reproduction
from tests.damage import NO_FILES, WAYS, error_of

ROOT = Path(__file__).parents[3]
TABLE = paper.exhibit("table1")
ONE = Measurement(
    row="mlp-1x512 plain",
    seed=0,
    measured={"train": 99.99, "test": 51.37},
    sample="CIFAR-10",
    machine="a laptop",
    environment={"torch": "2.13.0", "threads": 2},
    seconds=300.0,
    command="corruptlab reproduce table1",
)


def lines(*found: Measurement, name: str = "table1") -> list[list[str]]:
    """The cells of the measured lines of a table, without its first column."""
    marked = paper.markdown(name, found).splitlines()
    rows = [line.strip("|").split("|") for line in marked[2:] if line.startswith("|")]
    stripped = [[cell.strip().removesuffix(" (!)") for cell in row] for row in rows]
    return [row[1:] for row in stripped if row[1] != "not measured"]


def cells(*found: Measurement, name: str = "table1") -> list[tuple[str, ...]]:
    """Measured, published, and deviation of each quantity."""
    each = [line[:-3] for line in lines(*found, name=name)]
    return [tuple(line[i : i + 3]) for line in each for i in range(0, len(line), 3)]


def text(exhibit: Exhibit, *found: Measurement) -> str:
    """The table that `reproduce` prints."""
    return Reproduction(
        exhibit=exhibit,
        measurements=found,
        left_out={},
        failures=(),
        interrupted=False,
        out=Path("out"),
        seconds=1.0,
    ).table()


def test_measured_stands_beside_published_with_the_deviation() -> None:
    assert cells(ONE) == [("99.99", "100.00", "-0.01"), ("51.37", "50.51", "+0.86")]


def test_of_several_seeds_it_is_the_mean_with_a_t_interval() -> None:
    values = [51.0, 52.0, 54.0]
    several = [
        replace(ONE, seed=i, measured={"train": 100.0, "test": v}) for i, v in enumerate(values)
    ]
    mean = sum(values) / 3
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / 2)
    half = 4.302653 * deviation / math.sqrt(3)  # Student's t with 2 degrees of freedom, 97.5%
    assert cells(*several)[1] == (f"{mean:.2f} ± {half:.2f}", "50.51", f"{mean - 50.51:+.2f}")
    (line,) = lines(*several)
    assert line[-3] == "0, 1, 2"


@pytest.mark.parametrize(
    ("test", "misses"), [(52.51, False), (52.52, True), (48.51, False), (48.5, True)]
)
def test_a_deviation_beyond_what_was_aimed_at_is_marked(test: float, misses: bool) -> None:
    found = replace(ONE, measured={"train": 100.0, "test": test})
    shown = text(TABLE, found)
    assert ("(!)" in shown.splitlines()[2]) == misses
    assert f"{0 if misses else 1} of 1 measured rows meet it." in shown


def test_machines_are_not_averaged() -> None:
    other = replace(ONE, machine="a server", measured={"train": 100.0, "test": 50.0})
    assert [each[0] for each in cells(ONE, other)] == ["99.99", "51.37", "100.00", "50.00"]


@pytest.mark.parametrize("apart", [{"sample": "10 images"}, {"note": "in haste"}], ids=str)
def test_other_data_or_circumstances_are_not_averaged_either(apart: dict[str, Any]) -> None:
    other = replace(ONE, seed=1, measured={"train": 100.0, "test": 50.0}, **apart)
    assert [each[0] for each in cells(ONE, other)] == ["99.99", "51.37", "100.00", "50.00"]


def test_seeds_are_in_order_and_times_are_averaged_if_all_were_noted() -> None:
    one, two, none = (replace(ONE, seed=i, seconds=s) for i, s in enumerate([300.0, 900.0, None]))
    (line,) = lines(two, one)
    assert line[-3:-1] == ["0, 1", "10 min"]
    assert " | 0, 2 | - | 1 |" in paper.markdown("table1", [one, none])


def test_words_stay_words_and_a_missing_seed_leaves_no_mean() -> None:
    failed = Measurement(**{**vars(ONE), "row": "small-alexnet weight-decay"})
    failed = replace(failed, measured={"train": "the loss is not finite"})
    assert cells(failed, name="table4") == [("the loss is not finite", "failed to converge", "-")]
    none = replace(ONE, seed=1, measured={"train": None, "test": 50.0})
    assert cells(ONE, none)[0] == ("-", "100.00", "-")


@pytest.mark.parametrize("test", ["the loss is not finite", None, math.nan, math.inf])
def test_no_number_where_one_was_promised_keeps_no_promise(test: Any) -> None:
    found = replace(ONE, measured={"train": 100.0, "test": test})
    shown = text(TABLE, found)
    assert "(!)" in shown.splitlines()[2]
    assert "0 of 1 measured rows meet it." in shown


def test_slowdown_is_over_p_0_of_the_same_seed_machine_and_data() -> None:
    def steps(p: str, seed: int, value: int | None) -> Measurement:
        return replace(ONE, row=f"mlp-1x512 p={p}", seed=seed, measured={"steps": value})

    found = [steps("0", 0, 100), steps("1", 0, 250), steps("0", 1, 200), steps("1", 1, 900)]
    shown = paper.markdown("fig1b", found, rows=paper.exhibit("fig1b").picked(["mlp-1x512 p=1"]))
    half = 12.706205 * math.sqrt((2.5 - 3.5) ** 2 * 2) / math.sqrt(2)
    assert f"| mlp-1x512 p=1 | 3.50 ± {half:.2f} | roughly 2 to 4 |" in shown
    other_data, other_machine = replace(found[0], sample="x"), replace(found[0], machine="y")
    for unlike in ([], [other_data], [other_machine]):
        lonely = paper.markdown("fig1b", [*unlike, found[1]])
        assert "| mlp-1x512 p=1 | - | roughly 2 to 4 | 250 |" in lonely


def test_what_never_fitted_has_no_slowdown_and_gives_none() -> None:
    def steps(p: str, value: int | None) -> Measurement:
        return replace(ONE, row=f"mlp-1x512 p={p}", measured={"steps": value})

    picked = paper.exhibit("fig1b").picked(["mlp-1x512 p=0.4", "mlp-1x512 p=1"])
    late = paper.markdown("fig1b", [steps("0", 100), steps("1", None)], rows=picked)
    assert "| mlp-1x512 p=1 | - | roughly 2 to 4 | - |" in late
    none = paper.markdown("fig1b", [steps("0", None), steps("1", 100)], rows=picked)
    assert "| mlp-1x512 p=1 | - | roughly 2 to 4 | 100 |" in none


def test_rows_that_nobody_measured_say_so() -> None:
    shown = paper.markdown("table1", [ONE])
    assert shown.count("not measured") == 18
    assert (
        "| mlp-1x512 plain | 99.99 | 100.00 | -0.01 | 51.37 | 50.51 | +0.86 | 0 | 5.0 min | 1 |"
        in shown
    )
    assert "1. CIFAR-10; a laptop, 2 threads; torch 2.13.0." in shown
    assert "corruptlab reproduce table1" in shown


def test_columns_are_those_of_what_was_published_and_off_stands_by_numbers_alone() -> None:
    def header(name: str) -> list[str]:
        return paper.markdown(name, []).splitlines()[0].strip("| ").split(" | ")[1:-3]

    assert header("table4") == ["training accuracy, %", "published", "off"]  # one row has words
    assert header("fig1c") == ["test error, %", "published"]
    assert header("theorem1")[-1] == "largest error"


def test_circumstances_and_commands_of_all_seeds_are_told_once() -> None:
    noted = replace(ONE, note="In haste.", environment={"torch": "2.13.0", "threads": 1})
    other = replace(noted, seed=1, command="corruptlab reproduce table1 --seeds 2")
    shown = paper.markdown("table1", [noted, other])
    assert "\n\n1. CIFAR-10; a laptop, 1 thread; torch 2.13.0. In haste.\n\n```sh\n" in shown
    assert shown.endswith(f"```sh\n{noted.command}\n{other.command}\n```\n")
    assert "1 of 1 measured rows meet it." in shown
    assert all(remark in shown for remark in TABLE.remarks)


def test_every_line_of_a_table_has_as_many_cells(tmp_path: Path) -> None:
    for name in paper.EXHIBITS:
        lines = [line for line in paper.markdown(name, []).splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) == 1


def test_kept_results_are_read_back_and_replaced_by_row_seed_and_machine(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    other = replace(ONE, seed=1)
    paper.keep_results(folder, "table1", [other, ONE])
    assert paper.kept_results(folder, "table1") == (ONE, other)
    newer = replace(ONE, measured={"train": 100.0}, note="newer")
    elsewhere = replace(ONE, machine="a server")
    path = paper.keep_results(folder, "table1", [newer, elsewhere])
    assert paper.kept_results(folder, "table1") == (newer, other, elsewhere)
    assert [entry.name for entry in folder.iterdir()] == ["table1.json"]
    assert "curves" not in path.read_text()
    assert paper.kept_results(folder, "table2") == ()


def test_kept_results_are_in_the_order_of_rows_then_machines_then_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    names = ["small-inception crop", "mlp-1x512 plain"]
    in_order = [
        replace(ONE, row=name, machine=machine, seed=seed)
        for name in names
        for machine in ("a laptop", "a server")
        for seed in (0, 1)
    ]
    path = paper.keep_results("~/results", "table1", in_order[::-1])
    assert path == tmp_path / "results" / "table1.json"
    assert json.loads(path.read_text()) == [each.to_dict() for each in in_order]
    path.write_text(json.dumps([each.to_dict() for each in in_order[::-1]]))
    assert paper.kept_results("~/results", "table1") == tuple(in_order)


def test_what_cannot_be_written_leaves_what_is_kept_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = paper.keep_results(tmp_path, "table1", [ONE])
    before = path.read_text()

    def full(*arguments: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        paper.keep_results(tmp_path, "table1", [replace(ONE, seed=1)])
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"table1\.json: expected a list of measurements, found a file that is damaged, .*\("),
        ('{"a": 1}', r"table1\.json: expected a list of measurements, found something else \(dict"),
        ("[3]", r"table1\.json: expected a list of measurements, found something else \("),
        ('[{"row": "a"}]', r"`values` must name seed, got \['row'\]"),
        (
            json.dumps([{**ONE.to_dict(), "color": 1}]),
            r"`values` must only name row, .*, got 'color'",
        ),
        (json.dumps([{**ONE.to_dict(), "row": "x"}]), r"expected rows of table1, found 'x'\.$"),
    ],
)
def test_a_damaged_file_is_named(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "table1.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        paper.keep_results(tmp_path, "table1", [ONE])
    assert (tmp_path / "table1.json").read_text() == content


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("seed", "0", r"`seed` must be an integer, got '0'\."),
        ("measured", None, r"`measured` must be a mapping, got None\."),
        ("environment", [], r"`environment` must be a mapping, got \[\]\."),
        ("seed", True, r"`seed` must be an integer, got True\."),
        ("seconds", "long", r"`seconds` must be a number or None, got 'long'\."),
        ("seconds", -1, r"`seconds` must be finite and at least 0, got -1\."),
        ("machine", None, r"`machine` must be text, got None\."),
    ],
)
def test_a_value_of_a_wrong_kind_is_named(
    field: str, value: Any, message: str, tmp_path: Path
) -> None:
    (tmp_path / "table1.json").write_text(json.dumps([{**ONE.to_dict(), field: value}]))
    with pytest.raises(DataFileError, match=rf"table1\.json: expected .* \({message}\)\.$"):
        paper.kept_results(tmp_path, "table1")


@pytest.mark.parametrize("way", WAYS)
def test_damage_is_one_clear_error_or_none(
    way: Callable[[bytes, random.Random], bytes], tmp_path: Path
) -> None:
    noted = replace(ONE, row="mlp-1x512 weight-decay", note="in haste", seconds=None)
    path = paper.keep_results(tmp_path, "table1", [ONE, noted])
    content, errors = path.read_bytes(), 0
    for seed in range(200):
        path.write_bytes(way(content, random.Random(seed)))
        if message := error_of(paper.kept_results, tmp_path, "table1"):
            assert message.startswith(f"{path}: expected "), seed
            errors += 1
        else:  # something that means the same, or other words and numbers: nobody can tell
            paper.markdown("table1", paper.kept_results(tmp_path, "table1"))
            paper.keep_results(tmp_path, "table1", [])
    assert errors > 20


@pytest.mark.parametrize(("make", "found"), NO_FILES, ids=[found for _, found in NO_FILES])
def test_what_is_no_file_is_named(make: Callable[[Path], None], found: str, tmp_path: Path) -> None:
    make(tmp_path / "table1.json")
    with pytest.raises(DataFileError, match=rf"table1\.json: expected .*, found {found}\.$"):
        paper.kept_results(tmp_path, "table1")
    with pytest.raises(DataFileError, match=rf"table1\.json: expected .*, found {found}\.$"):
        paper.keep_results(tmp_path, "table1", [ONE])


def test_what_is_no_measurement_or_is_there_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "table1.json").write_text("[5]")
    with pytest.raises(DataFileError, match=r"`values` must map names to values, got 5\."):
        paper.kept_results(tmp_path, "table1")
    (tmp_path / "table1.json").write_text(json.dumps([ONE.to_dict()] * 2))
    with pytest.raises(DataFileError, match=r"each measurement once, found \('mlp-1x512 plain'"):
        paper.kept_results(tmp_path, "table1")


def test_data_that_stand_in_replace_no_measurement_of_others(tmp_path: Path) -> None:
    quick = replace(ONE, sample="fashion-mnist-mini")
    paper.keep_results(tmp_path, "table1", [ONE])
    paper.keep_results(tmp_path, "table1", [quick])
    assert paper.kept_results(tmp_path, "table1") == (ONE, quick)


def test_numbers_that_json_lacks_are_kept(tmp_path: Path) -> None:
    found = replace(ONE, measured={"train": math.inf, "test": 50.0})
    paper.keep_results(tmp_path, "table1", [found])
    assert paper.kept_results(tmp_path, "table1") == (found,)


def test_of_several_that_keep_at_once_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes

    def slowly(path: Path) -> bytes:
        try:
            return read(path)
        finally:
            time.sleep(0.01)  # so that others would read the same, if they could

    monkeypatch.setattr(Path, "read_bytes", slowly)
    several = [replace(ONE, seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: paper.keep_results(tmp_path, "table1", [one]), several))
    assert paper.kept_results(tmp_path, "table1") == tuple(several)
    assert [entry.name for entry in tmp_path.iterdir()] == ["table1.json"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = paper.keep_results(tmp_path, "table1", [ONE])
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        paper.keep_results(tmp_path, "table1", [replace(ONE, seed=1)])
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert paper.kept_results(tmp_path, "table1") == (ONE,)


@pytest.mark.slow
def test_what_departs_from_a_row_is_kept_and_shown_beside_its_name(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"rows": ["depth 2"], "data": "fashion-mnist-mini", "progress": False}
    found = cl.reproduce("theorem1", out=tmp_path / "out", **asked)
    found.keep(tmp_path / "results", note="as they come")
    (kept,) = paper.kept_results(tmp_path / "results", "theorem1")
    assert kept == replace(found.measurements[0], note="as they come")
    assert (kept.departures, kept.departed, found.own_recipes) == ({}, "", True)
    json.dumps(found.to_dict(), allow_nan=False)
    assert "| depth 2 | 8,784 |" in found.markdown()
    changed = cl.reproduce("theorem1", out=tmp_path / "out", changes={"depth": 3}, **asked)
    assert not changed.own_recipes
    changed.keep(tmp_path / "results")
    own, other = paper.kept_results(tmp_path / "results", "theorem1")  # neither replaced the other
    assert (own, other.departures) == (kept, {"depth": 3})
    assert "| depth 2 (depth=3) |" in changed.markdown()
    assert "\ndepth 2 (depth=3)  " in changed.table()


def test_a_ratio_is_of_measurements_that_depart_alike() -> None:
    true, random = ("fig1b", "mlp-1x512 p=0"), ("fig1b", "mlp-1x512 p=1")
    half = {"recipe.precision": "bfloat16"}
    steps = {"steps": 10}
    there = replace(ONE, row=true[1], measured=steps)
    above = replace(ONE, row=random[1], measured={"steps": 30}, departures=half)
    exhibit = paper.exhibit("fig1b")
    assert "3.00" not in paper.markdown(exhibit, [there, above])
    assert "3.00" in paper.markdown(exhibit, [replace(there, departures=half), above])


@pytest.mark.slow(seconds=1)
def test_a_machine_is_told_by_what_it_can_do_and_not_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"rows": ["depth 2"], "data": "fashion-mnist-mini", "progress": False}
    read = Path.read_text
    table = "processor : 0\nmodel name\t: Abacus 3000\nmodel name\t: Abacus 3000\n"
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda path, **how: table if path == Path("/proc/cpuinfo") else read(path, **how),
    )
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    (one,) = cl.reproduce("theorem1", out=tmp_path / "a", **asked).measurements
    assert re.fullmatch(r"Abacus 3000, 2 cores, \d+ GiB", one.machine)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    (one,) = cl.reproduce("theorem1", out=tmp_path / "b", **asked).measurements
    assert ", 1 core, " in one.machine


def test_the_page_of_results_is_what_its_files_say() -> None:
    script = ROOT / "docs" / "make_results.py"
    spec = importlib.util.spec_from_file_location("make_results", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == module.page()


def test_kept_results_name_no_folder_of_anybody() -> None:
    for name in paper.EXHIBITS:
        path = ROOT / "docs" / "results" / f"{name}.json"
        for each in json.loads(path.read_text()) if path.exists() else ():
            assert "/" not in each["command"].replace("GB/s", "")
            assert each["row"] in [row.name for row in paper.exhibit(name).rows]
