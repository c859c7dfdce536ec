"""The scripts that docs/sweeps.md shows as files are run, too."""

import importlib
import re
import sys
from pathlib import Path

import pytest

import corruptlab as cl

PAGE = Path(__file__).parents[3] / "docs" / "sweeps.md"
SCRIPTS = re.findall(r"^```Python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_page_s_own_trial_runs_and_wide_networks_memorize(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (script,) = (each for each in SCRIPTS if each.startswith("# memorize.py"))
    (tmp_path / "memorize.py").write_text(script)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("memorize")
    monkeypatch.setitem(sys.modules, "memorize", module)  # and forget it after the test
    grid = {"width": [1, 256], "noise": [cl.RandomLabels()], "seed": [0]}
    table = cl.sweep(grid, module.memorize, out=tmp_path / "out").table()
    assert table["noise"].tolist() == ["RandomLabels"] * 2
    assert (table["train_accuracy"][table["width"] == 1] < 0.9).all()
    assert (table["train_accuracy"][table["width"] == 256] == 1).all()


def test_the_page_s_ray_example_names_arguments_that_exist() -> None:
    (script,) = (each for each in SCRIPTS if "RayExecutor" in each)
    call = re.search(r"cl\.sweeps\.(RayExecutor\(.*?\))", script)
    assert call is not None
    assert repr(eval(call[0], {"cl": cl})) == call[1].replace('"', "'")
