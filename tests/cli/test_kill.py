"""A real `kill -9`: what is finished is on the disk."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.trees import idx_tree


def start(data: Path, out: Path, *options: str) -> "subprocess.Popen[str]":
    command = [
        sys.executable,
        "-m",
        "corruptlab",
        "test",
        "--data",
        f"idx:{data}",
        "--out",
        str(out),
    ]
    return subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the first setting never finished"
        time.sleep(0.05)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return idx_tree(tmp_path / "images")


# Long enough that the kill falls between the first setting and the last.
THREE = ["--model", "mlp-1x32", "--epochs", "2000", "--settings", "gaussian,random-labels,true"]


def test_a_kill_keeps_the_finished_settings(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(data, out, *THREE)
    wait_for(out / "report.json", process)
    process.kill()
    process.communicate(timeout=60)
    report = json.loads((out / "report.json").read_text())
    assert report["rows"][0]["fit"]["stopped_by"] != "interrupted"
    names = [row["setting"]["name"] for row in report["rows"]]
    left = [setting["name"] for setting in report["remaining"]]
    assert [*names, *left] == ["true", "gaussian", "random-labels"]
    assert names
