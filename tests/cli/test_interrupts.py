"""Ctrl-C and a real `kill -9`: what is finished is kept."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cli.trees import idx_tree
from tests.waiting import communicate, until


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
    report = out / "report.json"
    until(lambda: report.exists() or process.poll() is not None, "the end of the first setting")
    assert process.poll() is None, process.communicate()
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
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_the_finished_setting_and_draws_it(
    number: signal.Signals, copies: str, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    settings = ["--settings", "random-labels,true,gaussian"]  # true labels come first
    process = started(copies, out, "--epochs", "1000000", *settings)
    process.send_signal(number)
    shown, told = communicate(process)
    assert process.returncode == 128 + number
    assert "Traceback" not in told
    assert f"interrupted; kept what was finished in {out / 'report.json'}: true labels." in told
    assert "true labels" in shown
    assert re.search(r"^Not run: .*Gaussian\.$", shown, re.MULTILINE)
    report = json.loads((out / "report.json").read_text())
    assert report["interrupted"]
    assert report["rows"][0]["interpolated"]
    assert [setting["name"] for setting in report["remaining"]] == ["random-labels", "gaussian"]
    assert (out / "figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_kill_keeps_the_finished_settings(copies: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    # The first setting is fitted at once; the others do all epochs, and nobody waits for them.
    settings = ["--settings", "random-labels,true,gaussian"]
    process = started(copies, out, "--epochs", "1000000", *settings)
    process.kill()
    communicate(process)
    report = json.loads((out / "report.json").read_text())
    assert report["rows"][0]["fit"]["stopped_by"] != "interrupted"
    assert [row["setting"]["name"] for row in report["rows"]] == ["true"]
    assert [setting["name"] for setting in report["remaining"]] == ["random-labels", "gaussian"]


@pytest.mark.slow
def test_sigterm_ends_a_sweep_with_workers_and_releases_its_claims(
    copies: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "corruptlab", "sweep", "--data", copies, "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--model", "mlp-1x32", "--p", "1", "--workers", "2", "--epochs", "1000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    until(lambda: list(out.glob("claims/*.json")) or process.poll() is not None, "a claim")
    process.send_signal(signal.SIGTERM)
    shown, told = communicate(process)  # which waits for its workers, too: they hold the pipes
    assert process.returncode == 143, told
    assert shown == ""
    assert "Traceback" not in told
    assert "interrupted; 3 trials are left to the same command." in told
    assert list(out.glob("claims/*.json")) == []
