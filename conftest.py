"""Settings of every test run, and a collector of Markdown pages: each page is one slow test.

`--doctest-glob` would take a block's closing fence for expected output. Here every line outside the
```python blocks is blanked, which keeps the line numbers, and the rest is one doctest. A block that
begins with ```python needs=xgboost is in a test of its own, with the others that need nothing, and
skipped where that package is not installed.
"""

import doctest
import gc
import importlib.util
import os
import re
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

# One thread, here and in processes that tests start: on a machine that is busy with other work, two
# threads that wait for each other were measured to be 20 times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # for tests that are about two threads

# Sphinx runs these when it builds the site, and writes the last two.
collect_ignore = ["docs/_ext", "docs/api", "docs/conf.py", "docs/examples", "docs/gallery"]

_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_BLOCK = re.compile(
    r"^[ \t]*```(?:python|pycon|py)\b(?:[ \t]+needs=(?P<needs>[\w,]+))?[^\n]*\n(?P<code>.*?)"
    r"^[ \t]*```[ \t]*$",
    re.DOTALL | re.MULTILINE,
)


_SLOW = (
    "slow(seconds=5): takes more than a fifth of a second; `-m 'not slow'` leaves it out, and "
    "otherwise it comes late, the longest first"
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _SLOW)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    gc.disable()  # what is collected stays: looking for garbage takes a quarter of the time
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


class PageError(Exception):
    """An example of a page does not do what the page says."""


class PageItem(pytest.Item):
    needs = ""

    def runtest(self) -> None:
        for package in filter(None, self.needs.split(",")):
            if importlib.util.find_spec(package) is None:
                pytest.skip(f"{package} is not installed")
        text = self.path.read_text(encoding="utf-8")
        page = doctest.DocTestParser().get_doctest(
            examples_only(text, self.needs), {}, self.path.name, str(self.path), 0
        )
        report: list[str] = []
        before = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)  # what an example writes does not land in the checkout
            try:
                doctest.DocTestRunner(optionflags=_FLAGS).run(page, out=report.append)
            finally:
                os.chdir(before)
        if report:
            raise PageError("".join(report))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:  # type: ignore[override]  # the base also allows terminal representations
        if isinstance(excinfo.value, PageError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"page: {self.path.name}"


class PageFile(pytest.File):
    def collect(self) -> Iterator[PageItem]:
        text = self.path.read_text(encoding="utf-8")
        blocks = list(_BLOCK.finditer(text))
        for block in blocks:
            if ">>> " not in block["code"]:
                first = block["code"].strip().partition("\n")[0]
                raise self.CollectError(
                    f"{self.path}: the ```python block that begins with {first!r} has no `>>>` "
                    "line, so nothing would run it."
                )
        for needs in dict.fromkeys(block["needs"] or "" for block in blocks):
            name = f"examples that need {needs}" if needs else "examples"
            page = PageItem.from_parent(self, name=name)
            page.needs = needs
            page.add_marker(pytest.mark.slow)
            yield page


def examples_only(text: str, needs: str = "") -> str:
    """Blank every line that is not inside a ```python block that needs nothing, or this."""
    kept = [""] * (text.count("\n") + 1)
    for block in _BLOCK.finditer(text):
        if block["needs"] not in (None, needs):
            continue
        first = text.count("\n", 0, block.start("code"))
        lines = block["code"].split("\n")
        kept[first : first + len(lines)] = lines
    return "\n".join(kept)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put slow tests last, the longest first, so that no process waits for one at the end."""
    if moving := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"{moving[0]} has another name in every process: give it an id.")
    if not config.pluginmanager.hasplugin("randomly"):  # then any order will do
        items.sort(key=_lateness)


def _lateness(item: pytest.Item) -> float:
    slow = item.get_closest_marker("slow")
    return -1.0 if slow is None else 1 / slow.kwargs.get("seconds", 5.0)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    return PageFile.from_parent(parent, path=file_path) if file_path.suffix == ".md" else None
