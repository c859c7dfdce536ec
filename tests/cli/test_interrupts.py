"""Ctrl-C, SIGTERM, and a real `kill -9`: what is finished is kept."""

import gzip
import json
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import once
from tests.cli.trees import idx_tree
from tests.fresh import Fresh

# All alike, so that they stand together and what they look at is found once.
pytestmark = pytest.mark.slow(seconds=12)


def copies(folder: Path) -> str:
    """Eight copies of ten images: true labels are learned at once, random ones never can be."""
    idx_tree(folder)
    path = folder / "train-images-idx3-ubyte.gz"
    content = gzip.decompress(path.read_bytes())
    images = np.frombuffer(content[16:], np.uint8).reshape(80, -1)
    path.write_bytes(gzip.compress(content[:16] + np.tile(images[:10], (8, 1)).tobytes()))
    return f"idx:{folder}"


@pytest.fixture(scope="module")
def folder(fresh: Fresh, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all commands have left."""

    def fill(folder: Path) -> None:
        program = "tests.cli.programs.interrupted"
        assert fresh.module(program, copies(folder / "images"), folder) == (0, "", "")

    return once.folder_of(tmp_path_factory, "interrupted", fill)


@pytest.fixture(scope="module")
def found(folder: Path) -> Any:
    """How they ended, and what they said."""
    return json.loads((folder / "found.json").read_text())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_the_finished_setting_and_draws_it(
    number: int, folder: Path, found: Any
) -> None:
    pytest.importorskip("matplotlib")
    out, ended = folder / f"test {int(number)}", found[f"test {int(number)}"]
    assert ended["status"] == 128 + number
    assert "Traceback" not in ended["told"]
    kept = f"interrupted; saved the finished settings in {out / 'report.json'}: true labels."
    assert kept in ended["told"]
    assert "true labels" in ended["shown"]
    assert re.search(r"^Not run: .*Gaussian\.$", ended["shown"], re.MULTILINE)
    report = json.loads((out / "report.json").read_text())
    assert report["interrupted"]
    assert report["rows"][0]["interpolated"]
    assert [setting["name"] for setting in report["remaining"]] == ["random-labels", "gaussian"]
    assert (out / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_kill_keeps_the_finished_settings(folder: Path, found: Any) -> None:
    assert found["test 9"]["status"] == -9
    report = json.loads((folder / "test 9" / "report.json").read_text())
    assert report["rows"][0]["fit"]["stopped_by"] != "interrupted"
    assert [row["setting"]["name"] for row in report["rows"]] == ["true"]
    assert [setting["name"] for setting in report["remaining"]] == ["random-labels", "gaussian"]


def test_sigterm_ends_a_sweep_with_workers_and_releases_its_claims(
    folder: Path, found: Any
) -> None:
    ended = found["sweep"]  # its workers have ended, too: what they say is here
    assert ended["status"] == 143, ended["told"]
    assert ended["shown"] == ""
    assert "Traceback" not in ended["told"]
    assert "interrupted; 3 trials left, repeat the command to resume." in ended["told"]
    assert list((folder / "sweep").glob("claims/*.json")) == []
