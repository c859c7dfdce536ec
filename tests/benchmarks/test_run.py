"""A whole run: what it writes, what it leaves out, and that it does without its options."""

import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.fresh import Ended, Fresh

pytest.importorskip("pytest_benchmark")

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest

def test_right(compare, scale, device):
    assert device.type == "cpu"
    found = compare("right", lambda: 1, lambda: 2, than="another", rounds=scale(2, 4))
    found.note("a note after it")

def test_wrong(compare):
    compare("wrong", lambda: 1, lambda: 2, than="another", rounds=1)
    assert 1 == 2

def test_missing():
    pytest.importorskip("a_package_that_is_not_there")
"""


class Run(NamedTuple):
    """What a run came to."""

    code: int
    output: str
    folder: Path
    summary: dict[str, Any]


def run(fresh: Fresh, folder: Path, *arguments: str, more: str = "") -> Ended:
    """Run benchmarks of three lines with the project's own conftest.py."""
    inside = folder / "benchmarks_of_three_lines"
    inside.mkdir(exist_ok=True)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    (inside / "conftest.py").write_text("from benchmarks.conftest import *\n")
    (inside / "test_training.py").write_text(TESTS + more)
    words = ["pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return fresh.run(
        f"""if True:
        import os, sys, warnings
        # pytest-benchmark times nothing in a process of a worker of pytest-xdist.
        for name in [name for name in os.environ if "XDIST" in name]:
            del os.environ[name]
        warnings.resetwarnings()
        sys.warnoptions.clear()
        sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "src")!r}]
        os.chdir({str(folder)!r})
        sys.argv = {words}
        import pytest
        sys.exit(pytest.main(sys.argv[1:]))
        """
    )


@pytest.fixture(scope="module")
def whole(fresh: Fresh, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    done = run(fresh, folder, "benchmarks_of_three_lines", "--full", "--summary", "there")
    written = folder / "there" / "summary.json"
    summary = json.loads(written.read_text(encoding="utf-8")) if written.exists() else {}
    return Run(done.status, done.output + done.errors, folder / "there", summary)


def test_run_keeps_what_passed_and_nothing_of_what_failed(whole: Run) -> None:
    assert whole.code == 1, whole.output
    assert "1 failed, 1 passed, 1 skipped" in whole.output
    assert [entry["name"] for entry in whole.summary["entries"]] == ["right"]


def test_run_tells_what_a_benchmark_found_as_it_ends(whole: Run) -> None:
    lines = whole.output.splitlines()
    (told,) = (line for line in lines if line.startswith("right: "))
    assert re.fullmatch(r"right: \S+ times \(\S+ to \S+\) as fast as another", told)
    (failed,) = (line for line in lines if line.startswith("E ") and "1 == 2" in line)
    assert lines.index(told) < lines.index(failed)  # failures are told when all have ended
    assert not any(line.startswith("wrong: ") for line in lines)


def test_entry_has_the_size_the_group_and_notes_made_after_it(whole: Run) -> None:
    (entry,) = whole.summary["entries"]
    assert (entry["rounds"], entry["group"]) == (4, "training")
    assert entry["notes"] == ["a note after it"]
    assert entry["made"]["size"] == "full"
    assert entry["made"]["command"].endswith("test_training.py --full")
    assert entry["made"]["environment"]["threads"] == os.cpu_count()


def test_run_says_what_it_skipped_and_why(whole: Run) -> None:
    (skipped,) = whole.summary["skipped"]
    assert skipped["test"].endswith("::test_missing")
    assert "could not import 'a_package_that_is_not_there'" in skipped["reason"]


def test_page_of_a_run_is_written_and_shown(whole: Run) -> None:
    page = (whole.folder / "summary.md").read_text(encoding="utf-8")
    assert "| right |" in page
    assert page in whole.output


def test_a_folder_that_is_lost_meanwhile_costs_no_table(fresh: Fresh, tmp_path: Path) -> None:
    lost = "import pathlib\npathlib.Path('there').touch()"  # after the options were checked
    done = run(fresh, tmp_path, "benchmarks_of_three_lines", "--summary", "there", more=lost)
    assert "| right |" in done.output
    assert f"{tmp_path / 'there'} could not be written to (" in done.output
    assert "1 failed, 1 passed, 1 skipped" in done.output


def test_what_is_finished_outlasts_a_run_that_is_killed(fresh: Fresh, tmp_path: Path) -> None:
    killed = "import os, signal\ndef test_killed():\n    os.kill(os.getpid(), signal.SIGKILL)"
    done = run(fresh, tmp_path, "benchmarks_of_three_lines", "--summary", "there", more=killed)
    assert done.status == -9
    summary = json.loads((tmp_path / "there" / "summary.json").read_text(encoding="utf-8"))
    assert [entry["name"] for entry in summary["entries"]] == ["right"]
    assert "| right |" in (tmp_path / "there" / "summary.md").read_text(encoding="utf-8")


def test_what_is_not_timed_is_skipped(fresh: Fresh, tmp_path: Path) -> None:
    done = run(fresh, tmp_path, "benchmarks_of_three_lines", "--benchmark-disable", "-rs")
    assert "3 skipped" in done.output
    assert "pytest-benchmark is switched off, and does one round of all" in done.output


def test_options_that_came_too_late_have_their_defaults(fresh: Fresh, tmp_path: Path) -> None:
    done = run(fresh, tmp_path, "-k", "right")
    assert done.status == 0, done.output + done.errors
    values = json.loads((tmp_path / "out" / "benchmarks" / "summary.json").read_text())
    assert values["entries"][0]["rounds"] == 2
