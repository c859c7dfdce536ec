"""The collector of Markdown examples: what it must catch, and what it must not trip over."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests import waiting

ROOT = Path(__file__).parent.parent
GOOD = """# Page

```python
>>> x = 2
>>> x + 1
3
```

Text with 3 < 4, and a shell block:

```sh
exit 1
```

```python
>>> print(f"{x:.2f}")  # a name of the block above
2.00
>>> _ = open("litter", "w").write("x")
```
"""


def run_page(folder: Path, text: str) -> tuple[int, str]:
    shutil.copy(ROOT / "conftest.py", folder)
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", page.name]
    # Other plugins have nothing to do with it, and take longer to load than it takes.
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run = waiting.run(command, cwd=folder, env=alone)
    return run.returncode, run.stdout


def test_right_page_passes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    code, output = run_page(tmp_path, GOOD)
    assert code == 0, output
    assert "1 passed" in output
    assert not (tmp_path / "litter").exists()


def test_wrong_output_is_red_and_names_the_line(tmp_path: Path) -> None:
    code, output = run_page(tmp_path, GOOD.replace("2.00", "2.01"))
    assert code == 1
    assert 'page.md", line 16' in output
    assert "2.01" in output


def test_error_in_an_example_is_red(tmp_path: Path) -> None:
    code, output = run_page(tmp_path, GOOD.replace("x + 1", "y + 1"))
    assert code == 1
    assert "NameError: name 'y' is not defined" in output


@pytest.mark.slow(seconds=1)
def test_warning_in_an_example_is_red_under_the_projects_settings(tmp_path: Path) -> None:
    warning = "import warnings; warnings.warn('old')"
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    code, output = run_page(tmp_path, GOOD.replace("x = 2", warning))
    assert code == 1
    assert "UserWarning: old" in output


@pytest.mark.parametrize("fence", ["```py", "```pycon", "  ```python title"])
def test_indented_blocks_and_other_names_of_python_are_run_too(tmp_path: Path, fence: str) -> None:
    code, output = run_page(tmp_path, f"- Item\n\n{fence}\n  >>> 1 + 1\n  3\n  ```\n")
    assert code == 1
    assert "Got:\n    2" in output


@pytest.mark.slow(seconds=1)
def test_block_that_nothing_runs_is_red(tmp_path: Path) -> None:
    code, output = run_page(tmp_path, GOOD + "\n```python\nx = 4\n```\n")
    assert code != 0
    assert "begins with 'x = 4' has no `>>>` line" in output


@pytest.mark.slow(seconds=1)
def test_block_that_needs_a_package_is_a_test_of_its_own_and_skipped_without_it(
    tmp_path: Path,
) -> None:
    missing = "\n```python needs=json,no_such_package\n>>> x + 2\n'not run'\n```\n"
    code, output = run_page(tmp_path, GOOD + missing)
    assert code == 0, output
    assert "1 passed, 1 skipped" in output
    there = missing.replace(",no_such_package", "")
    code, output = run_page(tmp_path, GOOD + there)
    assert code == 1
    assert "1 failed, 1 passed" in output
    assert "Got:\n    4" in output  # with what the blocks that need nothing have made
