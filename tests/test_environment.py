"""A result tells what it was made with."""

import json
import platform

import numpy as np
import torch

from corruptlab import __version__
from corruptlab._environment import Environment


def test_environment_names_this_process() -> None:
    here = Environment.here("cpu")
    assert (here.corruptlab, here.torch, here.numpy) == (
        __version__,
        torch.__version__,
        np.__version__,
    )
    assert (here.python, here.device) == (platform.python_version(), "cpu")
    assert here.threads == torch.get_num_threads()


def test_environment_survives_json() -> None:
    here = Environment.here()
    assert Environment(**json.loads(json.dumps(here.to_dict()))) == here


def test_environment_reads_as_one_line() -> None:
    text = str(Environment.here())
    assert "\n" not in text
    assert f"torch {torch.__version__}" in text
    assert text.endswith(f", {Environment.here().versions}")
