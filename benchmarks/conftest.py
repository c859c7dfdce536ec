"""Options, fixtures, and the summary of `pytest benchmarks`; README.md says how to read it."""

import importlib.util
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest
import torch

from benchmarks import _markdown, _options, _summary
from benchmarks._comparing import Compare, Comparing
from benchmarks._limits import Rates, measured_rates
from benchmarks._options import Options
from benchmarks._records import Entry, Made, TimeToInterpolation
from benchmarks._summary import Skipped
from corruptlab._io import write_whole

T = TypeVar("T")
Found = list[Comparing | TimeToInterpolation]

_OPTIONS = pytest.StashKey[Options]()
_ENTRIES = pytest.StashKey[list[Entry]]()
_SKIPPED = pytest.StashKey[list[Skipped]]()
_FOUND = pytest.StashKey[Found]()  # by one test


def pytest_addoption(parser: pytest.Parser) -> None:
    _options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_OPTIONS] = _options.read(config)
    config.stash[_ENTRIES], config.stash[_SKIPPED] = [], []


@pytest.fixture(scope="session", autouse=True)
def threads(pytestconfig: pytest.Config) -> Iterator[None]:
    """Tests run with one thread; what is timed here may use the machine, as users' programs do."""
    before = torch.get_num_threads()
    torch.set_num_threads(pytestconfig.stash[_OPTIONS].threads)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def options(pytestconfig: pytest.Config) -> Options:
    """What was asked for."""
    return pytestconfig.stash[_OPTIONS]


@pytest.fixture(scope="session")
def device(options: Options) -> torch.device:
    """Where networks are trained."""
    return options.device


@pytest.fixture(scope="session")
def scale(options: Options) -> "Scale":
    """`scale(quick, full)` is the size that was asked for."""
    return Scale(options.full)


class Scale:
    """Chooses between two sizes."""

    def __init__(self, full: bool) -> None:
        self.full = full

    def __call__(self, quick: T, full: T) -> T:
        return full if self.full else quick


@pytest.fixture(scope="session")
def rates(options: Options, threads: None) -> Rates:
    """What the device can do at all, measured once a run."""
    large = options.full or options.device.type == "cuda"
    return measured_rates(options.device, side=4096 if large else 2048)


@pytest.fixture
def cpu_only(device: torch.device) -> None:
    """Skip what has nothing to do on another device."""
    if device.type != "cpu":
        pytest.skip("both sides of this comparison run on the processor")


@pytest.fixture(scope="session")
def vision() -> ModuleType:
    """Torchvision in any build, and trees of images; skip what needs it where it is missing."""
    for name in ("PIL", "torchvision"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: extra `vision`")
    return importlib.import_module("tests.training.programs.vision")


@pytest.fixture
def made(request: pytest.FixtureRequest, options: Options) -> Made:
    """What makes the entries of a test."""
    return options.made(request.path, request.config.rootpath)


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[[Comparing | TimeToInterpolation], None]:
    """Put an entry into the summary if the test passes."""
    return request.node.stash.setdefault(_FOUND, []).append  # type: ignore[no-any-return]  # nodes are Any here


if importlib.util.find_spec("pytest_benchmark") is None:

    @pytest.fixture
    def benchmark() -> None:
        """Stand in for that of pytest-benchmark where it is missing."""
        pytest.skip("pytest_benchmark is not installed: extra `bench`")


@pytest.fixture
def compare(
    request: pytest.FixtureRequest,
    benchmark: Any,
    made: Made,
    device: torch.device,
    keep: Callable[[Comparing], None],
) -> Compare:
    """Time ours and another way by turns; the file names the group."""
    if benchmark.disabled:
        pytest.skip("pytest-benchmark is switched off, and does one round of all")
    return Compare(benchmark, made, request.path.stem.removeprefix("test_"), device, keep)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield  # an assertion that fails is raised here: figures of a wrong result are not kept
    for found in item.stash.get(_FOUND, []):
        entry = found.entry if isinstance(found, Comparing) else found
        item.config.stash[_ENTRIES].append(entry)
        with suppress(OSError):  # which is told at the end; hours of other tests are to come
            _write(item.config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    before = len(item.config.stash[_ENTRIES])
    done = yield  # from here on, what is written is not captured
    entries = item.config.stash[_ENTRIES][before:]
    if entries and item.config.pluginmanager.has_plugin("terminalreporter"):
        writer = item.config.get_terminal_writer()
        if writer.width_of_current_line:
            writer.line()
        for entry in entries:
            writer.line(_markdown.line(entry))
        writer.flush()
    return done


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        *_, reason = report.longrepr
        item.config.stash[_SKIPPED].append(Skipped(item.nodeid, reason.removeprefix("Skipped: ")))
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    folder, entries, skipped = _found(config)
    if not entries:
        return
    terminalreporter.section("ratios measured in this run")
    terminalreporter.write_line(_markdown.page(entries, skipped))
    try:
        _write(config)
    except OSError as error:
        terminalreporter.write_line(f"{folder} could not be written to ({error}).", red=True)
        return
    terminalreporter.write_line(f"Written to {folder}: summary.json, summary.md")


def _write(config: pytest.Config) -> None:
    """Write what was found so far, so that a run that is killed has not been in vain."""
    folder, entries, skipped = _found(config)
    folder.mkdir(parents=True, exist_ok=True)
    _summary.write(folder / "summary.json", entries, skipped)
    write_whole(folder / "summary.md", _markdown.page(entries, skipped))


def _found(config: pytest.Config) -> tuple[Path, list[Entry], list[Skipped]]:
    return config.stash[_OPTIONS].summary, config.stash[_ENTRIES], config.stash[_SKIPPED]
