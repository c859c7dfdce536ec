"""A Ray cluster of two nodes on this machine, one of which is killed in the middle."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TRIALS = 40


@pytest.mark.slow(seconds=40)
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_a_node_that_is_killed_in_the_middle_loses_no_trial(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.experiments.sweeps.programs.ray_cluster", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "OMP_NUM_THREADS": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"},
    )
    assert run.returncode == 0, run.stderr[-4000:]
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["refused"] == (
        "`executor` must ask for what the cluster has, got 8 GPU where there are 2; if the cluster "
        "grows on demand, say how far by `max_workers`. False"
    )
    assert found["room"] == 2  # a CPU a node; of the GPUs there would be room for eight
    assert found["done"] == TRIALS
    assert found["failed"] == []
    assert found["squares"] == [x * x for x in range(TRIALS)]
    assert found["nodes"] == 2  # both took part,
    assert found["alive"] == 1  # and one of them is dead
    assert found["gpus"] == [0.25]
    assert found["runs"] == TRIALS + 2  # again: one with an error, and what the dead node had
    assert found["still_connected"]  # it was not the executor that connected
