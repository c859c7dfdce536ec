"""What tests of several rooms share."""

import importlib
import importlib.util
import signal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import settings

# A shell makes what it starts in the background deaf to Ctrl-C, which some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Nothing here is large enough to gain from threads, and tests may share the machine.
torch.set_num_threads(1)

# The same examples in every run: a red test stays red until it is mended.
settings.register_profile("corruptlab", derandomize=True, deadline=None, database=None)
settings.load_profile("corruptlab")

_SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
_NMS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_alive: list[object] = []  # operators vanish with the library that defined them


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
    try:
        return importlib.import_module("torchvision.datasets")
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
    stand_in: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]  # PyTorch's
    for name in ("nms", "qnms"):
        stand_in.define(name + _NMS)
    _alive.append(stand_in)
    return importlib.import_module("torchvision.datasets")
