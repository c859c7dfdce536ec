"""Real processes, really killed: nothing that is finished is lost, changed, or done again."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

import corruptlab as cl
from tests import once
from tests.fresh import Fresh

from .programs.killed import TOGETHER, TRIALS
from .trials import double

# All alike, so that they stand together and what they look at is found once.
pytestmark = pytest.mark.slow(seconds=15)


@pytest.fixture(scope="module")
def found(fresh: Fresh, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    def fill(folder: Path) -> None:
        ended = fresh.module("tests.experiments.sweeps.programs.killed", folder)
        assert ended.status == 0, ended.errors

    folder = once.folder_of(tmp_path_factory, "killed", fill)
    values: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return values


def test_a_sweep_that_is_killed_again_and_again_is_finished_in_the_end(
    found: dict[str, Any],
) -> None:
    killed = found["killed"]
    assert killed["kills"] > 0  # how many, depends on the machine
    assert killed["finished"] == list(range(TRIALS))
    assert killed["claims"] == []


def test_no_finished_trial_is_run_again_and_no_file_changes(found: dict[str, Any]) -> None:
    assert found["killed"]["run_again"] == []
    assert found["killed"]["changed"] == []


def test_a_kill_costs_no_more_than_the_trial_that_was_running(found: dict[str, Any]) -> None:
    assert found["killed"]["most_lost_at_once"] <= 1


def test_names_are_the_same_in_another_process(found: dict[str, Any], tmp_path: Path) -> None:
    assert found["names"] == list(cl.sweep({"x": [1, 0.5]}, double, out=tmp_path).ids)


def test_a_kill_in_the_middle_of_writing_leaves_no_result_and_no_damage(
    found: dict[str, Any],
) -> None:
    assert found["killed_while_writing"] == {"signal": 9, "done": 1, "cached": 1}


def test_several_sweeps_share_the_work_and_finish_that_of_a_killed_one(
    found: dict[str, Any],
) -> None:
    together = found["together"]
    assert together["statuses"] == [-9] + [0] * (TOGETHER - 1)
    assert together["finished"] == list(range(TRIALS))
    assert together["runs"] - TRIALS in (0, 1)  # the killed one's last trial, and no other
    assert together["claims"] == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_processes_of_a_sweep_s_own_end_with_it_in_the_middle_of_a_trial(
    number: signal.Signals, found: dict[str, Any]
) -> None:
    ended = found["ended"][str(int(number))]
    assert ended["lived"]
    assert "Traceback" not in ended["shown"]
    if number == signal.SIGINT:
        assert ended["status"] == 0
        assert ended["shown"].splitlines()[0] == (
            "SweepReport(0 of 3 trials: 0 done, 0 cached, 0 failed, 3 not run, interrupted)"
        )
    else:
        assert ended["status"] == -number
