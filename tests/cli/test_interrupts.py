"""Ctrl-C and a real `kill -9`: what is finished is kept."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.cli.trees import idx_tree


def started(data: str, out: Path, *options: str) -> "subprocess.Popen[str]":
    """Start a test, and come back when its first setting is finished."""
    command = [sys.executable, "-m", "corruptlab", "test", "--data", data, "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--model", "mlp-1x32", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 60
    while not (out / "report.json").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the first setting was never finished"
        time.sleep(0.05)
    return process


@pytest.fixture
def copies(tmp_path: Path) -> str:
    """Eight copies of ten images: true labels are learned at once, random ones never can be."""
    folder = idx_tree(tmp_path / "images")
    path = folder / "train-images-idx3-ubyte.gz"
    content = gzip.decompress(path.read_bytes())
    images = np.frombuffer(content[16:], np.uint8).reshape(80, -1)
    path.write_bytes(gzip.compress(content[:16] + np.tile(images[:10], (8, 1)).tobytes()))
    return f"idx:{folder}"


@pytest.mark.slow
def test_ctrl_c_keeps_the_finished_setting_and_draws_it(copies: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    settings = ["--settings", "random-labels,true,gaussian"]  # true labels come first
    process = started(copies, out, "--epochs", "1000000", *settings)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    shown, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert f"interrupted; kept what was finished in {out / 'report.json'}: true labels." in told
    assert "true labels" in shown
    assert "Not run: Gaussian." in shown
    report = json.loads((out / "report.json").read_text())
    assert report["interrupted"]
    assert report["rows"][0]["interpolated"]
    assert [setting["name"] for setting in report["remaining"]] == ["random-labels", "gaussian"]
    assert (out / "figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_kill_keeps_the_finished_settings(data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    # Long enough that the kill falls between the first setting and the last.
    settings = ["--settings", "gaussian,random-labels,true"]
    process = started(data, out, "--epochs", "2000", *settings)
    process.kill()
    process.communicate(timeout=60)
    report = json.loads((out / "report.json").read_text())
    assert report["rows"][0]["fit"]["stopped_by"] != "interrupted"
    names = [row["setting"]["name"] for row in report["rows"]]
    left = [setting["name"] for setting in report["remaining"]]
    assert [*names, *left] == ["true", "gaussian", "random-labels"]
    assert names
