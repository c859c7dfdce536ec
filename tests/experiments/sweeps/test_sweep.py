"""A sweep in this process: every trial once, its result kept, its failures told."""

import errno
import hashlib
import io
import json
import os
import pathlib
import random
import signal
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import corruptlab as cl
from corruptlab.datasets import DataFileError
from tests.damage import NO_FILES, WAYS, changed, error_of, without_a_field

from . import trials
from .trials import double, fails, noted, runs


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def read_only(out: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make the folder read-only, as a file system does: for everybody."""

    def refuse(name: str, usual: Callable[..., Any]) -> Callable[..., Any]:
        def refused(path: Any, *arguments: Any, **options: Any) -> Any:
            flags = arguments[0] if name == "open" else os.O_WRONLY
            ours = out in (Path(path), *Path(path).parents)
            if ours and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                if name in ("unlink", "mkdir") and Path(path).exists() != (name == "unlink"):
                    return usual(path, *arguments, **options)  # which says what is (not) there
                raise OSError(errno.EROFS, "Read-only file system", str(path))
            return usual(path, *arguments, **options)

        return refused

    def now() -> None:
        for name in ("open", "unlink", "mkdir", "rename", "replace", "link", "utime"):
            monkeypatch.setattr(os, name, refuse(name, getattr(os, name)))

        def opened(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if out in Path(path).parents and set(mode) & set("wax+"):
                raise OSError(errno.EROFS, "Read-only file system", str(path))
            return usual(path, mode, *arguments, **options)

        usual = io.open
        monkeypatch.setattr(io, "open", opened)
        accessor = getattr(pathlib, "_normal_accessor", None)  # Python 3.10 has its own names
        for name in () if accessor is None else ("unlink", "mkdir", "rename", "replace", "link"):
            monkeypatch.setattr(accessor, name, getattr(os, name))
        if accessor is not None:
            monkeypatch.setattr(accessor, "open", opened)

    return now


def files(out: Path, kind: str = "trials") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / kind).iterdir()}


def test_every_trial_is_run_once_and_its_result_is_the_functions(out: Path, tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    report = cl.sweep({"x": [3, 1, 2], "log": [log]}, noted, out=out)
    assert runs(log) == [3, 1, 2]
    assert (report.total, report.done, report.cached, report.failed) == (3, 3, 0, 0)
    assert report.complete
    assert report.remaining == 0
    assert report.table()["x"].tolist() == [3, 1, 2]  # as in the grid
    assert report.table()["square"].tolist() == [9, 1, 4]
    assert cl.sweeps.load(out)["x"].tolist() == [1, 2, 3]  # by size


def test_a_second_call_runs_nothing_and_changes_no_file(out: Path, tmp_path: Path) -> None:
    grid = {"x": [1, 2], "log": [str(tmp_path / "log")]}
    cl.sweep(grid, noted, out=out)
    before = files(out)
    report = cl.sweep(grid, noted, out=out)
    assert (report.done, report.cached) == (0, 2)
    assert runs(tmp_path / "log") == [1, 2]
    assert files(out) == before


def test_progress_counts_what_is_finished_already(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for grid in ({"x": [1, 2]}, {"x": [1, 2, 3]}, {"x": [1, 2]}):
        cl.sweep(grid, double, out=out, progress=True)
        total = len(grid["x"])
        assert capsys.readouterr().err.splitlines()[-1] == f"sweep  {total}/{total}"
    cl.sweep({"x": [1]}, double, out=out)
    assert capsys.readouterr() == ("", "")


def test_a_grid_that_grows_runs_only_what_is_new(out: Path, tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    cl.sweep({"x": [1, 2], "log": [log]}, noted, out=out)
    report = cl.sweep({"x": [2, 3, 4], "log": [log]}, noted, out=out)
    assert (report.done, report.cached) == (2, 1)
    assert runs(log) == [1, 2, 3, 4]
    assert report.table()["x"].tolist() == [2, 3, 4]
    assert cl.sweeps.load(out)["x"].tolist() == [1, 2, 3, 4]


def test_a_number_written_in_another_way_is_the_same_trial(out: Path, tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    cl.sweep({"x": [0, 1], "log": [log]}, noted, out=out)
    report = cl.sweep({"x": [0.0, 1.0, 2.0], "log": [log]}, noted, out=out)
    assert (report.done, report.cached) == (1, 2)
    assert cl.sweeps.load(out).where(x=0)["square"].tolist() == [0]


def test_a_file_is_named_by_the_hash_and_holds_all_there_is_to_know(out: Path) -> None:
    report = cl.sweep({"x": [0.5]}, double, out=out)
    (path,) = (out / "trials").iterdir()
    record = json.loads(path.read_text())
    assert path.name == f"{report.ids[0]}.json"
    assert record["format"] == 1
    assert record["settings"] == {"x": 0.5}
    assert record["result"] == {"double": 1.0}
    facts = record["execution"]
    assert facts["attempts"] == 1
    assert facts["seconds"] >= 0
    assert facts["environment"]["corruptlab"] == cl.__version__
    assert facts["environment"]["device"] == "cpu"
    assert {"host", "finished"} <= facts.keys()
    assert sorted(p.name for p in out.iterdir()) == ["claims", "failures", "sweep.json", "trials"]
    assert list((out / "claims").iterdir()) == []


def test_results_may_be_arrays_reports_and_numbers_that_json_lacks(out: Path) -> None:
    grid = {"what": ["nan", "array", "report"]}
    assert cl.sweep(grid, many_kinds, out=out).failures == ()
    table = cl.sweeps.load(out)
    values = dict(zip(table["what"].tolist(), table["value"], strict=True))
    assert values["array"] == [[1.5, 2.0]]
    assert np.isnan(values["nan"])
    assert values["report"] == "Recipe"
    assert table.where(what="report")["value.learning_rate"].tolist() == [0.1]


def many_kinds(*, what: str) -> dict[str, Any]:
    if what == "report":
        return {"value": cl.Recipe(learning_rate=0.1, epochs=2, whiten=True, decay=0.95)}
    return {"value": np.float32("nan") if what == "nan" else np.array([[1.5, 2.0]])}


# --------------------------------------------------------------------------------------- failures


def test_a_failure_is_kept_with_its_traceback_and_the_others_go_on(
    out: Path, tmp_path: Path
) -> None:
    grid = {"x": [0, 1, 2], "log": [str(tmp_path / "log")], "times": [99]}
    report = cl.sweep(grid, fails, out=out, retries=2)
    assert runs(tmp_path / "log") == [0, 1, 2, 1, 1]  # again only after the others
    assert (report.done, report.failed, report.complete) == (2, 1, False)
    failure = report.failures[0]
    assert failure.error == "ValueError: x is 1, which is odd"
    assert failure.attempts == 3
    assert 'raise ValueError(f"x is {x}, which is odd")' in failure.traceback
    assert "_executors.py" not in failure.traceback
    record = json.loads(failure.path.read_text())
    assert [each["error"]["kind"] for each in record["attempts"]] == ["ValueError"] * 3
    assert all("environment" in each["execution"] for each in record["attempts"])
    assert failure.settings["x"] == 1
    assert "failed: x=1, log=" in str(report)
    assert json.dumps(report.to_dict())


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_are_bounded(retries: int, out: Path, tmp_path: Path) -> None:
    cl.sweep(
        {"x": [1], "log": [str(tmp_path / "log")], "times": [99]}, fails, out=out, retries=retries
    )
    assert runs(tmp_path / "log") == [1] * (1 + retries)


def test_an_error_that_passes_leaves_a_result_and_no_failure(out: Path, tmp_path: Path) -> None:
    grid = {"x": [1], "log": [str(tmp_path / "log")], "times": [2]}
    assert cl.sweep(grid, fails, out=out, retries=0).failed == 1
    assert len(files(out, "failures")) == 1
    report = cl.sweep(grid, fails, out=out)  # a call made later has attempts of its own
    assert (report.done, report.failed) == (1, 0)
    assert files(out, "failures") == {}
    (out / "failures" / f"{report.ids[0]}.json").touch()  # a kill came between result and failure
    assert cl.sweep(grid, fails, out=out).cached == 1
    assert files(out, "failures") == {}
    (path,) = (out / "trials").iterdir()
    assert json.loads(path.read_text())["execution"]["attempts"] == 2


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("number", "TypeError: `trial` must return a mapping of names to values, got int."),
        ("setting", "ValueError: `trial` must return names that no setting has, got 'what'."),
        ("object", "TypeError: `trial's result` must hold JSON values, arrays, dataclasses, or "
         "objects with `to_dict`, got object for thing."),
        ("dollar", "ValueError: `trial's result` must have keys that do not begin with '$', "
         "got '$kind'."),
    ],
)  # fmt: skip
def test_a_result_that_cannot_be_kept_is_a_failure(what: str, error: str, out: Path) -> None:
    report = cl.sweep({"what": [what]}, trials.returns, out=out, retries=0)
    assert report.failures[0].error == error


def test_an_error_without_a_text_is_a_failure_like_any_other(out: Path) -> None:
    report = cl.sweep({"x": [1]}, trials.raises_what_cannot_be_shown, out=out, retries=0)
    assert [each.error for each in report.failures] == ["ShyError: (it cannot be shown)"]


def test_what_a_trial_does_to_its_settings_no_other_trial_sees(out: Path) -> None:
    grid = {"sizes": [[1, 2]], "x": range(3)}
    assert (
        cl.sweep(grid, trials.adds_to_its_settings, out=out).table()["length"].tolist() == [3] * 3
    )
    assert grid["sizes"] == [[1, 2]]


def test_a_trial_that_changes_the_working_directory_does_not_move_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / name for name in ("here", "there")]
    for folder in folders:
        folder.mkdir()
    monkeypatch.chdir(folders[0])
    report = cl.sweep({"to": [str(folders[1]), str(tmp_path)]}, trials.moves, out="out")
    assert Path.cwd() == tmp_path
    assert report.table().num_rows == 2
    assert cl.sweeps.load(folders[0] / "out").num_rows == 2
    assert list(folders[1].iterdir()) == []


def test_a_trial_that_exits_ends_itself_alone(out: Path) -> None:
    report = cl.sweep({"x": [1, 2]}, trials.quits, out=out, retries=0)
    assert [each.error for each in report.failures] == ["SystemExit: 1", "SystemExit: 2"]


def test_ctrl_c_gives_what_is_done_and_the_rest_comes_later(out: Path) -> None:
    report = cl.sweep({"x": [1, 2, 3]}, trials.interrupts, out=out)
    assert report.interrupted
    assert (report.done, report.remaining) == (1, 2)
    assert "2 not run, interrupted" in repr(report)
    assert report.table()["x"].tolist() == [1]
    assert list((out / "claims").iterdir()) == []
    assert cl.sweep({"x": [1, 3]}, trials.interrupts, out=out).complete


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_result_that_is_being_written_at_ctrl_c_is_kept(
    moment: str, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def pressed(source: Path, target: Path) -> None:
        if target.parent.name != "trials":
            return link(source, target)
        if moment == "after":
            link(source, target)
        monkeypatch.setattr(os, "link", link)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", pressed)
    report = cl.sweep({"x": [1, 2]}, double, out=out)
    assert report.interrupted
    assert (report.done + report.cached, report.remaining) == (1, 1)
    assert report.table()["double"].tolist() == [2]
    assert list((out / "claims").iterdir()) == []


def test_a_result_that_is_counted_already_at_ctrl_c_is_not_counted_twice(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def pressed(self: Path, **options: bool) -> None:
        if self.parent.name == "claims" and self.suffix == ".json":  # the claim is given back
            monkeypatch.setattr(Path, "unlink", unlink)
            raise KeyboardInterrupt
        unlink(self, **options)

    monkeypatch.setattr(Path, "unlink", pressed)
    report = cl.sweep({"x": [1, 2]}, double, out=out)
    assert (report.done, report.cached, report.remaining) == (1, 0, 1)
    assert list((out / "claims").iterdir()) == []


def test_a_result_that_ctrl_c_cut_short_is_not_kept(out: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    report = cl.sweep({"x": [1, 2, 3]}, trials.makes_light_of_ctrl_c, out=out)
    assert report.interrupted
    assert report.table()["square"].tolist() == [1]
    assert signal.getsignal(signal.SIGINT) is before


def test_sigterm_that_a_script_makes_ctrl_c_ends_a_sweep_like_it(out: Path) -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        work = partial(trials.makes_light_of_ctrl_c, number=int(signal.SIGTERM))
        report = cl.sweep({"x": [1, 2, 3]}, work, out=out)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert report.interrupted
    assert report.table()["square"].tolist() == [1]
    assert list((out / "claims").iterdir()) == []


# ------------------------------------------------------------------------------- another's folder


def test_the_folder_of_another_function_is_refused_before_any_work(
    out: Path, tmp_path: Path
) -> None:
    cl.sweep({"x": [1]}, double, out=out)
    log = str(tmp_path / "log")
    for other in (partial(noted, log=log), partial(noted, log=f"{log}2")):
        with pytest.raises(
            ValueError, match=r"^`out` must be a folder of this sweep alone, got '.*out', which "
            r"holds trials of tests\.experiments\.sweeps\.trials\.double, not of .*noted"
        ):  # fmt: skip
            cl.sweep({"x": [1]}, other, out=out)
    assert runs(log) == []


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match=r"^`out` must be a new folder .* which holds thesis\.tex"):
        cl.sweep({"x": [1]}, double, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ValueError, match=r"^`out` must be a folder, got '.*thesis\.tex', a file"):
        cl.sweep({"x": [1]}, double, out=tmp_path / "thesis.tex")


def test_hidden_files_and_files_added_later_are_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").touch()
    cl.sweep({"x": [1]}, double, out=tmp_path)
    (tmp_path / "figure.png").touch()
    assert cl.sweep({"x": [1]}, double, out=tmp_path).cached == 1


def test_load_refuses_what_is_no_sweep(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"sweep\.json: expected a sweep's header, found no"):
        cl.sweeps.load(tmp_path)
    with pytest.raises(DataFileError, match=r"nowhere.*found no such file"):
        cl.sweeps.load(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"retries": -1}, ValueError, r"^`retries` must be at least 0, got -1\.$"),
        ({"retries": 0.5}, TypeError, r"^`retries` must be an integer, got 0\.5\.$"),
        ({"executor": 0}, ValueError, r"^`executor` must be at least 1 process, got 0\.$"),
        ({"executor": True}, TypeError, r"^`executor` must be None, a number .*, got True\.$"),
        ({"executor": "ray"}, TypeError, r"^`executor` must be None, a number .*, got 'ray'\.$"),
    ],
)
def test_a_bad_argument_is_refused_before_the_folder_is_made(
    options: dict[str, Any], kind: type[Exception], message: str, out: Path
) -> None:
    with pytest.raises(kind, match=message):
        cl.sweep({"x": [1]}, double, out=out, **options)
    assert not out.exists()


def test_a_trial_that_is_not_picklable_is_refused_before_the_folder_is_made(out: Path) -> None:
    executors: list[Executor | None] = [None, ThreadPoolExecutor(1)]
    for executor in executors:
        with pytest.raises(TypeError, match=r"^`trial` must be picklable"):
            cl.sweep({"x": [1]}, lambda x: {"y": x}, executor, out=out)
    assert not out.exists()


# ------------------------------------------------------------------------------- read-only folders


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_finished_sweep_in_a_read_only_folder_answers_from_its_files(
    out: Path, read_only: Callable[[], None], tmp_path: Path
) -> None:
    grid = {"x": [1, 2], "log": [str(tmp_path / "log")]}
    first = cl.sweep(grid, noted, out=out)
    stale = [out / "claims" / f"{first.ids[0]}.json", out / "failures" / f"{first.ids[1]}.json"]
    for path in (*stale, out / "trials" / ".a.json.1.tmp"):  # left by a kill
        path.write_text("{}")
        os.utime(path, (0, 0))
    before = snapshot(out)
    read_only()
    report = cl.sweep(grid, noted, out=out)
    assert (report.done, report.cached) == (0, 2)
    assert report.table()["square"].tolist() == cl.sweeps.load(out)["square"].tolist() == [1, 4]
    assert runs(tmp_path / "log") == [1, 2]
    assert snapshot(out) == before


def test_a_sweep_that_is_not_finished_says_that_its_folder_is_read_only(
    out: Path, read_only: Callable[[], None], tmp_path: Path
) -> None:
    cl.sweep({"x": [1], "log": [str(tmp_path / "log")]}, noted, out=out)
    read_only()
    with pytest.raises(OSError, match="Read-only file system"):
        cl.sweep({"x": [1, 2], "log": [str(tmp_path / "log")]}, noted, out=out)
    assert runs(tmp_path / "log") == [1]  # before any work


# ----------------------------------------------------------------------------------- damaged files


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_digit(path: Path) -> None:
    path.write_text(path.read_text().replace('"double": 2', '"double": 3'))


def damage_swap(path: Path) -> None:
    other = next(each for each in path.parent.iterdir() if each != path)
    path.write_bytes(other.read_bytes())


def damage_kind(path: Path) -> None:
    path.write_text("[1, 2]")


def damage_version(path: Path) -> None:
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))


def damage_bytes(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (damage_empty, "a file that is damaged"),
        (damage_half, "a file that is damaged"),
        (damage_digit, "contents that do not have its checksum"),
        (damage_swap, "the trial [0-9a-f]{64}"),
        (damage_kind, "a file that is damaged"),
        (damage_version, "format 2"),
        (damage_bytes, "a file that is damaged"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_damaged_file_is_told_put_aside_and_made_again(
    damage: Any, found: str, out: Path
) -> None:
    first = cl.sweep({"x": [1, 2]}, double, out=out)
    path = out / "trials" / f"{first.ids[0]}.json"
    damage(path)
    broken = path.read_bytes()
    with pytest.raises(DataFileError, match=rf"{path.name}: expected .*, found {found}"):
        cl.sweeps.load(out)
    with pytest.warns(UserWarning, match=rf"found {found}.* The trial is run again\.") as told:
        report = cl.sweep({"x": [1, 2]}, double, out=out)
    assert [each.filename for each in told] == [__file__]  # it points to the caller's line
    assert (report.done, report.cached) == (1, 1)
    assert path.with_suffix(".damaged").read_bytes() == broken
    assert cl.sweeps.load(out)["double"].tolist() == [2, 4]


def sealed(content: bytes) -> bytes:
    """Give a record that was changed the checksum that it should have."""
    record = json.loads(content)
    if isinstance(record, dict) and record.pop("sha256", None) is not None:
        inside = {name: value for name, value in record.items() if name != "format"}
        text = json.dumps(inside, sort_keys=True, separators=(",", ":"))
        record["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(record).encode()


def test_records_bear_the_checksum_that_the_documentation_says(out: Path) -> None:
    cl.sweep({"x": [1, 0.5]}, double, out=out)
    for path in (out / "trials").iterdir():
        assert json.loads(sealed(path.read_bytes())) == json.loads(path.read_bytes())


@pytest.mark.parametrize(
    ("way", "seal"),
    [*((way, bytes) for way in WAYS), (changed, sealed), (without_a_field, sealed)],
    ids=lambda each: each.__name__,
)
@pytest.mark.parametrize("what", ["sweep.json", "trials"])
def test_damage_is_one_clear_error_that_names_the_file(
    what: str,
    way: Callable[[bytes, random.Random], bytes],
    seal: Callable[[bytes], bytes],
    out: Path,
) -> None:
    cl.sweep({"x": [1], "noise": [cl.UniformLabels(p=0.5)]}, trials.echo, out=out)
    path = out / what
    if path.is_dir():
        (path,) = path.iterdir()
    content, errors = path.read_bytes(), 0
    for seed in range(150):
        path.write_bytes(seal(way(content, random.Random(seed))))
        message = error_of(cl.sweeps.load, out)
        assert message.startswith(f"{path}: expected ") or not message, seed
        errors += bool(message)
    assert errors > 20


@pytest.mark.parametrize(("make", "found"), NO_FILES, ids=[found for _, found in NO_FILES])
@pytest.mark.parametrize("what", ["sweep.json", "trials"])
def test_what_is_no_file_is_named(
    what: str, make: Callable[[Path], None], found: str, out: Path
) -> None:
    cl.sweep({"x": [1]}, double, out=out)
    path = out / what
    if path.is_dir():
        (path,) = path.iterdir()
    path.unlink()
    make(path)
    with pytest.raises(DataFileError, match=rf"{path.name}: expected .*, found {found}\.$"):
        cl.sweeps.load(out)
    if what == "sweep.json":
        with pytest.raises(DataFileError, match=rf"sweep\.json: expected .*, found {found}\.$"):
            cl.sweep({"x": [1]}, double, out=out)
    else:
        with pytest.warns(UserWarning, match=rf"found {found}\. The trial is run again\."):
            assert cl.sweep({"x": [1]}, double, out=out).done == 1


@pytest.mark.parametrize(("make", "found"), NO_FILES, ids=[found for _, found in NO_FILES])
def test_a_claim_that_is_no_file_is_named_and_not_waited_for(
    make: Callable[[Path], None], found: str, out: Path
) -> None:
    (name,) = cl.sweep({"x": [1]}, double, out=out).ids
    (out / "trials" / f"{name}.json").unlink()
    make(out / "claims" / f"{name}.json")
    with pytest.raises(
        DataFileError, match=rf"{name}\.json: expected a sweep's claim, found {found}"
    ):
        cl.sweep({"x": [1]}, double, out=out)


def test_a_damaged_file_that_another_sweep_puts_aside_first_is_no_error(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = cl.sweep({"x": [1]}, double, out=out)
    path = out / "trials" / f"{report.ids[0]}.json"
    damage_half(path)
    read = Path.read_bytes

    def late(self: Path) -> bytes:
        content = read(self)
        if self == path:
            self.unlink()
        return content

    monkeypatch.setattr(Path, "read_bytes", late)
    with pytest.warns(UserWarning, match="a file that is damaged"):
        assert cl.sweep({"x": [1]}, double, out=out).done == 1


def test_a_damaged_header_is_one_clear_error(out: Path) -> None:
    cl.sweep({"x": [1]}, double, out=out)
    (out / "sweep.json").write_text("{")
    with pytest.raises(DataFileError, match=r"sweep\.json: expected a sweep's header, found a"):
        cl.sweep({"x": [1]}, double, out=out)


def test_what_killed_writers_left_is_thrown_away_when_it_is_old(out: Path) -> None:
    cl.sweep({"x": [1]}, double, out=out)
    old, young = out / "trials" / ".a.json.1.tmp", out / "trials" / ".b.json.2.tmp"
    for path in (old, young):
        path.write_text("half a fi")
    os.utime(old, (0, 0))
    assert cl.sweep({"x": [1]}, double, out=out).cached == 1
    assert not old.exists()
    assert young.exists()
    assert cl.sweeps.load(out).num_rows == 1
