"""What tests of several rooms share."""

import importlib.util
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import settings

import corruptlab as cl
from tests import once, waiting
from tests.fake_gpu import FakeGPU
from tests.fresh import Fresh, fresh_processes

# A shell makes what it starts in the background deaf to Ctrl-C, which some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Nothing here is large enough to gain from threads, and tests may share the machine.
torch.set_num_threads(1)

# The same examples in every run: a red test stays red until it is mended.
settings.register_profile(
    "corruptlab", derandomize=True, deadline=None, database=None, max_examples=50
)
settings.load_profile("corruptlab")

_SHARED = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def fresh() -> Iterator[Fresh]:
    """Runs a program in a process of its own that has imported nothing but PyTorch."""
    with fresh_processes() as run:
        yield run


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with whole, real data sets, which is no part of the project."""
    if not _SHARED.is_dir():
        pytest.skip(f"the real data sets are not there: {_SHARED}")
    return _SHARED


@pytest.fixture(scope="session")
def torchvision_datasets() -> ModuleType:
    """`torchvision.datasets`, even where torchvision was built for another build of PyTorch.

    Its compiled operators do not load then, and its import fails for want of two of them. The data
    sets use none of them, so two that cannot be called let the import pass.
    """
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    from tests.training.programs.vision import torchvision  # which needs torchvision's pillow

    return torchvision("datasets")


@pytest.fixture(scope="session")
def cifar10_images(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> torch.Tensor:
    """All 50,000 training images of CIFAR-10, ``uint8``, shape ``(50000, 3, 32, 32)``."""

    def fill(folder: Path) -> None:
        run = waiting.run([sys.executable, str(shared_data / "unpack.py"), str(folder)])
        if "No module named 'PIL'" in run.stderr:
            pytest.skip("unpacking the images needs pillow")
        assert run.returncode == 0, run.stderr

    folder = once.folder_of(tmp_path_factory, "cifar10", fill)
    return cl.datasets.cifar10(folder, split="train").images


@pytest.fixture
def forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep's own workers are forked as if afresh, without imports; not where it is killed."""
    fork = multiprocessing.get_context("fork")
    monkeypatch.setattr(multiprocessing, "get_context", lambda method: fork)


@pytest.fixture(scope="session")
def on_ray(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `sweeps.programs.ray_cluster` found on a cluster of its own."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")

    def fill(folder: Path) -> None:
        ended = waiting.run(
            [sys.executable, "-m", "tests.experiments.sweeps.programs.ray_cluster", str(folder)],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "OMP_NUM_THREADS": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"},
        )
        assert ended.returncode == 0, ended.stderr[-4000:]

    folder = once.folder_of(tmp_path_factory, "ray", fill)
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


@pytest.fixture
def fake_gpu() -> Iterator[FakeGPU]:
    """One GPU, for a test that does without a real one."""
    with FakeGPU() as gpu:
        yield gpu
