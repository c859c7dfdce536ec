"""The options of `pytest benchmarks`, checked before anything runs."""

import os
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks._records import Made, Size
from corruptlab._environment import Environment
from corruptlab.experiments.paper._training import processor

_MENTIONED = ("OMP_WAIT_POLICY", "OMP_PROC_BIND", "KMP_BLOCKTIME")  # they decide on speed
_FOLDERS = ("CIFAR10", "MNIST")  # where they are is nobody's business


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for.

    Args:
        full: Whether sizes are real ones; otherwise all is done in minutes.
        device: Where networks are trained.
        threads: Threads that PyTorch may use.
        seeds: How many seeds the time to interpolation is averaged over.
        summary: The folder that gets ``summary.json`` and ``summary.md``.
        words: The options that decide on sizes and speed, as they have to be typed again.
    """

    full: bool
    device: torch.device
    threads: int
    seeds: int
    summary: Path
    words: tuple[str, ...]

    @property
    def size(self) -> Size:
        return "full" if self.full else "quick"

    def made(self, file: Path, root: Path) -> Made:
        """Say what makes the entries of a file."""
        words = [f"{name}={os.environ[name]}" for name in _MENTIONED if name in os.environ]
        words += [f"{name}=FOLDER" for name in _FOLDERS if name in os.environ]
        words += ["pytest", file.relative_to(root).as_posix(), *self.words]
        return Made(
            machine=_machine(self.device),
            environment=Environment.here(self.device),
            command=" ".join(words),
            size=self.size,
            date=datetime.now(timezone.utc).date().isoformat(),
        )


def add(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("corruptlab's benchmarks")
    group.addoption("--full", action="store_true", help="real sizes, which take long")
    group.addoption("--device", help="where networks are trained: cpu or cuda; cpu")
    group.addoption("--threads", type=int, help="threads that PyTorch may use; all cores")
    group.addoption("--seeds", type=int, help="seeds of times to interpolation; 3, 5 with --full")
    group.addoption("--summary", help="folder for summary.json and .md; out/benchmarks")


def read(config: pytest.Config) -> Options:
    """Check the options.

    Raises:
        pytest.UsageError: If one is not possible.
    """

    def asked(name: str, default: Any) -> Any:
        # A conftest.py that is found late, as by `pytest .`, cannot declare options any more.
        value = config.getoption(name, default)
        return default if value is None else value

    if processes := config.getoption("numprocesses", None):
        beside = "because what runs beside each other is slowed"
        raise pytest.UsageError(f"`-n` must be 0 for benchmarks, {beside}, got {processes}.")
    full = bool(asked("--full", False))
    given = {name: config.getoption(name, None) for name in ("--device", "--threads", "--seeds")}
    words = [f"{name} {value}" for name, value in given.items() if value is not None]
    return Options(
        full=full,
        device=_device(asked("--device", "cpu")),
        threads=_at_least(1, "--threads", asked("--threads", os.cpu_count() or 1)),
        seeds=_at_least(2, "--seeds", asked("--seeds", 5 if full else 3)),
        summary=_folder(config.rootpath / Path(asked("--summary", "out/benchmarks")).expanduser()),
        words=(*["--full"] * full, *words),
    )


def _device(name: str) -> torch.device:
    if name.partition(":")[0] not in ("cpu", "cuda"):
        raise pytest.UsageError(f"`--device` must be cpu or cuda, got {name!r}.")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise pytest.UsageError(f"`--device` must be cpu or cuda, got {name!r}.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        there = torch.cuda.device_count()
        raise pytest.UsageError(f"`--device` must be there, got {name!r} of {there} GPUs.")
    return device


def _at_least(least: int, name: str, value: int) -> int:
    if value < least:
        raise pytest.UsageError(f"`{name}` must be at least {least}, got {value}.")
    return value


def _folder(path: Path) -> Path:
    first = next(each for each in (path, *path.parents) if each.exists())
    if not (first.is_dir() and os.access(first, os.W_OK)):
        raise pytest.UsageError(f"`--summary` must be a folder to write to, got {str(path)!r}.")
    return path


@cache
def _machine(device: torch.device) -> str:
    """Name the processor, and the GPU if that does the work."""
    if device.type == "cpu":
        return processor()
    return f"{torch.cuda.get_device_name(device)} beside {processor()}"
