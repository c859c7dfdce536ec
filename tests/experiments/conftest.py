"""What tests of several experiments share."""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import once, waiting


@pytest.fixture(scope="session")
def on_ray(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `sweeps.programs.ray_cluster` found on a cluster of its own."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")

    def fill(folder: Path) -> None:
        ended = waiting.run(
            [sys.executable, "-m", "tests.experiments.sweeps.programs.ray_cluster", str(folder)],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "OMP_NUM_THREADS": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"},
        )
        assert ended.returncode == 0, ended.stderr[-4000:]

    folder = once.folder_of(tmp_path_factory, "ray", fill)
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found
