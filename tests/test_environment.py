"""A result tells what it was made with, and a device that does not work is refused."""

import json
import platform
from typing import Any

import numpy as np
import pytest
import torch

from corruptlab import __version__
from corruptlab._environment import Environment, usable_device
from tests.fake_gpu import FakeGPU


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


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
def test_device_comes_back_whether_it_is_given_by_name_or_not(device: torch.device | str) -> None:
    assert usable_device(device) == torch.device("cpu")


def test_gpu_without_a_number_is_the_current_one() -> None:
    with FakeGPU([(9, 0), (9, 0)], current=1):
        assert usable_device("cuda") == torch.device("cuda:1")
        assert usable_device(torch.device("cuda:0")) == torch.device("cuda:0")


@pytest.mark.parametrize("device", [3.5, None])
def test_what_is_no_device_is_quoted(device: Any) -> None:
    text = rf"^`device` must be a torch\.device or a name such as 'cuda:0', got {device}\.$"
    with pytest.raises(TypeError, match=text):
        usable_device(device)


@pytest.mark.parametrize("device", ["toaster", "cuda:99", torch.device("cuda:99"), "meta"])
def test_device_that_does_not_work_is_quoted(device: torch.device | str) -> None:
    text = rf"^`device` must be usable on this machine, got '{device}' \(.+\)\.$"
    with pytest.raises(ValueError, match=text):
        usable_device(device)


@pytest.mark.parametrize(
    "reason", ["no such GPU", "no such GPU.", "no such GPU\nCompile with X.", "no such GPU. Try Y."]
)
def test_of_pytorch_s_reasons_the_first_sentence_is_told(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError(reason)

    monkeypatch.setattr(torch, "empty", refuse)
    with pytest.raises(ValueError, match=r", got 'cuda:7' \(no such GPU\)\.$"):
        usable_device("cuda:7")
