"""A Ray cluster of two nodes on this machine, one of which is killed in the middle."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

from tests.waiting import run

TRIALS = 40


@pytest.mark.slow(seconds=40)
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_a_node_that_is_killed_in_the_middle_loses_no_trial(tmp_path: Path) -> None:
    ended = run(
        [sys.executable, "-m", "tests.experiments.sweeps.programs.ray_cluster", str(tmp_path)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "OMP_NUM_THREADS": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"},
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["refused"] == (
        "`executor` must ask for what the cluster has, got 8 GPU where there are 2; if the cluster "
        "grows on demand, say how far by `max_workers`. False"
    )
    assert found["room"] == 2  # a CPU a node; of the GPUs there would be room for four
    assert found["done"] == TRIALS
    assert found["failed"] == []
    assert found["squares"] == [x * x for x in range(TRIALS)]
    assert found["nodes"] == 2  # both took part,
    assert found["alive"] == 1  # and one of them is dead
    assert found["gpus"] == [0.5]
    assert found["seen"] == ["0"]  # the one GPU of either node, to each of its trials
    assert found["runs"] == TRIALS + 2  # again: one with an error, and what the dead node had
    assert found["still_connected"]  # it was not the executor that connected
