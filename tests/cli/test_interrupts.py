"""Ctrl-C after a setting was finished: it is kept, shown, and drawn."""

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


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Eight copies of ten images: true labels are learned at once, random ones never can be."""
    folder = idx_tree(tmp_path / "images")
    path = folder / "train-images-idx3-ubyte.gz"
    content = gzip.decompress(path.read_bytes())
    images = np.frombuffer(content[16:], np.uint8).reshape(80, -1)
    path.write_bytes(gzip.compress(content[:16] + np.tile(images[:10], (8, 1)).tobytes()))
    return folder


def test_ctrl_c_keeps_the_finished_setting_and_draws_it(copies: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    command = [
        sys.executable, "-m", "corruptlab", "test", "--data", f"idx:{copies}", "--out", str(out),
        "--model", "mlp-1x32", "--epochs", "1000000", "--settings", "random-labels,true,gaussian",
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 60
    while not (out / "report.json").exists():  # true labels come first, and are soon done
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "true labels were never finished"
        time.sleep(0.05)
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
